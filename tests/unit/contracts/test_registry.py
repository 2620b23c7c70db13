"""list_token, set_token_status, list_market, set_market_status."""

from typing import Any

import boa
import pytest

from exchange.domain.deployment import ETH
from scripts.print_storage_layout import COMMITTED
from tests.utils.contracts import BTC, BTC_USDC, BTI, ETHER, LOTS, PAIRS, UNITS, USDC, World, reverts
from tests.utils.signing import Signer


@pytest.fixture
def unlaunched() -> World:
    """An exchange that can still be configured at once."""
    return World(launch=False)


def test_views_show_what_is_listed(world: World) -> None:
    assert (world.custody.token_count(), world.custody.market_count()) == (4, 2)
    for token_id, unit in enumerate(UNITS):
        token = world.custody.tokens(token_id)
        assert (token.token, token.unit, token.deposits_open) == (world.token_address(token_id), unit, True)
    for market_id, (base, quote) in PAIRS.items():
        market = world.custody.markets(market_id)
        assert tuple(market) == (base, quote, LOTS[market_id], 0)
    assert tuple(world.custody.markets(3)) == (0, 0, 0, 0)
    assert world.custody.tokens(4).unit == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("0x" + "11" * 20, 1, 6), "token: no code"),
        ((ETH, 1, 18), "token: listed before"),
        (("custody", 0, 6), "token: unit out of range"),
        (("custody", 10**30 + 1, 6), "token: unit out of range"),
        (("custody", 1, 37), "token: decimals out of range"),
    ],
)
def test_list_token_reverts_for_bad_arguments(unlaunched: World, arguments: tuple[Any, ...], reason: str) -> None:
    token, unit, decimals = arguments
    with reverts(reason):
        unlaunched.as_owner("list_token", unlaunched.custody.address if token == "custody" else token, unit, decimals)


def test_list_token_reverts_when_there_are_no_more_ids(unlaunched: World) -> None:
    rows = [line.split() for line in COMMITTED.read_text().splitlines()]
    slot = next(int(number) for number, name, *_ in rows if name == "registry._token_count:")
    assert boa.env.get_storage(unlaunched.custody.address, slot) == unlaunched.custody.token_count() == 4
    boa.env.set_storage(unlaunched.custody.address, slot, 2**32 - 1)
    with reverts("token: too many"):
        unlaunched.as_owner("list_token", str(unlaunched.deploy_mock("NoReturnToken").address), 1, 6)
    boa.env.set_storage(unlaunched.custody.address, slot, 2**32 - 2)
    unlaunched.as_owner("list_token", str(unlaunched.deploy_mock("NoReturnToken").address), 1, 6)


def test_list_token_logs(world: World) -> None:
    token, token_id = world.list_mock("NoReturnToken")
    assert world.event("TokenListed") == {
        "token_id": token_id,
        "token": str(token.address),
        "unit": 1,
        "decimals": 6,
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((4, 0, 1), "token: not listed"),
        ((0, 2**255, 1), "token: not listed"),
        ((3, 3, 1), "market: one token"),
        ((3, 0, 0), "market: lot out of range"),
        ((3, 0, 2**63), "market: lot out of range"),
        ((*PAIRS[BTC_USDC], 1), "market: listed before"),
    ],
)
def test_list_market_reverts_for_bad_arguments(unlaunched: World, arguments: tuple[int, ...], reason: str) -> None:
    with reverts(reason):
        unlaunched.as_owner("list_market", *arguments)


def test_list_market_logs(unlaunched: World) -> None:
    unlaunched.as_owner("list_market", BTI, USDC, 1_000)
    assert unlaunched.event("MarketListed") == {
        "market_id": 3,
        "base_token_id": BTI,
        "quote_token_id": USDC,
        "lot_size": 1_000,
    }
    unlaunched.as_owner("list_market", USDC, BTI, 1_000)


def test_there_are_at_most_175_markets(unlaunched: World) -> None:
    token, first = 4, 3
    for _ in range(16):
        mock = unlaunched.deploy_token(0)
        unlaunched.as_owner("list_token", mock.address, 1, 6)
        token += 1
    pairs = [(a, b) for a in range(token) for b in range(token) if a > b and (a, b) not in PAIRS.values()]
    for base, quote in pairs[: 175 - first + 1]:
        unlaunched.as_owner("list_market", base, quote, 1)
    with reverts("market: too many"):
        unlaunched.as_owner("list_market", token - 1, token - 2, 1)


def test_token_status_stops_deposits_only(unlaunched: World) -> None:
    unlaunched.as_owner("set_token_status", ETHER, False)
    assert unlaunched.event("TokenStatusChanged") == {"token_id": ETHER, "deposits_open": False}
    assert not unlaunched.custody.tokens(ETHER).deposits_open
    with reverts("token: not listed"):
        unlaunched.as_owner("set_token_status", 4, False)


def test_market_status_halts_after_the_delay_and_opens_at_once(unlaunched: World) -> None:
    unlaunched.as_owner("set_market_status", BTC_USDC, True)
    at = unlaunched.now + unlaunched.windows.delay
    assert unlaunched.event("MarketStatusChanged") == {"market_id": BTC_USDC, "halted": True, "effective_at": at}
    assert tuple(unlaunched.custody.markets(BTC_USDC)) == (*PAIRS[BTC_USDC], LOTS[BTC_USDC], at)
    with reverts("market: halted before"):
        unlaunched.as_owner("set_market_status", BTC_USDC, True)
    unlaunched.as_owner("set_market_status", BTC_USDC, False)
    assert unlaunched.event("MarketStatusChanged")["effective_at"] == unlaunched.now
    assert tuple(unlaunched.custody.markets(BTC_USDC)) == (*PAIRS[BTC_USDC], LOTS[BTC_USDC], 0)
    with reverts("market: not listed"):
        unlaunched.as_owner("set_market_status", 3, True)


def test_a_delisted_token_and_its_halted_market_still_pay_out(world: World, seller: Signer) -> None:
    world.deposit(seller, BTC, 100, to_funding=True)
    world.scheduled("set_token_status", BTC, False)
    world.scheduled("set_market_status", BTC_USDC, True)
    btc = world.token_address(BTC)
    world.withdraw(world.withdrawal(seller, BTC, 1_000))
    world.custody.withdraw_funding(btc, 100, seller.address, sender=seller.address)
    world.custody.request_withdraw(btc, 1_000, seller.address, sender=seller.address)
    world.custody.request_exit(sender=seller.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_withdraw(seller.address, btc, sender=world.keeper.address)
    world.custody.claim_exit(seller.address, btc, sender=world.keeper.address)
    assert world.wallet(seller.address, BTC) == 100_000_100
    with reverts("market: halted"):
        world.settle(world.match(Signer("a"), Signer("b")))
