"""The database, as the duties see it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.database import approvals, batches, engine_inbox, payouts
from exchange.database.batches import Batch, MatchedTrade
from exchange.database.leaders import check_token
from exchange.database.payouts import HeldWithdrawal, Rest
from keeper.ports import Ledger, Verdict

COMMANDS = ("cut_batch", "reverse_trades")


class DatabaseLedgers:
    """Reads in one snapshot, posts under the leader's token. Raises the database's errors and Fenced."""

    def __init__(self, engine: AsyncEngine, leader_duty: str, token: int) -> None:
        self._engine = engine
        self._leader_duty = leader_duty
        self._token = token

    async def look(self, batch: int, limit: int) -> Ledger:
        """How settlement stands at batch `batch`, and at most `limit` uncut trades."""
        async with self._engine.connect() as conn:
            await conn.execution_options(isolation_level="REPEATABLE READ")
            found = await batches.find(conn, batch)
            return Ledger(
                waiting=await batches.waiting_commands(conn, COMMANDS),
                last_batch=await batches.last_number(conn),
                batch=found,
                uncut=[] if found else await batches.uncut_trades(conn, limit),
            )

    async def cut_batches(self, first: int, limit: int) -> Sequence[Batch]:
        """The batches that are cut, from number `first` on."""
        async with self._engine.connect() as conn:
            return await batches.cut_from(conn, first, limit)

    async def trades_of(self, batch: int) -> Sequence[MatchedTrade]:
        """The trades of a batch that stand, in journal order."""
        async with self._engine.connect() as conn:
            return await batches.trades_of(conn, batch)

    async def cut(self, batch: int, to_seq: int) -> None:
        """Ask the engine to bind the trades up to `to_seq` to `batch`."""
        async with self._posting() as conn:
            await self._post(conn, "cut_batch", {"batch": batch, "to_seq": to_seq}, f"cut_batch/{batch}/{to_seq}")

    async def reverse(self, verdicts: Sequence[Verdict]) -> None:
        """Tell the engine, at once and in this order, that these trades can never settle."""
        async with self._posting() as conn:
            for each in verdicts:
                payload = {"trade_ids": list(each.trade_ids), "cause": each.cause}
                key = f"reverse_trades/{each.trade_ids[0]}/{len(each.trade_ids)}"
                await self._post(conn, "reverse_trades", payload, key)

    async def held(self, now: int, limit: int, paused: Collection[bytes]) -> Sequence[HeldWithdrawal]:
        """Held withdrawals that can still be mined at the unix second `now`, without the `paused`; accounts in turn."""
        async with self._engine.connect() as conn:
            return await payouts.held(conn, now, limit, paused)

    async def given_up(self) -> Collection[bytes]:
        """Held withdrawals for which nothing is sent any more."""
        async with self._engine.connect() as conn:
            return await payouts.given_up(conn)

    async def wait(self, digests: Collection[bytes]) -> None:
        """Note that withdrawals wait for approvals."""
        async with self._engine.begin() as conn:
            await approvals.note(conn, digests)

    async def rest(self, rests: Mapping[bytes, Rest]) -> None:
        """Note why withdrawals are not sent now."""
        async with self._engine.begin() as conn:
            await payouts.note_rests(conn, rests)

    async def approvals(self, digests: Collection[bytes]) -> Mapping[bytes, int]:
        """How many approvals each of these withdrawals was ever given; those without any may be missing."""
        async with self._engine.connect() as conn:
            return await approvals.counts(conn, digests)

    @asynccontextmanager
    async def _posting(self) -> AsyncIterator[AsyncConnection]:
        """One transaction of the leader's."""
        async with self._engine.begin() as conn:
            await check_token(conn, self._leader_duty, self._token)
            yield conn

    async def _post(self, conn: AsyncConnection, kind: str, payload: Mapping[str, object], key: str) -> None:
        """Post a command; one that the engine refused before is posted anew."""
        await engine_inbox.post(conn, kind, payload, await self._numbered(conn, key))

    async def _numbered(self, conn: AsyncConnection, key: str) -> str:
        return f"{key}/{await batches.refused_commands(conn, key + '/')}"
