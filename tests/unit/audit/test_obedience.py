"""AUD-8: an engine that obeys what accounts say on chain is clean; one that is late, deaf or relents is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from bizzan.audit.chain_ledger import ChainLedger, Kept, Place
from bizzan.audit.demands import OBEY_BLOCKS, deadlines
from bizzan.audit.evidence import Evidence
from bizzan.audit.journal_replay import Replay
from bizzan.audit.obedience import obedience
from exchange.domain.deployment import checksum
from exchange.engine import commands as c
from exchange.journal.reader import Record
from tests.utils.api_stack import DEPLOYMENT

OWNER, KEY, OTHER = b"\x11" * 20, b"\x22" * 20, b"\x33" * 20
SECONDS = 10
"""Between two blocks."""
LAST = 1_000
Step = tuple[int, c.Command]
"""The block in whose second a command is journaled, and the command."""


def block_hash(number: int) -> str:
    """The hash of a block."""
    return f"0x{number:064x}"


def log(block: int, name: str, **values: Any) -> Kept:
    """A log in a block."""
    return Kept(Place(block, 0, block_hash(block), "0xaa"), name, {"account": OWNER} | values)


def credit(block: int) -> c.Credit:
    """A credit that cites a log of a block."""
    return c.Credit(0, OTHER, 0, 1, f"credit:{block_hash(block)}:0:0")


def problems(logs: Sequence[Kept], steps: Sequence[Step], last: int = LAST) -> list[tuple[str, str]]:
    """What the check says of these logs and this journal."""
    chain = ChainLedger(DEPLOYMENT, kept=list(logs))
    chain.block_numbers = {block_hash(number): number for number in range(last + 1)}
    replay = Replay()
    for inbox_id, (block, command) in enumerate(steps, start=1):
        told = cast(Any, type(command))(
            *[inbox_id, *[getattr(command, name) for name in command.__dataclass_fields__][1:]]
        )
        replay.apply(Record(inbox_id, block * SECONDS * 1_000, told, bytes(32)))
    times = {number: number * SECONDS for number in deadlines(chain, last)}
    rest: Any = None
    return list(obedience(Evidence(rest, rest, chain, rest, (), replay, None, times)))


DEMANDS: dict[str, tuple[Kept, c.Command]] = {
    "exit": (log(10, "ExitRequested"), c.SetExiting(0, OWNER, True)),
    "freeze": (log(10, "AccountFrozen"), c.SetFrozen(0, OWNER, True)),
    "cancel of 7": (log(10, "NonceCancelled", nonce=7), c.ObeyCancel(0, OWNER, 7, 0)),
    "cancel-all of 9": (log(10, "NoncesCancelled", min_nonce=9), c.ObeyCancel(0, OWNER, 0, 9)),
    f"revocation of {checksum(KEY)}": (log(10, "DelegateRevoked", delegate=KEY), c.ObeyRevocation(0, OWNER, KEY)),
}
EACH = pytest.mark.parametrize("name", DEMANDS)


@EACH
def test_what_is_obeyed_at_once_or_in_time_is_clean(name: str) -> None:
    asked, answer = DEMANDS[name]
    for block in (10, 10 + OBEY_BLOCKS):
        assert problems([asked], [(5, credit(5)), (block, answer), (LAST, credit(900))]) == []


@EACH
def test_what_is_obeyed_late_is_named(name: str) -> None:
    asked, answer = DEMANDS[name]
    late = 10 + OBEY_BLOCKS + 1
    [(where, text)] = problems([asked], [(5, credit(5)), (late, credit(20)), (late, answer)])
    assert where.startswith(f"{name} by {checksum(OWNER)}, block 10, log 0")
    assert "obeyed at journal sequence 3, more than 100 blocks later" in text


@EACH
def test_what_is_never_obeyed_is_named(name: str) -> None:
    asked, _ = DEMANDS[name]
    [(where, text)] = problems([asked], [(5, credit(5)), (LAST, credit(20))])
    assert where.startswith(name)
    assert "never told" in text
    [(_, text)] = problems([asked], [(10, another(name)), (LAST, credit(20))])
    assert "never told" in text


def another(name: str) -> c.Command:
    """The same command about another account."""
    command = DEMANDS[name][1]
    values = {field: getattr(command, field) for field in command.__dataclass_fields__}
    return cast(c.Command, cast(Any, type(command))(**(values | {"account": OTHER})))


@EACH
def test_a_journal_that_lies_about_time_is_caught_by_what_it_cites(name: str) -> None:
    asked, answer = DEMANDS[name]
    honest: list[Step] = [(10, credit(5)), (10, credit(10 + OBEY_BLOCKS)), (10, answer)]
    assert problems([asked], honest) == []
    [(_, text)] = problems([asked], [(10, credit(5)), (10, credit(10 + OBEY_BLOCKS + 1)), (10, answer)])
    assert "obeyed at journal sequence 3" in text


@EACH
def test_an_engine_that_stood_still_meanwhile_is_not_late(name: str) -> None:
    asked, answer = DEMANDS[name]
    assert problems([asked], [(5, credit(5)), (900, answer)]) == []
    assert problems([asked], [(5, credit(5))]) == []


@EACH
def test_what_is_not_due_yet_is_not_asked_for(name: str) -> None:
    assert problems([DEMANDS[name][0]], [(LAST, credit(20))], last=10 + OBEY_BLOCKS - 1) == []


@pytest.mark.parametrize(
    ("on", "off", "answer"),
    [
        ("ExitRequested", "ExitCancelled", c.SetExiting),
        ("AccountFrozen", "AccountUnfrozen", c.SetFrozen),
    ],
)
def test_what_stands_on_chain_must_not_be_taken_back(on: str, off: str, answer: type) -> None:
    stop, go = answer(0, OWNER, True), answer(0, OWNER, False)
    assert "took it back" in problems([log(10, on)], [(10, stop), (50, go), (LAST, credit(20))])[0][1]
    [(where, text)] = problems([log(10, on)], [(10, stop), (300, go)])
    assert "block 10" in where
    assert "took it back at journal sequence 2" in text
    assert problems([log(10, on), log(290, off)], [(10, stop), (300, go)]) == []
    again = [log(10, on), log(290, off), log(500, on)]
    assert problems(again, [(10, stop), (300, go), (500, stop)]) == []
    [(where, _)] = problems(again, [(10, stop), (300, go), (LAST, credit(20))])
    assert "block 500" in where
    # taken back at once: there was nothing to obey
    assert problems([log(10, on), log(20, off)], [(LAST, credit(20))]) == []


def test_many_that_are_obeyed_one_after_another_after_a_standstill_are_not_late() -> None:
    asked, answers = zip(*DEMANDS.values(), strict=True)
    assert problems(asked, [(5, credit(5)), *((900 + place, answer) for place, answer in enumerate(answers))]) == []


def test_a_freeze_told_as_an_exit_by_an_older_indexer_counts() -> None:
    assert problems([log(10, "AccountFrozen")], [(10, c.SetExiting(0, OWNER, True)), (LAST, credit(20))]) == []
