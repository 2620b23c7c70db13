"""Recovery as the services do it: it says how far it is, and what took long is not done twice.

A record may take a microsecond or, as a frame of a thousand orders, a hundred milliseconds; so what is worth a snapshot
is told by time. The supervisor waits for a service while this says that it goes on.
"""

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from exchange.engine.engine import Engine
from exchange.journal.recovery import Recovered, recover, take_snapshot

SNAPSHOT_AFTER_SECONDS = 2.0
"""Of replay: the next start does not do it again."""
KEEP_SECONDS = 60.0
"""Within a replay: whoever is stopped in it goes on from there."""
TELL_SECONDS = 5.0


class Replaying:
    """Recovers the engine from the journal in `folder`. `clock` gives seconds."""

    def __init__(
        self, folder: Path, log: "structlog.stdlib.BoundLogger", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._log = log
        self._clock = clock
        self._began = clock()
        self._tell_at = self._began + TELL_SECONDS
        self._keep_at = self._began + KEEP_SECONDS

    def recover(self, to_seq: int | None, engine: type[Engine]) -> Recovered:
        """As `exchange.journal.recovery.recover`."""
        recovered = recover(self._folder, to_seq, engine, self._visit)
        for flaw in recovered.flaws:
            self._log.warning("snapshot passed over", error=str(flaw))
        return recovered

    def keep_if_long(self, recovered: Recovered) -> None:
        """Take a snapshot of what was recovered, if that took long."""
        if recovered.replayed and self._clock() - self._began > SNAPSHOT_AFTER_SECONDS and self._keep(recovered):
            recovered.snapshot_seq = recovered.seq

    def _visit(self, recovered: Recovered, end: int) -> None:
        now = self._clock()
        if now < self._tell_at:
            return
        self._log.info("replaying", seq=recovered.seq, last_seq=end)
        self._tell_at = now + TELL_SECONDS
        if now >= self._keep_at and recovered.seq < end:
            self._keep(recovered)
            self._keep_at = self._clock() + KEEP_SECONDS

    def _keep(self, recovered: Recovered) -> bool:
        """Take a snapshot; a disk without room for it is no harm."""
        try:
            take_snapshot(self._folder, recovered)
        except OSError as error:
            self._log.warning("no snapshot taken", error=str(error))
            return False
        return True
