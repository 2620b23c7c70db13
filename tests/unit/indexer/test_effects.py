"""Which forced withdrawals the engine must hold money for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from indexer.effects import wanted_reserves


@dataclass(frozen=True)
class Event:
    kind: str
    block_number: int
    lapses_at: int = 1_000


def request(block: int, lapses_at: int = 1_000) -> Event:
    return Event("requested", block, lapses_at)


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([], []),
        ([request(5)], [5]),
        ([request(5), request(9)], [9]),
        ([request(5, lapses_at=499)], []),
        ([request(5, lapses_at=500)], [5]),
    ],
)
def test_open_request_is_wanted_until_it_ends(events: list[Event], wanted: list[int]) -> None:
    assert [row.block_number for row in wanted_reserves(events, 0, 500)] == wanted


@pytest.mark.parametrize(("final_number", "wanted"), [(7, [5]), (8, [])])
def test_claimed_request_is_wanted_until_the_claim_is_final(final_number: int, wanted: list[int]) -> None:
    events = [request(5), Event("claimed", 8)]
    assert [row.block_number for row in wanted_reserves(events, final_number, 500)] == wanted


@pytest.mark.parametrize(("final_number", "wanted"), [(99, [5]), (100, [])])
def test_cancelled_request_is_wanted_until_the_cancellation_is_final(final_number: int, wanted: list[int]) -> None:
    """A reorg of one block may bring the request back, and it is claimable by then."""
    events = [request(5), Event("cancelled", 100)]
    assert [row.block_number for row in wanted_reserves(events, final_number, 500)] == wanted


def test_cancelled_request_stays_wanted_beside_the_next_one() -> None:
    events = [request(5), Event("cancelled", 6), request(7)]
    assert [row.block_number for row in wanted_reserves(events, 5, 500)] == [5, 7]
    assert [row.block_number for row in wanted_reserves(events, 6, 500)] == [7]


def test_claimed_request_stays_wanted_beside_the_next_one() -> None:
    events = [request(5), Event("claimed", 8), request(9)]
    assert [row.block_number for row in wanted_reserves(events, 7, 500)] == [5, 9]
