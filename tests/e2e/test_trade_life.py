"""From an empty wallet to money back in it, beside demo traffic, through nothing but what users have."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from pathlib import Path

from bizzan.client.api import BizzanClient
from bizzan.client.custody import CustodyClient
from bizzan.client.schemas import Auction, Fill
from bizzan.client.wallet import Wallet
from bizzan.faucet import fund
from exchange.domain.order import Side, TimeInForce, TriggerType
from exchange.settings import LOCAL_KEYS
from tests.e2e.test_custody_in_use import soon
from tests.utils.program import Program
from tests.utils.waiting import wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STEPS = ("faucet", "deposit", "credited", "order", "fill", "settled", "final", "withdrawal", "wallet")
SETTLED_SECONDS = 120
CASE_SECONDS = 240
MARKET, QUANTITY = "BTC-USDC", "0.01"
LOTS = 20


def test_demo_trades_settle_on_chain(program: Program) -> None:
    wait_for(lambda: program.status()["trades_settled"] > 0, "a settled trade", SETTLED_SECONDS)

    assert program.status()["mismatches"] == 0


def test_example_runs_to_its_end_and_again(program: Program) -> None:
    for _ in range(2):
        result = program.run_file(EXAMPLES / "trade.py")

        assert result.returncode == 0, result.stdout + result.stderr
        assert all(step in result.stdout for step in STEPS), result.stdout


def test_frames_of_orders_settle(program: Program) -> None:
    result = program.run_file(EXAMPLES / "frames.py")

    assert result.returncode == 0, result.stdout + result.stderr
    settled = re.findall(r"^settled: (\d+) lots at \d+ in 0x[0-9a-f]{64}$", result.stdout, re.MULTILINE)
    assert sum(map(int, settled)) == LOTS, f"of one or several makers: {result.stdout}"
    assert result.stdout.count(json.dumps([0] * 16)) == 2, "all were placed, and the rest moved by amends"


def test_an_operator_sees_who_trades_with_itself(program: Program) -> None:
    """One of the demo's traders does, and surveillance finds it."""

    def cases() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(program.succeed("cases", "--json").splitlines()[-1])
        return [case for case in found if case["pattern"] == "self_trades"]

    wait_for(cases, "a case", CASE_SECONDS)
    assert "met its own and were stopped" in program.succeed("cases")


async def come(program: Program, client: BizzanClient, symbol: str, amount: int) -> None:
    """A new wallet gets coins, deposits some of one kind and waits until they can be traded."""
    exchange, wallet = client.exchange, client.wallet
    assert isinstance(wallet, Wallet)
    chain = program.rpc_url, exchange.chain_id, exchange.custody
    await fund(*chain, exchange.tokens, LOCAL_KEYS["faucet"], wallet.text_address)
    async with CustodyClient(program.rpc_url, exchange.custody, wallet) as custody:
        await custody.deposit_token(exchange.tokens[symbol], amount)
    await client.login()

    async def credited() -> bool | None:
        balance = (await client.balances()).balance(symbol)
        return True if balance is not None and balance.available >= amount else None

    await soon("the credit", credited)


async def traded(client: BizzanClient, order_id: int, *states: str) -> list[Fill]:
    """All trades of an order that fills, once they are in one of the states (any, if none is named)."""

    async def find() -> list[Fill] | None:
        order, fills = await client.order(order_id), await client.fills(order_id=order_id)
        there = all(fill.status in states for fill in fills) or not states
        return fills if there and sum(fill.quantity for fill in fills) == order.quantity else None

    return await soon("the trades", find)


async def auction_of_two(program: Program, buys: BizzanClient, sells: BizzanClient) -> None:
    """They come for it, and have better limits than the demo's traders, so that they trade first."""
    await come(program, buys, "USDC", 9_000 * 10**6)
    await come(program, sells, "BTC", 10**7)
    market, last = sells.market(MARKET), (await sells.ticker(MARKET)).last_price
    assert last is not None
    at = Decimal(market.price_text(last))
    high, low, far = (market.price_text(market.floor_price(at * each / 100)) for each in (103, 97, 92))

    async def indicative() -> Auction | None:
        auction = (await sells.book(MARKET)).auction
        return auction if auction is not None and auction.volume else None

    program.succeed("market", "auction", MARKET)
    group, trigger = sells.new_group(), market.price(far)
    stop = await sells.place(
        MARKET,
        Side.sell,
        far,
        QUANTITY,
        group=group,
        trigger_type=TriggerType.stop_loss,
        trigger_price=trigger,
        time_in_force=TimeInForce.ioc,
    )
    ask = await sells.place(MARKET, Side.sell, low, QUANTITY, group=group)
    bid = await buys.place(MARKET, Side.buy, high, QUANTITY)
    stop_id, ask_id, bid_id = (ack.order_id or 0 for ack in (stop, ask, bid))
    told = await soon("the auction's price", indicative)
    assert told.volume >= market.quantity(QUANTITY)
    assert not await buys.fills(), "nobody trades in the call"
    program.succeed("market", "open", MARKET)

    fills = [*await traded(buys, bid_id), *await traded(sells, ask_id)]
    (price,) = {fill.price for fill in fills}
    assert market.price(low) <= price <= market.price(high)
    other = await sells.order(stop_id)
    assert (other.close_reason, other.filled, other.group) == ("group", 0, group)
    for client, order_id in ((buys, bid_id), (sells, ask_id)):
        settled = await traded(client, order_id, "settled", "final")
        assert all(fill.tx_hash for fill in settled)
    assert (await sells.book(MARKET)).auction is None


def test_an_auction_trades_at_one_price_and_the_leg_that_fills_ends_the_other(program: Program) -> None:
    async def meet() -> None:
        async with (
            BizzanClient(program.api_url, Wallet.create()) as buys,
            BizzanClient(program.api_url, Wallet.create()) as sells,
        ):
            await auction_of_two(program, buys, sells)

    asyncio.run(meet())


def test_audit_is_clean_under_traffic(program: Program) -> None:
    program.succeed("audit")
