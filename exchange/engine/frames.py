"""A frame's orders, one after another: each is accepted or refused as if it came alone.

Two things are the frame's own. Only orders with plain terms, and numbers that the ledger counts, come in frames; in
mixed ones orders with any terms but groups, which may amend, each whatever stands on its nonce by then. And
what all its orders fill settles in one batch, as what one order fills does, so they share the bound of one order: what
remains of an order that would exceed it ends as `too_many_fills`.
"""

from typing import NamedTuple

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import Unfolded, amends_at, unpack_orders
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.order import PACKED_SIZE, Order
from exchange.domain.order_id import order_id
from exchange.engine.commands import AmendOrder, PlaceFrame, PlaceMixedFrame, PlaceOrder
from exchange.engine.events import Event
from exchange.engine.matcher import enter, take_over
from exchange.engine.orders import KINDS, group_of
from exchange.engine.state import State

_LEAST_TRIGGER = 1 << 5
"""The lowest byte of an order's terms is at least this if it has a trigger."""


class FrameOutcome(NamedTuple):
    """What became of a frame: why it is void, or a byte for each order (`exchange.domain.frame_codes`), and events."""

    flaw: str
    codes: bytes
    events: list[Event]


def place_frame(state: State, seq: int, at_ms: int, command: PlaceFrame, unfolded: Unfolded) -> bytes:
    """Place the orders of a frame that stands; one byte for each. What they trigger has its turns after the frame."""
    if state.has_turn(at_ms):
        return bytes([number_of(ErrorCode.unavailable)] * (len(unfolded.digests) // 32))
    placed = enumerate(orders_of(command, unfolded))
    place = place_mixed if isinstance(command, PlaceMixedFrame) else _place
    return bytes(place(state, order_id(seq, index), at_ms, order) for index, order in placed)


def orders_of(command: PlaceFrame, unfolded: Unfolded) -> list[PlaceOrder]:
    """The orders of a frame that stands, each with a signature of its own. Made once, and kept with the frame."""
    known: list[PlaceOrder] | None = command.__dict__.get("_placed")
    if known is None:
        known = _orders_of(command, unfolded)
        object.__setattr__(command, "_placed", known)
    return known


def _orders_of(command: PlaceFrame, unfolded: Unfolded) -> list[PlaceOrder]:
    orders = enumerate(unpack_orders(command.orders))
    return [_order_at(command, unfolded, index, order) for index, order in orders]


def _order_at(command: PlaceFrame, unfolded: Unfolded, index: int, order: Order) -> PlaceOrder:
    signature = unfolded.signature(index, command.signature)
    amends = isinstance(command, PlaceMixedFrame) and amends_at(command.amends, index)
    kind = AmendOrder if amends else PlaceOrder
    return kind(order, unfolded.digest(index), command.scheme, signature, command.signer)


def may_wait(command: PlaceFrame) -> int:
    """How many of its orders may wait for a price."""
    if not isinstance(command, PlaceMixedFrame):
        return 0
    return sum(lowest >= _LEAST_TRIGGER for lowest in command.orders[PACKED_SIZE - 1 :: PACKED_SIZE])


class OrdersOf:
    """The same, each made when it is looked at."""

    def __init__(self, command: PlaceFrame, unfolded: Unfolded) -> None:
        self._command = command
        self._unfolded = unfolded

    def __getitem__(self, index: int) -> PlaceOrder:
        packed = self._command.orders[PACKED_SIZE * index : PACKED_SIZE * (index + 1)]
        return _order_at(self._command, self._unfolded, index, Order.unpack(packed))


def _place(state: State, number: int, at_ms: int, placed: PlaceOrder) -> int:
    try:
        _check_plain(placed.order)
        _check_numbers(placed.order)
        enter(state, number, at_ms, placed)
    except Refusal as refusal:
        return number_of(refusal.code)
    return ACCEPTED


def place_mixed(state: State, number: int, at_ms: int, placed: PlaceOrder) -> int:
    """Place an order of a mixed frame, whose id is `number`; the byte for it."""
    try:
        _check_ungrouped(placed.order)
        _check_numbers(placed.order)
        if placed.__class__ is AmendOrder:
            take_over(state, number, at_ms, placed)
        else:
            enter(state, number, at_ms, placed)
    except Refusal as refusal:
        return number_of(refusal.code)
    return ACCEPTED


def _check_plain(order: Order) -> None:
    if order.terms not in KINDS:
        raise Refusal(ErrorCode.unsupported_terms, "orders with such terms come by themselves, not in frames", "terms")


def _check_ungrouped(order: Order) -> None:
    if group_of(order.terms):
        raise Refusal(ErrorCode.unsupported_terms, "legs of groups come by themselves, not in frames", "group")


def _check_numbers(order: Order) -> None:
    if max(order.price, order.quantity, order.trigger_price) > MAX_AMOUNT:
        raise Refusal(ErrorCode.amount_out_of_range, "price or quantity exceeds what the ledger counts", "quantity")
