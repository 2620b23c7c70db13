"""The demo's approvers: in turn, after a wait, only as many as are needed, and only for the demo's own account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bizzan.approvals import ApprovalError, Refused, Waiting
from bizzan.client.wallet import Wallet
from bizzan.demo import approver
from bizzan.demo.approver import AGAIN_SECONDS, PATIENCE_SECONDS, Approvers
from exchange.settings import LOCAL_KEYS
from keeper.withdrawal import SignedWithdrawal

KEYS = [LOCAL_KEYS[name] for name in ("approver_1", "approver_2", "approver_3")]
FIRST, SECOND, THIRD = (Wallet.from_hex(key).text_address for key in KEYS)
OWN, OTHER = b"\1" * 20, b"\2" * 20
HASH = b"\3" * 32


def row(account: bytes = OWN, by: Sequence[str] = (), needed: int = 2) -> Waiting:
    return Waiting(HASH, SignedWithdrawal(account, bytes(20), 5, account, 0, 1, 9), 0, 5, needed, tuple(by))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[Waiting | Refused]:
    """What waits, as the database and the messages say."""
    rows: list[Waiting | Refused] = []

    async def find(*_: object) -> list[Waiting | Refused]:
        return rows

    monkeypatch.setattr(approver, "find_waiting", find)
    return rows


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who approved on chain, in order."""
    by: list[str] = []

    def approve(_rpc: str, _deployment: object, key: str, _row: Waiting) -> str:
        by.append(Wallet.from_hex(key).text_address)
        return "0x56"

    monkeypatch.setattr(approver, "approve", approve)
    return by


@pytest.fixture
def approvers() -> Approvers:
    deployment: Any = None
    return Approvers("http://127.0.0.1:1", deployment, KEYS, [OWN])


async def step(approvers: Approvers, now: float) -> None:
    nothing: Any = None
    await approvers.step(nothing, nothing, now)


async def test_each_waits_for_the_one_before(
    approvers: Approvers, waits: list[Waiting | Refused], approved: list[str]
) -> None:
    waits.append(row())
    await step(approvers, 0)
    await step(approvers, PATIENCE_SECONDS - 1)
    assert approved == []
    await step(approvers, PATIENCE_SECONDS)
    await step(approvers, 2 * PATIENCE_SECONDS - 1)
    assert approved == [FIRST]
    waits[0] = row(by=[FIRST])
    await step(approvers, 2 * PATIENCE_SECONDS)
    assert approved == [FIRST, SECOND]


async def test_no_more_approve_than_are_needed(
    approvers: Approvers, waits: list[Waiting | Refused], approved: list[str]
) -> None:
    waits.append(row(by=[FIRST, SECOND]))
    for now in (0, 1_000):
        await step(approvers, now)
    assert approved == []


async def test_an_approval_that_got_lost_is_given_again(
    approvers: Approvers, waits: list[Waiting | Refused], approved: list[str]
) -> None:
    waits.append(row(needed=1))
    for now in (0, PATIENCE_SECONDS, PATIENCE_SECONDS + AGAIN_SECONDS, PATIENCE_SECONDS + AGAIN_SECONDS + 1):
        await step(approvers, now)
    assert approved == [FIRST, FIRST]


async def test_others_withdrawals_are_left_to_people(
    approvers: Approvers, waits: list[Waiting | Refused], approved: list[str]
) -> None:
    waits += [row(account=OTHER), Refused(HASH, "not signed")]
    for now in (0, 1_000):
        await step(approvers, now)
    assert approved == []


async def test_a_refusal_ends_nothing(
    approvers: Approvers, waits: list[Waiting | Refused], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise ApprovalError("the contract refuses")

    monkeypatch.setattr(approver, "approve", refuse)
    waits.append(row())
    for now in (0, PATIENCE_SECONDS):
        await step(approvers, now)
