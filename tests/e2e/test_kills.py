"""Any process dies at any moment, under traffic: nothing acknowledged is lost, nothing settles twice.

That nothing settles twice, and that contract, mirror, engine and journal agree, is what `bizzan audit` checks.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from tests.utils.placer import Placer
from tests.utils.program import Program
from tests.utils.waiting import wait_for

SERVICES = (
    "engine",
    "api",
    "indexer",
    "keeper",
    "postgres",
    "anvil",
    "projector",
    "publisher",
    "surveillance",
    "entry",
)
RECOVERY_SECONDS = 180
DEEP_KILLS = 70
SEED = 20_261_120


@pytest.fixture
def placer(program: Program) -> Iterator[Placer]:
    placer = Placer(program)
    placer.start()
    yield placer
    placer.stop()


def kill(program: Program, service: str) -> None:
    """Kill one process, and wait until another has taken its place and trades settle again."""
    first = wait_for(lambda: program.pid(service), f"a running {service}", RECOVERY_SECONDS)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: program.pid(service) not in (None, first), f"another {service}", RECOVERY_SECONDS)
    settled = wait_for(program.answer, "the API", RECOVERY_SECONDS)["trades_settled"]
    wait_for(
        lambda: program.answer().get("trades_settled", 0) > settled,
        f"settlements after the end of the {service}",
        RECOVERY_SECONDS,
    )


def frames_go_on(placer: Placer) -> None:
    """Frames are acknowledged again."""
    before = len(placer.framed)
    wait_for(lambda: len(placer.framed) > before, "frames", RECOVERY_SECONDS)


def check(program: Program, placer: Placer) -> None:
    """Everything agrees, and every acknowledged order is known."""
    program.succeed("audit")
    placer.stop()
    assert placer.acks
    assert placer.framed
    assert asyncio.run(placer.missing()) == []
    assert not [error for error in placer.refusals if error.status < 500 and error.code != "settlement_backlog"]


def test_each_process_killed_once(program: Program, placer: Placer) -> None:
    for service in SERVICES:
        kill(program, service)
        frames_go_on(placer)
    check(program, placer)


@pytest.mark.deep
def test_many_kills_at_random_moments(program: Program, placer: Placer) -> None:
    dice = random.Random(SEED)
    services = [service for service in SERVICES for _ in range(DEEP_KILLS // len(SERVICES))]
    dice.shuffle(services)
    for service in services:
        time.sleep(dice.uniform(0, 5))
        kill(program, service)
        program.succeed("audit")
    check(program, placer)
