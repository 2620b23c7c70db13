"""Short turns on a processor, for processes that somebody waits for by the millisecond.

Where every processor is busy, who wakes waits until the running thread's turn ends: with Linux' usual turns 1.4 to 4
ms, whatever its niceness. A thread that asks for short turns is let in at once, as long as it takes no more than its
share; so it waits less, and gets no more. Threads and processes that it starts ask for the same.
"""

import ctypes
import os
import platform
import struct

SLICE_NS = 300_000
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The number of the system call, which the C library has no name for everywhere."""
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
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {usable[processor % len(usable)]})
