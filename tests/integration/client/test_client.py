"""The client against a whole exchange: stream, orders, delegates, and what happens when the API dies."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bizzan.client.api import BizzanClient
from bizzan.client.bond import BondCheck
from bizzan.client.book import BookReplica
from bizzan.client.custody import CustodyClient
from bizzan.client.errors import ApiError, TransactionFailed, WrongAddress
from bizzan.client.freeze import SignedFreeze
from bizzan.client.orders import OrderBuilder
from bizzan.client.receipts import ReceiptCheck
from bizzan.client.schemas import Ack
from bizzan.client.stream import Message, Stream
from bizzan.client.wallet import SignedOrder, Wallet
from bizzan.faucet import fund
from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.deposit_address import created_address, deposit_address
from exchange.domain.eip712 import Domain
from exchange.domain.errors import ErrorCode
from exchange.domain.order import Side, TimeInForce
from exchange.settings import LOCAL_KEYS
from tests.integration.audit.world import MARKET, World
from tests.utils.false_factory import false_factory_code
from tests.utils.local_stack import open_folder
from tests.utils.lying_api import lying_api
from tests.utils.program import Program

BOOK = f"book.{MARKET}"
WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An exchange on which two wallets have money and nobody has traded."""
    with open_folder() as folder:
        program = Program(folder)
        program.succeed("up", "--detach", "--no-demo", BIZZAN_CHAIN__CREDIT_CONFIRMATIONS="1")
        world = World.of(program)
        asyncio.run(world.open_accounts())
        yield world
        program.succeed("down")
        program.succeed("reset", "--yes")


@pytest.fixture
async def seller(world: World) -> AsyncIterator[BizzanClient]:
    """The seller's client, signed in, with an empty book when it is done."""
    async with BizzanClient(world.program.api_url, world.seller) as client:
        await client.login()
        yield client
        await client.cancel_all()


async def session_of(world: World, owner: Wallet) -> str:
    """A session by the API itself, under whose name a wallet signs in."""
    async with BizzanClient(world.program.api_url, owner) as client:
        return (await client.login()).token


def sell(client: BizzanClient, price: str) -> SignedOrder:
    """A signed order to sell a little."""
    builder: OrderBuilder = client.market(MARKET)
    return client.sign(builder, Side.sell, builder.price(price), builder.quantity("0.001"))


def read_exchange(world: World) -> dict[str, Any]:
    """What the API says that the exchange is."""
    with urllib.request.urlopen(f"{world.program.api_url}/v1/exchange", timeout=60) as answer:
        said: dict[str, Any] = json.load(answer)
    return said


async def test_a_client_that_demands_a_bond_reads_the_real_one(world: World, seller: BizzanClient) -> None:
    there = await asyncio.to_thread(read_exchange, world)
    domain = Domain(there["domain"]["name"], there["chain_id"], address_bytes(there["operator_bond"]))
    told = ReceiptCheck(address_bytes(there["receipt_signer"]), domain)
    async with BondCheck.over(world.program.rpc_url, told) as bond:
        state = await bond.demand()
    assert (state.signer, state.retired_at, state.slashed_at) == (told.signer, 0, 0)
    assert state.amount > 0
    async with BizzanClient(
        world.program.api_url, world.seller, bond=BondCheck.over(world.program.rpc_url, told)
    ) as demanding:
        await demanding.login()
        ack = await demanding.place(MARKET, Side.sell, "9000", "0.001", time_in_force=TimeInForce.ioc)
    assert ack.receipt is not None


async def place_when_known(bot: BizzanClient) -> Ack:
    """Place an order as soon as the exchange has seen on chain that the key may."""
    for _ in range(2 * WAIT_SECONDS):
        try:
            return await bot.place(MARKET, Side.sell, "9000", "0.001", seconds=600)
        except ApiError as error:
            if error.code != "unknown_delegate":
                raise
        await asyncio.sleep(0.5)
    raise AssertionError("the delegate was never known")


async def read_until(stream: Stream, found: Callable[[Message], bool]) -> Message:
    """The first message that is looked for."""
    async with asyncio.timeout(WAIT_SECONDS):
        async for message in stream:
            if found(message):
                return message
    raise AssertionError("the stream ended")


async def test_book_replica_equals_the_exchange_s_book(seller: BizzanClient) -> None:
    book, price = BookReplica(), seller.market(MARKET).price("9000")
    async with Stream(seller) as stream:
        await stream.subscribe(BOOK)
        await stream.place(sell(seller, "9000"))
        await stream.place(sell(seller, "9100"))

        def full(message: Message) -> bool:
            book.apply(message)
            return len(book.asks()) == 2

        await read_until(stream, full)
    assert book.asks()[0] == (price, 10)
    assert book.asks() == (await seller.book(MARKET)).asks


async def test_account_channel_tells_of_an_order(seller: BizzanClient) -> None:
    async with Stream(seller) as stream:
        await stream.subscribe("account")
        ack = await stream.place(sell(seller, "9000"), "mine-1")

        def accepted(message: Message) -> bool:
            rows = message.content.get("events", [])
            return any(row["event"] == "order_accepted" and row["order_hash"] == ack.order_hash for row in rows)

        await read_until(stream, accepted)


async def test_same_order_again_is_a_duplicate(seller: BizzanClient) -> None:
    signed = sell(seller, "9000")
    first, second = await seller.place_signed(signed), await seller.place_signed(signed)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.order_id == second.order_id


async def test_refusals_carry_code_and_field(seller: BizzanClient) -> None:
    builder = seller.market(MARKET)
    signed = seller.sign(builder, Side.sell, builder.price("9000") + 1, 10)
    async with Stream(seller) as stream:
        for place in (stream.place, seller.place_signed):
            with pytest.raises(ApiError) as refused:
                await place(signed)
            assert (refused.value.code, refused.value.field) == ("price_off_tick", "price")


async def test_stream_comes_back_with_a_snapshot_when_the_api_is_killed(world: World, seller: BizzanClient) -> None:
    async with Stream(seller) as stream:
        await stream.subscribe(BOOK, "account")
        await read_until(stream, lambda message: message.kind == "snapshot" and message.channel == BOOK)
        pid = world.program.pid("api")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        await read_until(stream, lambda message: message.kind == "snapshot" and message.channel == BOOK)
        ack = await stream.place(sell(seller, "9000"))
    assert not ack.duplicate


async def test_delegated_key_trades_and_cannot_withdraw(world: World, seller: BizzanClient) -> None:
    machine = Wallet.create()
    async with CustodyClient(world.program.rpc_url, seller.exchange.custody, world.seller) as custody:
        await custody.add_delegate(machine.text_address, int(time.time()) + 7_200)
    async with BizzanClient(world.program.api_url, machine, account=world.seller.address) as bot:
        ack = await place_when_known(bot)
        with pytest.raises(ApiError) as refused:
            await bot.withdraw("BTC", 10_000)
    assert refused.value.code == "wrong_signature"
    assert ack.order_id is not None


async def test_deposit_by_permit_needs_no_allowance_and_is_credited(world: World, seller: BizzanClient) -> None:
    usdc, amount = seller.exchange.tokens["USDC"], 25 * 10**6
    async with CustodyClient(world.program.rpc_url, seller.exchange.custody, world.seller) as custody:
        await custody.send(usdc.address, "faucet(uint256)", 2 * amount)
        before = await custody.trading_balance(usdc.token_id)
        for round_ in (1, 2):  # the token's count of permits goes on
            await custody.deposit_with_permit(usdc.address, amount)
            assert await custody.trading_balance(usdc.token_id) == before + round_ * amount
        assert await custody.allowance(usdc.address) == 0
        with pytest.raises(TransactionFailed):
            await custody.deposit_with_permit(custody.custody, amount)  # no token at all


async def test_a_false_deposit_address_is_found_out(world: World) -> None:
    path, other = "/v1/account/deposit-address", Wallet.create().text_address
    owner = Wallet.create()
    with lying_api(world.program.api_url) as liar:
        async with BizzanClient(liar.url, owner) as client:
            client.transport.token = await session_of(world, owner)
            there = await client.deposit_address()
            assert there.account == client.text_account
            for field in ("deposit_address", "account", "factory"):
                liar.lies[path] = functools.partial(dict, **{field: other})
                with pytest.raises(WrongAddress, match=f"says {other} where .* send nothing"):
                    await client.deposit_address()
            liar.lies.clear()
            assert await client.deposit_address() == there


async def test_a_false_factory_is_found_out_on_chain(world: World) -> None:
    owner, nobody = Wallet.create(), Wallet.create().text_address
    async with BizzanClient(world.program.api_url, owner) as client:
        exchange = client.exchange
        await client.login()
        there = await client.deposit_address()
    coins = {"ETH": exchange.tokens["ETH"]}
    key = LOCAL_KEYS["guardian"]
    await fund(world.program.rpc_url, exchange.chain_id, exchange.custody, coins, key, owner.text_address)
    async with CustodyClient(world.program.rpc_url, exchange.custody, owner) as custody:
        assert await custody.deposit_address(there.factory) == there.deposit_address
        assert await custody.deposit_address(there.factory, nobody) != there.deposit_address
        await custody.transact(None, false_factory_code(exchange.custody))
        false = created_address(owner.address, 0)
        assert await custody.has_code(checksum(false))
        with lying_api(world.program.api_url) as liar:
            liar.lies["/v1/exchange"] = lambda said: said | {"deposit_addresses": checksum(false)}
            liar.lies["/v1/account/deposit-address"] = lambda said: (
                said | {"factory": checksum(false), "deposit_address": checksum(deposit_address(false, owner.address))}
            )
            async with BizzanClient(liar.url, owner) as client:
                client.transport.token = await session_of(world, owner)
                told = await client.deposit_address()  # the answers agree: the client cannot know, the chain does
        assert told.deposit_address != there.deposit_address
        for factory in (told.factory, exchange.custody, nobody):
            with pytest.raises(WrongAddress, match="send nothing"):
                await custody.deposit_address(factory)


async def test_outflow_limits_are_told(seller: BizzanClient) -> None:
    told = await seller.outflow()
    usdc = told.token("USDC")
    assert (usdc.limit, usdc.available) == (500_000 * 10**6, usdc.limit - usdc.level)
    assert (told.threshold, len(told.approvers)) == (2, 3)


async def test_freeze_from_the_drawer_stops_the_account_once(world: World) -> None:
    owner, finder = Wallet.create(), world.seller
    async with (
        BizzanClient(world.program.api_url, owner) as client,
        CustodyClient(world.program.rpc_url, client.exchange.custody, finder) as custody,
    ):
        await client.login()
        first, second = await client.sign_freezes(2)
        assert (first.nonce, second.nonce) == (0, 1)
        kept = SignedFreeze.parse(first.text())
        with pytest.raises(ValueError, match="not for"):
            await custody.freeze_account_signed(replace(kept, contract=finder.text_address))
        await custody.freeze_account_signed(kept)
        assert await custody.freeze_nonce(owner.text_address) == 1
        with pytest.raises(TransactionFailed) as refused:
            await custody.freeze_account_signed(kept)
        assert refused.value.reason == "account: wrong freeze nonce"
        for _ in range(2 * WAIT_SECONDS):
            if (await client.balances()).status == "frozen":
                break
            await asyncio.sleep(0.5)
        guards = await client.guards()
        assert (guards.frozen, guards.frozen_until, guards.freeze_nonce) == (True, None, 1)
        assert (await client.balances()).status == "frozen"
    async with BizzanClient(world.program.api_url, finder, account=owner.address) as delegate:
        with pytest.raises(ValueError, match="delegated key"):
            await delegate.sign_freezes()


async def test_contract_s_reason_reaches_the_caller(world: World, seller: BizzanClient) -> None:
    async with CustodyClient(world.program.rpc_url, seller.exchange.custody, world.seller) as custody:
        with pytest.raises(TransactionFailed, match="request: none") as refused:
            await custody.claim_withdraw(seller.exchange.tokens["BTC"].address)
    assert (refused.value.reason, refused.value.code) == ("request: none", ErrorCode.not_requested)
    assert refused.value.advice == "Call `request_withdraw` first."
