"""How much more gas a batch may need when it is mined than when it was tried. Pure.

Between the trial and the mining users change storage that settlement reads and writes: they empty balances, post
cancels and freeze their accounts. None of it can make a batch fail before the delay, but all of it makes it dearer:

    FRESH    a write to a balance word that is zero, as before the transaction, costs as much more. It happens where a
             credit comes to a word that nothing in the batch has changed so far, or that debits have brought back. A
             word that is debited first cannot be empty: the batch would fail, not cost
    LIMITS   an account that is marked has its limits, the order's cancel and its freeze read

Nothing else that settlement touches is written by users: what is filled on a nonce only a batch changes, and a
delegate's word and a market's are read whatever stands there. The fee account's word is the operator's own; it is
counted once per token.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from exchange.domain.deployment import Deployment
from exchange.domain.order import Side
from exchange.domain.settlement import Execution

FRESH = 17_100
LIMITS = 8_000
BASE = 50_000
"""For what stands once in a batch: the fixed words, and how exact a node's estimate is."""

TOKENS_PER_SLOT = 4

Slots = Mapping[int, tuple[int, int]]
"""Of each market, by its number: the slots of base and quote in an account's balances."""


def slots_of(deployment: Deployment) -> dict[int, tuple[int, int]]:
    """The slots of the markets that a deployment lists."""
    ids = {token.asset_id: token.token_id for token in deployment.tokens}
    return {
        market.market_id: (ids[market.base_asset] // TOKENS_PER_SLOT, ids[market.quote_asset] // TOKENS_PER_SLOT)
        for market in deployment.markets
        if market.base_asset in ids and market.quote_asset in ids
    }


def growth(executions: Sequence[Execution], slots: Slots) -> int:
    """Gas that these executions may come to need beyond what they need now."""
    return BASE + LIMITS * len(executions) + FRESH * (_fresh_credits(executions, slots) + _fee_words(executions, slots))


class _Word(Enum):
    """What is known of a balance word, from the executions that have used it."""

    funded = "it was not empty before the batch"
    credited = "not empty now"
    drawn = "debited since it was credited, so it may be as empty as before"


def _fresh_credits(executions: Iterable[Execution], slots: Slots) -> int:
    """How many credits may each come to a word that is empty as it was before the transaction.

    A market that is not known may use any words: each of its credits counts, and what was known of the account's
    words is no longer.
    """
    count = 0
    words: dict[tuple[bytes, int], _Word] = {}
    unclear: set[bytes] = set()
    for execution in executions:
        account, known = execution.order.account, slots.get(execution.order.market)
        if known is None:
            count += 1
            unclear.add(account)
            words |= {word: _Word.drawn for word in words if word[0] == account and words[word] is _Word.credited}
            continue
        debit, credit = ((account, slot) for slot in (known if execution.order.side == Side.sell else known[::-1]))
        if debit not in words and account not in unclear:
            words[debit] = _Word.funded
        elif words.get(debit) is not _Word.funded:
            words[debit] = _Word.drawn
        if credit != debit and words.get(credit) not in (_Word.funded, _Word.credited):
            count += 1
            words[credit] = _Word.credited
    return count


def _fee_words(executions: Iterable[Execution], slots: Slots) -> int:
    """How many words of the fee account the batch may write first."""
    markets = {execution.order.market for execution in executions}
    unknown = markets - slots.keys()
    return len({slots[market][1] for market in markets - unknown}) + len(unknown)
