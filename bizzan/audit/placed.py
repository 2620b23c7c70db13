"""The orders that a record places, by their ids: one, both legs of a group, those of a frame that stands, or none."""

from collections.abc import Mapping

from exchange.domain.order_id import order_id
from exchange.engine import commands as c
from exchange.engine.frames import orders_of
from exchange.journal.reader import Record


def placed_in(record: Record) -> Mapping[int, c.PlaceOrder]:
    """The orders of a record."""
    command = record.command
    if isinstance(command, c.PlaceOrder):
        return {record.seq: command}
    if isinstance(command, c.PlaceGroup):
        return {order_id(record.seq, index): leg for index, leg in enumerate(command.legs)}
    if not isinstance(command, c.PlaceFrame):
        return {}
    unfolded = command.judged().unfolded
    if unfolded is None:
        return {}
    return {order_id(record.seq, index): placed for index, placed in enumerate(orders_of(command, unfolded))}
