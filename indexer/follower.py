"""The follower: reads the node's chain from where the mirror stands, checks it, and writes it in one transaction.

Each header must name its parent, each log its header, from the mirror's own last block on; the first
mismatch is a reorg. A node whose head is merely lower, on the same chain, is late and is waited for.

    FollowerError
      Inconsistent   the node changed its mind between two questions; ask again
      Forked         the mirror's last block is not on the node's chain any more
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange.chain.rpc import ChainError, Rpc
from exchange.chain.types import Header, Log

RECENT_BLOCKS = 16
"""Up to so many blocks are asked for by hash, which is exact; longer ranges by height, with the end checked again."""


class FollowerError(Exception):
    """The chain cannot be read on from here right now."""


class Inconsistent(FollowerError):
    """Two answers of the node belong to different chains."""


class Forked(FollowerError):
    """The node's chain does not continue the mirror's."""


@dataclass(frozen=True, slots=True)
class Tip:
    """A block: height and hash (0x hex)."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive blocks with their logs in order. Where only logs were asked for, `headers` has gaps."""

    after: Tip
    end: Tip
    headers: Sequence[Header]
    logs: Sequence[Log]


class Source(Protocol):
    """What the follower needs of a node."""

    async def headers(self, first: int, last: int) -> list[Header | None]:
        """Headers by height."""

    async def header(self, block: int | str | bytes) -> Header | None:
        """One header."""

    async def logs(self, address: str, first: int, last: int) -> list[Log]:
        """Logs by height."""

    async def logs_of_blocks(self, address: str, hashes: Sequence[str]) -> list[Log]:
        """Logs by block hash."""


class Sizer:
    """How many blocks to ask for: towards a number of events per range, halved when the node refuses."""

    def __init__(self, target_events: int = 20_000, largest: int = 2_000) -> None:
        self._target = target_events
        self._largest = largest
        self.blocks = 64

    def got(self, blocks: int, events: int) -> None:
        """Learn from a range that came back."""
        wanted = blocks * self._target // events if events else self.blocks * 2
        self.blocks = max(1, min(wanted, self.blocks * 4, self._largest))

    def refused(self) -> bool:
        """Halve; False when a single block was refused already."""
        if self.blocks == 1:
            return False
        self.blocks = max(1, self.blocks // 2)
        return True


class Reader:
    """Reads checked spans of one contract's chain."""

    def __init__(self, source: Source, address: str, sizer: Sizer | None = None) -> None:
        self._source = source
        self._address = address
        self._sizer = sizer or Sizer()

    async def read(self, after: Tip, head: Tip, *, with_headers: bool = True) -> Span:
        """The next blocks after `after`, at most up to `head`.

        A range that is refused, or whose parts do not fit, is asked again in halves: short ones are asked for by hash.
        Raises Forked; Inconsistent or ChainError when it is so with a single block.
        """
        while True:
            last = min(head.number, after.number + self._sizer.blocks)
            try:
                span = await (self._checked(after, last) if with_headers else self._logs_only(after, last))
            except (ChainError, Inconsistent):
                if not self._sizer.refused():
                    raise
                continue
            self._sizer.got(last - after.number, len(span.logs))
            return span

    async def _checked(self, after: Tip, last: int) -> Span:
        headers = linked(after, await self._source.headers(after.number + 1, last))
        if len(headers) <= RECENT_BLOCKS:
            logs = await self._source.logs_of_blocks(self._address, [header.hash for header in headers])
        else:
            logs = await self._source.logs(self._address, after.number + 1, last)
            again = await self._source.header(last)
            if again is None or again.hash != headers[-1].hash:
                raise Inconsistent(f"block {last} changed while its logs were read")
        check_logs(headers, logs)
        return Span(after, Tip(last, headers[-1].hash), headers, logs)

    async def _logs_only(self, after: Tip, last: int) -> Span:
        """For history that is final: only the end of the range is looked at."""
        logs = await self._source.logs(self._address, after.number + 1, last)
        end = await self._source.header(last)
        if end is None:
            raise Inconsistent(f"block {last} is gone")
        headers = {log.block_hash: _header_of(log) for log in logs}
        headers[end.hash] = end
        return Span(after, Tip(last, end.hash), list(headers.values()), logs)


def _header_of(log: Log) -> Header:
    """What a log tells of its block; nodes of before 2025 do not tell the time. Raises Inconsistent."""
    if log.block_timestamp is None:
        raise Inconsistent("the node's logs carry no time: set BIZZAN_CHAIN__HISTORY_HEADERS to true")
    return Header(log.block_number, log.block_hash, "", log.block_timestamp)


def linked(after: Tip, found: Sequence[Header | None]) -> list[Header]:
    """The headers, if they continue `after` without a gap. Raises Forked or Inconsistent."""
    headers: list[Header] = []
    parent, number = after.hash, after.number
    for header in found:
        if header is None:
            raise Inconsistent(f"block {number + 1} is gone")
        if header.parent_hash != parent:
            if not headers:
                raise Forked(f"block {after.number} {after.hash} is not on the node's chain")
            raise Inconsistent(f"block {number + 1} does not continue block {number}")
        headers.append(header)
        parent, number = header.hash, number + 1
    return headers


def check_logs(headers: Sequence[Header], logs: Sequence[Log]) -> None:
    """Each log must name a block among the headers. Raises Inconsistent."""
    known = {header.hash for header in headers}
    seen = ""
    for log in logs:
        if log.block_hash != seen:
            seen = log.block_hash
            if seen not in known:
                raise Inconsistent(f"a log names block {seen}, which was not among the headers")


async def common_ancestor(rpc: Rpc, stored: Sequence[tuple[int, str]]) -> Tip | None:
    """The first of the stored blocks (highest first) that is on the node's chain; None if none is."""
    calls = [("eth_getBlockByNumber", (hex(number), False)) for number, _ in stored]
    found = await rpc.batch(calls, Header | None)  # type: ignore[arg-type]
    for (number, value), header in zip(stored, found, strict=True):
        if header is not None and header.hash == value:
            return Tip(number, value)
    return None
