"""Signatures of whole accounts at the API: keys are never asked about, and few wallets at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backend.errors import RateLimited
from backend.wallets import AT_ONCE, WAITING, Wallets
from bizzan.client.wallet import Wallet
from exchange.chain.rpc import ChainError
from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal

KEY, OTHER = Wallet.from_seed("wallets", 1), Wallet.from_seed("wallets", 2)
DIGEST = keccak(b"what is signed")


class Node:
    """A chain's node that answers when it is let, and counts."""

    def __init__(self, answer: int = 1, *, away: bool = False) -> None:
        self.answer = answer
        self.away = away
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0
        self.now = 0
        self.most = 0

    async def eth_call(self, to: bytes | None, data: bytes, *, gas: int, block: str) -> bytes:
        assert (to, block) == (None, "latest")
        if self.away:
            raise ChainError("no answer")
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await self.open.wait()
        self.now -= 1
        return self.answer.to_bytes(32)


def wallets(node: Node) -> Wallets:
    rpc: Any = node
    return Wallets(rpc)


async def test_a_key_that_signed_is_not_asked_about() -> None:
    node = Node(0)
    await wallets(node).check(KEY.address, DIGEST, KEY.sign_digest(DIGEST))
    assert node.asked == 0


@pytest.mark.parametrize("signature", [OTHER.sign_digest(DIGEST), b"\1", bytes(65), bytes(1_024)])
async def test_the_account_itself_decides_about_every_other_signature(signature: bytes) -> None:
    await wallets(Node(1)).check(KEY.address, DIGEST, signature)
    with pytest.raises(Refusal) as refused:
        await wallets(Node(0)).check(KEY.address, DIGEST, signature)
    assert refused.value.code is ErrorCode.wrong_signature


async def test_nothing_is_taken_while_the_node_is_away() -> None:
    with pytest.raises(Refusal) as refused:
        await wallets(Node(away=True)).check(KEY.address, DIGEST, b"\1")
    assert refused.value.code is ErrorCode.unavailable


async def test_a_flood_of_questions_is_refused_and_never_reaches_the_node() -> None:
    node = Node()
    node.open.clear()
    asked = wallets(node)
    tasks = [asyncio.create_task(asked.check(KEY.address, DIGEST, b"\1")) for _ in range(WAITING)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(RateLimited):
        await asked.check(KEY.address, DIGEST, b"\1")
    await asked.check(KEY.address, DIGEST, KEY.sign_digest(DIGEST))  # a key is not held up
    node.open.set()
    await asyncio.gather(*tasks)
    assert (node.asked, node.most) == (WAITING, AT_ONCE)
    await asked.check(KEY.address, DIGEST, b"\1")
