"""A held withdrawal, read back from the message that the user signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from exchange.domain.eip712 import TYPES, Domain, Value


class BadWithdrawal(Exception):
    """The stored message is not the one that was held; it can never be paid."""


@dataclass(frozen=True, slots=True)
class SignedWithdrawal:
    """A `Withdrawal`, or a `FundingTransfer` (`recipient` None). Amounts in token units, `deadline` unix seconds."""

    account: bytes
    token: bytes
    amount: int
    recipient: bytes | None
    max_fee: int
    nonce: int
    deadline: int

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> Self:
        """The values of a message with integers as decimal strings and addresses as 0x hex."""
        try:
            name = "Withdrawal" if "recipient" in message else "FundingTransfer"
            values = {field: _value(kind, message[field]) for field, kind in TYPES[name]}
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise BadWithdrawal(f"the message is no withdrawal: {error!r}") from None
        return cls(**{"recipient": None, **values})

    def digest(self, domain: Domain) -> bytes:
        """The EIP-712 digest: what the user signed."""
        name = "FundingTransfer" if self.recipient is None else "Withdrawal"
        values: dict[str, Value] = {field: getattr(self, field) for field, _ in TYPES[name]}
        return domain.hash(name, values)


def _value(kind: str, value: Any) -> Any:
    if kind != "address":
        return int(value)
    raw = bytes.fromhex(value.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError("an address has 20 bytes")
    return raw
