"""The database sessions of a process that goes after others go after them as far.

What such a process asks of the database is computed by somebody else: without this, its own patience would be lost on
whoever computes for it. Only on this machine; a database elsewhere has processors of its own.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from exchange.sequencer.slices import go_after_others

_WHO = "select pg_backend_pid(), coalesce(inet_client_port(), -1)"


class Helpers:
    """The sessions of `database`, each a process of the database's own."""

    def __init__(self, database: AsyncEngine) -> None:
        self._ports: dict[int, int] = {}
        """The port of this end of the connection, by the number of the process."""
        self._late: set[int] = set()
        self._niceness = 0
        event.listen(database.sync_engine, "connect", self._join)

    def _join(self, connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(_WHO)
        pid, port = cursor.fetchone()
        cursor.close()
        connection.rollback()
        self._ports[pid] = port
        self._late.add(pid)

    def keep_up(self) -> None:
        """Have those that came since, or all when this process' niceness has changed, go after others as it does."""
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        if niceness != self._niceness:
            self._niceness, self._late = niceness, set(self._ports)
        for pid in list(self._late) if niceness > 0 else ():
            if not self._is_there(pid):
                del self._ports[pid]
                self._late.discard(pid)
            elif go_after_others(pid, niceness):
                self._late.discard(pid)

    def _is_there(self, pid: int) -> bool:
        """Whether that process of this machine is the session: it tells which connection it serves."""
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return title.startswith(b"postgres: ") and f"({self._ports[pid]})".encode() in title
