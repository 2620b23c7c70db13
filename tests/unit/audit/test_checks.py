"""What the audit compares of a batch, and of the account that is credited with fees."""

from bizzan.audit.chain_ledger import ChainLedger, Executed, Place, SettledBatch
from bizzan.audit.checks import diverted, final_too_early, per_order, settled_as_matched
from bizzan.audit.journal_replay import Replay, ReplayedBatch
from exchange.domain.instrument import Asset, Market
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.api_stack import DEPLOYMENT


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


def test_what_the_journal_calls_final_is_on_chain_and_final_there() -> None:
    heads = bytes(32), bytes([1]) * 32
    replay = Replay(batches={1: ReplayedBatch(1, 0, 5, *heads, cut_seq=6, final_seq=8)})
    chain = ChainLedger(DEPLOYMENT)
    assert list(settled_as_matched(replay, chain)) == [
        ("journal sequence 8", "calls batch 1 final, which is not on chain")
    ]
    chain.batches.append(SettledBatch(Place(50, 0, "0x01", "0xaa"), 1, *heads, 0, ()))
    assert list(settled_as_matched(replay, chain)) == []
    assert list(final_too_early(replay, chain, 50)) == []
    ((where, text),) = final_too_early(replay, chain, 49)
    assert where == "journal sequence 8"
    assert "calls batch 1 final, which is in block 50" in text
    replay.batches[1].final_seq = 0
    assert list(final_too_early(replay, chain, 49)) == []
    assert list(settled_as_matched(replay, ChainLedger(DEPLOYMENT))) == []
