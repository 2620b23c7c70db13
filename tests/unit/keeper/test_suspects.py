"""A failure counts when it has lasted since a block that is final."""

from keeper.custody import Block
from keeper.suspects import Suspects


def block(number: int, fork: int = 0) -> Block:
    return Block(number, bytes((fork,)) * 32, number)


async def canonical(block: Block) -> bool:
    return True


async def reorganised(block: Block) -> bool:
    return False


async def test_failure_convicts_after_the_confirmations() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"})
    assert await suspects.convicted(block(12), 3, canonical) == {}
    suspects.note(block(13), {7: "something else"})
    assert await suspects.convicted(block(13), 3, canonical) == {7: (block(10), "too little")}


async def test_trade_that_passed_in_between_starts_again() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"})
    suspects.note(block(11), {})
    suspects.note(block(12), {7: "too little"})
    assert await suspects.convicted(block(13), 3, canonical) == {}


async def test_block_that_was_reorganised_away_is_no_proof() -> None:
    suspects = Suspects()
    suspects.note(block(10), {7: "too little"})
    assert await suspects.convicted(block(13), 3, reorganised) == {}
    assert await suspects.convicted(block(15), 3, canonical) == {}
    assert await suspects.convicted(block(16), 3, canonical) == {7: (block(13), "too little")}
