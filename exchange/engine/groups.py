"""Orders that cancel one another: two legs of a group, of which only one ever fills.

Both are of one account, in one market and on one side; at least one of them waits for a price, so they never stand in
the book together. One hold backs both: the leg that came first holds what it needs, the second what it needs beyond
that. A group is *decided* when a leg fills in part, is decremented or starts to work because its price has come: then
the other ends, in the same record, and what backed both backs the leg that goes on, which is an order like any other
from then on. When a leg ends before that, for whatever reason, the other ends with it.

`OpenOrder.group` is set until the group is decided; a leg that stands alone is in `Account.groups`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.engine.events import CloseReason
from exchange.engine.orders import OpenOrder, needed_hold

if TYPE_CHECKING:
    from exchange.engine.state import State


def join(order: OpenOrder) -> None:
    """An order that is open now is a leg of its group: the first, or the second."""
    groups = order.account.groups
    if order.partner is None:
        groups[order.group] = order
    else:
        order.partner.partner = order
        groups.pop(order.group)


def decide(state: State, order: OpenOrder) -> None:
    """A leg begins to fill, or to work: the other ends, and what backed both backs this one.

    What a leg that comes in needs beyond that is taken from what is available, where its check has found it.
    """
    other = _leave(order)
    if other is None:
        return
    needed = needed_hold(order)
    moved = min(max(needed - order.held, 0), other.held)
    other.held -= moved
    more = max(needed - order.held - moved, 0)
    order.held += moved + more
    order.pays.available -= more
    order.pays.held += more
    state.touched_balances[order.pays] = None
    _leave(other)
    state.close(other, CloseReason.group)


def end(state: State, order: OpenOrder) -> None:
    """A leg has ended: so does the other."""
    other = _leave(order)
    if other is not None:
        _leave(other)
        state.close(other, CloseReason.group)


def reseat(old: OpenOrder, new: OpenOrder) -> None:
    """An order takes over the seat of the one that it replaces in its group, if that is not decided yet."""
    new.group = old.group
    new.partner = other = _leave(old)
    if other is not None:
        moved = needed_hold(other) - other.held
        old.held -= moved
        other.held += moved


def _leave(order: OpenOrder) -> OpenOrder | None:
    """An order is no leg any more; the other leg, which stands alone now."""
    group, other = order.group, order.partner
    order.group, order.partner = 0, None
    groups = order.account.groups
    if other is not None:
        other.partner = None
        groups[group] = other
    elif groups.get(group) is order:
        groups.pop(group)
    return other
