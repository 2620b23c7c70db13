"""Shapes of order entry: msgspec structs, because this is the hot path of REST and stream alike."""

from typing import Annotated, Literal

import msgspec

from backend.receipts.schemas import Receipt
from backend.wire import Digits, HexAddress, HexHash, HexSignature

SideName = Literal["buy", "sell", "buy_quote"]
SIDE_NAMES: dict[int, SideName] = {0: "buy", 1: "sell", 2: "buy_quote"}
SchemeName = Literal["account", "delegate", "bulk"]

ClientOrderId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9A-Za-z_.:\-]{0,64}$(?!\n)",
        description="your own id, up to 64 characters; sending it again with the same order does nothing twice",
        examples=["grid-17"],
    ),
]
Seconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40, description="unix seconds")]
Place = Annotated[int, msgspec.Meta(ge=0, lt=1 << 16, description="the order's place in its tree, from 0")]
Path = Annotated[list[HexHash], msgspec.Meta(max_length=10)]
Word32 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
ChainId = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1, description="EIP-155 chain id", examples=[31337])]
Bps = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1, description="basis points", examples=[10])]


class OrderFields(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields of an order as it is signed (EIP-712 `Order`)."""

    account: HexAddress
    market: Word32
    side: SideName
    price: Digits
    """Quote ledger units per lot; the worst price of a market order."""
    quantity: Digits
    """Lots (quote ledger units for `buy_quote`)."""
    nonce: Digits
    """Below 2**48; plus 2**63 for a single-fill order."""
    expiry: Seconds
    max_fee_bps: Bps
    trigger_price: Digits = "0"
    terms: Digits = "0"
    """The packed 128-bit terms: time in force, post only, self-trade mode and so on."""


class PlaceOrder(OrderFields, kw_only=True):
    """A signed order. `chain_id` and `contract` say for which domain it was signed.

    With scheme `bulk` the signature is over a tree of orders (EIP-712 `BulkOrder`), by the account or a delegate, and
    `index` and `path` prove that the order is in it.
    """

    chain_id: ChainId
    contract: HexAddress
    signature: HexSignature
    scheme: SchemeName = "account"
    index: Place = 0
    path: Path = []
    """The hashes beside the order's way up the tree, the lowest first: 1 to 10 in bulk, else none."""
    client_order_id: ClientOrderId = ""


class CancelOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A signed EIP-712 `Cancel`: the open order of `account` on `nonce`."""

    chain_id: ChainId
    contract: HexAddress
    account: HexAddress
    nonce: Digits
    signature: HexSignature


class PlaceGroup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Two legs of one group (docs/orders.md), of which only one ever fills. They come to the book in this order."""

    first: PlaceOrder
    second: PlaceOrder


class CancelAll(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A signed EIP-712 `CancelAll`: every order below `min_nonce`, and such nonces are refused for ever."""

    chain_id: ChainId
    contract: HexAddress
    account: HexAddress
    min_nonce: Digits
    signature: HexSignature


class MassCancel(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A signed EIP-712 `MassCancel`: the open orders of a market (0: all) and side, at once."""

    chain_id: ChainId
    contract: HexAddress
    account: HexAddress
    market: Word32 = 0
    side: Literal["buy", "sell", "both"] = "both"
    nonce: Digits
    """The time in milliseconds, above that of the last such message by the account; its delegates' count apart."""
    signature: HexSignature


class Countdown(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A signed EIP-712 `Countdown`: all open orders end `seconds` from now unless another comes first; 0 ends it."""

    chain_id: ChainId
    contract: HexAddress
    account: HexAddress
    seconds: Word32
    nonce: Digits
    """The time in milliseconds, above that of the last such message by the account; its delegates' count apart."""
    signature: HexSignature


class TradingStop(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A signed EIP-712 `TradingStop`: refuse the account's orders and end the open ones, or take orders again."""

    chain_id: ChainId
    contract: HexAddress
    account: HexAddress
    stopped: bool
    nonce: Digits
    """The time in milliseconds, above that of the last such message by the account; its delegates' count apart."""
    signature: HexSignature


class Ack(msgspec.Struct, kw_only=True):
    """The command is durable in the journal at `seq`, at `at` (milliseconds)."""

    seq: int
    at: int
    order_id: int | None
    """The order's id: `seq` of its placement, plus 2^40 times its place among the orders that came with it."""
    order_hash: str | None
    """The EIP-712 digest of the order."""
    duplicate: bool
    """The same order was placed before: nothing happened a second time, and its first `client_order_id` stays."""
    receipt: Receipt | None = None
    """None where the exchange gives no receipts, and for a duplicate: ask for the order's."""


class GroupAck(msgspec.Struct, kw_only=True):
    """Both legs are durable in one record, and both acks have its receipt.

    The subject of that is hashStruct OrderGroup(bytes32 first,bytes32 second) of both hashes.
    Where the first leg has decided the group as it came, the second has ended (`group`).
    """

    first: Ack
    second: Ack


class ReceiptAnswer(msgspec.Struct, kw_only=True):
    """The receipt of one order, and the address of the key that signs receipts."""

    order_id: int
    signer: str
    receipt: Receipt
    legs: list[str] = []
    """The hashes of both legs that came together, if the order is one of them: the receipt is of both (`GroupAck`)."""


class Preview(msgspec.Struct, kw_only=True):
    """What an order would pay and meet if it were accepted now. Amounts are ledger units."""

    market: int
    side: SideName
    tier: int
    """The account's fee tier."""
    maker_fee_ppm: int
    """Maker's rate, parts per million."""
    taker_fee_ppm: int
    fee_floor: str
    """The least fee for all that it takes, quote ledger units."""
    max_fee_bps: int
    """The lowest cap to sign under which the order is taken."""
    fee_cap_bps: int
    """No fee is above this, whatever is signed."""
    notional: str
    """`price` times `quantity`."""
    maker_fee: str
    """The fee if the whole order is filled while it rests."""
    taker_fee: str
    """The fee if the whole order is taken at its price at once, the floor included."""
    worst_fee: str
    """The highest sum of fees at the order's own price; a sale at a better price pays its rate on what is better."""
    holds_asset: int
    """The asset that must be available, and is held while the order works."""
    holds_amount: str
    """So much must be available."""
    fills_now: str
    """Lots that would be taken from the book at once."""
    fills_now_quote: str
    fills_now_fee: str
    """The fee of these fills, exactly."""
    book_seq: int


class OrderView(msgspec.Struct, kw_only=True):
    """An order and what became of it. `close_reason` says why it is closed.

    `status` is `open`, `filled`, `cancelled`, `expired`, or `rejected`: by its own terms or the price band.
    """

    order_id: int
    order_hash: str
    client_order_id: str
    account: str
    market: int
    side: SideName
    price: str
    quantity: str
    filled: str
    remaining: str
    nonce: str
    expiry: int
    trigger_price: str
    max_fee_bps: int
    terms: str
    time_in_force: str
    post_only: bool
    self_trade: str
    """What happens when it comes in and meets an order of its own account."""
    displayed_quantity: str
    """Lots that the book shows of it at a time; 0: all."""
    trigger_type: str
    """What it waits for: `none`, `stop_loss`, `take_profit` or `trailing`."""
    trail_bps: int
    """How far a trailing trigger stays behind the best last price, basis points."""
    triggered_at: int | None
    """When the price for which it waited had come."""
    group: int
    """Of which group it is a leg; 0: none. Of the two legs of a group only one ever fills."""
    scheme: str
    signer: str
    maker_fee_ppm: int
    taker_fee_ppm: int
    fee_floor: str
    status: str
    close_reason: str | None
    created_at: int
    closed_at: int | None


class OrderPage(msgspec.Struct, kw_only=True):
    """Orders, latest first, as far as the journal is mirrored (`journal_seq`)."""

    orders: list[OrderView]
    next_before: int | None
    journal_seq: int
    indexed_block: int
    finalized_block: int


class OrderAnswer(msgspec.Struct, kw_only=True):
    """One order, as far as the journal is mirrored (`journal_seq`)."""

    order: OrderView
    journal_seq: int
    indexed_block: int
    finalized_block: int
