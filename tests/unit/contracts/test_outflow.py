"""set_outflow_limit and the level: what leaves trading by the fast ways."""

import pytest

from tests.utils.contracts import BTC, ETHER, UNITS, USDC, World, reverts
from tests.utils.signing import Signer

DAY = 86_400
LIMIT = 86_400  # so that one unit drains each second
KINDS = pytest.mark.parametrize("kind", ["Withdrawal", "FundingTransfer"])


@pytest.fixture
def trader(world: World) -> Signer:
    """An account with 10,000,000 USDC units and ETH units in trading, and limits of 86,400 for both."""
    signer = Signer("trader")
    for token_id in (USDC, ETHER):
        world.deposit(signer, token_id, 10_000_000)
    world.scheduled("set_approver", Signer("approver").address, True)
    world.scheduled("set_approval_threshold", 1)
    for token_id in (USDC, ETHER):
        world.scheduled("set_outflow_limit", token_id, LIMIT)
    return signer


def leave(world: World, trader: Signer, amount: int, nonce: int, kind: str = "Withdrawal", token: int = USDC) -> None:
    """Withdraw fast."""
    world.withdraw(world.withdrawal(trader, token, amount, nonce=nonce, kind=kind))


def level(world: World, token_id: int = USDC) -> int:
    """The level now."""
    return int(world.custody.outflow_state(token_id).level)


def test_set_outflow_limit_announces_the_limit(world: World, trader: Signer) -> None:
    world.scheduled("set_outflow_limit", USDC, 5)
    assert world.event("OutflowLimitChanged") == {"token_id": USDC, "limit": 5}
    assert tuple(world.custody.outflow_state(USDC)) == (5, 0)
    assert tuple(world.custody.outflow_state(BTC)) == (0, 0)


@KINDS
def test_exactly_the_limit_leaves_at_once(world: World, trader: Signer, kind: str) -> None:
    leave(world, trader, LIMIT - 1, 1, kind)
    leave(world, trader, 1, 2, kind)
    assert level(world) == LIMIT
    with reverts("withdraw: needs approvals"):
        leave(world, trader, 1, 3, kind)
    assert level(world) == LIMIT


@KINDS
def test_the_fee_counts(world: World, trader: Signer, kind: str) -> None:
    world.withdraw(world.withdrawal(trader, USDC, 100, max_fee=5, fee=5, kind=kind))
    assert level(world) == 100


def test_the_level_drains_evenly_and_is_not_rounded(world: World, trader: Signer) -> None:
    leave(world, trader, LIMIT, 1)
    world.pass_time(1)
    leave(world, trader, 1, 2)
    for step in range(3, 8):  # looked at every second, as much drains as when looked at once
        with reverts("withdraw: needs approvals"):
            leave(world, trader, 2, 100 + step)
        world.pass_time(1)
        leave(world, trader, 1, step)
    world.pass_time(DAY // 2)
    assert level(world) == LIMIT // 2
    world.pass_time(DAY // 2 + 1)
    assert level(world) == 0


def test_a_small_limit_drains_between_two_looks(world: World, trader: Signer) -> None:
    world.scheduled("set_outflow_limit", USDC, 10)  # one unit in 8,640 s
    leave(world, trader, 10, 1)
    for _ in range(10):
        world.pass_time(864)
        world.deposit(Signer("other"), USDC, 1)  # writes the level
        leave(world, trader, 1, 1_000 + world.now)
    leave(world, trader, 1, 2)


def test_what_comes_in_makes_room_but_never_credit(world: World, trader: Signer) -> None:
    leave(world, trader, 1_000, 1)
    world.deposit(trader, USDC, 400)
    assert level(world) == 600
    world.deposit(trader, USDC, 5_000, to_funding=True)
    assert level(world) == 600
    world.custody.move_to_trading(world.token_address(USDC), 100, sender=trader.address)
    assert level(world) == 500
    world.deposit(trader, USDC, 1_000_000)
    assert level(world) == 0
    leave(world, trader, LIMIT, 2)
    with reverts("withdraw: needs approvals"):
        leave(world, trader, 1, 3)


def test_eth_counts_as_well(world: World, trader: Signer) -> None:
    leave(world, trader, LIMIT, 1, token=ETHER)
    with reverts("withdraw: needs approvals"):
        leave(world, trader, 1, 2, token=ETHER)
    world.deposit(trader, ETHER, 1)
    leave(world, trader, 1, 2, token=ETHER)
    assert level(world) == 0


def test_the_forced_ways_are_neither_limited_nor_counted(world: World, trader: Signer) -> None:
    leave(world, trader, LIMIT, 1)
    usdc = world.token_address(USDC)
    world.custody.request_withdraw(usdc, 5_000_000, trader.address, sender=trader.address)
    world.pass_time(world.windows.delay)
    before = level(world)
    world.custody.claim_withdraw(trader.address, usdc, sender=trader.address)
    world.custody.request_exit(sender=trader.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_exit(trader.address, usdc, sender=trader.address)
    assert world.trading(trader, USDC) == 0
    assert level(world) == before - world.windows.delay


def test_funding_leaves_without_limit(world: World, trader: Signer) -> None:
    world.deposit(trader, USDC, LIMIT * 2, to_funding=True)
    leave(world, trader, LIMIT, 1)
    world.custody.withdraw_funding(
        world.token_address(USDC), LIMIT * 2 * UNITS[USDC], trader.address, sender=trader.address
    )
    assert level(world) == LIMIT


def test_the_level_survives_a_change_of_the_limit(world: World, trader: Signer) -> None:
    world.as_owner("schedule", world.operation_hash("set_outflow_limit", USDC, 10))
    world.pass_time(world.windows.timelock)
    leave(world, trader, LIMIT, 1)
    world.as_owner("set_outflow_limit", USDC, 10)
    with reverts("withdraw: needs approvals"):
        leave(world, trader, 1, 2)
    assert level(world) == LIMIT
    world.pass_time(8_640)
    assert level(world) == LIMIT - 1


def test_no_limit_counts_nothing(world: World, trader: Signer) -> None:
    world.scheduled("set_outflow_limit", USDC, 0)
    leave(world, trader, 9_000_000, 1)
    assert tuple(world.custody.outflow_state(USDC)) == (0, 0)
    world.scheduled("set_approval_threshold", 1)


def test_the_largest_limit_holds_the_largest_amount(world: World, trader: Signer) -> None:
    world.scheduled("set_outflow_limit", USDC, 2**63 - 1)
    leave(world, trader, 9_000_000, 1)
    assert level(world) == 9_000_000


def test_set_outflow_limit_reverts_for_bad_arguments(world: World) -> None:
    with reverts("outflow: nobody approves"):
        world.scheduled("set_outflow_limit", USDC, 1)
    with reverts("outflow: limit out of range"):
        world.scheduled("set_outflow_limit", USDC, 2**63)
    with reverts("token: not listed"):
        world.scheduled("set_outflow_limit", 4, 1)


def test_set_outflow_limit_reverts_for_anyone_else_and_without_the_timelock(world: World, trader: Signer) -> None:
    for caller in (trader, world.operator, world.guardian, world.co_signer, Signer("approver")):
        with reverts("owner: not the owner"):
            world.custody.set_outflow_limit(USDC, 0, sender=caller.address)
    with reverts("owner: not scheduled"):
        world.as_owner("set_outflow_limit", USDC, 0)


def test_the_limit_of_a_frozen_exchange_leaves_the_exit(world: World, trader: Signer) -> None:
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    with reverts("withdraw: needs approvals"):
        leave(world, trader, LIMIT + 1, 1)
    world.custody.claim_exit(trader.address, world.token_address(USDC), sender=trader.address)
    assert world.trading(trader, USDC) == 0
