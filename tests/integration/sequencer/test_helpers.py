"""Sessions of the database go after others as far as the process for which they work."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.database.engine import create_engine
from exchange.sequencer.helpers import Helpers

NICENESS = 15
niceness_of = os.getpriority


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database in which nobody is yet."""
    engine = create_engine(database_url, 2)
    yield engine
    await engine.dispose()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process goes after others, as it seems to itself."""
    monkeypatch.setattr(os, "getpriority", lambda kind, who: niceness_of(kind, who) if who else NICENESS)


async def session_of(connection: AsyncConnection) -> int:
    return int((await connection.execute(text("select pg_backend_pid()"))).scalar_one())


def may_change(pid: int) -> bool:
    """Whether this user may have the process go after others."""
    process = Path(f"/proc/{pid}")
    return process.exists() and os.geteuid() in (0, process.stat().st_uid)


@pytest.mark.usefixtures("patient")
async def test_the_sessions_go_after_others_as_this_process_does(database: AsyncEngine) -> None:
    helpers = Helpers(database)
    async with database.connect() as one, database.connect() as other:
        pids = [await session_of(one), await session_of(other)]
        before = [niceness_of(os.PRIO_PROCESS, pid) for pid in pids]
        helpers.keep_up()
        wanted = [NICENESS if may_change(pid) else niceness for pid, niceness in zip(pids, before, strict=True)]
        assert [niceness_of(os.PRIO_PROCESS, pid) for pid in pids] == wanted


@pytest.mark.usefixtures("patient")
async def test_a_process_that_is_no_session_of_ours_is_left_alone(database: AsyncEngine) -> None:
    helpers = Helpers(database)
    async with database.connect() as connection:
        pid = await session_of(connection)
        before = niceness_of(os.PRIO_PROCESS, pid), niceness_of(os.PRIO_PROCESS, 0)
        helpers._ports[pid] += 1  # as if a process of that number served somebody else, on this machine
        helpers._ports[os.getpid()] = helpers._ports[pid]
        helpers._late |= {os.getpid()}
        helpers.keep_up()
        assert (niceness_of(os.PRIO_PROCESS, pid), niceness_of(os.PRIO_PROCESS, os.getpid())) == before
        assert not helpers._ports
