"""What an operator tells the engine: a command in its inbox, journaled like any other, and the wait for its fate.

Each has an entry in the operators' log without a wallet, with the reason that was given, and another of what became
of it. While the engine is away only halts and stops are posted: nothing withdraws what was, and a
returning engine obeys it.

Raises OperatorError when the command was not posted, was refused, or nobody took it in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Self, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.database import chain_events, engine_inbox, fees, markets, operator_log
from exchange.database.engine import create_engine
from exchange.database.markets import Known
from exchange.database.operator_log import Entry
from exchange.domain.deployment import DeploymentError, address_bytes, checksum
from exchange.settings import Settings

WAIT_SECONDS = 30.0
ENGINE_SECONDS = 2.0

T = TypeVar("T")

MakeValues = Callable[[Known], Mapping[str, object]]
"""The values of a command about a market, which may need to know it."""
Make = Callable[[AsyncConnection], Awaitable[tuple[str, Mapping[str, object]]]]
"""Looks at the database for what a command is about, and its values."""
_POLL_SECONDS = 0.05


class OperatorError(Exception):
    """The engine did not do what was asked."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How the exchange of this machine is reached: its database, and the engine's socket."""

    database_url: str
    engine: Path

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """That of the settings."""
        return cls(settings.database_url(), settings.engine_socket())


def change_market(
    reach: Reach,
    symbol: str,
    kind: str,
    values: Mapping[str, object] | MakeValues,
    wait_seconds: float = WAIT_SECONDS,
    reason: str = "",
) -> tuple[str, int]:
    """Post a command about one market and wait until it is applied; the market's symbol and the journal sequence.

    `symbol` is `BTC/USDC`, `btc-usdc` or the id; `kind` and `values` are the command's but for the market; `reason` is
    what the log says of why. Raises OperatorError.
    """

    async def make(conn: AsyncConnection) -> tuple[str, Mapping[str, object]]:
        there = await markets.known(conn)
        name = _find(there, symbol)
        extra = values(there[name]) if callable(values) else values
        return name, {"market": there[name].market_id, **extra}

    return _run(reach, kind, make, wait_seconds, reason)


def open_market(
    reach: Reach,
    chain_id: int,
    symbol: str,
    kind: str,
    values: Mapping[str, object],
    wait_seconds: float = WAIT_SECONDS,
    reason: str = "",
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

    return _run(reach, kind, make, wait_seconds, reason)


def change_account(
    reach: Reach,
    account: str,
    kind: str,
    values: Mapping[str, object],
    wait_seconds: float = WAIT_SECONDS,
    reason: str = "",
) -> int:
    """Post a command about one account and wait until it is applied; the journal sequence. Raises OperatorError."""
    try:
        address = address_bytes(account, "account")
    except DeploymentError as error:
        raise OperatorError(str(error)) from None

    async def make(_: AsyncConnection) -> tuple[str, Mapping[str, object]]:
        return checksum(address), {"account": address, **values}

    return _run(reach, kind, make, wait_seconds, reason)[1]


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


def _run(reach: Reach, kind: str, make: Make, seconds: float, reason: str) -> tuple[str, int]:
    """Log and post what `make` says and wait; what it is about, and the journal sequence."""
    _check_reason(reason)

    async def run() -> tuple[str, int]:
        database = create_engine(reach.database_url, pool_size=1)
        try:
            return await _ask(database, kind, make, seconds, reason, await _is_there(reach.engine))
        finally:
            await database.dispose()

    return _with_database(run())


def _check_reason(text: str) -> None:
    """Refuse a reason that the console would refuse; none at all is allowed here."""
    if not text:
        return
    from pydantic import TypeAdapter, ValidationError

    from backend.operator.schemas import REASON_LEAST, REASON_LENGTH, Reason

    try:
        TypeAdapter(Reason).validate_python(text)
    except ValidationError as error:
        told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        flaw = told if REASON_LEAST <= len(text) <= REASON_LENGTH else f"it has {len(text)} characters"
        raise OperatorError(
            f"--reason is not for the log, where it stands for ever: {flaw}; say why in one line of {REASON_LEAST} to "
            f"{REASON_LENGTH} characters, all of which can be seen"
        ) from None


async def _ask(
    database: AsyncEngine, kind: str, make: Make, seconds: float, reason: str, engine_is_there: bool
) -> tuple[str, int]:
    name = ""
    async with database.begin() as conn:

        async def entry() -> tuple[Entry, str, Mapping[str, object]]:
            nonlocal name
            name, values = await make(conn)
            if not (engine_is_there or _may_wait(kind, values)):
                raise OperatorError(
                    "the engine is away, and would obey whenever it is back: until then only halts and stops are taken"
                )
            return entry_of(name, kind, values, reason), kind, values

        asked, inbox_id = await operator_log.ask(conn, entry)
    seq, refusal = await _outcome(database, inbox_id, seconds)
    async with database.begin() as conn:
        if refusal is None:
            await operator_log.close(conn, asked.entry_id, "applied", {"seq": seq})
        else:
            await operator_log.close(conn, asked.entry_id, "refused", refusal)
    if refusal is not None:
        raise OperatorError(f"the engine refuses ({refusal['code']}): {refusal['message']}")
    return name, seq


async def _is_there(engine: Path) -> bool:
    """Whether anybody listens at the engine's socket."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_unix_connection(engine), ENGINE_SECONDS)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _may_wait(kind: str, values: Mapping[str, object]) -> bool:
    """Whether it does no harm that a returning engine obeys it, however late."""
    return (kind, values.get("status", values.get("stopped"))) in (
        ("set_market_status", "halted"),
        ("set_trading_stop", True),
    )


def entry_of(name: str, kind: str, values: Mapping[str, object], reason: str = "") -> Entry:
    """What the log says of a command that was given on the machine: the same as of one that the console gives."""
    action = _ACTIONS.get((kind, values.get("status", values.get("stopped"))), kind)
    given = {field: value for field, value in values.items() if field not in _SUBJECTS and value is not None}
    said = engine_inbox.encode(given)
    amounts = {field: str(value) for field, value in said.items() if field in _AMOUNTS}
    return Entry(b"", action, name.replace("/", "-"), reason, said | amounts)


_SUBJECTS = ("market", "account", "status", "stopped")
_AMOUNTS = ("collar_bps", "max_quantity", "max_notional", "max_open_orders", "max_open_notional", "band_bps", "floor")
_ACTIONS: Mapping[tuple[str, object], str] = {
    ("set_market_status", "halted"): "halt_market",
    ("set_market_status", "open"): "open_market",
    ("set_market_status", "delisted"): "delist_market",
    ("set_market_bounds", None): "bound_market",
    ("set_account_limits", None): "limit_account",
    ("set_trading_stop", True): "stop_account",
    ("set_trading_stop", False): "resume_account",
}
"""The log's word for a command, by its kind and what it sets; the kind itself for the others."""


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


async def _outcome(database: AsyncEngine, inbox_id: int, wait_seconds: float) -> tuple[int, dict[str, Any] | None]:
    """The journal sequence at which a posted command was applied, or its refusal."""
    until = monotonic() + wait_seconds
    while True:
        async with database.connect() as conn:
            seq, refusal = await engine_inbox.outcome(conn, inbox_id)
        if seq is not None or refusal is not None:
            return seq or 0, refusal
        if monotonic() >= until:
            break
        await asyncio.sleep(_POLL_SECONDS)
    raise OperatorError(
        f"not applied within {wait_seconds:g} s: inbox command {inbox_id} waits for the engine and the projector, "
        "and is obeyed when both run (bizzan status)"
    )


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(cause).partition("\n")[0] or type(cause).__name__
