"""What users do between the trial of a batch and its mining makes it dearer by less than the keeper leaves room for."""

from collections.abc import Iterator, Sequence
from typing import Any

import boa
import pytest

from exchange.domain.eip712 import Scheme
from exchange.domain.order import Side
from exchange.domain.settlement import Execution
from keeper.batching import MAX_FILLS, GasModel
from keeper.custody import SettleCall
from keeper.growth import growth
from tests.utils.contracts import BTC, BTC_USDC, PAIRS, USDC, World
from tests.utils.signing import Signer

TAKERS = 6
FIFTH = 4
"""The first token of the accounts' second slot."""
ONE_SLOT = {market: (base // 4, quote // 4) for market, (base, quote) in PAIRS.items()}


pytestmark = pytest.mark.ignore_isolation  # ends transactions, which no rollback of the test could undo


@pytest.fixture
def world() -> Iterator[World]:
    """An exchange on a chain of its own."""
    with boa.swap_env(boa.Env()):
        yield World()


def gas_of(world: World, batch: Sequence[Execution]) -> int:
    """Gas of a transaction that settles the batch, which leaves no trace."""
    call = SettleCall(world.custody.batch_seq() + 1, bytes(world.custody.journal_head()), b"\xff" * 32, tuple(batch))
    data = call.data()
    boa.env.evm.vm.state.lock_changes()  # a transaction of its own: what stands now stood before it
    boa.env.evm.reset_access_counters()
    with boa.env.anchor():
        done = boa.env.execute_code(
            to_address=world.custody.address, sender=world.operator.address, data=data, gas=60_000_000
        )
        assert done.is_success, done.error
        return int(done.get_gas_used()) + 21_000 + sum(16 if byte else 4 for byte in data)


def fifth_market(world: World, seller: Signer) -> tuple[int, Any]:
    """A market whose base stands in another slot than its quote, and the seller's 5,000 of it to trade."""
    token, token_id = world.list_mock("NoReturnToken")
    assert token_id == FIFTH
    world.scheduled("list_market", FIFTH, USDC, 1)
    token.faucet(10_000, sender=seller.address)
    token.approve(world.custody.address, 2**256 - 1, sender=seller.address)
    world.custody.deposit(token.address, 5_000, seller.address, False, sender=seller.address)
    return world.custody.market_count(), token


def sold_to(world: World, seller: Signer, takers: Sequence[Signer], market: int) -> list[Execution]:
    """One resting sale in part, and takers each filled in part."""
    batch = [
        world.execution(seller, world.order(seller, Side.sell, market=market, price=1, quantity=4_000), len(takers))
    ]
    return batch + [world.execution(t, world.order(t, Side.buy, market=market, price=1, quantity=2), 1) for t in takers]


def test_emptied_balances_unused_cancels_and_freezes_cost_a_batch_less_than_its_room(world: World) -> None:
    seller, takers = Signer("seller"), [Signer(f"taker{number}") for number in range(TAKERS)]
    market, token = fifth_market(world, seller)
    slots = {market: (1, 0)}
    for taker in takers:
        world.deposit(taker, USDC, 1_000)
        world.custody.deposit(token.address, 1, taker.address, False, sender=seller.address)
        world.custody.request_withdraw(token.address, 1, taker.address, sender=taker.address)
    world.pass_time(world.windows.delay)
    world.custody.heartbeat(sender=world.operator.address)
    batch = sold_to(world, seller, takers, market)
    before = gas_of(world, batch)
    for taker in (*takers, seller):
        world.custody.cancel(taker.address, 999, b"", sender=taker.address)
        world.custody.freeze_account(sender=taker.address)
    for taker in takers:
        world.custody.claim_withdraw(taker.address, token.address, sender=taker.address)
    grown = gas_of(world, batch) - before
    assert 21_000 * TAKERS < grown < growth(batch, slots)


def test_unused_cancels_and_freezes_cost_a_batch_less_than_its_room(world: World) -> None:
    """All four tokens share a slot: what an account can trade keeps it from being empty."""
    seller, takers = Signer("seller"), [Signer(f"taker{number}") for number in range(TAKERS)]
    world.deposit(seller, BTC, 10**9)
    for taker in takers:
        world.deposit(taker, USDC, 100)
    batch = sold_to(world, seller, takers, BTC_USDC)
    before = gas_of(world, batch)
    for taker in (*takers, seller):
        world.custody.cancel(taker.address, 999, b"", sender=taker.address)
        world.custody.cancel_all(taker.address, 1, b"", sender=taker.address)
        world.custody.freeze_account(sender=taker.address)
    grown = gas_of(world, batch) - before
    assert 6_000 * TAKERS < grown < growth(batch, ONE_SLOT) - 50_000


def test_a_word_that_empties_again_and_again_costs_a_batch_less_than_its_room(world: World) -> None:
    """What the trader buys it sells at once: each purchase comes to an empty word."""
    seller, trader = Signer("seller"), Signer("trader")
    market, token = fifth_market(world, seller)
    world.deposit(trader, USDC, 1_000)
    world.custody.deposit(token.address, 1, trader.address, False, sender=seller.address)
    world.custody.request_withdraw(token.address, 1, trader.address, sender=trader.address)
    world.deposit(seller, USDC, 1_000)
    world.pass_time(world.windows.delay)
    world.custody.heartbeat(sender=world.operator.address)
    batch = []
    for turn in range(4):
        for side, other in ((Side.buy, Side.sell), (Side.sell, Side.buy)):
            nonce = 10 * turn + int(side)
            for who, its_side in ((seller, other), (trader, side)):
                order = world.order(who, its_side, market=market, price=1, quantity=1, nonce=nonce)
                batch.append(world.execution(who, order, 1))
    before = gas_of(world, batch)
    world.custody.claim_withdraw(trader.address, token.address, sender=trader.address)
    grown = gas_of(world, batch) - before
    assert grown > 4 * 17_000
    assert grown < growth(batch, {market: (1, 0)}) - 50_000


def test_the_largest_record_fits_a_transaction(world: World) -> None:
    """A record cannot be split: one taker, and as many makers as it may meet, at the worst that each can cost."""
    taker, makers = Signer("taker"), [Signer(f"maker{number}") for number in range(TAKERS)]
    market, _ = fifth_market(world, taker)
    keys = [Signer(f"key{number}") for number in range(TAKERS)]
    for maker, key in zip(makers, keys, strict=True):
        world.deposit(maker, USDC, 100)
        world.custody.add_delegate(key.address, 1 << market, world.now + 7_200, sender=maker.address)
        world.custody.cancel(maker.address, 999, b"", sender=maker.address)
        world.custody.freeze_account(sender=maker.address)
    sizes = (TAKERS // 2, TAKERS)
    some, more = (gas_of(world, sold_to_keys(world, taker, makers[:size], keys, market)) for size in sizes)
    each = -(-(more - some) // (sizes[1] - sizes[0]))
    paths = 512 * (32 * 16 + 1_000)
    assert 65_000 < each < 80_000
    assert more + (MAX_FILLS - TAKERS) * each + paths < GasModel().cap


def sold_to_keys(
    world: World, taker: Signer, makers: Sequence[Signer], keys: Sequence[Signer], market: int
) -> list[Execution]:
    """One sale to orders that keys signed for their accounts, each filled whole."""
    sale = world.order(taker, Side.sell, market=market, price=1, quantity=4_000)
    orders = [world.order(maker, Side.buy, market=market, price=1, quantity=1) for maker in makers]
    signed = zip(keys, orders, strict=False)
    bought = [world.execution(key, order, 1, scheme=Scheme.delegate) for key, order in signed]
    return [world.execution(taker, sale, len(makers)), *bought]
