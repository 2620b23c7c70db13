"""Snapshots: the same bytes for the same state, and an engine that goes on as if nothing had happened."""

import pytest

from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.snapshot import SnapshotError
from tests.utils.engine import BTC, DELEGATE, MAKER, OTHER, TAKER, USDC, EngineHarness

PRICE = 5_000_000


def busy(x: EngineHarness) -> None:
    """Put something into every part of the state."""
    for lots in (5, 7, 9):
        x.sell(MAKER, PRICE, lots, client_order_id=f"m{lots}")
        x.sell(OTHER, PRICE + 10, lots)
    x.buy(TAKER, PRICE, 8)
    x.cut(1)
    x.buy(TAKER, PRICE, 8)
    x.apply(x.hold(TAKER, USDC, 500))
    x.apply(c.ReserveForced(next(x.inbox_ids), OTHER, USDC, 10**12, "r1"))
    x.apply(c.ObeyRevocation(next(x.inbox_ids), MAKER, DELEGATE))
    x.apply(c.SetMarketStatus(next(x.inbox_ids), 2, "halted"))
    x.apply(c.SetExiting(next(x.inbox_ids), b"\x55" * 20, True))
    x.apply(c.SetFrozen(next(x.inbox_ids), b"\x66" * 20, True))
    x.apply(c.SetCountdown(MAKER, 20, x.at_ms, b"", MAKER))
    x.apply(c.SetTradingStop(next(x.inbox_ids), b"\x66" * 20, True))
    x.apply(c.SetLimits(10**9, 50, 60))


def test_a_loaded_engine_gives_the_same_events_from_then_on(x: EngineHarness) -> None:
    busy(x)
    copy = Engine.load(x.engine.dump())
    assert copy.state_hash() == x.engine.state_hash()
    commands: list[c.Command] = [
        x.order(TAKER, 0, PRICE + 10, 20),
        c.Uncredit(next(x.inbox_ids), TAKER, USDC, 9_999_000_000, "reorg"),
        c.FinalizeBatch(next(x.inbox_ids), 1),
        c.ReleaseForced(next(x.inbox_ids), "r1"),
    ]
    for command in commands:
        expected = x.apply(command)
        assert copy.apply(x.engine.seq, x.at_ms, command) == expected
        assert copy.dump() == x.engine.dump()


def test_a_replay_from_the_beginning_ends_in_the_same_state(x: EngineHarness) -> None:
    busy(x)
    assert x.replay().dump() == x.engine.dump()


def test_any_change_changes_the_hash(x: EngineHarness) -> None:
    hashes = {x.engine.state_hash()}
    for command in (x.order(MAKER, 1, PRICE, 1), c.Tick(), c.SetLimits(0, 1_000, 200)):
        x.apply(command)
        hashes.add(x.engine.state_hash())
    x.credit(MAKER, BTC, 1)
    hashes.add(x.engine.state_hash())
    assert len(hashes) == 5


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x91\x02", b"\x91\x01", b"\xc1"])
def test_other_bytes_are_no_snapshot(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        Engine.load(data)
