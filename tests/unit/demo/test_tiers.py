"""The demo's two tiers: announced once, joined once, and no reason to wait."""

from __future__ import annotations

from typing import Any

import pytest

from bizzan.client import schemas
from bizzan.demo import tiers
from bizzan.operator import OperatorError

ONE = schemas.ScheduleRow(0, [schemas.TierRow(0, 200, 500)], 7)
TWO = schemas.ScheduleRow(0, [schemas.TierRow(0, 200, 500), schemas.TierRow(1, 50, 250)], 7)


class Client:
    """Answers as the API does."""

    text_account = "0x" + "11" * 20

    def __init__(self, tier: int) -> None:
        self.tier = tier

    async def fees(self) -> schemas.Fees:
        markets = [schemas.MarketFees(1, "BTC-USDC", ONE, []), schemas.MarketFees(2, "ETH-USDC", TWO, [])]
        return schemas.Fees(100, 0, markets, 1, 0)

    async def account_fees(self) -> schemas.AccountFees:
        return schemas.AccountFees(self.text_account, self.tier, [], [], 0)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the operator was asked to post."""
    posted: list[tuple[Any, ...]] = []
    for name in ("change_market", "change_account"):
        monkeypatch.setattr(tiers, name, lambda *what, reason: posted.append((*what, reason)))
    return posted


async def test_a_second_tier_is_announced_where_there_is_one(told: list[tuple[Any, ...]]) -> None:
    await tiers.offer(Client(0), "url")  # type: ignore[arg-type]
    values = {"effective_at": 0, "tiers": [(200, 500), (50, 250)], "floor": 7}
    assert told == [("url", "BTC-USDC", "announce_fees", values, tiers.REASON)]


@pytest.mark.parametrize(("tier", "times"), [(0, 1), (1, 0), (2, 0)])
async def test_a_maker_joins_the_tier_once(told: list[tuple[Any, ...]], tier: int, times: int) -> None:
    await tiers.join(Client(tier), "url")  # type: ignore[arg-type]
    assert (
        told == [("url", Client.text_account, "set_account_tier", {"tier": 1, "effective_at": 0}, tiers.REASON)] * times
    )


async def test_trading_does_not_wait_for_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, reason: str) -> None:
        raise OperatorError("not applied")

    monkeypatch.setattr(tiers, "change_account", refuse)
    await tiers.join(Client(0), "url")  # type: ignore[arg-type]
