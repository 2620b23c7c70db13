"""Money that goes out: signed, forced and by exit; and the requests for it."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from exchange.database.mirror import NULL
from indexer.fold import BYTES, Fold, Handler


def withdrawn(fold: Fold, log: Log) -> None:
    """A signed withdrawal; the amount includes the fee."""
    data = log.data
    amount = int(word(data, 1), 16)
    fold.trading[_key(log)] -= amount
    _add(
        fold,
        log,
        "withdrawn",
        amount,
        recipient=BYTES + word(data, 0)[24:],
        fee=int(word(data, 2), 16),
        nonce=str(int(word(data, 3), 16)),
        withdrawal_hash=BYTES + word(data, 4),
        submitter=BYTES + word(data, 5)[24:],
    )


def moved_to_funding(fold: Fold, log: Log) -> None:
    """A signed transfer to funding; the fee leaves to whoever submitted it."""
    data = log.data
    amount, fee = int(word(data, 0), 16), int(word(data, 1), 16)
    fold.trading[_key(log)] -= amount
    fold.funding[_key(log)] += amount - fee
    _add(
        fold,
        log,
        "moved_to_funding",
        amount,
        fee=fee,
        nonce=str(int(word(data, 2), 16)),
        withdrawal_hash=BYTES + word(data, 3),
    )


def funding_withdrawn(fold: Fold, log: Log) -> None:
    """A withdrawal out of funding, by the account itself."""
    amount = int(word(log.data, 1), 16)
    fold.funding[_key(log)] -= amount
    _add(fold, log, "funding_withdrawn", amount, recipient=BYTES + word(log.data, 0)[24:])


def withdrawal_claimed(fold: Fold, log: Log) -> None:
    """A forced withdrawal paid."""
    amount = int(word(log.data, 1), 16)
    fold.trading[_key(log)] -= amount
    _add(fold, log, "claimed", amount, recipient=BYTES + word(log.data, 0)[24:])


def exit_claimed(fold: Fold, log: Log) -> None:
    """Everything of one token, paid to the account."""
    trading, funding = int(word(log.data, 0), 16), int(word(log.data, 1), 16)
    fold.trading[_key(log)] -= trading
    fold.funding[_key(log)] -= funding
    _add(fold, log, "exit_claimed", trading, funding_amount=funding)


def withdrawal_requested(fold: Fold, log: Log) -> None:
    """A forced withdrawal asked for."""
    recipient, amount, claimable_at, lapses_at = (word(log.data, place) for place in range(4))
    numbers = [str(int(digits, 16)) for digits in (amount, claimable_at, lapses_at)]
    fold.add("withdrawal_request", log, *_head(log, "requested"), BYTES + recipient[24:], *numbers)


def withdrawal_request_cancelled(fold: Fold, log: Log) -> None:
    """A forced withdrawal given up."""
    fold.add("withdrawal_request", log, *_head(log, "cancelled"), NULL, "0", "0", "0")


def exit_requested(fold: Fold, log: Log) -> None:
    """An account wants to leave."""
    fold.add("exit_request", log, *_head(log, "requested")[:3], str(int(word(log.data, 0), 16)))


def exit_cancelled(fold: Fold, log: Log) -> None:
    """An account stays."""
    fold.add("exit_request", log, *_head(log, "cancelled")[:3], "0")


def _key(log: Log) -> tuple[str, int]:
    return log.topics[1][26:], int(log.topics[2], 16)


def _head(log: Log, kind: str) -> list[str]:
    """Transaction, kind, account and, where there is one, token id."""
    ids = [str(int(topic, 16)) for topic in log.topics[2:]]
    return [BYTES + log.transaction_hash[2:], kind, BYTES + log.topics[1][26:], *ids]


def _add(
    fold: Fold,
    log: Log,
    kind: str,
    amount: int,
    *,
    recipient: str = NULL,
    fee: int = 0,
    funding_amount: int = 0,
    nonce: str = NULL,
    withdrawal_hash: str = NULL,
    submitter: str = NULL,
) -> None:
    numbers = (str(amount), str(fee), str(funding_amount))
    fold.add("withdrawal_event", log, *_head(log, kind), recipient, *numbers, nonce, withdrawal_hash, submitter)


HANDLERS: Mapping[str, Handler] = {
    "Withdrawn": withdrawn,
    "MovedToFunding": moved_to_funding,
    "FundingWithdrawn": funding_withdrawn,
    "WithdrawalClaimed": withdrawal_claimed,
    "ExitClaimed": exit_claimed,
    "WithdrawalRequested": withdrawal_requested,
    "WithdrawalRequestCancelled": withdrawal_request_cancelled,
    "ExitRequested": exit_requested,
    "ExitCancelled": exit_cancelled,
}
