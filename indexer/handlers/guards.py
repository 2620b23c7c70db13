"""What protects accounts: freezes by their owners, allow-lists, approvals of large withdrawals."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from exchange.database.mirror import NULL
from indexer.fold import BYTES, Fold, Handler


def account_frozen(fold: Fold, log: Log) -> None:
    """An owner stopped its account; `effective_at` is when settlement stops."""
    effective_at, nonce = (str(int(word(log.data, place), 16)) for place in range(2))
    fold.add("account_freeze", log, *_head(log, "frozen"), effective_at, nonce)


def account_unfrozen(fold: Fold, log: Log) -> None:
    """An account goes on from `effective_at`, unless it is frozen again before."""
    fold.add("account_freeze", log, *_head(log, "unfrozen"), str(int(word(log.data, 0), 16)), "0")


def allow_list_changed(fold: Fold, log: Log) -> None:
    """The list binds, or does so no more."""
    enabled = "t" if int(word(log.data, 0), 16) else "f"
    fold.add("allow_list", log, *_head(log, "switched"), NULL, enabled, str(int(word(log.data, 1), 16)))


def recipient_allowed(fold: Fold, log: Log) -> None:
    """An entry of the list, from `effective_at`."""
    fold.add("allow_list", log, *_head(log, "allowed"), _address(log, 2), NULL, str(int(word(log.data, 0), 16)))


def recipient_disallowed(fold: Fold, log: Log) -> None:
    """An entry less."""
    fold.add("allow_list", log, *_head(log, "disallowed"), _address(log, 2), NULL, "0")


def withdrawal_approved(fold: Fold, log: Log) -> None:
    """One approver lets a withdrawal go above the limit."""
    digest = BYTES + log.topics[1][2:]
    tx = BYTES + log.transaction_hash[2:]
    fold.add("withdrawal_approval", log, tx, digest, _address(log, 2), _address(log, 3))


def _head(log: Log, kind: str) -> tuple[str, str, str]:
    return BYTES + log.transaction_hash[2:], kind, _address(log, 1)


def _address(log: Log, topic: int) -> str:
    return BYTES + log.topics[topic][26:]


HANDLERS: Mapping[str, Handler] = {
    "AccountFrozen": account_frozen,
    "AccountUnfrozen": account_unfrozen,
    "AllowListChanged": allow_list_changed,
    "RecipientAllowed": recipient_allowed,
    "RecipientDisallowed": recipient_disallowed,
    "WithdrawalApproved": withdrawal_approved,
}
