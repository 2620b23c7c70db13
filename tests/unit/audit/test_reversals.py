"""A reversal whose cause the chain does not bear out is found, with both cited; an honest one passes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bizzan.audit import reversals
from bizzan.audit.chain_ledger import ChainLedger, Kept, Movement, Place, SettledBatch
from bizzan.audit.reversals import SLACK_SECONDS, Block
from exchange.engine import commands as c
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.unit.audit.test_published import audit, day, texts, write
from tests.utils.engine import BTC, MAKER, TAKER, USDC, EngineHarness

__all__ = ["day"]  # the fixture

CITED = "0x" + "cd" * 32
HEIGHT = 50
AFTER = Place(HEIGHT + 1, 0, "0x" + "ee" * 32, "0x" + "01" * 32)
BEFORE = Place(HEIGHT, 0, CITED, "0x" + "02" * 32)
RICH, POOR = 10**15, 5


def reversal(day: EngineHarness, reason: str) -> c.ReverseTrades:
    """The first trade is reversed."""
    return c.ReverseTrades(day.engine.inbox_id + 1, (1,), f"block {CITED}: {reason}")


def chain_of(day: EngineHarness, amount: int = RICH, place: Place = BEFORE) -> ChainLedger:
    """A chain on which both traders own so much of everything."""
    chain = ChainLedger(DEPLOYMENT)
    for account in (MAKER, TAKER):
        for asset in (USDC, BTC):
            token_id = DEPLOYMENT.token_of_asset(asset).token_id
            chain.movements.append(Movement(place, "moved_to_trading", account, token_id, amount))
    return chain


def found(day: EngineHarness, folder: Path, reason: str, chain: ChainLedger, timestamp: int | None = None) -> str:
    """What the audit says of the reversal, apart from credits, which these chains do not have."""
    blocks: Mapping[str, Block] = {CITED: Block(HEIGHT, day.now if timestamp is None else timestamp)}
    journal = write(day, folder / "journal", reversal(day, reason))
    said = audit(journal, read_chain=lambda: chain, read_cited=lambda _: blocks)
    return "\n".join(line for line in texts(said).splitlines() if "reverses trades" in line)


def latest(day: EngineHarness) -> int:
    """The second up to which both orders of the first trade settle."""
    orders = [command.order for _, _, command in day.kept if isinstance(command, c.PlaceOrder)]
    return min(orders[0].expiry, orders[-1].expiry) + DEPLOYMENT.windows.grace


def test_a_reversal_that_cites_a_block_which_is_not_on_chain_is_found(day: EngineHarness, tmp_path: Path) -> None:
    journal = write(day, tmp_path / "journal", reversal(day, "order: expired"))
    said = texts(audit(journal, read_chain=lambda: chain_of(day), read_cited=lambda _: {}))
    assert f"reverses trades 1 and cites block {CITED} for 'order: expired': the chain has no such block" in said


def test_a_reversal_of_what_was_settled_before_is_found(day: EngineHarness, tmp_path: Path) -> None:
    seq = day.engine.seq
    day.apply(c.CutBatch(next(day.inbox_ids), 1, seq))
    chain = chain_of(day)
    chain.batches.append(SettledBatch(BEFORE, 1, bytes(32), bytes(32), 0, ()))
    said = found(day, tmp_path, "settle: another", chain)
    assert "batch 1, with trade 1, was settled before, in block 50" in said


def test_a_reversal_for_an_expiry_that_had_not_come_is_found(day: EngineHarness, tmp_path: Path) -> None:
    said = found(day, tmp_path, "order: expired", chain_of(day), latest(day) - SLACK_SECONDS)
    assert f"its orders settle until {latest(day)} s" in said
    assert f"the block is of {latest(day) - SLACK_SECONDS} s" in said


def test_a_reversal_of_what_had_expired_passes(day: EngineHarness, tmp_path: Path) -> None:
    assert found(day, tmp_path, "order: expired", chain_of(day), latest(day) + 1) == ""


def test_a_reversal_for_want_of_money_that_was_there_is_found(day: EngineHarness, tmp_path: Path) -> None:
    said = found(day, tmp_path, "ledger: too little trading", chain_of(day))
    assert f"had {RICH} of asset {BTC}, and owed at most" in said
    assert f"had {RICH} of asset {USDC}, and owed at most" in said


@pytest.mark.parametrize("chain", [{"amount": POOR}, {"place": AFTER}])
def test_a_reversal_for_want_of_money_passes(day: EngineHarness, tmp_path: Path, chain: dict[str, object]) -> None:
    assert found(day, tmp_path, "ledger: too little trading", chain_of(day, **chain)) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        ("order: account exited", "ExitRequested"),
        ("order: account frozen", "AccountFrozen"),
        ("order: cancelled", "NoncesCancelled"),
        ("delegate: revoked", "DelegateRevoked"),
    ],
)
def test_a_reversal_for_what_no_account_said_is_found(
    day: EngineHarness, tmp_path: Path, reason: str, event: str
) -> None:
    chain = chain_of(day)
    chain.kept.append(Kept(AFTER, event, {"account": MAKER}))
    chain.kept.append(Kept(BEFORE, event, {"account": b"\x77" * 20}))
    assert f"of whom neither has {'NonceCancelled or ' if event == 'NoncesCancelled' else ''}{event}" in found(
        day, tmp_path / "lie", reason, chain
    )
    chain.kept.append(Kept(BEFORE, event, {"account": TAKER}))
    assert found(day, tmp_path / "truth", reason, chain) == ""


def test_what_was_settled_by_then_is_owed_no_more(tmp_path: Path) -> None:
    """Of two trades the first is settled; the second is held against what remained after it."""
    x = EngineHarness()
    for account in (MAKER, TAKER):
        for asset in (USDC, BTC):
            x.credit(account, asset, 10**12)
    x.sell(MAKER, 5_000_000, 10)
    x.buy(TAKER, 5_000_000, 10)
    x.cut(1)
    x.sell(MAKER, 5_000_000, 7)
    x.buy(TAKER, 5_000_000, 7)
    lots = 7 * DEPLOYMENT.market(1).lot_size
    cause = f"block {CITED}: ledger: too little trading"
    journal = write(x, tmp_path / "journal", c.ReverseTrades(x.engine.inbox_id + 1, (2,), cause))

    def chain(batches: list[SettledBatch]) -> ChainLedger:
        ledger = chain_of(x)
        ledger.batches += batches
        return ledger

    cited = {CITED: Block(HEIGHT, x.now)}
    settled = SettledBatch(BEFORE, 1, bytes(32), bytes(32), 0, ())
    for batches, owed in (([settled], lots), ([], lots + 10 * DEPLOYMENT.market(1).lot_size)):
        said = texts(audit(journal, read_chain=partial(chain, batches), read_cited=lambda _: cited))
        assert f"had {RICH} of asset {BTC}, and owed at most {owed}" in said


def test_many_reversals_take_time_in_proportion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trade's payments are looked at once for all reversals, and once for its own."""
    x, count = EngineHarness(), 60
    for account in (MAKER, TAKER):
        for asset in (USDC, BTC):
            x.credit(account, asset, 10**15)
    for _ in range(count):
        x.sell(MAKER, 5_000_000, 1)
        x.buy(TAKER, 5_000_000, 1)
    cause, first = f"block {CITED}: ledger: too little trading", x.engine.inbox_id + 1
    journal = write(x, tmp_path / "journal", *(c.ReverseTrades(first + n, (n + 1,), cause) for n in range(count)))
    looked = 0
    payments = reversals._payments

    def counted(*arguments: Any) -> Any:
        nonlocal looked
        looked += 1
        return payments(*arguments)

    monkeypatch.setattr(reversals, "_payments", counted)
    said = texts(audit(journal, read_chain=lambda: chain_of(x), read_cited=lambda _: {CITED: Block(HEIGHT, x.now)}))
    assert said.count("ledger: too little trading': trade ") == count
    assert looked == 2 * count
