"""The API's live view by itself, as a process that follows the engine while orders are measured.

    python -m benchmarks.orders.follower SOCKET

What an API worker does with what the engine tells it: books and trades of all markets, for somebody who listens to
them. Says `following` when it does, and ends when it is told to.
"""

import asyncio
import sys

import structlog
import uvloop

from backend.stream.account_feed import AccountState
from backend.stream.feed import Feed
from benchmarks.orders.stack import DEPLOYMENT
from exchange.sequencer.client import EngineClient


class Screen:
    """Somebody who listens."""

    messages = 0

    def push(self, message: bytes) -> None:
        """Take a message."""
        self.messages += 1


async def _nobody(address: bytes) -> AccountState:
    raise LookupError("no account is listened to here")


async def follow(path: str) -> None:
    """Follow the engine at a socket, for ever."""
    names = {market.market_id: market.symbol for market in DEPLOYMENT.markets}
    async with EngineClient(path) as engine:
        feed = Feed(engine, {market.market_id: market for market in DEPLOYMENT.markets}, names, _nobody, lambda: 0)
        for market in names:
            feed.listen_book(market, Screen())
            feed.listen_trades(market, Screen())
        following = asyncio.create_task(feed.run())
        while not feed.ready:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        print("following", flush=True)
        await following


def main() -> None:
    """Follow."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(follow(sys.argv[1]))


if __name__ == "__main__":
    main()
