"""What the audit compares of a batch, and of the account that is credited with fees."""

from bizzan.audit.chain_ledger import Executed
from bizzan.audit.checks import diverted, per_order
from bizzan.audit.journal_replay import Replay
from exchange.domain.instrument import Asset, Market
from exchange.engine import commands as c
from exchange.engine import events as e


def executed(order: int, lots: int, quote: int, fee: int) -> Executed:
    return Executed(b"\x01" * 20, order.to_bytes(32), 1, 2, lots, quote, fee)


def test_an_order_counts_with_its_sums_over_all_sections() -> None:
    sums = per_order([executed(7, 1, 10, 2), executed(8, 2, 20, 0), executed(7, 3, 33, 1), executed(7, 1, 9, 0)])
    assert list(sums.values()) == [executed(7, 5, 52, 3), executed(8, 2, 20, 0)]


OLD, NEW = b"\x0a" * 20, b"\x0b" * 20


def replay_of(*commands: c.Command) -> Replay:
    """The audit's replay, as far as markets and their fee accounts go."""
    replay = Replay(accounts={1: OLD})
    for seq, command in enumerate(commands, start=1):
        for event in replay.engine.apply(seq, 0, command):
            if isinstance(event, e.MarketListed):
                replay.markets[event.market.market_id] = event
    return replay


def test_fees_credited_to_another_account_than_the_contracts_are_found_until_the_market_is_delisted() -> None:
    market = Market(1, "BTC/USDC", 2, 0, 10_000, 10, 1_000_000, 2_000, 200, 500, 6_000_000)
    listed = (c.ListAsset(Asset(0, "USDC", 6)), c.ListAsset(Asset(2, "BTC", 8)), c.ListMarket(market, OLD))
    replay = replay_of(*listed)
    assert list(diverted(replay, OLD)) == []
    ((where, text),) = diverted(replay, NEW)
    assert where == "market 1"
    assert "0x0A" in text.upper().replace("0X", "0x")
    assert list(diverted(replay_of(*listed, c.SetMarketStatus(1, 1, "delisted")), NEW)) == []
