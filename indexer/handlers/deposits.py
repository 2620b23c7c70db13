"""Money that comes in: deposits, and funding moved to trading."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from indexer.fold import BYTES, Fold, Handler


def deposited(fold: Fold, log: Log) -> None:
    """A transfer into the contract, credited to one of the account's two balances."""
    account, token_id = log.topics[1][26:], int(log.topics[2], 16)
    amount = int(word(log.data, 1), 16)
    to_funding = int(word(log.data, 2), 16) != 0
    (fold.funding if to_funding else fold.trading)[account, token_id] += amount
    _add(fold, log, "deposit", account, token_id, word(log.data, 0)[24:], amount, to_funding)


def moved_to_trading(fold: Fold, log: Log) -> None:
    """Funding that became tradable."""
    account, token_id = log.topics[1][26:], int(log.topics[2], 16)
    amount = int(word(log.data, 0), 16)
    fold.funding[account, token_id] -= amount
    fold.trading[account, token_id] += amount
    _add(fold, log, "moved_to_trading", account, token_id, account, amount, False)


def _add(fold: Fold, log: Log, kind: str, account: str, token_id: int, sender: str, amount: int, funding: bool) -> None:
    fold.add(
        "deposit",
        log,
        BYTES + log.transaction_hash[2:],
        kind,
        BYTES + account,
        str(token_id),
        BYTES + sender,
        str(amount),
        "t" if funding else "f",
        "\\N",
    )


HANDLERS: Mapping[str, Handler] = {"Deposited": deposited, "MovedToTrading": moved_to_trading}
