"""An account's limits bind in every market, in whichever slots of the ledger its two tokens lie.

Settlement reads the limits only of accounts that the ledger marks in their first slot, which holds tokens 0 to 3.
"""

from typing import Any

import pytest

from exchange.domain.order import Side
from tests.utils.contracts import BTC, USDC, World, reverts
from tests.utils.signing import Signer

FIFTH, SIXTH = 4, 5  # tokens of the second slot
PAIRS = [(BTC, USDC), (FIFTH, USDC), (BTC, FIFTH), (FIFTH, SIXTH)]
LIMITS = [
    ("request_exit", "order: account exited"),
    ("cancel_all", "order: nonce closed"),
    ("cancel", "order: cancelled"),
]
pytestmark = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1]}")


@pytest.fixture
def market(world: World, buyer: Signer, seller: Signer, pair: tuple[int, int]) -> int:
    """A market of the pair, with lots of one unit, in which both can trade either way."""
    mocks = dict(world.list_mock("NoReturnToken")[::-1] for _ in (FIFTH, SIXTH))
    for token in mocks.values():
        for trader in (buyer, seller):
            token.faucet(1_000, sender=trader.address)
            world.custody.deposit(token.address, 1_000, trader.address, False, sender=trader.address)
    for trader, token_id in ((buyer, BTC), (seller, USDC)):
        world.deposit(trader, token_id, 1_000)
    if pair == PAIRS[0]:
        return 1
    world.scheduled("list_market", *pair, 1)
    return int(world.custody.market_count())


def trade(world: World, buyer: Signer, seller: Signer, market: int, nonce: int = 1) -> None:
    orders = (
        (key, world.order(key, side, market=market, price=1, quantity=2, nonce=nonce))
        for key, side in ((buyer, Side.buy), (seller, Side.sell))
    )
    world.settle([world.execution(key, order, 1) for key, order in orders])


def limit(world: World, account: Signer, function: str) -> None:
    arguments: tuple[Any, ...] = () if function == "request_exit" else (account.address, 2, b"")
    getattr(world.custody, function)(*arguments, sender=account.address)


def test_trade_moves_exactly_the_two_balances(world: World, buyer: Signer, seller: Signer, market: int) -> None:
    before = [[world.trading(key, token_id) for token_id in range(6)] for key in (buyer, seller)]
    limit(world, buyer, "cancel")
    trade(world, buyer, seller, market)
    info = world.custody.markets(market)
    for key, old, sign in ((buyer, before[0], 1), (seller, before[1], -1)):
        old[info.base_token_id] += sign * info.lot_size
        old[info.quote_token_id] -= sign
        assert [world.trading(key, token_id) for token_id in range(6)] == old


@pytest.mark.parametrize(("function", "reason"), LIMITS)
@pytest.mark.parametrize("limited", ["buyer", "seller"])
def test_limit_binds_after_the_delay(
    world: World, buyer: Signer, seller: Signer, market: int, function: str, reason: str, limited: str
) -> None:
    limit(world, buyer if limited == "buyer" else seller, function)
    nonce = 1 if function == "cancel_all" else 2
    world.pass_time(world.windows.delay - 1)
    trade(world, buyer, seller, market, nonce)
    world.pass_time(1)
    with reverts(reason):
        trade(world, buyer, seller, market, nonce)


def test_account_trades_again_after_a_cancelled_exit(world: World, buyer: Signer, seller: Signer, market: int) -> None:
    limit(world, buyer, "request_exit")
    world.custody.cancel_exit(sender=buyer.address)
    world.pass_time(world.windows.delay)
    trade(world, buyer, seller, market)
    assert world.custody.filled(buyer.address, 1) == 1
