"""Orders that work: one record from acceptance to the close, in the book or not yet."""

from typing import TYPE_CHECKING

from exchange.domain.fees import PPM
from exchange.domain.order import SelfTrade, Side, Terms, TimeInForce
from exchange.domain.order_id import age
from exchange.domain.settlement import path_length
from exchange.engine.accounts import Account, Balance
from exchange.engine.commands import PlaceOrder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.engine.book import Book, Level

BUY = int(Side.buy)
SELL = int(Side.sell)
BUY_QUOTE = int(Side.buy_quote)


class Kind:
    """What the terms of a supported order say, in the form that matching asks for."""

    __slots__ = ("all_or_none", "post_only", "rests", "self_trade")

    def __init__(self, tif: TimeInForce, post_only: bool, self_trade: SelfTrade) -> None:
        self.rests = tif in (TimeInForce.gtc, TimeInForce.gtd)
        self.all_or_none = tif == TimeInForce.fok
        self.post_only = post_only
        self.self_trade = int(self_trade)


KINDS = {
    Terms(tif, post_only, self_trade).pack(): Kind(tif, post_only, self_trade)
    for tif in TimeInForce
    for post_only in (False, True)
    for self_trade in SelfTrade
    if not (post_only and tif in (TimeInForce.ioc, TimeInForce.fok))
    if not (self_trade == SelfTrade.decrement and tif == TimeInForce.fok)
}
"""The terms that this engine supports, packed, but for the displayed quantity, the trigger and the group."""

MAX_PARTS = 100
"""In how many parts an order may be shown: so many steps it can cost whoever meets it, or its own account."""

_DISPLAYED_SHIFT = 16
_DISPLAYED = (1 << 64) - 1


def displayed_of(word: int) -> int:
    """How many lots an order shows at a time, by its packed terms; 0: all."""
    return word >> _DISPLAYED_SHIFT & _DISPLAYED


_TRIGGER = 0x1F << 5 | 0xFFFF << 80
"""Type and source of the trigger, and the trail."""


def trigger_bits(word: int) -> int:
    """What packed terms say of a trigger, 0 if nothing."""
    return word & _TRIGGER


_GROUP_SHIFT = 96
_GROUP = 0xFFFF_FFFF << _GROUP_SHIFT


def group_of(word: int) -> int:
    """Which group an order is a leg of, by its packed terms; 0: none."""
    return (word & _GROUP) >> _GROUP_SHIFT


def plain_terms(word: int) -> int:
    """Packed terms without their displayed quantity, their trigger and their group."""
    return word & ~(_DISPLAYED << _DISPLAYED_SHIFT | _TRIGGER | _GROUP)


OrderRates = tuple[int, int, int, int]
"""Maker's and taker's rate, the higher of those that an order can meet, and the floor of what it takes."""


class OpenOrder:
    """An accepted order. `held` of `pays` backs its `remaining` lots; fills bring money into `gets`.

    `hidden` of the `remaining` lots are not shown yet. `side` is the side of its trades. What remains of a
    `buy_quote` order, which never rests, counts quote units.
    `hold_ppm` is the highest fee rate the order can meet; with the other two rates, the floor of what it takes and its
    `cap_bps` it is fixed for life. `hashes` are those of its path if it was signed in bulk. `met`: on its way in it has
    met another order. `ended`: it is closed. `group` and `partner` are of `exchange.engine.groups`.
    """

    __slots__ = (
        "account",
        "book",
        "cap_bps",
        "ended",
        "floor",
        "gets",
        "group",
        "hashes",
        "held",
        "hidden",
        "hold_ppm",
        "level",
        "maker_ppm",
        "met",
        "next",
        "order_id",
        "partner",
        "pays",
        "placed",
        "prev",
        "price",
        "remaining",
        "side",
        "taker_ppm",
    )

    def __init__(
        self,
        order_id: int,
        placed: PlaceOrder,
        account: Account,
        book: "Book",
        rates: "OrderRates",
        cap_bps: int,
    ) -> None:
        order = placed.order
        self.order_id = order_id
        self.placed = placed
        self.account = account
        self.book = book
        self.side = SELL if order.side == SELL else BUY
        self.price = order.price
        self.remaining = order.quantity
        self.maker_ppm, self.taker_ppm, self.hold_ppm, self.floor = rates
        self.cap_bps = cap_bps
        self.hashes = path_length(placed.scheme, placed.signature)
        self.held = 0
        self.hidden = 0
        self.met = False
        self.ended = False
        self.group = 0
        self.partner: OpenOrder | None = None
        self.level: Level | None = None
        self.prev: OpenOrder | None = None
        self.next: OpenOrder | None = None
        if self.side == BUY:
            self.pays: Balance = account.balance(book.quote_asset)
            self.gets: Balance = account.balance(book.base_asset)
        else:
            self.pays = account.balance(book.base_asset)
            self.gets = account.balance(book.quote_asset)


def by_age(orders: "Iterable[OpenOrder]") -> list[OpenOrder]:
    """Orders in order of acceptance."""
    return sorted(orders, key=lambda order: age(order.order_id))


def notional_of(side: int, price: int, quantity: int) -> int:
    """The quote of a whole order at its own price; a `buy_quote` order says it itself."""
    return quantity if side == BUY_QUOTE else price * quantity


def hold_for(side: int, price: int, lots: int, lot_size: int, fee_ppm: int) -> int:
    """What backs `lots`: the notional and the fee on it (buy), or the base itself (sell).

    Fees round down per fill, so the parts released over all fills never add up to less than is paid.
    """
    if side != BUY:
        return lots * lot_size
    notional = price * lots
    return notional + notional * fee_ppm // PPM


def needed_hold(order: OpenOrder) -> int:
    """What backs an open order by itself."""
    if order.level is None:
        return waiting_hold(order)
    return hold_for(order.side, order.price, order.remaining, order.book.lot_size, order.hold_ppm)


def waiting_hold(order: OpenOrder) -> int:
    """What backs an order that waits for a price: all that it can need when it takes, and then rests."""
    lots, lot_size = order.remaining, order.book.lot_size
    return hold_for(order.side, order.price, lots, lot_size, order.hold_ppm) + (order.floor if order.side == BUY else 0)
