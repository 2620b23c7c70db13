"""Short turns on a processor, for processes that somebody waits for by the millisecond.

Where every processor is busy, who wakes waits until the running thread's turn ends: with Linux' usual turns 1.4 to 4
ms, whatever its niceness. A thread that asks for short turns is let in at once, as long as it takes no more than its
share; so it waits less, and gets no more. Threads and processes that it starts ask for the same.
"""

import ctypes
import os
import platform
import struct
from contextlib import suppress
from pathlib import Path

SLICE_NS = 300_000
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The number of the system call, which the C library has no name for everywhere."""
_SCHED_GETCPU = getattr(ctypes.CDLL(None), "sched_getcpu", None)
_ATTRIBUTES = struct.Struct("<IIQiIQQQ")
"""struct sched_attr: its size, policy, flags, niceness, priority, turn in ns, and what only deadlines have."""


def take_short_turns() -> bool:
    """Ask for short turns for this thread, and what it starts from now on; whether the system took it.

    Linux obeys from 6.12 on. It is harmless where it cannot be done.
    """
    number = _SET_ATTRIBUTES.get(platform.machine())
    if platform.system() != "Linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, SLICE_NS, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0)


def stay_on(processor: int) -> None:
    """Run this process on one of the processors that it may use, counted from 0; harmless where it cannot be done."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {processor_of(processor)})


def processor_of(index: int) -> int:
    """The number of the processor that `stay_on` means, -1 where that cannot be said."""
    if not hasattr(os, "sched_getaffinity"):
        return -1
    usable = sorted(os.sched_getaffinity(0))
    return usable[index % len(usable)]


def current_processor() -> int:
    """The number of the processor on which this thread runs just now; -1 where that cannot be said."""
    return -1 if _SCHED_GETCPU is None else int(_SCHED_GETCPU())


def stand_alone() -> None:
    """Lead a session: where Linux shares the processors out by session, this process then has a share of its own.

    The share of a session is split by where its processes were busy lately, so one that wakes where none of the others
    ran would have next to nothing there.
    """
    with suppress(OSError):  # it leads one
        os.setsid()


def go_after_others(pid: int, niceness: int) -> bool:
    """Let a process that leads a session go after others as far as `niceness` says; whether nothing is left to do.

    It is harmless where it cannot be done. An ordinary user may change a session ten times a second.
    """
    try:
        if os.getpriority(os.PRIO_PROCESS, pid) < niceness:
            os.setpriority(os.PRIO_PROCESS, pid, niceness)
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
