"""What all connections of order entry share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from backend.entry.bounds import Door, Room
from backend.entry.court import Court
from backend.entry.link import EngineLink
from backend.entry.metrics import EntryMetrics
from exchange.domain.eip712 import Domain
from exchange.settings import EntrySettings

MAX_PENDING = 40_000


class Closing(Protocol):
    """A connection that can be ended."""

    def close(self) -> None:
        """End it."""


@dataclass(slots=True)
class Exchange:
    """What all connections share.

    `scope_of` gives a delegated key's markets and expiry, or refuses it. `is_known` tells whether an account has
    ever had a deposit: no other gets a session.
    """

    settings: EntrySettings
    domain: Domain
    link: EngineLink
    door: Door
    court: Court
    scope_of: Callable[[bytes, bytes], Awaitable[tuple[int, int]]]
    is_known: Callable[[bytes], Awaitable[bool]]
    is_silent: Callable[[], bool]
    room: Room = field(default_factory=lambda: Room(MAX_PENDING))
    metrics: EntryMetrics = field(default_factory=EntryMetrics)
    connections: set[Closing] = field(default_factory=set)
    knows: Callable[[bytes], bool] = lambda account: False
    """Whether an account is known without a look in the database."""
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """What sessions that are asked for read in the database they read one after another: the rest is for the others."""
    looking: int = 0
    """Sessions that are asked for and wait for their account to be known."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    is_broken: bool = False
    """Whether a judge has died: nothing can be checked any more."""

    def break_off(self) -> None:
        """A judge has died: the process ends, and is started again."""
        self.is_broken = True
        self.stopped.set()
