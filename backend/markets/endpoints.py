"""`/v1/markets`: rules and market data, for everybody."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from backend.deps import ApiDep, Before, Limit
from backend.markets import schemas, service
from backend.openapi import answers
from backend.wire import json_response

router = APIRouter(prefix="/v1/markets", tags=["markets"])

MarketName = Annotated[
    str, Path(description="a market's id or symbol", max_length=40, examples=["BTC-USDC"], pattern="^[0-9A-Za-z-]+$")
]
Milliseconds = Annotated[int | None, Query(ge=0, le=(1 << 63) - 1, description="milliseconds since 1970")]

_MARKET = {
    "market_id": 1,
    "symbol": "BTC-USDC",
    "base_asset": 2,
    "quote_asset": 0,
    "lot_size": "10000",
    "tick_size": "10",
    "min_notional": "1000000",
    "band_bps": 2000,
    "reference_price": "1000000",
    "maker_fee_ppm": 200,
    "taker_fee_ppm": 500,
    "fee_floor": "0",
    "status": "open",
}
_BOOK = {
    "market_id": 1,
    "symbol": "BTC-USDC",
    "seq": 4711,
    "bids": [["999990", "12"]],
    "asks": [["1000010", "7"], ["1000020", "3"]],
}


@router.get("", responses=answers(schemas.MarketView, many=True, example=[_MARKET]), response_class=Response)
async def list_markets(api: ApiDep) -> Response:
    """All markets and their rules."""
    return json_response([service.market_view(api, market) for market in api.deployment.markets])


@router.get("/{market}", responses=answers(schemas.MarketView, 404, example=_MARKET), response_class=Response)
async def get_market(api: ApiDep, market: MarketName) -> Response:
    """One market and its rules."""
    return json_response(service.market_view(api, api.market(market)))


@router.get("/{market}/book", responses=answers(schemas.BookView, 404, example=_BOOK), response_class=Response)
async def get_book(
    api: ApiDep, market: MarketName, depth: Annotated[int, Query(ge=1, le=1_000, description="levels per side")] = 50
) -> Response:
    """The live order book."""
    return json_response(service.book(api, api.market(market), depth))


@router.get("/{market}/trades", responses=answers(schemas.TradePage, 404), response_class=Response)
async def list_trades(api: ApiDep, market: MarketName, before: Before = None, limit: Limit = 100) -> Response:
    """Trades, latest first."""
    return json_response(await service.trade_page(api, api.market(market), before, limit))


@router.get("/{market}/candles", responses=answers(schemas.CandlePage, 404), response_class=Response)
async def list_candles(
    api: ApiDep,
    market: MarketName,
    interval: Annotated[str, Query(description="1m 5m 15m 30m 1h 4h 1d 1w 1M", examples=["1h"])] = "1m",
    start: Milliseconds = None,
    end: Milliseconds = None,
    limit: Limit = 500,
) -> Response:
    """Candles that start in [start, end), the latest `limit` of them, oldest first."""
    return json_response(await service.candle_page(api, api.market(market), interval, start, end, limit))


@router.get("/{market}/ticker", responses=answers(schemas.TickerView, 404), response_class=Response)
async def get_ticker(api: ApiDep, market: MarketName) -> Response:
    """Best prices, last price and the last 24 hours."""
    return json_response(await service.ticker(api, api.market(market)))
