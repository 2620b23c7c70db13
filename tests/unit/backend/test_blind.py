"""While the chain is not heard, nobody takes: what was requested since may bind before a match settles."""

from dataclasses import replace
from typing import Any, cast

import pytest

from backend.orders.service import check_heard
from backend.status.watch import Watch
from exchange.chain.rpc import NodeUnavailable, Rpc
from exchange.database.positions import Position
from exchange.domain.deployment import Windows
from exchange.domain.errors import ErrorCode, Refusal
from exchange.sequencer.protocol import EngineStatus

WINDOWS = Windows(delay=600, grace=600, claim_window=600, timelock=7_200, pause_max=60, silence=172_800)
LIMIT = 135
NOW = 1_700_000_000
HEARD = Position(90, 80, NOW, 5, 0, True)


class AwayNode:
    """A chain node that is away."""

    async def block_number(self) -> int:
        raise NodeUnavailable("away")


class Database:
    """Answers with a position, or not at all."""

    def __init__(self) -> None:
        self.position: Position | None = HEARD
        self.is_fast: bool | None = True

    async def read(self) -> Position:
        if self.position is None:
            raise Refusal(ErrorCode.unavailable, "the database is away")
        return self.position

    async def engine(self) -> EngineStatus:
        """The engine beside it."""
        if self.is_fast is None:
            raise Refusal(ErrorCode.unavailable, "the engine is away")
        return EngineStatus(5, 0, bytes(32), 0, 0, 0, 0, False, self.is_fast)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def watch(database: Database) -> Watch:
    return Watch(cast(Rpc, cast(Any, AwayNode())), database.read, lambda: (5, True), database.engine, 20)


@pytest.mark.parametrize("is_fast", [True, False, None])
async def test_a_sample_says_which_engine_works(watch: Watch, database: Database, is_fast: bool | None) -> None:
    database.is_fast = is_fast
    assert (await watch.sample()).is_fast is is_fast


async def test_a_blind_exchange_takes_no_takers(watch: Watch) -> None:
    await watch.sample()
    check_heard(watch, WINDOWS, NOW + LIMIT)
    with pytest.raises(Refusal) as caught:
        check_heard(watch, WINDOWS, NOW + LIMIT + 1)
    assert caught.value.code is ErrorCode.settlement_backlog
    assert caught.value.params == {"silent_ms": 136_000}


async def test_a_database_that_is_away_does_not_hide_the_silence(watch: Watch, database: Database) -> None:
    await watch.sample()
    database.position = None
    await watch.sample()
    with pytest.raises(Refusal):
        check_heard(watch, WINDOWS, NOW + LIMIT + 1)


async def test_the_next_block_ends_the_silence(watch: Watch, database: Database) -> None:
    await watch.sample()
    database.position = replace(HEARD, indexed_at=NOW + 500)
    await watch.sample()
    check_heard(watch, WINDOWS, NOW + 510)
    assert watch.silence(NOW) == 0


async def test_before_the_first_block_there_is_nothing_to_miss(watch: Watch, database: Database) -> None:
    check_heard(watch, WINDOWS, NOW)
    database.position = replace(HEARD, indexed_at=0)
    await watch.sample()
    check_heard(watch, WINDOWS, NOW)
