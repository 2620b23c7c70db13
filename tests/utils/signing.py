"""Wallets for tests: deterministic keys, and every message of the protocol signed by them."""

from dataclasses import dataclass, field

from exchange.chain.signing import Key
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import Domain, Value, keccak
from exchange.domain.order import Order


@dataclass(frozen=True)
class Signer:
    """An account by role name; the same name is always the same key."""

    name: str
    key: Key = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", Key(keccak(b"test wallet " + self.name.encode())))

    @property
    def raw(self) -> bytes:
        """The address as 20 bytes."""
        return self.key.address

    @property
    def address(self) -> str:
        """The address as EIP-55 text."""
        return checksum(self.key.address)

    def sign(self, domain: Domain, name: str, **values: Value) -> bytes:
        """A message of type `name`, signed: 65 bytes r, s, v."""
        return self.key.sign(domain.hash(name, values))

    def sign_order(self, domain: Domain, order: Order) -> bytes:
        """An order, signed: 65 bytes r, s, v."""
        return self.key.sign(domain.order_hash(order))
