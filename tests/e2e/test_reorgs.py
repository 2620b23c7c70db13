"""The chain reorganises under a whole exchange: settlements and deposits fall out, and all agrees again.

The node forgets what was in the blocks it drops. Settlements come back because the keeper sends the same bytes again;
deposits come back only if their owner sends them again, so credits are taken back, at the price of orders, trades and
deficits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from exchange.chain.rpc import Rpc
from tests.utils.local_stack import open_folder
from tests.utils.program import Program
from tests.utils.waiting import wait_for

DEPTHS = (1, 4, 16, 64)
FINAL_CONFIRMATIONS = 80
RECOVERY_SECONDS = 600
BLOCKS_BEFORE_TRADE = 60
"""The deployment, the demo's deposits and what else comes before its trades lie in so many blocks."""


@contextmanager
def exchange() -> Iterator[Program]:
    """A running exchange that takes nothing younger than the deepest reorg for final."""
    with open_folder() as folder:
        program = Program(folder, CHAIN__FINAL_CONFIRMATIONS=str(FINAL_CONFIRMATIONS))
        program.succeed("up", "--detach")
        yield program
        program.succeed("down")
        program.succeed("reset", "--yes")


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """One exchange for all depths."""
    with exchange() as program:
        yield program


async def reorg(program: Program, depth: int) -> int:
    """Replace the last `depth` blocks by empty ones; the height at that moment."""
    async with Rpc(program.rpc_url) as rpc:
        height = await rpc.block_number()
        await rpc.call("anvil_reorg", depth, [], returns=Any)
        return height


def settled(program: Program) -> int:
    return int(program.answer().get("trades_settled", 0))


def indexed(program: Program) -> int:
    return int(program.answer().get("indexed_block", 0))


def check_agreement_after_a_reorg(program: Program, depth: int, from_block: int) -> None:
    """Once it has traded and mirrored `from_block`, replace `depth` blocks: it agrees with the chain and settles on."""
    wait_for(lambda: settled(program) and indexed(program) > from_block, "trades", RECOVERY_SECONDS)

    height = asyncio.run(reorg(program, depth))

    wait_for(lambda: indexed(program) > height, "the mirror of the new chain", RECOVERY_SECONDS)
    program.succeed("audit")
    before = wait_for(program.answer, "the API")["trades_settled"]
    wait_for(lambda: settled(program) > before, "settlements on the new chain", RECOVERY_SECONDS)
    program.succeed("audit")
    assert wait_for(program.answer, "the API")["mismatches"] == 0


@pytest.mark.parametrize("depth", DEPTHS)
def test_exchange_agrees_with_the_chain_after_a_reorg(program: Program, depth: int) -> None:
    check_agreement_after_a_reorg(program, depth, BLOCKS_BEFORE_TRADE + depth)


@pytest.mark.deep
def test_exchange_agrees_with_the_chain_after_a_reorg_that_takes_its_deposits() -> None:
    """Every trade so far has become impossible; all are reversed in one wait, when their failure is final."""
    with exchange() as fresh:
        check_agreement_after_a_reorg(fresh, 16, 16)
