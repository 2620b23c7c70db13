"""Market data: the book from the worker's replica, everything older from the mirror."""

from typing import Any

from sqlalchemy import Row

from backend.context import Api, now_ms, symbol_of
from backend.markets import schemas
from backend.stream.book import ASK, BID, Level, as_strings
from backend.stream.feed import as_json
from exchange.database import candles, positions, trades
from exchange.domain.amount import BPS
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Market
from exchange.domain.order import Side


def market_view(api: Api, market: Market) -> schemas.MarketView:
    """A market's rules, with status and fees as they are now."""
    live = api.feed.market(market.market_id)
    schedule = api.feed.fees.now(market.market_id)
    maker, taker = schedule.rates(0)
    collar_bps, max_quantity, max_notional, max_open_orders, max_open_notional = api.feed.bounds[market.market_id]
    return schemas.MarketView(
        market_id=market.market_id,
        symbol=symbol_of(market),
        base_asset=market.base_asset,
        quote_asset=market.quote_asset,
        lot_size=str(market.lot_size),
        tick_size=str(market.tick_size),
        min_notional=str(market.min_notional),
        band_bps=live.band_bps,
        collar_bps=collar_bps,
        max_quantity=str(max_quantity),
        max_notional=str(max_notional),
        max_open_orders=max_open_orders,
        max_open_notional=str(max_open_notional),
        reference_price=str(market.reference_price),
        maker_fee_ppm=maker,
        taker_fee_ppm=taker,
        fee_floor=str(schedule.floor),
        status=live.status.value,
        auction=auction_view(api, market),
    )


def book(api: Api, market: Market, depth: int) -> schemas.BookView:
    """The best `depth` levels of both sides."""
    found = api.feed.book(market.market_id)
    return schemas.BookView(
        market_id=market.market_id,
        symbol=symbol_of(market),
        seq=found.seq,
        bids=as_strings(found.levels(BID, depth)),
        asks=as_strings(found.levels(ASK, depth)),
        auction=auction_view(api, market),
    )


def auction_view(api: Api, market: Market) -> schemas.AuctionView | None:
    """The market's auction and what it would do now, if it is in one."""
    found = api.feed.auction(market.market_id)
    return None if found is None else schemas.AuctionView(**as_json(found))


async def trade_page(api: Api, market: Market, before: int | None, limit: int) -> schemas.TradePage:
    """The public tape."""
    async with api.reading() as connection:
        rows = await trades.of_market(connection, market.market_id, before=before, limit=limit)
        position = await positions.read(connection, api.domain.chain_id)
    return schemas.TradePage(
        trades=[
            schemas.TradeView(
                trade_id=row.trade_id,
                price=str(row.price),
                quantity=str(row.quantity),
                quote=str(row.quote),
                taker_side="sell" if row.taker_side == Side.sell else "buy",
                at=row.at_ms,
                reversed=row.reversed_cause is not None,
            )
            for row in rows
        ],
        next_before=rows[-1].trade_id if len(rows) == limit else None,
        journal_seq=position.journal_seq,
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
    )


def candle_view(row: Row[Any]) -> schemas.CandleView:
    """A candle as JSON carries it."""
    return schemas.CandleView(
        start_ms=row.start_ms,
        open=str(row.open),
        high=str(row.high),
        low=str(row.low),
        close=str(row.close),
        base_volume=str(row.base_volume),
        quote_volume=str(row.quote_volume),
        trades=row.trades,
    )


async def candle_page(
    api: Api, market: Market, interval: str, start: int | None, end: int | None, limit: int
) -> schemas.CandlePage:
    """Candles of one interval; refuses an interval that is not kept."""
    check_interval(interval)
    async with api.reading() as connection:
        rows = await candles.of_market(connection, market.market_id, interval, start_ms=start, end_ms=end, limit=limit)
        position = await positions.read(connection, api.domain.chain_id)
    return schemas.CandlePage(
        market_id=market.market_id,
        interval=interval,
        candles=[candle_view(row) for row in rows],
        journal_seq=position.journal_seq,
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
    )


def check_interval(interval: str) -> None:
    """Refuse an interval that no candle has."""
    if interval not in candles.INTERVALS:
        known = " ".join(candles.INTERVALS)
        raise Refusal(ErrorCode.malformed, f"interval must be one of {known}", "interval", {"intervals": known})


async def ticker(api: Api, market: Market) -> schemas.TickerView:
    """The market at a glance."""
    async with api.reading() as connection:
        day = await candles.day(connection, market.market_id, now_ms())
        last = api.feed.last_price.get(market.market_id) or await trades.last_price(connection, market.market_id)
        position = await positions.read(connection, api.domain.chain_id)
    replica = api.feed.book(market.market_id)
    change = None if not day.open or last is None else (last - day.open) * BPS // day.open
    return schemas.TickerView(
        market_id=market.market_id,
        symbol=symbol_of(market),
        last_price=_text(last),
        best_bid=_level(replica.best(BID)),
        best_ask=_level(replica.best(ASK)),
        open_24h=_text(day.open),
        high_24h=_text(day.high),
        low_24h=_text(day.low),
        change_bps_24h=change,
        base_volume_24h=str(int(day.base_volume)),
        quote_volume_24h=str(int(day.quote_volume)),
        trades_24h=int(day.trades),
        seq=replica.seq,
        journal_seq=position.journal_seq,
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
    )


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _level(level: Level | None) -> tuple[str, str] | None:
    return None if level is None else (str(level[0]), str(level[1]))
