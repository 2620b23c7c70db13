"""A keeper process that only sends what is queued, to be killed at will."""

import asyncio

from exchange.chain.node import NodeChain
from exchange.chain.rpc import Rpc
from exchange.chain.signing import Key
from exchange.chain.submission import Head
from exchange.chain.submitter import Policy, Submitter
from exchange.database.engine import create_engine
from exchange.database.jobs import JobStore
from keeper.main import SystemClock
from keeper.runner import Runner, Term

CHAIN_ID = 31_337
DUTY = "transfer"
CONFIRMATIONS = 24
MAX_FEE = 300 * 10**9


class Idle:
    """A duty without work of its own."""

    async def plan(self) -> None:
        """Nothing."""

    async def step(self) -> None:
        """Nothing."""


class Unguarded:
    """A guard that is always open."""

    async def closed(self, head: Head) -> str | None:
        """Open."""
        return None


async def run(database_url: str, rpc_url: str, secret: str) -> None:
    """Lead or follow until killed."""
    engine = create_engine(database_url, pool_size=4)
    key = Key(secret)
    policy = Policy(
        CONFIRMATIONS, max_fee=MAX_FEE, cancel_max_fee=4 * MAX_FEE, replace_after_ms=3_000, rebroadcast_after_ms=500
    )
    async with Rpc(rpc_url, timeout_seconds=5) as rpc:
        chain = NodeChain(rpc)

        def start_term(token: int) -> Term:
            store = JobStore(engine, CHAIN_ID, key.address, DUTY, token)
            return Term(Idle(), Submitter(key, CHAIN_ID, chain, store, Unguarded(), SystemClock(), policy))

        await Runner(DUTY, engine, start_term, SystemClock(), 0.05).run()


def work(database_url: str, rpc_url: str, secret: str) -> None:
    """All that the process does."""
    asyncio.run(run(database_url, rpc_url, secret))
