"""What the Python client sends over the stream: orders, groups, and every message that only ends orders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from bizzan.client.api import BizzanClient
from bizzan.client.errors import ApiError
from bizzan.client.orders import Choices
from bizzan.client.receipts import ReceiptCheck
from bizzan.client.stream import Stream
from bizzan.client.wallet import SignedOrder
from exchange.domain.deployment import address_bytes
from exchange.domain.order import Side, TimeInForce, TriggerType
from exchange.domain.order_id import order_id
from exchange.sequencer.client import EngineClient
from tests.integration.backend.test_orders import LOW
from tests.utils.api_stack import DEPLOYMENT, ApiStack

MARKET = "BTC-USDC"
CHECK = ReceiptCheck(address_bytes(DEPLOYMENT.receipt_signer), DEPLOYMENT.bond_domain)


@pytest.fixture
async def client(stack: ApiStack) -> AsyncIterator[BizzanClient]:
    """A trader's client, which believes receipts only."""
    async with BizzanClient(stack.base_url, await stack.trader(), receipts=CHECK) as client:
        await client.login()
        yield client


def buy(client: BizzanClient) -> SignedOrder:
    """A signed order that rests."""
    return client.sign(client.market(MARKET), Side.buy, LOW, 7)


@pytest.fixture
async def engine(stack: ApiStack) -> AsyncIterator[EngineClient]:
    """The engine, asked beside the API."""
    async with EngineClient(stack.folder / "engine.sock") as engine:
        yield engine


async def open_orders(engine: EngineClient, client: BizzanClient) -> list[int]:
    """The ids of the account's open orders."""
    return [order.order_id for order in await engine.open_orders(client.account)]


async def test_every_brake_ends_orders(engine: EngineClient, client: BizzanClient) -> None:
    async with Stream(client) as stream:
        for brake in (
            stream.mass_cancel,
            partial(stream.mass_cancel, MARKET, Side.buy),
            stream.cancel_all,
            stream.stop_trading,
        ):
            placed = await stream.place(buy(client))
            assert placed.order_id in await open_orders(engine, client)
            await brake()
            assert await open_orders(engine, client) == []
        with pytest.raises(ApiError) as refused:
            await stream.place(buy(client))
        assert refused.value.code == "trading_stopped"
        await stream.stop_trading(False)
        kept = await stream.place(buy(client))
        await stream.mass_cancel(MARKET, Side.sell)
        assert await open_orders(engine, client) == [kept.order_id]


async def test_a_countdown_is_set_and_ended(engine: EngineClient, client: BizzanClient) -> None:
    async with Stream(client) as stream:
        await stream.countdown(600)
        assert (await engine.account(client.account)).countdown > 0
        await stream.countdown(0)
        assert (await engine.account(client.account)).countdown == 0


async def test_nonces_go_on_above_a_cancel_of_all(client: BizzanClient) -> None:
    async with Stream(client) as stream:
        limit = client.nonces.next() + 1_000
        await stream.cancel_all(limit)
        placed = buy(client)
        assert placed.order.nonce >= limit
        await stream.place(placed)


async def test_a_group_comes_as_a_whole_or_not_at_all(engine: EngineClient, client: BizzanClient) -> None:
    builder, group = client.market("ETH-USDC"), client.new_group()
    price = builder.market.reference_price
    waits = Choices(
        group=group,
        trigger_type=TriggerType.stop_loss,
        trigger_price=price - 18_000,
        time_in_force=TimeInForce.ioc,
    )
    first = client.sign(builder, Side.sell, price + 40_000, 10, group=group)
    second = client.sign(builder, Side.sell, price - 20_000, 10, **waits)
    async with Stream(client) as stream:
        with pytest.raises(ApiError) as refused:
            await stream.place_group(first, buy(client))
        assert (refused.value.code, refused.value.field) == ("terms_conflict", "group")
        acks = await stream.place_group(first, second, client_order_ids=("one", "two"))
        assert acks.second.order_id == order_id(acks.first.seq, 1)
        assert acks.first.receipt == acks.second.receipt
        assert await open_orders(engine, client) == [acks.first.order_id, acks.second.order_id]
        again = await stream.place_group(first, second)
        assert (again.first.duplicate, again.second.duplicate) == (True, True)
        await stream.cancel(first.order.nonce)
        assert await open_orders(engine, client) == []
