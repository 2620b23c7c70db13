"""Levels of outflow: read once for all who ask, and never guessed."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest

from backend.guards import levels
from backend.guards.levels import Levels
from exchange.chain.rpc import ChainError, Rpc
from exchange.domain.errors import ErrorCode, Refusal

CUSTODY = b"\xcc" * 20
ROOT = Path(__file__).resolve().parents[3]


class Node:
    """Answers `outflow_state(token)` with (100 + token, token), or not at all."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answer: Any = None

    async def eth_call(self, to: bytes, data: bytes) -> bytes:
        assert to == CUSTODY
        self.asked.append(int.from_bytes(data[4:]))
        if isinstance(self.answer, Exception):
            raise self.answer
        token = int.from_bytes(data[4:])
        return cast(bytes, self.answer) if self.answer is not None else (100 + token).to_bytes(32) + token.to_bytes(32)


@pytest.fixture
def node() -> Node:
    """The node."""
    return Node()


async def test_levels_are_read_once_for_all_who_ask(node: Node) -> None:
    kept = Levels(cast(Rpc, node), CUSTODY)
    for _ in range(3):
        assert await kept.read([0, 2]) == {0: (100, 0), 2: (102, 2)}
    assert node.asked == [0, 2]
    assert (await kept.read([0, 1]))[1] == (101, 1)


async def test_levels_are_read_again_after_a_while(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "PERIOD_SECONDS", 0.0)
    kept = Levels(cast(Rpc, node), CUSTODY)
    await kept.read([0])
    await kept.read([0])
    assert node.asked == [0, 0]


@pytest.mark.parametrize("answer", [ChainError("away"), b"", bytes(32)])
async def test_a_node_that_does_not_know_refuses(node: Node, answer: Any) -> None:
    node.answer = answer
    with pytest.raises(Refusal) as refused:
        await Levels(cast(Rpc, node), CUSTODY).read([0])
    assert refused.value.code is ErrorCode.unavailable


async def test_a_failure_is_told_to_all_who_ask_without_asking_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.answer = ChainError("away")
    kept = Levels(cast(Rpc, node), CUSTODY)
    for _ in range(3):
        with pytest.raises(Refusal):
            await kept.read([0, 2])
    assert node.asked == [0]
    node.answer = None
    now = monotonic()
    monkeypatch.setattr(levels, "monotonic", lambda: now + levels.PERIOD_SECONDS + 1)
    assert (await kept.read([0]))[0] == (100, 0)


def test_the_window_is_the_contract_s() -> None:
    source = (ROOT / "contracts" / "modules" / "outflow.vy").read_text()
    assert f"OUTFLOW_WINDOW: constant(uint256) = {levels.OUTFLOW_WINDOW_SECONDS:_}\n" in source
