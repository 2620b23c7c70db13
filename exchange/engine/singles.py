"""Single orders as they were signed, in records of one size, which an engine over arrays applies without objects."""

from typing import NamedTuple

from exchange.domain.order import PACKED_SIZE, Order
from exchange.engine.commands import PlaceOrder
from exchange.engine.events import Event


class Layout(NamedTuple):
    """Where in a record of `size` bytes its parts begin: the packed order (80 bytes), its hash (32), its scheme (1),
    its signature (65) and its signer (20)."""

    size: int
    order: int
    order_hash: int
    scheme: int
    signature: int
    signer: int


class SinglesOutcome(NamedTuple):
    """What became of single orders: a byte for each, 0 or the number of its refusal (`frame_codes`); by their places,
    the events of those that have any, and of those that were taken before the ids under which they were, as far as
    these were remembered when their turn came."""

    codes: bytes
    events: dict[int, list[Event]]
    known: dict[int, int]


class Singles:
    """The orders of such records, each made when it is looked at."""

    def __init__(self, records: bytes, layout: Layout) -> None:
        self._records = records
        self._layout = layout

    def __getitem__(self, index: int) -> PlaceOrder:
        layout, start = self._layout, index * self._layout.size
        order, order_hash, signature, signer = (
            self._records[start + place : start + place + size]
            for place, size in (
                (layout.order, PACKED_SIZE),
                (layout.order_hash, 32),
                (layout.signature, 65),
                (layout.signer, 20),
            )
        )
        return PlaceOrder(Order.unpack(order), order_hash, self._records[start + layout.scheme], signature, signer)
