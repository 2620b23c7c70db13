"""Commands and events as bytes: `kind` (2 bytes), `version` (2 bytes), and the fields as one msgpack array.

A kind is a number that is never reused. A class whose fields change gets the next version, and the decoder of the old
one stays (`exchange.journal.older`), so that every journal ever written can be read. Decoding is strict: types, the
lengths of addresses and hashes, and the range of integers are those of the class, or `CodecError` says what is wrong.
An order is carried in its packed form of 80 bytes; a frame of orders as it came, all of them packed one after another;
each leg of a group as the record that it would be by itself.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

import msgspec

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.order import Order
from exchange.engine import commands as c
from exchange.journal import older

T = TypeVar("T")

VERSION = 1
_PREFIX = struct.Struct(">HH")
_LENGTHS = {
    "account": 20,
    "signer": 20,
    "delegate": 20,
    "fee_account": 20,
    "address": 20,
    "order_hash": 32,
    "withdrawal_hash": 32,
    "separator": 32,
    "root": 32,
}
_UNBOUNDED = frozenset({"nonce", "min_nonce"})  # by msgpack alone: 64 bits; every other integer has 63


class CodecError(ValueError):
    """Bytes that are no command (or event): of an unknown kind or version, or with a field that does not fit."""


@dataclass(frozen=True, slots=True)
class _Layout(Generic[T]):
    """How one class is written and read."""

    prefix: bytes
    take: Callable[[T], tuple[object, ...]]
    decoder: msgspec.msgpack.Decoder[Any]
    build: Callable[..., T]


@dataclass(frozen=True, slots=True)
class Older(Generic[T]):
    """How a record of an older version is read: the shape of its fields, and what they make today."""

    kind: int
    version: int
    shape: Any
    build: Callable[..., T]


class TableCodec(Generic[T]):
    """Encodes the dataclasses in `kinds` (kind number to class), and nothing else; reads `older` versions too.

    `versions` holds the versions that are written, by kind, where they are not the first.
    """

    def __init__(
        self, kinds: Mapping[int, type[T]], versions: Mapping[int, int] | None = None, older: "Iterable[Older[T]]" = ()
    ) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._by_class = {cls: _layout(kind, cls, (versions or {}).get(kind, VERSION)) for kind, cls in kinds.items()}
        readers = {layout.prefix: (layout.decoder, layout.build) for layout in self._by_class.values()}
        for old in older:
            readers[_PREFIX.pack(old.kind, old.version)] = (msgspec.msgpack.Decoder(old.shape), old.build)
        self._readers: dict[bytes, tuple[msgspec.msgpack.Decoder[Any], Callable[..., T]]] = readers

    def encode(self, value: T) -> bytes:
        """The bytes of `value`. KeyError for a class that is not in the table."""
        layout = self._by_class[type(value)]
        return layout.prefix + self._encoder.encode(layout.take(value))

    def decode(self, data: bytes | memoryview) -> T:
        """The value in `data`; CodecError says what is wrong with it."""
        reader = self._readers.get(bytes(data[:4]))
        if reader is None:
            raise CodecError(_unknown(bytes(data[:4])))
        decoder, build = reader
        try:
            return build(*decoder.decode(data[4:]))
        except (msgspec.DecodeError, ValueError) as error:
            raise CodecError(str(error)) from None


def _unknown(prefix: bytes) -> str:
    if len(prefix) < _PREFIX.size:
        return "shorter than its prefix of 4 bytes"
    kind, version = _PREFIX.unpack(prefix)
    return f"unknown kind {kind} version {version}"


def _layout(kind: int, cls: type[T], version: int) -> _Layout[T]:
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    take: Callable[[T], tuple[object, ...]] = _take_few(names) if len(names) < 2 else attrgetter(*names)
    build: Callable[..., T] = cls
    for index, name in enumerate(names):
        if conversion := _conversion(name, hints[name]):
            take, build = _convert(take, build, index, *conversion)
    shape: Any = tuple.__class_getitem__(tuple(_wire_type(name, hints[name]) for name in names))
    return _Layout(_PREFIX.pack(kind, version), take, msgspec.msgpack.Decoder(shape), build)


def _take_few(names: list[str]) -> Callable[[object], tuple[object, ...]]:
    """`attrgetter` for no name and for one, which it does not give as a tuple."""
    if not names:
        return lambda _value: ()
    get = attrgetter(names[0])
    return lambda value: (get(value),)


def _wire_type(name: str, hint: Any) -> Any:
    """The type of a field on the wire: the field's own, with the bounds that its name implies."""
    if _conversion(name, hint):
        return bytes
    if hint is int:
        return Annotated[int, msgspec.Meta(ge=0) if name in _UNBOUNDED else msgspec.Meta(ge=0, le=MAX_AMOUNT)]
    if hint == int | None:
        return Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)] | None
    if hint is bytes and name in _LENGTHS:
        return Annotated[bytes, msgspec.Meta(min_length=_LENGTHS[name], max_length=_LENGTHS[name])]
    return hint


def _conversion(name: str, hint: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]] | None:
    """How a field that msgpack cannot hold as it is becomes bytes, and back."""
    if hint is Order:
        return Order.pack, Order.unpack
    if hint is c.PlaceOrder:
        return _LEG.encode, _LEG.decode
    if name == "terms":  # 128 bits
        return (lambda word: word.to_bytes(16)), int.from_bytes
    return None


def _convert(
    take: Callable[[T], tuple[object, ...]],
    build: Callable[..., T],
    index: int,
    to_wire: Callable[[Any], bytes],
    from_wire: Callable[[bytes], Any],
) -> tuple[Callable[[T], tuple[object, ...]], Callable[..., T]]:
    """`take` and `build` with the field at `index` converted."""

    def take_converted(value: T) -> tuple[object, ...]:
        row = take(value)
        return (*row[:index], to_wire(row[index]), *row[index + 1 :])

    def build_converted(*row: Any) -> T:
        return build(*row[:index], from_wire(row[index]), *row[index + 1 :])

    return take_converted, build_converted


_LEG: TableCodec[c.PlaceOrder] = TableCodec({1: c.PlaceOrder})
"""A placed order within another command."""

COMMAND_KINDS: Mapping[int, type[c.Command]] = {
    1: c.PlaceOrder,
    2: c.CancelOrder,
    3: c.CancelAll,
    4: c.HoldWithdrawal,
    5: c.Tick,
    6: c.ListAsset,
    7: c.ListMarket,
    8: c.SetMarketStatus,
    # 9 set a market's fees at once
    10: c.Credit,
    11: c.Uncredit,
    12: c.ReserveForced,
    13: c.ReleaseForced,
    14: c.Debit,
    15: c.ConsumeWithdrawal,
    16: c.ReleaseWithdrawal,
    17: c.ObeyCancel,
    18: c.ObeyRevocation,
    19: c.SetExiting,
    20: c.CutBatch,
    21: c.FinalizeBatch,
    22: c.ReverseTrades,
    23: c.SetLimits,
    24: c.AllowDelegate,
    25: c.SetFeeRules,
    26: c.AnnounceFees,
    27: c.SetAccountTier,
    28: c.SetFrozen,
    29: c.MassCancel,
    30: c.SetCountdown,
    31: c.StopTrading,
    32: c.SetTradingStop,
    33: c.PlaceFrame,
    34: c.AmendOrder,
    35: c.SetMarketBounds,
    36: c.StartAuction,
    37: c.PlaceGroup,
    38: c.PlaceMixedFrame,
    39: c.SetAccountLimits,
}

_VERSIONS = {7: 2, 35: 2}

_COMMANDS: TableCodec[c.Command] = TableCodec(
    COMMAND_KINDS,
    _VERSIONS,
    (
        Older(7, 1, older.LIST_MARKET_1, older.list_market_1),
        Older(9, 1, older.SET_MARKET_FEES_1, older.set_market_fees_1),
        Older(35, 1, older.SET_MARKET_BOUNDS_1, c.SetMarketBounds),
    ),
)

encode_command = _COMMANDS.encode
decode_command = _COMMANDS.decode
