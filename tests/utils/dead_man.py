"""A trader for tests to kill: it rests orders through order entry, and keeps a countdown from running out.

python -m tests.utils.dead_man <key> <port or address of the API> <market> <price>
"""

import asyncio
import sys
import time

from bizzan.client.entry import EntryClient
from bizzan.client.wallet import Wallet
from exchange.domain.order import Order, Side
from exchange.sequencer.client import EngineClient
from tests.utils.api_stack import DOMAIN

COUNTDOWN_SECONDS = 6
"""Long beside what a process may have to wait for a busy machine."""
ORDERS = 8
ARMED = 20
"""Often enough to outlive the first countdown, each a sixteenth of one after the last."""


async def trade(key: str, where: str, market: int, price: int) -> None:
    """Trade until killed."""
    wallet, expiry = Wallet(bytes.fromhex(key)), int(time.time()) + 3_600
    orders = [Order(wallet.address, market, Side.buy, price, 2, n + 1, expiry, 0, 10, 0) for n in range(ORDERS)]
    on_stream = where.startswith("http")
    client = (
        EntryClient.on_stream(where, DOMAIN, wallet)
        if on_stream
        else EntryClient("127.0.0.1", int(where), DOMAIN, wallet)
    )
    async with client as entry:
        outcome = await entry.place_frame(orders)
        assert outcome.codes == bytes(ORDERS), list(outcome.codes)
        while True:
            await entry.countdown(COUNTDOWN_SECONDS)
            sys.stdout.write("armed\n")
            sys.stdout.flush()
            await asyncio.sleep(COUNTDOWN_SECONDS / 16)


async def check_dead_man(watcher: EngineClient, key: str, account: bytes, where: str, market: int, price: int) -> None:
    """A trader's orders stay as long as it lives, longer than its countdown, and end soon after it is killed."""
    arguments = ["-m", "tests.utils.dead_man", key, where, str(market), str(price)]
    trader = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert trader.stdout is not None
        for _ in range(ARMED):
            assert await asyncio.wait_for(trader.stdout.readline(), 60) == b"armed\n"
            assert len(await watcher.open_orders(account)) == ORDERS
    finally:
        trader.kill()
        await trader.wait()
    deadline = time.monotonic() + 60
    while await watcher.open_orders(account):
        assert time.monotonic() < deadline, "its orders outlived it"
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(trade(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
