"""Orders that cancel one another, as the audit counts them: who is a leg of which group, until the group is decided.

Written from `docs/orders.md`. It is told what became of orders, and at the end of a record finds what does not follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

Name = tuple[bytes, int]
"""An account and the number of its group."""


def group_of(terms: int) -> int:
    """The group that an order's terms name; 0: none."""
    return terms // 2**96


@dataclass(slots=True)
class Pairs:
    """The legs of groups that are not decided, and what became of them in the record that is judged."""

    names: dict[int, Name] = field(default_factory=dict)
    legs: dict[Name, list[int]] = field(default_factory=dict)
    known: set[Name] = field(default_factory=set)
    _used: set[int] = field(default_factory=set)
    _ended: set[int] = field(default_factory=set)
    _released: set[int] = field(default_factory=set)

    def sits(self, order_id: int, account: bytes, terms: int) -> Iterator[str]:
        """An order rests, waits or begins to fill: it is a leg of the group that it names."""
        name = (account, group_of(terms))
        if not name[1] or order_id in self.names:
            return
        if name in self.known and len(self.legs.get(name, ())) != 1:
            yield f"order {order_id} is a leg of group {name[1]}, which was decided before, or has two"
        self.known.add(name)
        self.names[order_id] = name
        self.legs.setdefault(name, []).append(order_id)

    def reseat(self, old: int, new: int) -> None:
        """An order replaces another in its group, or is no leg if that was none."""
        name = self.names.pop(old, None)
        if name is not None:
            self.legs[name] = [new if leg == old else leg for leg in self.legs[name]]
            self.names[new] = name

    def used(self, order_id: int) -> None:
        """An order fills, is decremented, or starts to work."""
        self._used.add(order_id)

    def is_used(self, order_id: int) -> bool:
        """Whether an order has filled, was decremented or worked in the record that is judged."""
        return order_id in self._used

    def ended(self, order_id: int) -> None:
        """An order ends for a reason of its own."""
        self._ended.add(order_id)

    def released(self, order_id: int) -> None:
        """An order ends because its group is decided."""
        self._released.add(order_id)

    def close_record(self) -> Iterator[str]:
        """What is wrong with the groups after a record."""
        moved = (self._used | self._ended) & self.names.keys()
        for order_id in sorted(self._released):
            others = [leg for leg in self.legs.get(self.names.get(order_id, (b"", 0)), ()) if leg != order_id]
            if not moved & set(others):
                yield f"order {order_id} ends for its group, and no other leg of it filled, worked or ended"
        for order_id in sorted(moved):
            for other in self.legs.pop(self.names.get(order_id, (b"", 0)), []):
                del self.names[other]
                if other != order_id and other in self._used:
                    yield f"orders {order_id} and {other} are legs of one group, and both filled or worked"
                elif other != order_id and other not in self._released:
                    yield f"order {order_id} decides its group, and order {other}, the other leg, stays"
        self._used, self._ended, self._released = set(), set(), set()
