"""The signed order: what a user signs, how `terms` packs, and the packed form everything shares.

An order travels, is journaled and reaches the contract in one packed form of 80 bytes:

    word 0   account 160 | market 32 | expiry 40 | max_fee_bps 16 | side 8
    word 1   price 64 | quantity 64 | nonce 64 | trigger_price 64
    half     terms 128

The nonce's top bit selects the replay state (`SINGLE_FILL`: the order may execute once, in one
batch; otherwise fills accumulate up to `quantity`); the other bits are compared with the account's
minimum nonce and stay below 2**48.

`terms` is read by the engine and the audit, never by the contract:

    bits 0-1   time in force      bits 10-15   reserved, zero
    bit  2     post only          bits 16-79   displayed quantity (lots, 0: all)
    bits 3-4   self-trade mode    bits 80-95   trail, basis points
    bits 5-7   trigger type       bits 96-127  group (orders that cancel one another)
    bits 8-9   trigger source
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

SINGLE_FILL = 1 << 63
NONCE_LIMIT = 1 << 48
PACKED_SIZE = 80
ACCOUNT_SIZE = 20
_PACKED = struct.Struct(">20sI5sHBQQQQ16s")
MAX_EXPIRY = (1 << 40) - 1
MAX_ORDER_SECONDS = 30 * 86_400
MAX_DELEGATED_SECONDS = 86_400

_U64 = (1 << 64) - 1
_MOST = {"trigger_source": 3, "displayed_quantity": _U64, "trail_bps": 0xFFFF, "group": 0xFFFF_FFFF}
"""The largest numbers that terms have room for."""


class Side(IntEnum):
    """`buy` and `sell` count `quantity` in lots; `buy_quote` (single fill) counts it in quote units."""

    buy = 0
    sell = 1
    buy_quote = 2


class TimeInForce(IntEnum):
    """How long an order works: till cancelled, till its expiry, now or never, all now or never.

    A market order is an `ioc` or `fok` whose `price` is the worst the user accepts. `gtc` orders
    carry an expiry too (the contract knows no eternal order); `gtd` says the user chose it.
    """

    gtc = 0
    gtd = 1
    ioc = 2
    fok = 3


class SelfTrade(IntEnum):
    """What happens when an order would meet another of its own account."""

    cancel_taker = 0
    cancel_maker = 1
    cancel_both = 2
    decrement = 3


class TriggerType(IntEnum):
    """What makes the order start to work; `none` works at once."""

    none = 0
    stop_loss = 1
    take_profit = 2
    trailing = 3


PLAIN_TERMS = 0x1F
"""The bits of packed terms that every order has: time in force, post-only, self-trade mode."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The unpacked `terms` of an order."""

    time_in_force: TimeInForce = TimeInForce.gtc
    post_only: bool = False
    self_trade: SelfTrade = SelfTrade.cancel_taker
    trigger_type: TriggerType = TriggerType.none
    trigger_source: int = 0
    displayed_quantity: int = 0
    trail_bps: int = 0
    group: int = 0

    def pack(self) -> int:
        """The 128-bit word that is signed; ValueError for a number that has no room in it."""
        for name, most in _MOST.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be 0 to {most}, not {getattr(self, name)}")
        return (
            int(self.time_in_force)
            | int(self.post_only) << 2
            | int(self.self_trade) << 3
            | int(self.trigger_type) << 5
            | self.trigger_source << 8
            | self.displayed_quantity << 16
            | self.trail_bps << 80
            | self.group << 96
        )

    @classmethod
    def unpack(cls, word: int) -> Self:
        """The terms in `word`; ValueError if a reserved bit or an unknown choice is set."""
        if word >> 128 or (word >> 10) & 0x3F:
            raise ValueError("terms set a reserved bit")
        return cls(
            TimeInForce(word & 3),
            bool(word >> 2 & 1),
            SelfTrade(word >> 3 & 3),
            TriggerType(word >> 5 & 7),
            word >> 8 & 3,
            word >> 16 & _U64,
            word >> 80 & 0xFFFF,
            word >> 96 & 0xFFFF_FFFF,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that limits the operator, as it is signed.

    `account` is 20 bytes; `price` quote ledger units per lot; `quantity` lots; `expiry` unix
    seconds; `trigger_price` like `price`, 0 for none; `terms` as packed by `Terms`.
    """

    account: bytes
    market: int
    side: int
    price: int
    quantity: int
    nonce: int
    expiry: int
    trigger_price: int
    max_fee_bps: int
    terms: int

    @property
    def single_fill(self) -> bool:
        """Whether the order may execute in one batch only."""
        return bool(self.nonce & SINGLE_FILL)

    @property
    def sequence(self) -> int:
        """The nonce without its top bit: what the minimum nonce is compared with."""
        return self.nonce & ~SINGLE_FILL

    def words(self) -> tuple[int, int]:
        """The two packed words of the head."""
        return (
            int.from_bytes(self.account) << 96
            | self.market << 64
            | self.expiry << 24
            | self.max_fee_bps << 8
            | self.side,
            self.price << 192 | self.quantity << 128 | self.nonce << 64 | self.trigger_price,
        )

    def pack(self) -> bytes:
        """The 80 packed bytes. OverflowError if a field does not fit its width."""
        if len(self.account) != ACCOUNT_SIZE:
            raise OverflowError(f"the account has {ACCOUNT_SIZE} bytes, not {len(self.account)}")
        try:
            return _PACKED.pack(
                self.account,
                self.market,
                self.expiry.to_bytes(5),
                self.max_fee_bps,
                self.side,
                self.price,
                self.quantity,
                self.nonce,
                self.trigger_price,
                self.terms.to_bytes(16),
            )
        except struct.error:
            raise OverflowError("a field of the order exceeds its width") from None

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """The order in 80 packed bytes; ValueError for another length."""
        if len(data) != PACKED_SIZE:
            raise ValueError(f"a packed order has {PACKED_SIZE} bytes, not {len(data)}")
        account, market, expiry, max_fee_bps, side, price, quantity, nonce, trigger_price, terms = _PACKED.unpack(data)
        return cls(
            account,
            market,
            side,
            price,
            quantity,
            nonce,
            int.from_bytes(expiry),
            trigger_price,
            max_fee_bps,
            int.from_bytes(terms),
        )
