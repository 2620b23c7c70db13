"""Work for the judges: shared out among their processes as they get free, addresses in turn, and accounts in theirs.

Who sends much waits behind itself: every account of an address has a line of its own. The addresses take turns, and
within one its accounts, so that accounts, which cost nothing to make, bring no more turns.
"""

import asyncio
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from time import perf_counter
from typing import NamedTuple, TypeAlias, cast

from backend.entry.judges import LENGTH, attend, frame_request, orders_request, signer_request, warm_up_request
from exchange.domain.entry import SIGNED_ORDER_SIZE
from exchange.domain.order import PACKED_SIZE
from exchange.sequencer.slices import current_processor, processor_of

MAX_CHUNK = 32
MIN_CHUNK = 8
AT_HAND = 64
"""How many recoveries' work a judge has before it, at most, unless it is one piece: enough to stay busy."""
ORDERS_PER_RECOVERY = 64
"""Orders of a frame are hashed, which takes about as long for so many as recovering one key."""

Party: TypeAlias = tuple[str, bytes]
"""For whom something is judged: the address and the account."""

_START_SECONDS = 60.0


class JudgesLost(Exception):
    """A judge has died: nothing can be checked any more."""


class _Case(NamedTuple):
    request: bytes
    cost: int
    verdict: asyncio.Future[bytes]
    since: float


class _Judge(asyncio.Protocol):
    """The connection to the judge on `processor`, which answers in order."""

    def __init__(self, court: "Court", processor: int) -> None:
        self.processor = processor
        self._court = court
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._cases: deque[_Case] = deque()
        self.load = 0

    def give(self, case: _Case) -> None:
        assert self._transport is not None
        self.load += case.cost
        self._cases.append(case)
        self._transport.write(case.request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._court.lose(self._cases)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        buffer, at = self._buffer, 0
        buffer += data
        while len(buffer) - at >= LENGTH.size:
            end = at + LENGTH.size + int.from_bytes(buffer[at : at + LENGTH.size])
            if len(buffer) < end:
                break
            case = self._cases.popleft()
            self.load -= case.cost
            if not case.verdict.done():
                case.verdict.set_result(bytes(buffer[at + LENGTH.size : end]))
            if case.cost:
                self._court.observe(perf_counter() - case.since)
            at = end
        del buffer[:at]
        self._court.share_out()


class Court:
    """`count` judges. `observe` is told how long each piece of work took, waiting included; `lost` when one dies."""

    def __init__(
        self, count: int, observe: Callable[[float], None] = lambda _: None, lost: Callable[[], None] = lambda: None
    ) -> None:
        self._count = count
        self.observe = observe
        self._lost = lost
        self._is_open = False
        self._judges: list[_Judge] = []
        self._processes: list[BaseProcess] = []
        self._lines: OrderedDict[str, OrderedDict[bytes, deque[_Case]]] = OrderedDict()

    async def open(self) -> None:
        """Start the processes, and wait until they are there. JudgesLost when they do not come."""
        loop, context = asyncio.get_running_loop(), get_context("spawn")
        for index in range(self._count):
            mine, theirs = socket.socketpair()
            process = context.Process(target=attend, args=(theirs, index), daemon=True)
            process.start()
            theirs.close()
            _, judge = await loop.create_unix_connection(partial(_Judge, self, processor_of(index)), sock=mine)
            self._processes.append(process)
            self._judges.append(judge)
        self._is_open = True
        ready = [self._case(warm_up_request(), 0) for _ in self._judges]
        for judge, case in zip(self._judges, ready, strict=True):
            judge.give(case)
        async with asyncio.timeout(_START_SECONDS):
            await asyncio.gather(*(case.verdict for case in ready))

    async def close(self) -> None:
        """End the processes."""
        self._is_open = False
        for judge in self._judges:
            judge.close()
        for process in self._processes:
            process.terminate()
            await asyncio.to_thread(process.join, 5)

    @property
    def waiting(self) -> int:
        """Pieces of work that no judge has begun."""
        return sum(len(line) for lines in self._lines.values() for line in lines.values())

    def judge_frame(
        self, party: Party, separator: bytes, scheme: int, signer: bytes, root: bytes, signature: bytes, orders: bytes
    ) -> asyncio.Future[bytes]:
        """What is wrong with a frame of an account, in words; nothing where it stands. Its result may be JudgesLost."""
        request = frame_request(separator, scheme, signer, root, signature, orders)
        return self._queue(party, request, 1 + len(orders) // (PACKED_SIZE * ORDERS_PER_RECOVERY))

    def judge_orders(self, party: Party, separator: bytes, signed: bytes) -> list[asyncio.Future[bytes]]:
        """The verdicts on single orders of an account, in pieces that several judges take at once."""
        count = len(signed) // SIGNED_ORDER_SIZE
        chunk = max(MIN_CHUNK, min(MAX_CHUNK, -(-count // self._count)))
        size = chunk * SIGNED_ORDER_SIZE
        return [
            self._queue(party, orders_request(separator, part), len(part) // SIGNED_ORDER_SIZE)
            for part in (signed[at : at + size] for at in range(0, len(signed), size))
        ]

    def find_signer(self, party: Party, digest: bytes, signature: bytes) -> asyncio.Future[bytes]:
        """Who signed a digest for an account; nothing where nobody did."""
        return self._queue(party, signer_request(digest, signature), 1)

    def share_out(self) -> None:
        """Give the judges what they have room for: the addresses in turn, and the accounts of each.

        Of judges with as much to do, the one on this very processor comes last: it may be let in at once, and then the
        others' work would be held back until it is done.
        """
        here = current_processor() if self._lines else -1
        while self._lines:
            judge = min(self._judges, key=lambda judge: (judge.load, judge.processor == here))
            address, lines = next(iter(self._lines.items()))
            account, line = next(iter(lines.items()))
            if judge.load and judge.load + line[0].cost > AT_HAND:
                return
            judge.give(line.popleft())
            lines.move_to_end(account)
            self._lines.move_to_end(address)
            if not line:
                del lines[account]
            if not lines:
                del self._lines[address]

    def lose(self, cases: deque[_Case]) -> None:
        """A judge is gone: all that waits is lost, unless the court is closing."""
        was_open, self._is_open = self._is_open, False
        addresses, self._lines = self._lines, OrderedDict()
        for case in (*cases, *(case for lines in addresses.values() for line in lines.values() for case in line)):
            if not case.verdict.done():
                case.verdict.set_exception(JudgesLost())
                case.verdict.exception()
        if was_open:
            self._lost()

    def _case(self, request: bytes, cost: int) -> _Case:
        return _Case(request, cost, asyncio.get_running_loop().create_future(), perf_counter())

    def _queue(self, party: Party, request: bytes, cost: int) -> asyncio.Future[bytes]:
        case = self._case(request, cost)
        if not self._is_open:
            case.verdict.set_exception(JudgesLost())
            return case.verdict
        address, account = party
        self._lines.setdefault(address, OrderedDict()).setdefault(account, deque()).append(case)
        self.share_out()
        return case.verdict
