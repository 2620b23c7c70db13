"""The tape's past: after each start of the feed, older trades come from the mirror once it has caught up."""

import asyncio

import structlog

from backend.context import Api
from backend.markets.service import trade_page
from backend.stream.feed import KEPT_TRADES
from backend.wire import to_builtins
from exchange.domain.errors import Refusal

log = structlog.get_logger()

PERIOD_SECONDS = 0.5


async def keep_history(api: Api) -> None:
    """Fill the feed's tape after each of its starts, until cancelled."""
    filled = 0
    while True:
        await asyncio.sleep(PERIOD_SECONDS)
        starts, seq = api.feed.starts, api.feed.start_seq
        if starts == filled or not api.feed.ready:
            continue
        try:
            done = await _fill(api, seq)
        except Refusal as refusal:
            log.warning("history_waits", reason=refusal.message)
            continue
        if done and starts == api.feed.starts:
            filled = starts


async def _fill(api: Api, seq: int) -> bool:
    """Whether the mirror had reached `seq`, so that no trade is missing between it and the feed."""
    for market in api.deployment.markets:
        page = await trade_page(api, market, None, KEPT_TRADES)
        if page.journal_seq < seq:
            return False
        api.feed.add_history(market.market_id, to_builtins(page.trades))
    return True
