"""A failure counts when it has lasted since a block that is final."""

from keeper.custody import Block
from keeper.suspects import LONGEST_GAP_SECONDS, Suspects


def block(number: int, fork: int = 0) -> Block:
    return Block(number, bytes((fork,)) * 32, number)


async def canonical(block: Block) -> bool:
    return True


async def reorganised(block: Block) -> bool:
    return False


async def test_failure_convicts_after_the_confirmations() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"}, [7])
    assert await suspects.convicted(block(12), 3, canonical) == {}
    suspects.note(block(13), {7: "something else"}, [7])
    assert await suspects.convicted(block(13), 3, canonical) == {7: (block(10), "too little")}


async def test_trade_that_passed_in_between_starts_again() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"}, [7])
    suspects.note(block(11), {}, [7])
    suspects.note(block(12), {7: "too little"}, [7])
    assert await suspects.convicted(block(13), 3, canonical) == {}


async def test_block_that_was_reorganised_away_is_no_proof() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"}, [7])
    assert await suspects.convicted(block(13), 3, reorganised) == {}
    assert await suspects.convicted(block(15), 3, canonical) == {}
    assert await suspects.convicted(block(16), 3, canonical) == {7: (block(13), "too little")}


async def test_trade_that_was_not_looked_at_stays_a_suspect() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little", 9: "expired"}, [7, 8, 9])
    suspects.note(block(11), {7: "too little"}, [7, 8])
    suspects.note(block(12), {}, [])
    convicted = await suspects.convicted(block(13), 3, canonical)
    assert convicted == {7: (block(10), "too little"), 9: (block(10), "expired")}


async def test_trades_behind_one_that_passes_again_start_again() -> None:
    """They may have failed because of it."""
    suspects = Suspects()
    suspects.note(block(10), {6: "cancelled", 7: "too little", 9: "too little", 12: "too little"}, [6, 7, 9])
    suspects.note(block(11), {6: "cancelled", 9: "too little"}, [6, 7, 9])
    assert set(await suspects.convicted(block(13), 3, canonical)) == {6}
    assert set(await suspects.convicted(block(14), 3, canonical)) == {6, 9}


async def test_trades_before_all_that_are_looked_at_are_forgotten() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"}, [7])
    suspects.note(block(11), {8: "too little"}, [8, 9])
    assert set(await suspects.convicted(block(14), 3, canonical)) == {8}


async def test_time_in_which_nobody_looked_does_not_count() -> None:
    suspects = Suspects()
    gap = LONGEST_GAP_SECONDS
    suspects.note(block(10), {7: "too little", 9: "expired"}, [7, 9])
    suspects.note(block(10 + gap), {7: "too little"}, [7])
    assert set(await suspects.convicted(block(10 + gap), 3, canonical)) == {7, 9}
    suspects.note(block(11 + gap), {7: "too little", 9: "expired"}, [7, 9])
    assert set(await suspects.convicted(block(11 + gap), 3, canonical)) == {7}
    assert set(await suspects.convicted(block(14 + gap), 3, canonical)) == {7, 9}


async def test_a_suspect_that_was_reorganised_away_is_still_watched() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"}, [7])
    assert await suspects.convicted(block(13), 3, reorganised) == {}
    suspects.note(block(14), {7: "too little"}, [7])
    assert set(await suspects.convicted(block(16), 3, canonical)) == {7}
