"""The ticker of a market in which nobody has traded yet: no price of a trade is told, not even a zero."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from backend.markets import service
from backend.stream.book import Book
from exchange.database.engine import create_engine
from tests.utils.api_stack import DEPLOYMENT, DOMAIN, ETH_BTC

TOLD_BY_TRADES = ("last_price", "open_24h", "high_24h", "low_24h", "change_bps_24h")


@pytest.mark.parametrize(
    ("book", "best_bid"), [(Book(7), None), (Book(7, [(41, 6), (42, 5)], []), ["42", "5"])], ids=["empty", "quoted"]
)
async def test_ticker_before_any_trade_tells_none(database_url: str, book: Book, best_bid: list[str] | None) -> None:
    engine = create_engine(database_url, pool_size=1)
    feed = SimpleNamespace(last_price={}, book=lambda market_id: {ETH_BTC: book}[market_id])
    api = cast("Any", SimpleNamespace(reading=engine.connect, feed=feed, domain=DOMAIN))
    view = await service.ticker(api, DEPLOYMENT.market(ETH_BTC))
    await engine.dispose()
    told = msgspec.json.decode(msgspec.json.encode(view))
    assert [told[name] for name in TOLD_BY_TRADES] == [None] * len(TOLD_BY_TRADES)
    assert (told["base_volume_24h"], told["quote_volume_24h"], told["trades_24h"]) == ("0", "0", 0)
    assert (told["best_bid"], told["best_ask"], told["seq"]) == (best_bid, None, 7)
