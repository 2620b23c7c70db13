"""A process is well while its duties end rounds; it is ready while none needs an operator."""

from dataclasses import dataclass
from typing import Any, cast

from keeper.health import STALE_MS, ailment, complaint
from keeper.runner import Progress, Runner, Term


@dataclass
class FakeDuty:
    """A duty that says what it needs."""

    needs: str | None

    async def plan(self) -> object:
        return None

    async def step(self) -> object:
        return None

    def ailment(self) -> str | None:
        return self.needs


@dataclass
class FakeRunner:
    progress: Progress


def runners(needs: str | None, stepped_at: int = 0) -> list[Runner]:
    term = Term(FakeDuty(needs), cast(Any, None))
    return [cast(Runner, FakeRunner(Progress("settle", stepped_at=stepped_at, term=term)))]


def test_what_an_operator_must_mend_is_no_reason_to_restart() -> None:
    waiting = runners("batch 7 needs more gas than a transaction may have")
    assert ailment(waiting, STALE_MS) is None
    assert complaint(waiting, STALE_MS) == "batch 7 needs more gas than a transaction may have"
    assert complaint(runners(None), STALE_MS) is None


def test_a_duty_without_rounds_is_neither_well_nor_ready() -> None:
    stale = runners(None, stepped_at=-1)
    reason = ailment(stale, STALE_MS)
    assert reason is not None
    assert complaint(stale, STALE_MS) == reason
