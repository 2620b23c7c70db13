"""The chain reorganises under a whole exchange: settlements and deposits fall out, and all agrees again.

The node forgets what was in the blocks it drops. Settlements come back because the keeper sends the same bytes again;
deposits come back only if their owner sends them again, so credits are taken back, at the price of orders, trades and
deficits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from exchange.chain.rpc import Rpc
from tests.utils.local_stack import open_folder
from tests.utils.program import Program
from tests.utils.waiting import wait_for

DEPTHS = (1, 4, 16, 64)
FINAL_CONFIRMATIONS = 80
RECOVERY_SECONDS = 240


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """A running exchange that takes nothing younger than the deepest reorg for final."""
    with open_folder() as folder:
        program = Program(folder, CHAIN__FINAL_CONFIRMATIONS=str(FINAL_CONFIRMATIONS))
        program.succeed("up", "--detach")
        yield program
        program.succeed("down")
        program.succeed("reset", "--yes")


async def reorg(program: Program, depth: int) -> int:
    """Replace the last `depth` blocks by empty ones; the height at that moment."""
    async with Rpc(program.rpc_url) as rpc:
        height = await rpc.block_number()
        await rpc.call("anvil_reorg", depth, [], returns=Any)
        return height


def settled(program: Program) -> int:
    return int(program.status()["trades_settled"])


@pytest.mark.parametrize("depth", DEPTHS)
def test_exchange_agrees_with_the_chain_after_a_reorg(program: Program, depth: int) -> None:
    wait_for(lambda: settled(program) and program.status()["indexed_block"] > depth, "trades", RECOVERY_SECONDS)

    height = asyncio.run(reorg(program, depth))

    wait_for(lambda: program.status()["indexed_block"] > height, "the mirror of the new chain", RECOVERY_SECONDS)
    program.succeed("audit")
    before = settled(program)
    wait_for(lambda: settled(program) > before, "settlements on the new chain", RECOVERY_SECONDS)
    program.succeed("audit")
    assert program.status()["mismatches"] == 0
