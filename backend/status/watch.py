"""How the other parts are, sampled once a second: what `/readyz` and `/v1/status` answer from."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from exchange.chain.rpc import ChainError, Rpc
from exchange.database.positions import Position
from exchange.domain.errors import Refusal
from exchange.sequencer.protocol import EngineStatus

log = structlog.get_logger()

PERIOD_SECONDS = 1.0
STALE_SECONDS = 5.0
JOURNAL_LAG_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """`position` is None while the database is away, `block` while the chain node is, `is_fast` while the engine is;
    `at` is monotonic.
    """

    at: float
    position: Position | None
    block: int | None
    engine_seq: int
    engine_ready: bool
    is_fast: bool | None


class Watch:
    """`read_position` asks the database, `engine` says (journal sequence, follows the engine), `ask_engine` asks it."""

    def __init__(
        self,
        rpc: Rpc,
        read_position: Callable[[], Awaitable[Position]],
        engine: Callable[[], tuple[int, bool]],
        ask_engine: Callable[[], Awaitable[EngineStatus]],
        lag_blocks: int,
    ) -> None:
        self._rpc = rpc
        self._read_position = read_position
        self._engine = engine
        self._ask_engine = ask_engine
        self._lag_blocks = lag_blocks
        self._samples: deque[Sample] = deque(maxlen=60)
        self._indexed_at = 0

    def silence(self, now: int) -> int:
        """For how many seconds, at the unix second `now`, nothing was heard of the chain: the age of the last block
        that was indexed. 0 before the first, when nobody has anything here.
        """
        return max(now - self._indexed_at, 0) if self._indexed_at else 0

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(PERIOD_SECONDS)

    async def sample(self) -> Sample:
        """Look at everything once."""
        seq, ready = self._engine()
        position, block, is_fast = await asyncio.gather(self._position(), self._block(), self._is_fast())
        if position is not None:
            self._indexed_at = position.indexed_at
        sample = Sample(monotonic(), position, block, seq, ready, is_fast)
        self._samples.append(sample)
        return sample

    async def latest(self) -> Sample:
        """The last sample, or a new one when it is older than two periods."""
        if self._samples and monotonic() - self._samples[-1].at < 2 * PERIOD_SECONDS:
            return self._samples[-1]
        return await self.sample()

    async def _position(self) -> Position | None:
        try:
            return await asyncio.wait_for(self._read_position(), STALE_SECONDS)
        except (Refusal, TimeoutError) as error:
            log.warning("database_away", reason=str(error))
            return None

    async def _is_fast(self) -> bool | None:
        try:
            return (await asyncio.wait_for(self._ask_engine(), STALE_SECONDS)).is_fast
        except (Refusal, TimeoutError) as error:
            log.warning("engine_away", reason=str(error))
            return None

    async def _block(self) -> int | None:
        try:
            return await asyncio.wait_for(self._rpc.block_number(), STALE_SECONDS)
        except (ChainError, TimeoutError, OSError) as error:
            log.warning("chain_away", reason=str(error))
            return None

    def problems(self, sample: Sample) -> dict[str, str]:
        """What is wrong, by part; empty when all is well."""
        found: dict[str, str] = {}
        if not (sample.engine_ready and self._engine()[1]):
            found["engine"] = "the engine does not answer"
        if sample.block is None:
            found["chain"] = "the chain node does not answer"
        if sample.position is None:
            found["database"] = "the database does not answer"
            return found
        if self._journal_lags(sample.position.journal_seq):
            found["projector"] = f"the journal is at {sample.engine_seq}, its mirror at {sample.position.journal_seq}"
        if sample.block is not None and sample.block - sample.position.indexed_block > self._lag_blocks:
            found["indexer"] = f"the chain is at {sample.block}, its mirror at {sample.position.indexed_block}"
        elif not sample.position.follows_chain:
            found["indexer"] = "the indexer is reading the chain again"
        return found

    def _journal_lags(self, journal_seq: int) -> bool:
        """Whether the mirror has yet to reach where the journal was some seconds ago."""
        limit = monotonic() - JOURNAL_LAG_SECONDS
        past = [sample.engine_seq for sample in self._samples if sample.at <= limit]
        return bool(past) and past[-1] > journal_seq
