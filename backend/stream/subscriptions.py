"""Which channels one connection listens to: `book.BTC-USDC`, `trades.…`, `ticker.…`, `candles.….1m`, `fees`, …"""

from collections.abc import Callable, Sequence

from backend.context import Api
from backend.markets.service import check_interval
from backend.stream import fee_board
from backend.stream.account_feed import CHANNEL
from backend.stream.outbox import Outbox
from exchange.domain.errors import ErrorCode, Refusal


class Subscriptions:
    """Adds and removes channels of one connection, at most as many as the settings say."""

    def __init__(self, api: Api, sink: Outbox) -> None:
        self._api = api
        self._sink = sink
        self._leave: dict[str, Callable[[], None]] = {}

    async def add(self, names: Sequence[str], account: bytes | None) -> None:
        """Listen to all of these channels, or to none if one is refused; those listened to already change nothing."""
        keys = [key for key in dict.fromkeys(self._key(name) for name in names) if key not in self._leave]
        self._check_room(len(keys))
        if CHANNEL in keys:  # first, because it alone can still be refused
            await self._add_account(account)
        for key in keys:
            if key == fee_board.CHANNEL:
                self._leave[key] = lambda: self._api.feed.fees.leave(self._sink)
                self._api.feed.fees.listen(self._sink)
            elif key != CHANNEL:
                self._add_market(key)

    def _check_room(self, more: int) -> None:
        limit = self._api.settings.limits.subscriptions_per_connection
        if len(self._leave) + more > limit:
            raise Refusal(
                ErrorCode.too_many_subscriptions,
                f"a connection may listen to {limit} channels",
                "channels",
                {"limit": limit},
            )

    async def _add_account(self, account: bytes | None) -> None:
        if account is None:
            raise Refusal(ErrorCode.unauthenticated, "log in on this connection first: op login", "channels")
        self._leave[CHANNEL] = lambda: self._api.feed.accounts.leave(self._sink)
        try:
            await self._api.feed.accounts.listen(account, self._sink)
        except Refusal:
            del self._leave[CHANNEL]
            raise

    def _add_market(self, key: str) -> None:
        kind, symbol, *rest = key.split(".")
        market = self._api.market(symbol)
        feed, sink = self._api.feed, self._sink
        if kind == "book":
            self._leave[key] = lambda: feed.leave_book(market.market_id, sink)
            feed.listen_book(market.market_id, sink)
        elif kind == "trades":
            self._leave[key] = lambda: feed.leave_trades(market.market_id, sink)
            feed.listen_trades(market.market_id, sink)
        else:
            interval = rest[0] if rest else ""
            self._leave[key] = lambda: self._api.summaries.leave(key, sink)
            self._api.summaries.listen(key, market, interval, sink)

    def remove(self, names: Sequence[str]) -> None:
        """Stop to listen to channels."""
        for key in [self._key(name) for name in names]:
            leave = self._leave.pop(key, None)
            if leave is not None:
                leave()

    def remove_account(self) -> None:
        """The connection speaks for another session now."""
        self.remove((CHANNEL,))

    def leave_all(self) -> None:
        """The connection is over."""
        for leave in self._leave.values():
            leave()
        self._leave.clear()

    def _key(self, name: str) -> str:
        """The one spelling of a channel. Refuses what is none."""
        if name in (CHANNEL, fee_board.CHANNEL):
            return name
        kind, _, rest = name.partition(".")
        symbol, _, interval = rest.partition(".")
        if kind == "candles":
            check_interval(interval)
        elif kind not in ("book", "trades", "ticker") or interval:
            raise Refusal(
                ErrorCode.not_found,
                f"there is no channel {name}: book.M trades.M ticker.M candles.M.interval fees account",
                "channels",
            )
        market = self._api.market(symbol)
        return ".".join(part for part in (kind, self._api.name_of(market), interval) if part)
