"""Roles: the contract's as they are now, the settings' operators, and nobody while nobody knows."""

from __future__ import annotations

from typing import Any, cast

import pytest

from backend import powers
from backend.powers import Powers, Role
from exchange.chain.rpc import ChainError, Rpc
from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal

CUSTODY, NAMED, OWNER, OPERATOR, GUARDIAN, APPROVER = (bytes([number]) * 20 for number in range(1, 7))
OTHERS = b"\x0f" * 20


def words(*values: bytes) -> bytes:
    """Values as the contract answers them."""
    return b"".join(value.rjust(32, b"\0") for value in values)


class Node:
    """Answers as a contract with these roles does, or not at all."""

    def __init__(self) -> None:
        self.asked = 0
        self.roles = words(OWNER, OPERATOR, OTHERS, OTHERS, GUARDIAN, OTHERS)
        self.approvers = words(b"\x20", b"\x02", APPROVER, GUARDIAN)
        self.away = False

    async def eth_call(self, to: bytes, data: bytes) -> bytes:
        assert to == CUSTODY
        self.asked += 1
        if self.away:
            raise ChainError("away")
        return {keccak(b"roles()")[:4]: self.roles, keccak(b"approvers()")[:4]: self.approvers}[data]


@pytest.fixture
def node() -> Node:
    """The node."""
    return Node()


def held(node: Any) -> Powers:
    """The powers that it tells of."""
    return Powers(cast(Rpc, node), CUSTODY, [NAMED])


async def test_everybody_is_what_contract_and_settings_say(node: Node) -> None:
    known = held(node)
    expected = {
        NAMED: {Role.operator},
        OWNER: {Role.owner},
        OPERATOR: {Role.operator},
        GUARDIAN: {Role.guardian, Role.approver},
        APPROVER: {Role.approver},
        OTHERS: set(),
        bytes(20): set(),
    }
    assert {address: await known.of(address) for address in expected} == expected
    assert node.asked == 2


async def test_a_role_that_is_gone_is_gone_after_the_period(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powers, "PERIOD_SECONDS", 0.0)
    known = held(node)
    assert await known.of(OPERATOR) == {Role.operator}
    node.roles = words(OWNER, bytes(20), OTHERS, OTHERS, GUARDIAN, OTHERS)
    assert await known.of(OPERATOR) == frozenset()


async def test_while_the_chain_is_away_only_the_settings_operators_are_known(node: Node) -> None:
    node.away = True
    known = held(node)
    assert await known.of(NAMED) == {Role.operator}
    for address in (OPERATOR, OTHERS):
        with pytest.raises(Refusal) as refused:
            await known.of(address)
        assert refused.value.code is ErrorCode.unavailable
    assert node.asked == 1


async def test_where_no_contract_stands_nobody_has_a_role(node: Node) -> None:
    node.roles = node.approvers = b""
    assert await held(node).of(OPERATOR) == frozenset()
