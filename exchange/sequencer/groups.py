"""A group of commands: what has been applied of it and is not durable yet, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from exchange.engine.commands import Command, PlaceGroup, PlaceOrder
from exchange.engine.events import Event
from exchange.journal.receipts import subject_of
from exchange.sequencer.protocol import Ack, Committed, Refused

C = TypeVar("C")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The outcome of each command of a group, and what was committed."""

    outcomes: list[Ack | Refused]
    committed: list[Committed]


class Group:
    """What has been applied at `at_ms` as records from `first_seq` on, and is not in the journal yet."""

    __slots__ = ("_done", "at_ms", "first_seq", "payloads", "subjects", "turns")

    def __init__(self, first_seq: int, at_ms: int) -> None:
        self.first_seq = first_seq
        self.at_ms = at_ms
        self.payloads: list[bytes] = []
        self.subjects: list[bytes] = []
        self.turns = 0
        self._done: list[list[Event]] = []

    @property
    def next_seq(self) -> int:
        """The sequence of the next record."""
        return self.first_seq + len(self.payloads)

    def add(self, payload: bytes, command: Command, events: list[Event]) -> Ack:
        """A command that was applied; its ack, once it is durable."""
        seq = self.note(payload, subject_of(command), events)
        return Ack(seq, self.at_ms, seq if isinstance(command, PlaceOrder | PlaceGroup) else None)

    def note(self, payload: bytes, subject: bytes, events: list[Event]) -> int:
        """A record that was applied, and what its receipt names; its sequence."""
        seq = self.next_seq
        self.payloads.append(payload)
        self.subjects.append(subject)
        self._done.append(events)
        return seq

    def committed(self, heads: Sequence[bytes]) -> list[Committed]:
        """The records as subscribers see them."""
        records = zip(heads, self._done, strict=True)
        return [Committed(self.first_seq + n, self.at_ms, head, events) for n, (head, events) in enumerate(records)]


def merged(items: Sequence[C | Refused], outcomes: Sequence[A | Refused]) -> list[A | Refused]:
    """The outcomes of what was committed, and the refusals of the rest, in the order in which they came."""
    following = iter(outcomes)
    return [item if isinstance(item, Refused) else next(following) for item in items]
