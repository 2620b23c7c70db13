"""What can go wrong for a client, as one tree.

ClientError
├── ApiError             the exchange refused: `code`, `field`, `params`, `message`, HTTP status
├── NoReceipt            what was acknowledged came without a receipt that holds: keep the ack, and trust nobody
├── WrongAddress         the deposit address that was named is another than the account's: send nothing there
├── WrongAck             what was acknowledged is another order than the one that was sent
├── NoBond               nothing stands behind receipts any more: no order was sent
├── Unreachable          no answer, or not one that can be read; the request may have been carried out
└── TransactionFailed    the chain refused a transaction, or it reverted; a contract's refusal has `code` and `advice`
"""

from __future__ import annotations

from collections.abc import Mapping

from exchange.domain.contract_refusals import contract_refusal


class ClientError(Exception):
    """Base of everything the client raises on purpose."""


class ApiError(ClientError):
    """A refusal of the exchange; `code` is stable, `field` names what is wrong in the request."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        params: Mapping[str, str | int] | None = None,
        retry_after: float | None = None,
    ) -> None:
        where = f" [{field}]" if field else ""
        super().__init__(f"{code}{where}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.params: dict[str, str | int] = dict(params or {})
        self.retry_after = retry_after


class NoReceipt(ClientError):
    """The ack came without a receipt of the key that the client was told, or with one that shows nothing.

    The command may stand all the same; `ack` is what the exchange said.
    """

    def __init__(self, message: str, ack: object) -> None:
        super().__init__(message)
        self.ack = ack


class WrongAck(ClientError):
    """The ack is of another order, by hash or by place. What was sent may stand all the same; `ack` is what came."""

    def __init__(self, message: str, ack: object) -> None:
        super().__init__(message)
        self.ack = ack


class WrongAddress(ClientError):
    """What is called the account's deposit address does not follow from the account, or its factory's code is unknown.

    Whoever sends money there may lose it.
    """


class NoBond(ClientError):
    """The operator's bond cannot be taken for what its key says from now on; nothing was sent."""


class Unreachable(ClientError):
    """The other side gave no readable answer. Sending the same signed message again is safe."""


class TransactionFailed(ClientError):
    """The chain refused the transaction, or mined it as reverted; the message is the contract's reason.

    When a contract refused, `reason` is its text, `code` the stable code that `docs/errors.md` gives it, and `advice`
    what to do; all three are None when it never came to that.
    """

    def __init__(self, message: str, tx_hash: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(message if tx_hash is None else f"{message} (transaction {tx_hash})")
        self.tx_hash = tx_hash
        self.reason = reason
        refusal = None if reason is None else contract_refusal(reason)
        self.code = None if refusal is None else refusal.code
        self.advice = None if refusal is None else refusal.advice

    @classmethod
    def refused(cls, reason: str, tx_hash: str | None = None) -> TransactionFailed:
        """A contract's refusal, with its reason or, without one, an empty text."""
        return cls(reason or "the contract refused without a reason", tx_hash, reason=reason)
