"""What accounts say about their orders: cancels posted on chain, delegated keys."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from indexer.fold import BYTES, Fold, Handler


def nonce_cancelled(fold: Fold, log: Log) -> None:
    """One nonce is dead from `effective_at`."""
    nonce, effective_at = int(word(log.data, 0), 16), int(word(log.data, 1), 16)
    fold.add("posted_cancel", log, *_head(log), str(nonce), "0", str(effective_at))


def nonces_cancelled(fold: Fold, log: Log) -> None:
    """All sequences below are dead from `effective_at`."""
    min_nonce, effective_at = int(word(log.data, 0), 16), int(word(log.data, 1), 16)
    fold.add("posted_cancel", log, *_head(log), "0", str(min_nonce), str(effective_at))


def delegate_added(fold: Fold, log: Log) -> None:
    """A key may trade for the account."""
    markets, expiry, nonce = (str(int(word(log.data, place), 16)) for place in range(3))
    tx, account = _head(log)
    fold.add("delegate", log, tx, "added", account, BYTES + log.topics[2][26:], markets, expiry, "0", nonce)


def delegate_revoked(fold: Fold, log: Log) -> None:
    """A key may not trade for the account any more."""
    effective_at, nonce = (str(int(word(log.data, place), 16)) for place in range(2))
    tx, account = _head(log)
    fold.add("delegate", log, tx, "revoked", account, BYTES + log.topics[2][26:], "0", "0", effective_at, nonce)


def _head(log: Log) -> tuple[str, str]:
    return BYTES + log.transaction_hash[2:], BYTES + log.topics[1][26:]


HANDLERS: Mapping[str, Handler] = {
    "NonceCancelled": nonce_cancelled,
    "NoncesCancelled": nonces_cancelled,
    "DelegateAdded": delegate_added,
    "DelegateRevoked": delegate_revoked,
}
