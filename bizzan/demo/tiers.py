"""Two fee tiers in use: the demo's operator lowers the fees of tier 1 and gives it to the demo's makers.

What is there already is left alone, and what cannot be done now is left for the next start: trading does not wait.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from bizzan.client.api import BizzanClient
from bizzan.operator import OperatorError, Reach, change_account, change_market

log = structlog.get_logger()

MAKER_TIER = 1
SHARES = (4, 2)
"""Maker and taker of tier 1 pay a quarter and half of tier 0: a market of 2 and 5 bps has 0.5 and 2.5."""

REASON = "The demo's makers pay less."


async def offer(client: BizzanClient, reach: Reach) -> None:
    """Announce tier 1 in every market that has only one tier; it lowers, so it counts at once. Raises ClientError."""
    for market in (await client.fees()).markets:
        tiers = market.current.tiers
        if len(tiers) == 1 and not market.announced:
            first = tiers[0].maker_fee_ppm, tiers[0].taker_fee_ppm
            second = first[0] // SHARES[0], first[1] // SHARES[1]
            values = {"effective_at": 0, "tiers": [first, second], "floor": market.current.floor}
            await _tell(change_market, reach, market.symbol, "announce_fees", values)


async def join(client: BizzanClient, reach: Reach) -> None:
    """Give a signed-in account the makers' tier, unless it has it. Raises ClientError."""
    if (await client.account_fees()).tier < MAKER_TIER:
        values = {"tier": MAKER_TIER, "effective_at": 0}
        await _tell(change_account, reach, client.text_account, "set_account_tier", values)


async def _tell(*what: Any) -> None:
    change, *arguments = what
    try:
        await asyncio.to_thread(change, *arguments, reason=REASON)
    except OperatorError as error:
        log.warning("operator_waits", reason=str(error))
