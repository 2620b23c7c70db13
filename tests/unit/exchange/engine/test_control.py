"""Listings, market status, fees and limits; and what is no command at all."""

from dataclasses import replace

import pytest

from exchange.domain.errors import ErrorCode
from exchange.domain.instrument import Asset, Market
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from tests.utils.engine import BTC_USDC, FEES, MAKER, MARKETS, START_MS, TAKER, EngineHarness, reasons

PRICE = 5_000_000
NEW = replace(MARKETS[0], market_id=9)


def test_listing_tells_the_asset_and_the_market_with_its_fee_account() -> None:
    engine = Engine()
    assert engine.apply(1, START_MS, c.ListAsset(Asset(0, "USDC", 6))) == [e.AssetListed(Asset(0, "USDC", 6))]
    engine.apply(2, START_MS, c.ListAsset(Asset(2, "BTC", 8)))
    events = engine.apply(3, START_MS, c.ListMarket(MARKETS[0], FEES))
    assert events == [
        e.AccountOpened(1, FEES),
        e.MarketListed(MARKETS[0], 1),
        e.FeesAnnounced(BTC_USDC, START_MS, ((200, 500),), 0),
    ]
    assert [(level.market, level.bids, level.asks) for level in engine.books()] == [(MARKETS[0], [], [])]


@pytest.mark.parametrize(
    ("market", "code"),
    [
        (MARKETS[0], ErrorCode.market_exists),
        (replace(NEW, base_asset=9), ErrorCode.unknown_asset),
        (replace(NEW, base_asset=0), ErrorCode.unknown_asset),
        (replace(NEW, lot_size=0), ErrorCode.amount_out_of_range),
        (replace(NEW, tick_size=0), ErrorCode.amount_out_of_range),
        (replace(NEW, min_notional=-1), ErrorCode.amount_out_of_range),
        (replace(NEW, maker_fee_ppm=1_000_001), ErrorCode.fee_cap_out_of_range),
        (replace(NEW, taker_fee_ppm=-1), ErrorCode.fee_cap_out_of_range),
    ],
)
def test_a_market_that_cannot_work_is_refused(x: EngineHarness, market: Market, code: ErrorCode) -> None:
    x.refuse(c.ListMarket(market, b"\x66" * 20), code)


def test_an_asset_is_listed_once(x: EngineHarness) -> None:
    x.refuse(c.ListAsset(Asset(0, "USDC", 6)), ErrorCode.asset_exists)


def test_a_halt_ends_and_delisting_does_not(x: EngineHarness) -> None:
    x.buy(MAKER, PRICE, 1)
    order_id = x.engine.seq
    events = x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "halted"))
    assert events == [e.MarketChanged(BTC_USDC, "halted")]
    x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"))
    x.sell(TAKER, PRICE + 10, 1)
    events = x.apply(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "delisted"))
    assert reasons(events) == [(order_id, "market_delisted"), (order_id + 3, "market_delisted")]
    x.refuse(c.SetMarketStatus(next(x.inbox_ids), BTC_USDC, "open"), ErrorCode.market_halted)
    x.refuse(c.SetMarketStatus(next(x.inbox_ids), 2, "shut"), ErrorCode.malformed)
    x.refuse(c.SetMarketStatus(next(x.inbox_ids), 77, "open"), ErrorCode.unknown_market)


def test_limits_are_journaled_like_anything_else(x: EngineHarness) -> None:
    assert x.apply(c.SetLimits(1, 2, 3)) == [e.LimitsChanged(1, 2, 3)]
    assert x.apply(c.SetLimits(1, 2, 447)) == [e.LimitsChanged(1, 2, 447)]
    for limits in ((-1, 2, 3), (1, 0, 3), (1, 2, 0), (1, 2, 448)):
        x.refuse(c.SetLimits(*limits), ErrorCode.amount_out_of_range)


def test_time_and_sequence_never_go_back(x: EngineHarness) -> None:
    with pytest.raises(ValueError, match="comes after"):
        x.engine.apply(x.engine.seq, x.at_ms, c.Tick())
    with pytest.raises(ValueError, match="comes after"):
        x.engine.apply(x.engine.seq + 1, x.at_ms - 1, c.Tick())


def test_what_is_no_command_is_an_error_of_the_program(x: EngineHarness) -> None:
    with pytest.raises(TypeError, match="str is no command"):
        x.engine.apply(x.engine.seq + 1, x.at_ms, "buy")  # type: ignore[arg-type]
