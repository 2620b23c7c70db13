"""What the console needs done whether or not somebody looks: outcomes are logged, sessions without a role end."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.context import Api, now_ms
from exchange.database import operator_log, sessions
from exchange.domain.errors import Refusal

log = structlog.get_logger()

PERIOD_SECONDS = 1.0


async def run(api: Api) -> None:
    """Do it for ever. Every worker does: what one has done, the others find done."""
    decided = 0
    while True:
        await asyncio.sleep(PERIOD_SECONDS)
        try:
            decided = await _close(api, decided)
            await _end_sessions(api)
        except (Refusal, SQLAlchemyError) as error:  # the database or the chain is away: later
            log.warning("console_upkeep_waits", reason=str(error)[:300])


async def _close(api: Api, decided: int) -> int:
    """Log what became of commands whose outcome nobody waited for; up to which entry none waits any more."""
    async with api.writing() as connection:
        return await operator_log.close_all(connection, decided)


async def _end_sessions(api: Api) -> None:
    """End the sessions of wallets that have no role any more, used or not."""
    async with api.reading() as connection:
        addresses = await sessions.addresses(connection, "operator", now_ms())
    for address in addresses:
        if not await api.powers.of(address):
            async with api.writing() as connection:
                await sessions.end_sessions(connection, address, "operator")
