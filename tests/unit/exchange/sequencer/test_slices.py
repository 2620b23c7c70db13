"""Short turns on a processor: for the thread that asks and its children, without another policy or niceness."""

import ctypes
import os
import platform
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import pytest

from exchange.sequencer.slices import (
    SLICE_NS,
    current_processor,
    go_after_others,
    processor_of,
    stay_on,
    take_short_turns,
)

A = TypeVar("A")

_GET_ATTRIBUTES = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
_ON_LINUX = platform.system() == "Linux" and platform.machine() in _GET_ATTRIBUTES


def in_a_thread(work: Callable[[], A]) -> A:
    """What is asked for is a thread's own: this one ends with what it asked for."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()


def turn_ns() -> int:
    """What the system keeps of the turns of this thread: nothing before Linux 6.12."""
    room = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(_GET_ATTRIBUTES[platform.machine()], 0, room, 48, 0) == 0
    return int(struct.unpack("<IIQiIQQQ", room.raw)[5])


def linux() -> tuple[int, ...]:
    return tuple(map(int, platform.release().split("-")[0].split(".")[:2]))


def test_a_thread_and_what_it_starts_take_short_turns_and_no_more_than_before() -> None:
    def take() -> tuple[bool, int, int, int, int]:
        took = take_short_turns()
        return took, turn_ns(), in_a_thread(turn_ns), os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)

    if not _ON_LINUX:
        assert not take_short_turns()
        return
    before = in_a_thread(turn_ns)
    took, own, started, policy, niceness = in_a_thread(take)
    assert took
    assert policy == os.sched_getscheduler(0)
    assert niceness == os.getpriority(os.PRIO_PROCESS, 0)
    if linux() >= (6, 12):
        assert (own, started) == (SLICE_NS, SLICE_NS)
    assert in_a_thread(turn_ns) == before, "nobody else's turns change"


def test_elsewhere_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert not take_short_turns()


def test_who_stays_on_a_processor_uses_one_of_its_own() -> None:
    if not _ON_LINUX:
        stay_on(0)
        return
    usable = sorted(os.sched_getaffinity(0))

    def stay(processor: int) -> set[int]:
        stay_on(processor)
        return os.sched_getaffinity(0)

    assert [in_a_thread(partial(stay, n)) for n in range(len(usable) + 1)] == [{cpu} for cpu in [*usable, usable[0]]]


def test_who_stays_on_a_processor_runs_there() -> None:
    if not _ON_LINUX:
        return

    def stay(processor: int) -> tuple[int, int]:
        stay_on(processor)
        return current_processor(), processor_of(0)

    for index in range(len(os.sched_getaffinity(0))):
        wanted = processor_of(index)
        assert in_a_thread(partial(stay, index)) == (wanted, wanted)


def test_who_stands_alone_leads_a_session() -> None:
    child = (
        "import os; from exchange.sequencer.slices import stand_alone; before = os.getsid(0);"
        "stand_alone(); stand_alone(); assert os.getsid(0) == os.getpid() != before"
    )
    subprocess.run([sys.executable, "-c", child], check=True)


def test_a_process_goes_after_others_and_never_before_them() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as child:
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        go_after_others(child.pid, min(mine + 3, 19))
        go_after_others(child.pid, min(mine + 1, 19))
        niceness = os.getpriority(os.PRIO_PROCESS, child.pid)
        child.kill()
    assert niceness == min(mine + 3, 19)
    assert go_after_others(child.pid, 5), "who has ended is no trouble"
