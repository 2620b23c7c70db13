"""What a node answers, as it answers it: hexadecimal stays text until a value is needed.

A log becomes database rows without ever leaving hexadecimal, so converting each field first would be wasted.
"""

import msgspec


class Header(msgspec.Struct, rename="camel", frozen=True):
    """A block's header, the parts that are used."""

    number_hex: str = msgspec.field(name="number")
    hash: str
    parent_hash: str
    timestamp_hex: str = msgspec.field(name="timestamp")
    base_fee_hex: str = msgspec.field(name="baseFeePerGas", default="0x0")

    @property
    def number(self) -> int:
        """Height."""
        return int(self.number_hex, 16)

    @property
    def timestamp(self) -> int:
        """Seconds since 1970."""
        return int(self.timestamp_hex, 16)

    @property
    def base_fee(self) -> int:
        """Wei per gas."""
        return int(self.base_fee_hex, 16)


class Log(msgspec.Struct, rename="camel", gc=False):
    """One log. `topics[0]` is the event's signature; `data` is 0x and 64 digits per word."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    transaction_index: str
    log_index: str
    block_timestamp: str | None = None


class Receipt(msgspec.Struct, rename="camel", frozen=True):
    """What became of a transaction."""

    transaction_hash: str
    block_hash: str
    block_number_hex: str = msgspec.field(name="blockNumber")
    status_hex: str = msgspec.field(name="status")
    gas_used_hex: str = msgspec.field(name="gasUsed")
    effective_gas_price_hex: str = msgspec.field(name="effectiveGasPrice", default="0x0")
    contract_address: str | None = None

    @property
    def block_number(self) -> int:
        """Height of the block."""
        return int(self.block_number_hex, 16)

    @property
    def succeeded(self) -> bool:
        """Whether it did not revert."""
        return self.status_hex == "0x1"

    @property
    def gas_used(self) -> int:
        """Gas it used."""
        return int(self.gas_used_hex, 16)

    @property
    def effective_gas_price(self) -> int:
        """Wei per gas it paid."""
        return int(self.effective_gas_price_hex, 16)


class _CallError(msgspec.Struct):
    message: str = ""


class SimulatedCall(msgspec.Struct, rename="camel", frozen=True):
    """What a call in a simulated block did."""

    status_hex: str = msgspec.field(name="status")
    gas_used_hex: str = msgspec.field(name="gasUsed")
    return_data: str = "0x"
    error: _CallError | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it did anything."""
        return int(self.status_hex, 16) == 1

    @property
    def gas_used(self) -> int:
        """Gas."""
        return int(self.gas_used_hex, 16)

    @property
    def data(self) -> bytes:
        """What it returned, or what it was refused with."""
        return bytes.fromhex(self.return_data[2:])

    @property
    def message(self) -> str:
        """What the node says of its failure."""
        return self.error.message if self.error else ""


class SimulatedBlock(msgspec.Struct, frozen=True):
    """The calls of a simulated block."""

    calls: list[SimulatedCall]
