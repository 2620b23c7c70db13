"""What passes through the engine's socket.

A frame is a length (4 bytes, big-endian, of what follows) and one msgpack message of at most `MAX_FRAME` bytes to the
engine, `MAX_ANSWER` from it.

    client → engine   Submit     commands, answered by one Outcomes in the same order
                      Ask        a question about the present, answered by one Answer
                      Subscribe  from now on this connection receives every committed command
                      Follow     accounts of which a selective subscription is told from now on, or no more
                      Frames     frames of orders, answered by one FrameOutcomes, and if asked by one Journaled before
    engine → client   Outcomes   an Ack or a Refused for each command
                      Journaled  the frames are durable and not judged yet: an Ack or a Refused for each
                      FrameOutcomes   what became of each order of each frame
                      Answer     the answer; its type follows from the question
                      Group      the commands of one group commit, durable, with their events

An answer shows durable state only: what it tells can never be taken back by a crash.
"""

import asyncio
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec

from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine import events as e
from exchange.journal.codec import TableCodec

MAX_FRAME = 4 << 20
MAX_ANSWER = 64 << 20
LENGTH_SIZE = 4

T = TypeVar("T")


class ProtocolError(Exception):
    """The other side of the socket does not speak this protocol."""


class Submit(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """Commands as `exchange.journal.codec` writes them."""

    id: int
    commands: list[bytes]


class Question(StrEnum):
    """What can be asked."""

    books = "books"
    status = "status"
    state_hash = "state_hash"
    account = "account"
    open_orders = "open_orders"
    preview = "preview"
    receipt = "receipt"


class Ask(msgspec.Struct, tag=2, array_like=True, frozen=True):
    """A question. `subject` is an address (20 bytes), a packed order (80 bytes) or a sequence (8 bytes)."""

    id: int
    question: Question
    subject: bytes = b""


class Subscribe(msgspec.Struct, tag=3, array_like=True, frozen=True):
    """Answered by `Books`, then by every Group after its sequence, without a gap.

    A `selective` one is not told what is one account's alone (`exchange.engine.telling`) before a Follow names it. Of a
    group it receives the records of which there is something to tell, and the last.
    """

    id: int
    selective: bool = False


class Follow(msgspec.Struct, tag=6, array_like=True, frozen=True):
    """Addresses whose accounts this connection follows from the answer on, and such that it follows no more.

    An address that has no account yet is followed from the record that opens one. Answered by nothing.
    """

    id: int
    begin: list[bytes]
    end: list[bytes]


class Frames(msgspec.Struct, tag=4, array_like=True, frozen=True):
    """Frames as `exchange.journal.codec` writes them. With `early` each is acknowledged once it is durable."""

    id: int
    early: bool
    frames: list[bytes]


class PlaceOrders(msgspec.Struct, tag=5, array_like=True, frozen=True):
    """Placed orders as `exchange.journal.codec` writes them; answered as order entry answers its clients."""

    id: int
    orders: list[bytes]


class WireReceipt(msgspec.Struct, array_like=True, frozen=True):
    """What a receipt adds to its ack; see `exchange.domain.receipt`."""

    first_seq: int
    last_seq: int
    head: bytes
    subject: bytes
    record_head: bytes
    path: list[bytes]
    signature: bytes


class Ack(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """The command is durable at `seq`. `order_id` of a placed order; `duplicate`: it had been placed before."""

    seq: int
    at_ms: int
    order_id: int | None = None
    duplicate: bool = False
    receipt: WireReceipt | None = None


class Refused(msgspec.Struct, tag=2, array_like=True, frozen=True):
    """The command changed nothing: the four parts of a `Refusal`."""

    code: str
    message: str
    field: str | None
    params: dict[str, str | int]

    @classmethod
    def of(cls, refusal: Refusal) -> "Refused":
        """The refusal as it travels."""
        return cls(refusal.code.value, refusal.message, refusal.field, refusal.params)

    def refusal(self) -> Refusal:
        """The refusal as it was raised."""
        return Refusal(ErrorCode(self.code), self.message, self.field, self.params)


class Outcomes(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """The outcomes of a Submit, in its order."""

    id: int
    outcomes: list[Ack | Refused]


class Journaled(msgspec.Struct, tag=4, array_like=True, frozen=True):
    """The frames of a Frames that asked for it are durable, in its order."""

    id: int
    acks: list[Ack | Refused]


class FrameAck(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """A durable frame that is applied: why it is void, or a byte for each order (`exchange.domain.frame_codes`)."""

    seq: int
    at_ms: int
    flaw: str
    codes: bytes
    receipt: WireReceipt | None = None


class FrameOutcomes(msgspec.Struct, tag=5, array_like=True, frozen=True):
    """What became of the frames of a Frames, in its order."""

    id: int
    outcomes: list[FrameAck | Refused]


class OrdersPlaced(msgspec.Struct, tag=6, array_like=True, frozen=True):
    """The outcomes of a PlaceOrders, in its order: entries of an `orders_outcome` (`exchange.domain.entry`)."""

    id: int
    outcomes: list[bytes]


class Answer(msgspec.Struct, tag=2, array_like=True, frozen=True):
    """The answer to an Ask, a Subscribe or a Follow, or why there is none."""

    id: int
    body: msgspec.Raw
    refused: Refused | None = None


class WireRecord(msgspec.Struct, array_like=True, frozen=True):
    """One committed command; `events` as `EVENTS` writes them."""

    seq: int
    at_ms: int
    head: bytes
    events: list[bytes]


class Group(msgspec.Struct, tag=3, array_like=True, frozen=True):
    """The commands of one group commit."""

    records: list[WireRecord]


class Committed(NamedTuple):
    """A durable command as subscribers see it: what it did, and the journal's head after it."""

    seq: int
    at_ms: int
    head: bytes
    events: list[e.Event]


class MarketBook(msgspec.Struct, array_like=True, frozen=True):
    """One market's levels, best first: (price, lots). `last_price` is the last trade's, or the reference.

    `status` is that of now, which need not be the deployment's. `schedules` are the market's fees: from when
    (milliseconds; the first holds already), maker's and taker's rates by tier, floor. `bounds` are as in
    `SetMarketBounds`, as is `band_bps`. In an auction `auction_ends_at` says when it ends, in unix seconds, if it has a
    time.
    """

    market: int
    last_price: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    status: str
    schedules: list[tuple[int, tuple[tuple[int, int], ...], int]]
    bounds: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    auction_ends_at: int = 0
    band_bps: int = 0


class Books(msgspec.Struct, array_like=True, frozen=True):
    """All books after the command at `seq`, and what binds every fee schedule."""

    seq: int
    at_ms: int
    head: bytes
    markets: list[MarketBook]
    fee_cap_bps: int
    fee_notice_ms: int


class EngineStatus(msgspec.Struct, array_like=True, frozen=True):
    """Where the engine stands. `last_inbox_id` is the last inbox command applied, `pending` the queue's length,
    `is_fast` whether the fast implementation does the work at present.
    """

    seq: int
    at_ms: int
    head: bytes
    last_inbox_id: int
    accounts: int
    open_orders: int
    pending: int
    journal_full: bool
    is_fast: bool = False


class BalanceView(msgspec.Struct, array_like=True, frozen=True):
    """A balance in one asset, as in `BalanceChanged`; `withdrawable` is what a fast withdrawal may take."""

    asset: int
    available: int
    held: int
    reserved: int
    unsettled: int
    deficit: int
    withdrawable: int


class AccountView(msgspec.Struct, array_like=True, frozen=True):
    """An account after the command at `seq`. `tiers` are its fee tiers: from when (milliseconds), tier.

    `stops` says who stopped its trading (`exchange.engine.brakes`), `countdown` when its orders end in seconds, or 0.
    `max_open_orders` is the most that it may have, in all markets, and `own_max_open_orders` what it was given of its
    own, or 0; `max_open_notional` is by quote asset, where bounded.
    """

    seq: int
    account: int
    address: bytes
    status: str
    min_nonce: int
    balances: list[BalanceView]
    tiers: list[tuple[int, int]]
    stops: int = 0
    countdown: int = 0
    max_open_orders: int = 0
    own_max_open_orders: int = 0
    max_open_notional: list[tuple[int, int]] = []


class OpenOrderView(msgspec.Struct, array_like=True, frozen=True):
    """An open order, one that waits for a price included. `packed` is the signed order (`Order.unpack`)."""

    order_id: int
    packed: bytes
    order_hash: bytes
    client_order_id: str
    remaining: int
    waiting: bool = False


EVENTS: TableCodec[e.Event] = TableCodec(
    {
        1: e.AssetListed,
        2: e.MarketListed,
        3: e.MarketChanged,
        4: e.AccountOpened,
        5: e.AccountChanged,
        6: e.OrderAccepted,
        7: e.TradeMatched,
        8: e.OrderClosed,
        9: e.LevelChanged,
        10: e.BalanceChanged,
        11: e.Credited,
        12: e.Debited,
        13: e.WithdrawalHeld,
        14: e.WithdrawalEnded,
        15: e.ForcedReserved,
        16: e.ForcedReleased,
        17: e.BatchCut,
        18: e.BatchFinalized,
        19: e.TradeReversed,
        20: e.LimitsChanged,
        21: e.FeeRulesChanged,
        22: e.FeesAnnounced,
        23: e.AccountTierSet,
        24: e.OrderReduced,
        25: e.CountdownSet,
        26: e.TradingStopChanged,
        27: e.OrderTriggered,
        28: e.OrderAmended,
        29: e.MarketBoundsChanged,
        30: e.AuctionStarted,
        31: e.AuctionPriced,
        32: e.AccountLimitsChanged,
    }
)

FromClient = Submit | Ask | Subscribe | Frames | PlaceOrders | Follow
FromEngine = Outcomes | Answer | Group | Journaled | FrameOutcomes | OrdersPlaced

_ENCODER = msgspec.msgpack.Encoder()
_FROM_CLIENT: msgspec.msgpack.Decoder[FromClient] = msgspec.msgpack.Decoder(FromClient)
_FROM_ENGINE: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)


def encode_frame(message: FromClient | FromEngine) -> bytes:
    """The message with its length before it. ProtocolError when it is too large."""
    body = _ENCODER.encode(message)
    _check_size(len(body), MAX_FRAME if isinstance(message, FromClient) else MAX_ANSWER)
    return len(body).to_bytes(LENGTH_SIZE) + body


def encode_body(value: Any) -> msgspec.Raw:
    """An answer's body."""
    return msgspec.Raw(_ENCODER.encode(value))


def decode_body(body: msgspec.Raw, kind: type[T]) -> T:
    """The answer in a body."""
    return msgspec.msgpack.decode(body, type=kind)


def decode_from_client(body: bytes) -> FromClient:
    """A client's message; ProtocolError when it is none."""
    try:
        return _FROM_CLIENT.decode(body)
    except msgspec.DecodeError as error:
        raise ProtocolError(str(error)) from None


def decode_from_engine(body: bytes) -> FromEngine:
    """The engine's message; ProtocolError when it is none."""
    try:
        return _FROM_ENGINE.decode(body)
    except msgspec.DecodeError as error:
        raise ProtocolError(str(error)) from None


def committed(record: WireRecord) -> Committed:
    """A record with its events decoded."""
    return Committed(record.seq, record.at_ms, record.head, [EVENTS.decode(data) for data in record.events])


async def read_frame(reader: asyncio.StreamReader, limit: int) -> bytes:
    """The next frame's body. IncompleteReadError at the end of the stream, ProtocolError when it is above `limit`."""
    size = int.from_bytes(await reader.readexactly(LENGTH_SIZE))
    _check_size(size, limit)
    return await reader.readexactly(size)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise ProtocolError(f"a frame of {size} bytes; at most {limit} are allowed")


def unavailable(message: str, retry_after_ms: int, **params: str | int) -> Refusal:
    """The refusal for everything that may work later."""
    return Refusal(ErrorCode.unavailable, message, params={"retry_after_ms": retry_after_ms, **params})
