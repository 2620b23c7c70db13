"""What an operator tells the engine: a command in its inbox, journaled like any other, and the wait for its fate.

Raises OperatorError when the command was not posted, was refused, or nobody took it in time.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.database import chain_events, engine_inbox, fees, markets
from exchange.database.engine import create_engine
from exchange.database.markets import Known
from exchange.domain.deployment import DeploymentError, address_bytes, checksum

WAIT_SECONDS = 30.0

T = TypeVar("T")

MakeValues = Callable[[Known], Mapping[str, object]]
"""The values of a command about a market, which may need to know it."""
_POLL_SECONDS = 0.05


class OperatorError(Exception):
    """The engine did not do what was asked."""


def change_market(
    database_url: str,
    symbol: str,
    kind: str,
    values: Mapping[str, object] | MakeValues,
    wait_seconds: float = WAIT_SECONDS,
) -> tuple[str, int]:
    """Post a command about one market and wait until it is applied; the market's symbol and the journal sequence.

    `symbol` is `BTC/USDC`, `btc-usdc` or the id; `kind` and `values` are the command's but for the market. Raises
    OperatorError.
    """

    async def make(conn: AsyncConnection) -> tuple[str, Mapping[str, object]]:
        there = await markets.known(conn)
        name = _find(there, symbol)
        extra = values(there[name]) if callable(values) else values
        return name, {"market": there[name].market_id, **extra}

    return _run(database_url, kind, make, wait_seconds)


def open_market(
    database_url: str,
    chain_id: int,
    symbol: str,
    kind: str,
    values: Mapping[str, object],
    wait_seconds: float = WAIT_SECONDS,
) -> tuple[str, int]:
    """Have a market take orders, unless the contract itself halts it; as `change_market` otherwise."""

    async def make(conn: AsyncConnection) -> tuple[str, Mapping[str, object]]:
        there = await markets.known(conn)
        name = _find(there, symbol)
        market_id = there[name].market_id
        halting = await chain_events.halting(conn, chain_id, market_id)
        if halting is not None:
            raise OperatorError(
                f"{name} is halted on chain: {chain_events.HALTED_BY[halting.kind]} (block {halting.block_number}), so "
                "its trades could not settle; it opens by itself when nothing halts it there any more, unless an "
                "operator did too"
            )
        return name, {"market": market_id, **values}

    return _run(database_url, kind, make, wait_seconds)


def change_account(
    database_url: str, account: str, kind: str, values: Mapping[str, object], wait_seconds: float = WAIT_SECONDS
) -> int:
    """Post a command about one account and wait until it is applied; the journal sequence. Raises OperatorError."""
    try:
        address = address_bytes(account, "account")
    except DeploymentError as error:
        raise OperatorError(str(error)) from None

    async def make(_: AsyncConnection) -> tuple[str, Mapping[str, object]]:
        return account, {"account": address, **values}

    return _run(database_url, kind, make, wait_seconds)[1]


def tiers(database_url: str) -> list[tuple[str, int, int]]:
    """Accounts that were given a fee tier: address, tier, from when in milliseconds; in journal order."""

    async def read() -> list[tuple[str, int, int]]:
        database = create_engine(database_url, pool_size=1)
        try:
            async with database.connect() as conn:
                return [(checksum(row.address), row.tier, row.effective_at) for row in await fees.tiers(conn)]
        finally:
            await database.dispose()

    return _with_database(read())


def _run(
    url: str, kind: str, make: Callable[[AsyncConnection], Awaitable[tuple[str, Mapping[str, object]]]], seconds: float
) -> tuple[str, int]:
    """Post what `make` says and wait; what it is about, and the journal sequence."""

    async def run() -> tuple[str, int]:
        database = create_engine(url, pool_size=1)
        try:
            async with database.begin() as conn:
                name, payload = await make(conn)
                inbox_id = await engine_inbox.post(conn, kind, payload, f"{engine_inbox.OPERATOR}{uuid.uuid4()}")
            return name, await _applied(database, inbox_id, seconds)
        finally:
            await database.dispose()

    return _with_database(run())


def _with_database(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (SQLAlchemyError, OSError) as error:
        raise OperatorError(
            f"the database cannot be used ({_first_line(error)}): start the stack with 'bizzan up'"
        ) from None


def _find(known: Mapping[str, Known], symbol: str) -> str:
    wanted = symbol.upper().replace("-", "/")
    for name, market in known.items():
        if wanted in (name, str(market.market_id)):
            return name
    raise OperatorError(f"there is no market {symbol}: choose one of {', '.join(known) or '(none)'}")


async def _applied(database: AsyncEngine, inbox_id: int, wait_seconds: float) -> int:
    """The journal sequence at which a posted command was applied."""
    for _ in range(max(1, round(wait_seconds / _POLL_SECONDS))):
        async with database.connect() as conn:
            seq, refusal = await engine_inbox.outcome(conn, inbox_id)
        if refusal is not None:
            raise OperatorError(f"the engine refuses ({refusal['code']}): {refusal['message']}")
        if seq is not None:
            return seq
        await asyncio.sleep(_POLL_SECONDS)
    raise OperatorError(
        f"not applied within {wait_seconds:g} s: inbox command {inbox_id} waits for the engine and the projector, "
        "and is obeyed when both run (bizzan status)"
    )


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(cause).partition("\n")[0] or type(cause).__name__
