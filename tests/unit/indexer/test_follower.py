"""The follower's decisions: linking headers, sizing ranges, choosing how to ask."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from exchange.chain.rpc import RangeTooLarge
from exchange.chain.types import Header, Log
from indexer.follower import Forked, Inconsistent, Reader, Sizer, Tip, check_logs, linked


def header(number: int, branch: str = "a", parent: str | None = None) -> Header:
    return Header(hex(number), f"{number}{branch}", parent or f"{number - 1}{branch}", hex(1_000 + number))


def log(block_hash: str) -> Log:
    return Log("0x", (), "0x", "0x1", block_hash, "0x", "0x0", "0x0")


def test_headers_that_continue_the_mirror_are_taken() -> None:
    assert [item.number for item in linked(Tip(4, "4a"), [header(5), header(6)])] == [5, 6]


def test_first_header_with_another_parent_is_a_fork() -> None:
    with pytest.raises(Forked, match="block 4"):
        linked(Tip(4, "4b"), [header(5)])


def test_gap_between_headers_is_an_inconsistent_answer() -> None:
    with pytest.raises(Inconsistent, match="block 6 does not continue"):
        linked(Tip(4, "4a"), [header(5), header(6, "b")])


def test_missing_header_is_an_inconsistent_answer() -> None:
    with pytest.raises(Inconsistent, match="block 6 is gone"):
        linked(Tip(4, "4a"), [header(5), None])


def test_log_of_a_block_that_was_not_read_is_refused() -> None:
    with pytest.raises(Inconsistent, match="5b"):
        check_logs([header(5)], [log("5a"), log("5b")])


def test_range_grows_towards_the_target_and_never_past_its_limit() -> None:
    sizer = Sizer(target_events=1_000, largest=500)
    sizer.got(64, 0)
    assert sizer.blocks == 128
    sizer.got(128, 10)
    assert sizer.blocks == 500
    sizer.got(500, 100_000)
    assert sizer.blocks == 5
    sizer.got(5, 1_000_000)
    assert sizer.blocks == 1


def test_refused_range_is_halved_down_to_one_block() -> None:
    sizer = Sizer()
    seen = [sizer.blocks]
    while sizer.refused():
        seen.append(sizer.blocks)
    assert seen == [64, 32, 16, 8, 4, 2, 1]


class Chain:
    """A chain in memory, with a limit on blocks per question about logs, and a head that may be replaced."""

    def __init__(self, length: int, limit: int = 1_000) -> None:
        self.length = length
        self.limit = limit
        self.asked: list[int] = []
        self.switched = False

    async def headers(self, first: int, last: int) -> list[Header | None]:
        return [header(number) for number in range(first, last + 1)]

    async def header(self, block: int | str | bytes) -> Header | None:
        assert isinstance(block, int)
        return header(block, "b" if self.switched else "a")

    async def logs(self, address: str, first: int, last: int) -> list[Log]:
        self.asked.append(last - first + 1)
        if last - first + 1 > self.limit:
            raise RangeTooLarge(-32005, "too many blocks")
        return [log(f"{number}a") for number in range(first, last + 1)]

    async def logs_of_blocks(self, address: str, hashes: Sequence[str]) -> list[Log]:
        self.asked.append(-len(hashes))
        return [log(value) for value in hashes]


async def test_range_that_the_node_refuses_is_asked_again_in_halves() -> None:
    chain = Chain(1_000, limit=20)
    span = await Reader(chain, "0x").read(Tip(0, "0a"), Tip(1_000, "1000a"))
    assert span.end == Tip(16, "16a")
    assert chain.asked == [64, 32, -16]


async def test_recent_blocks_are_asked_for_by_hash() -> None:
    chain = Chain(10)
    span = await Reader(chain, "0x").read(Tip(0, "0a"), Tip(10, "10a"))
    assert chain.asked == [-10]
    assert len(span.logs) == 10


async def test_range_whose_end_changes_while_it_is_read_is_read_by_hash() -> None:
    chain = Chain(1_000)
    chain.switched = True
    span = await Reader(chain, "0x").read(Tip(0, "0a"), Tip(1_000, "1000a"))
    assert span.end == Tip(16, "16a")
    assert chain.asked == [64, 32, -16]


async def test_single_block_that_the_node_refuses_is_an_error() -> None:
    class Refusing(Chain):
        async def logs_of_blocks(self, address: str, hashes: Sequence[str]) -> list[Log]:
            raise RangeTooLarge(-32005, "too many logs")

    with pytest.raises(RangeTooLarge):
        await Reader(Refusing(100, limit=0), "0x").read(Tip(0, "0a"), Tip(100, "100a"))
