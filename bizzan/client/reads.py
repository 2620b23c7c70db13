"""What can be read of the exchange, and after a login of one account. Nothing here is signed."""

from __future__ import annotations

from bizzan.client import schemas
from bizzan.client.transport import Transport


class Reads:
    """The exchange's answers, by one connection."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    # private reads, after `login`

    async def balances(self) -> schemas.Account:
        """The account's status and all its balances."""
        return await self.transport.get(schemas.Account, "/v1/account")

    async def guards(self, *, after: str | None = None, limit: int | None = None) -> schemas.Guards:
        """The account's freeze and allow-list; `after` pages on through the recipients."""
        return await self.transport.get(schemas.Guards, "/v1/account/guards", after=after, limit=limit)

    async def account_fees(self) -> schemas.AccountFees:
        """The account's fee tier, and its rates in every market."""
        return await self.transport.get(schemas.AccountFees, "/v1/account/fees")

    async def orders(self, *, status: str | None = None, limit: int | None = None) -> list[schemas.Order]:
        """The account's orders, latest first; `status` is open, filled, cancelled, expired or rejected."""
        return (await self.transport.get(schemas.OrderPage, "/v1/orders", status=status, limit=limit)).orders

    async def order(self, name: int | str) -> schemas.Order:
        """One order, by id, hash, or `client:` and the client's own id."""
        return (await self.transport.get(schemas.OrderAnswer, f"/v1/orders/{name}")).order

    async def fills(self, *, order_id: int | None = None, limit: int | None = None) -> list[schemas.Fill]:
        """The account's fills, latest first, each with how far its settlement is."""
        return (await self.transport.get(schemas.FillPage, "/v1/fills", order_id=order_id, limit=limit)).fills

    async def deposits(self) -> list[schemas.Deposit]:
        """The account's deposits, latest first."""
        return (await self.transport.get(schemas.DepositPage, "/v1/deposits")).deposits

    async def withdrawals(self) -> list[schemas.Withdrawal]:
        """The account's withdrawals, latest first."""
        return (await self.transport.get(schemas.WithdrawalPage, "/v1/withdrawals")).withdrawals

    # public reads

    async def status(self) -> schemas.Status:
        """How far each part of the exchange is."""
        return await self.transport.get(schemas.Status, "/v1/status")

    async def outflow(self) -> schemas.Outflow:
        """What may leave by signed withdrawals before people must approve, by token, and what can go out now."""
        return await self.transport.get(schemas.Outflow, "/v1/outflow")

    async def book(self, symbol: str, depth: int = 50) -> schemas.Book:
        """The live order book."""
        return await self.transport.get(schemas.Book, f"{_path(symbol)}/book", depth=depth)

    async def trades(self, symbol: str, limit: int = 100) -> list[schemas.Trade]:
        """The latest trades of everybody."""
        return (await self.transport.get(schemas.TradePage, f"{_path(symbol)}/trades", limit=limit)).trades

    async def candles(
        self, symbol: str, interval: str = "1m", start: int | None = None, end: int | None = None
    ) -> list[schemas.Candle]:
        """Candles that start in [start, end) milliseconds, oldest first."""
        query = {"interval": interval, "start": start, "end": end}
        return (await self.transport.get(schemas.CandlePage, f"{_path(symbol)}/candles", **query)).candles

    async def ticker(self, symbol: str) -> schemas.Ticker:
        """Best prices and the last trade's."""
        return await self.transport.get(schemas.Ticker, f"{_path(symbol)}/ticker")


def _path(symbol: str) -> str:
    return f"/v1/markets/{symbol}"
