"""AUD-8, the other way round: what the engine was told in the chain's name is on chain, or is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bizzan.audit.chain_ledger import ChainLedger, Kept, Movement, Place
from bizzan.audit.demands import OBEY_BLOCKS, timed_blocks
from bizzan.audit.journal_replay import Replay
from bizzan.audit.unasked import unasked
from exchange.domain.deployment import checksum
from exchange.engine import commands as c
from exchange.journal.reader import Record
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.unit.audit.test_published import audit, day, published, texts, write
from tests.utils.engine import BTC, MAKER, USDC, EngineHarness

__all__ = ["day"]  # the fixture

OWNER, KEY, OTHER = b"\x11" * 20, b"\x22" * 20, b"\x33" * 20
SECONDS, LAST, AMOUNT = 10, 1_000, 500
Step = tuple[int, c.Command]
"""The block in whose second a command is journaled, and the command."""


def block_hash(number: int) -> str:
    """The hash of a block."""
    return f"0x{number:064x}"


STOP, GO = c.SetFrozen(0, OWNER, True), c.SetFrozen(0, OWNER, False)
LATER = c.Credit(0, OTHER, DEPLOYMENT.token(0).asset_id, 1, f"credit:{block_hash(2)}:0:0")
REFUSE, ALLOW = c.ObeyRevocation(0, OWNER, KEY), c.AllowDelegate(0, OWNER, KEY)


def log(block: int, name: str, index: int = 0, **values: Any) -> Kept:
    """A log in a block."""
    return Kept(Place(block, index, block_hash(block), "0xaa"), name, {"account": OWNER} | values)


def request(block: int, lapses_at: int = LAST * SECONDS, **values: Any) -> Kept:
    """A forced withdrawal that is asked for in a block."""
    return log(block, "WithdrawalRequested", **{"token_id": 0, "amount": AMOUNT, "lapses_at": lapses_at} | values)


def named(block: int, generation: int = 0) -> str:
    """How the journal names that request."""
    return f"reserve:{block_hash(block)}:0:{generation}"


def reserve(block: int, generation: int = 0, amount: int = AMOUNT) -> c.ReserveForced:
    """Money is reserved for it."""
    return c.ReserveForced(0, OWNER, DEPLOYMENT.token(0).asset_id, amount, named(block, generation))


def chain_of(*logs: Kept, read_at: int = LAST * SECONDS) -> ChainLedger:
    """A chain of a block each ten seconds, with these logs."""
    chain = ChainLedger(DEPLOYMENT, kept=list(logs), read_at=read_at)
    chain.times = {number: number * SECONDS for number in timed_blocks(chain, LAST)}
    return chain


def found(chain: ChainLedger, *steps: Step) -> list[tuple[str, str]]:
    """What is said of a journal beside a chain."""
    replay = Replay()
    credit = c.Credit(0, OWNER, DEPLOYMENT.token(0).asset_id, 10**9, f"credit:{block_hash(1)}:0:0")
    for seq, (block, command) in enumerate([(1, credit), *steps], start=1):
        values = {name: getattr(command, name) for name in command.__dataclass_fields__} | {"inbox_id": seq}
        replay.apply(Record(seq, block * SECONDS * 1_000, cast(Any, type(command))(**values), bytes(32)))
    assert replay.refused == []
    return list(unasked(replay, chain))


def one(problems: Sequence[tuple[str, str]], seq: int, text: str) -> None:
    """Only this is found."""
    [(where, said)] = problems
    assert where == f"journal sequence {seq}"
    assert text in said


ASKED: dict[str, tuple[Kept, c.Command, str]] = {
    "cancel": (log(10, "NonceCancelled", nonce=7), c.ObeyCancel(0, OWNER, 7, 0), "no NonceCancelled of 7"),
    "cancel_all": (log(10, "NoncesCancelled", min_nonce=9), c.ObeyCancel(0, OWNER, 0, 9), "no NoncesCancelled of 9"),
    "exit": (log(10, "ExitRequested"), c.SetExiting(0, OWNER, True), "no ExitRequested"),
    "freeze": (log(10, "AccountFrozen"), STOP, "no AccountFrozen"),
    "reserve": (request(10), reserve(10), "no WithdrawalRequested"),
}
EACH = pytest.mark.parametrize("name", ASKED)


@EACH
def test_what_was_asked_is_clean_and_what_was_not_is_named(name: str) -> None:
    asked, command, missing = ASKED[name]
    assert found(chain_of(asked), (11, command)) == []
    one(found(chain_of(), (11, command)), 2, missing)
    of_another = Kept(asked.place, asked.name, dict(asked.values) | {"account": OTHER})
    [(_, said)] = found(chain_of(of_another), (11, command))
    assert checksum(OWNER) in said or "requests 500 of asset" in said


@pytest.mark.parametrize("log_of", [log(10, "NonceCancelled", nonce=8), log(10, "NoncesCancelled", min_nonce=7)])
def test_a_cancel_of_another_nonce_is_named(log_of: Kept) -> None:
    one(found(chain_of(log_of), (11, c.ObeyCancel(0, OWNER, 7, 0))), 2, "no NonceCancelled of 7")
    one(found(chain_of(log_of), (11, c.ObeyCancel(0, OWNER, 0, (1 << 48) - 1))), 2, "no NoncesCancelled of 2814749767")


def test_a_cancel_that_a_reorganisation_moved_is_told_twice_and_is_clean() -> None:
    cancel = c.ObeyCancel(0, OWNER, 7, 0)
    assert found(chain_of(log(10, "NonceCancelled", nonce=7)), (9, cancel), (11, cancel)) == []


@pytest.mark.parametrize(
    ("stop", "go", "on", "off"),
    [
        (STOP, GO, "AccountFrozen", "AccountUnfrozen"),
        (c.SetExiting(0, OWNER, True), c.SetExiting(0, OWNER, False), "ExitRequested", "ExitCancelled"),
    ],
)
def test_each_log_is_cited_once(stop: c.Command, go: c.Command, on: str, off: str) -> None:
    chain = chain_of(log(10, on), log(20, off))
    assert found(chain, (11, stop), (25, go)) == []
    one(found(chain, (11, stop), (25, go), (30, stop)), 4, f"no {on} ")
    one(found(chain, (11, stop), (12, stop), (13, go), (25, stop), (26, stop)), 6, f"no {on} ")
    again = chain_of(log(10, on), log(20, off), log(30, on))
    assert found(again, (11, stop), (25, go), (31, stop)) == []


def test_what_a_reorganisation_took_is_clean_once_it_is_taken_back() -> None:
    assert found(chain_of(), (11, STOP), (12, GO)) == []
    # frozen, taken by a reorganisation, mined again, and thawed later
    moved = chain_of(log(13, "AccountFrozen"), log(50, "AccountUnfrozen"))
    assert found(moved, (11, STOP), (12, GO), (14, STOP)) == []
    assert found(moved, (11, STOP), (12, GO), (14, STOP), (55, GO)) == []
    one(found(moved, (11, STOP), (12, GO), (14, STOP), (55, GO), (60, STOP)), 6, "no AccountFrozen")


def test_what_goes_on_though_the_stop_stands_is_named() -> None:
    late = 10 + OBEY_BLOCKS + 1
    one(found(chain_of(log(10, "AccountFrozen")), (11, STOP), (late, GO)), 3, "no AccountUnfrozen")
    thawed_later = chain_of(log(10, "AccountFrozen"), log(late + 5, "AccountUnfrozen"))
    one(found(thawed_later, (11, STOP), (late, GO)), 3, "and AccountFrozen stands in block 10")
    assert found(thawed_later, (11, STOP), (late + 6, GO)) == []
    one(found(chain_of(log(20, "AccountUnfrozen")), (21, GO)), 2, "takes back what the journal never told")


def test_a_freeze_told_as_an_exit_by_an_older_indexer_counts() -> None:
    exiting = c.SetExiting(0, OWNER, True)
    assert found(chain_of(log(10, "AccountFrozen")), (11, exiting)) == []
    one(found(chain_of(log(10, "AccountFrozen")), (11, STOP), (12, exiting)), 3, "no ExitRequested")


def test_delegates_are_refused_and_allowed_by_logs_of_theirs() -> None:
    added, revoked = log(5, "DelegateAdded", delegate=KEY), log(10, "DelegateRevoked", delegate=KEY)
    assert found(chain_of(added, revoked), (11, REFUSE)) == []
    assert found(chain_of(added, revoked, log(20, "DelegateAdded", delegate=KEY)), (11, REFUSE), (21, ALLOW)) == []
    one(
        found(chain_of(added), (200, REFUSE), (201, LATER)),
        2,
        f"no DelegateRevoked of {checksum(KEY)} by {checksum(OWNER)}",
    )
    one(found(chain_of(added, revoked), (11, REFUSE), (10 + OBEY_BLOCKS + 1, ALLOW)), 3, "no DelegateAdded")
    one(found(chain_of(added), (11, ALLOW)), 2, "takes back what the journal never told")


def test_a_naming_that_a_reorganisation_took_is_clean() -> None:
    assert found(chain_of(), (200, REFUSE)) == []
    moved = chain_of(log(150, "DelegateAdded", delegate=KEY))
    assert found(moved, (149, REFUSE)) == []  # the journal ends before it is told of the new log
    assert found(moved, (149, REFUSE), (151, ALLOW)) == []
    one(found(moved, (149, REFUSE), (151 + OBEY_BLOCKS, LATER)), 2, "no DelegateRevoked")


def test_a_forced_withdrawal_of_other_values_is_named() -> None:
    one(found(chain_of(request(10)), (11, reserve(10, amount=10**15))), 2, f"requests {AMOUNT} of asset")
    one(found(chain_of(request(10, token_id=2)), (11, reserve(10))), 2, "requests 500 of asset 2")
    one(found(chain_of(log(10, "NonceCancelled", nonce=7)), (11, reserve(10))), 2, "no WithdrawalRequested")


def test_a_request_is_reserved_for_once() -> None:
    one(found(chain_of(request(10)), (11, reserve(10)), (12, reserve(10, 1))), 3, "is reserved for already")
    claimed = log(50, "WithdrawalClaimed", token_id=0, amount=AMOUNT)
    debit = c.Debit(0, OWNER, DEPLOYMENT.token(0).asset_id, AMOUNT, named(10), f"debit:{block_hash(50)}:0:0")
    chain = chain_of(request(10), claimed)
    assert found(chain, (11, reserve(10)), (60, debit)) == []
    one(found(chain, (11, reserve(10)), (60, debit), (61, reserve(10, 1))), 4, "it was paid")
    # a reorganisation took it, and gave it back
    release = c.ReleaseForced(0, named(10))
    assert found(chain_of(request(10)), (11, reserve(10)), (12, release), (13, reserve(10, 1))) == []
    over = chain_of(request(10), log(30, "WithdrawalRequestCancelled", token_id=0))
    assert found(over, (11, reserve(10)), (35, release)) == []
    one(found(over, (11, reserve(10)), (35, release), (40, reserve(10, 1))), 4, "was reserved for before, and is over")


def test_a_reserve_that_is_released_though_its_request_stands_is_named() -> None:
    release = c.ReleaseForced(0, named(10))
    one(found(chain_of(request(10)), (11, reserve(10)), (12, release)), 3, "the request stands on chain, in block 10")
    assert found(chain_of(), (11, reserve(10)), (12, release)) == []
    lapsed = chain_of(request(10, lapses_at=20 * SECONDS))
    assert found(lapsed, (11, reserve(10)), (30, release)) == []


def test_what_is_still_in_the_inbox_takes_back_what_a_reorganisation_took() -> None:
    replay = Replay()
    replay.apply(Record(1, SECONDS, c.SetFrozen(1, OWNER, True), bytes(32)))
    replay.apply(Record(2, SECONDS, c.ReserveForced(2, OWNER, 0, AMOUNT, named(10)), bytes(32)))
    assert len(list(unasked(replay, chain_of()))) == 2
    assert list(unasked(replay, chain_of(), [(3, GO), (3, c.ReleaseForced(4, named(10)))])) == []


def test_a_hold_that_is_released_too_early_or_though_it_was_paid_is_named(day: EngineHarness, tmp_path: Path) -> None:
    held = c.HoldWithdrawal(MAKER, BTC, 5, b"\x09" * 32, 1, day.now + 900, "{}", b"\x01" * 65)
    release = c.ReleaseWithdrawal(day.engine.inbox_id + 1, b"\x09" * 32, "deadline passed at 5")
    journal = write(day, tmp_path / "journal", held, release)

    def said(chain: ChainLedger) -> list[str]:
        return [each.text for each in audit(journal, read_chain=lambda: chain).findings if each.check == "demands"]

    assert "it can be paid until" in said(chain_of(read_at=day.now + 900))[0]
    assert said(chain_of(read_at=day.now + 901)) == []
    paid = chain_of(read_at=day.now + 901)
    paid.movements.append(Movement(Place(9, 0, block_hash(9), "0xaa"), "withdrawn", MAKER, 2, -5, b"\x09" * 32))
    assert "it was paid in block 9" in said(paid)[0]


FORGED: dict[str, c.Command] = {
    "cancel": c.ObeyCancel(0, MAKER, 1, 0),
    "cancel_all": c.ObeyCancel(0, MAKER, 0, (1 << 48) - 1),
    "freeze": c.SetFrozen(0, MAKER, True),
    "exit": c.SetExiting(0, MAKER, True),
    "reserve": c.ReserveForced(0, MAKER, USDC, 10**15, named(10)),
    "allow": c.AllowDelegate(0, MAKER, KEY),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_published_journal_with_an_invented_demand_is_found_beside_the_chain(
    name: str, day: EngineHarness, tmp_path: Path
) -> None:
    command = cast(Any, FORGED[name])
    values = {field: getattr(command, field) for field in command.__dataclass_fields__}
    forged = type(command)(**values | {"inbox_id": day.engine.inbox_id + 1})
    folder = published(write(day, tmp_path / "journal", forged))
    assert texts(audit(folder)) == ""
    [finding] = [each for each in audit(folder, read_chain=lambda: chain_of()).findings if each.check == "demands"]
    assert finding.where == f"journal sequence {day.engine.seq + 1}"
    assert type(command).__name__ in finding.text


def test_a_reserve_that_names_no_log_shows_in_the_journal_alone(day: EngineHarness, tmp_path: Path) -> None:
    forged = c.ReserveForced(day.engine.inbox_id + 1, MAKER, USDC, 10**15, "request:made up")
    said = texts(audit(write(day, tmp_path / "journal", forged)))
    assert f"causes: journal sequence {day.engine.seq + 1}: reserves money and cites no log" in said
