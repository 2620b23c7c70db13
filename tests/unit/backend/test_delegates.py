"""A delegated key's scope."""

from __future__ import annotations

import pytest

from backend.delegates import KEEP_MS, Delegate, Delegates
from exchange.domain.errors import Refusal

ACCOUNT, KEY = b"\x01" * 20, b"\x02" * 20


class Mirror:
    """One delegate, or none, and how often it was read; time stands at `now_ms`."""

    def __init__(self, delegate: Delegate | None) -> None:
        self.delegate = delegate
        self.reads = 0
        self.now_ms = 1_000_000

    async def load(self, account: bytes, key: bytes) -> Delegate | None:
        self.reads += 1
        return self.delegate if (account, key) == (ACCOUNT, KEY) else None


def _delegates(mirror: Mirror) -> Delegates:
    return Delegates(mirror.load, lambda: mirror.now_ms)


async def test_a_live_key_may_trade_its_markets() -> None:
    await _delegates(Mirror(Delegate(0b10, 1_000))).check(ACCOUNT, KEY, 1, 1_000)


@pytest.mark.parametrize(
    ("delegate", "market", "expiry", "code", "field"),
    [
        (None, 1, 1_000, "unknown_delegate", "signature"),
        (Delegate(0b10, 999), 1, 999, "delegate_expired", "signature"),
        (Delegate(0b10, 1_000), 1, 1_001, "delegate_expired", "expiry"),
        (Delegate(0b10, 1_000), 2, 1_000, "delegate_out_of_scope", "market"),
    ],
)
async def test_refuses_by_scope(delegate: Delegate | None, market: int, expiry: int, code: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        await _delegates(Mirror(delegate)).check(ACCOUNT, KEY, market, expiry)
    assert (refused.value.code, refused.value.field) == (code, field)


async def test_an_answer_is_kept_for_a_moment_only() -> None:
    mirror = Mirror(Delegate(0b10, 2_000))
    delegates = _delegates(mirror)
    for _ in range(3):
        await delegates.check(ACCOUNT, KEY, 1, None)
    assert mirror.reads == 1
    mirror.now_ms += KEEP_MS
    mirror.delegate = None
    assert not await delegates.known(ACCOUNT, KEY)
