"""Each breaker closes submission alone, and says what to do."""

from dataclasses import dataclass, field

import pytest

from exchange.chain.submission import Head
from keeper.breakers import Breakers, Limits
from tests.utils.submission import FakeClock

SENDER = b"\x11" * 20
LIMITS = Limits(balance_floor=100, gas_per_day=50, revert_streak=3, revert_pause_ms=1_000, chain_lag_seconds=10)


@dataclass
class Account:
    """A wallet and its spending."""

    wei: int = 100
    cost: int = 0
    calls: list[tuple[bool, int]] = field(default_factory=list)

    async def balance(self, address: bytes) -> int:
        return self.wei

    async def cost_since(self, since_ms: int) -> int:
        return self.cost

    async def last_calls(self, limit: int) -> list[tuple[bool, int]]:
        return self.calls[:limit]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def reason(account: Account, clock: FakeClock, lag: int = 0) -> str | None:
    head = Head(1, bytes(32), clock.now_ms() // 1_000 - lag, 1)
    return await Breakers(SENDER, account, account, clock, LIMITS).closed(head)


async def test_all_is_well_at_the_limits(clock: FakeClock) -> None:
    assert await reason(Account(cost=49), clock, lag=10) is None


async def test_node_that_lags_closes(clock: FakeClock) -> None:
    assert await reason(Account(), clock, 11) == "the node's latest block is 11 s old (limit 10): check the node"


async def test_low_balance_closes(clock: FakeClock) -> None:
    assert await reason(Account(wei=99), clock) == f"0x{SENDER.hex()} has 99 wei, below 100: send it some"


async def test_cost_of_a_day_closes(clock: FakeClock) -> None:
    assert await reason(Account(cost=50), clock) == "gas cost 50 wei in 24 h, the limit is 50: raise it or wait"


async def test_calls_without_effect_close_for_a_while(clock: FakeClock) -> None:
    account = Account(calls=[(False, clock.ms), (False, 0), (False, 0)])
    assert "the last 3 calls had no effect" in (await reason(account, clock) or "")
    clock.ms += 1_000
    assert await reason(account, clock) is None


async def test_one_success_ends_the_streak(clock: FakeClock) -> None:
    assert await reason(Account(calls=[(False, clock.ms), (True, 0), (False, 0)]), clock) is None
