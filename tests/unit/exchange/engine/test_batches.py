"""Batches: cut in order, final in order, and what that does to the money in them."""

import pytest

from exchange.domain.errors import ErrorCode
from exchange.engine import commands as c
from exchange.engine import events as e
from tests.utils.engine import BTC, FEES, MAKER, TAKER, USDC, EngineHarness

PRICE = 5_000_000


def trade(x: EngineHarness, lots: int = 10) -> int:
    """One trade; returns its id."""
    x.sell(MAKER, PRICE, lots)
    x.buy(TAKER, PRICE, lots)
    return x.engine.state.last_trade


def test_a_batch_holds_the_trades_up_to_its_sequence(x: EngineHarness) -> None:
    trade(x)
    middle = x.engine.seq
    trade(x)
    assert x.cut(1, middle) == [e.BatchCut(1, 0, middle)]
    assert x.engine.state.cut_trade == 1
    end = x.engine.seq
    assert x.cut(2) == [e.BatchCut(2, middle, end)]
    assert x.engine.state.cut_trade == 2


def test_a_final_batch_settles_the_proceeds_of_its_trades_only(x: EngineHarness) -> None:
    trade(x, 10)
    x.cut(1)
    trade(x, 5)
    assert x.parts(TAKER, BTC)[3] == 150_000
    events = x.finalize(1)
    assert events[0] == e.BatchFinalized(1)
    assert x.parts(TAKER, BTC)[3] == 50_000
    assert x.parts(MAKER, USDC)[3] == 24_995_000
    assert x.parts(FEES, USDC)[3] == 17_500


def test_an_empty_batch_is_cut_and_final_like_any_other(x: EngineHarness) -> None:
    x.cut(1)
    x.cut(2)
    trade(x)
    x.finalize(1)
    assert x.finalize(2) == [e.BatchFinalized(2)]
    assert x.parts(TAKER, BTC)[3] == 100_000


@pytest.mark.parametrize(
    ("batch", "offset"),
    [(1, 0), (3, 0), (2, 1), (2, -1_000)],
)
def test_a_batch_out_of_order_is_refused(x: EngineHarness, batch: int, offset: int) -> None:
    x.cut(1)
    x.refuse(c.CutBatch(next(x.inbox_ids), batch, x.engine.seq + offset), ErrorCode.batch_out_of_order)


def test_a_batch_advances_the_journal_head(x: EngineHarness) -> None:
    x.cut(1)
    cut_seq = x.engine.state.cut_seq
    x.refuse(c.CutBatch(next(x.inbox_ids), 2, cut_seq), ErrorCode.batch_out_of_order)
    x.cut(2, cut_seq + 1)


def test_batches_become_final_in_order_and_once(x: EngineHarness) -> None:
    x.refuse(c.FinalizeBatch(next(x.inbox_ids), 1), ErrorCode.unknown_batch)
    x.cut(1)
    x.cut(2)
    x.refuse(c.FinalizeBatch(next(x.inbox_ids), 2), ErrorCode.unknown_batch)
    x.finalize(1)
    x.refuse(c.FinalizeBatch(next(x.inbox_ids), 1), ErrorCode.unknown_batch)
    x.finalize(2)


def test_the_oldest_unsettled_trade_is_known(x: EngineHarness) -> None:
    seen = [x.engine.oldest_unsettled_at]
    first = x.at_ms
    trade(x)
    x.cut(1)
    x.at_ms += 500
    trade(x)
    seen.append(x.engine.oldest_unsettled_at)
    x.finalize(1)
    seen.append(x.engine.oldest_unsettled_at)
    x.cut(2)
    x.finalize(2)
    seen.append(x.engine.oldest_unsettled_at)
    assert seen == [None, first, first + 500, None]
