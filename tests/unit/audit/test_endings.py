"""Whatever a journal holds, the audit ends with findings: what breaks a judge or a check is one of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from bizzan.audit import checks
from bizzan.audit.checks import run_checks
from bizzan.audit.comparing import Problem
from bizzan.audit.evidence import Evidence, Sources, _replay
from bizzan.audit.fee_ledger import FeeLedger
from bizzan.audit.findings import AuditUnavailable
from bizzan.audit.journal_replay import replay
from bizzan.audit.progress import Progress
from exchange.engine import commands as c
from exchange.journal.journal import Journal
from exchange.journal.reader import Record
from exchange.journal.record import list_segments
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One whose fourth record is aimed at a judge."""
    with Journal.open(tmp_path / "journal") as journal:
        journal.append([(NOW_MS + number, command) for number, command in enumerate(COMMANDS[:12])])
    command = FeeLedger.command

    def aimed(ledger: FeeLedger, record: Record) -> None:
        if record.seq == 4:
            raise OverflowError("too large")
        command(ledger, record)

    monkeypatch.setattr(FeeLedger, "command", aimed)
    return tmp_path / "journal"


def test_record_that_breaks_a_judge_stops_the_replay_and_the_chain_is_read_to_its_end(journal: Path) -> None:
    read: list[int] = []
    state = replay(journal, 12, DEPLOYMENT, lambda seq, _: read.append(seq))
    assert state.stopped is not None
    assert state.stopped[0] == "journal sequence 4"
    assert state.stopped[1].startswith("cannot be replayed, and nothing after it is: OverflowError: too large")
    assert read == list(range(1, 13))


def test_checks_that_need_the_journal_name_the_record_that_cannot_be_replayed(journal: Path) -> None:
    problem, replayed = _replay(Sources("", "", journal, DEPLOYMENT), 12, Progress())
    assert replayed is None
    nothing = cast(Any, None)
    evidence = Evidence(DEPLOYMENT, nothing, nothing, nothing, (), None, problem, {})
    for check in (checks.engine, checks.batches, checks.credits_cite_logs, checks.fees, checks.matching):
        assert [where for where, _ in check(evidence)] == ["journal sequence 4"]


def test_segment_that_the_system_does_not_read_is_told_in_one_line(journal: Path) -> None:
    (segment,) = list_segments(journal)
    segment.unlink()
    segment.mkdir()
    with pytest.raises(AuditUnavailable, match="the journal cannot be read"):
        _replay(Sources("", "", journal, DEPLOYMENT), 12, Progress())


def test_check_that_fails_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Evidence) -> Iterator[Problem]:
        yield "here", "one problem"
        raise KeyError(c.Tick)

    def finds(_: Evidence) -> Iterator[Problem]:
        yield "there", "another"

    named = (("AUD-1 first", fails, lambda _: "1 thing"), ("AUD-2 second", finds, lambda _: "2 things"))
    monkeypatch.setattr(checks, "CHECKS", named)
    first, second = run_checks(cast(Evidence, None))
    assert [finding.where for finding in first.findings] == ["here", "the check itself"]
    assert "failed on what it reads, and what follows there is not compared: KeyError" in first.findings[1].message
    assert [finding.message for finding in second.findings] == ["another"]
