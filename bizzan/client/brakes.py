"""Signed messages that only end orders: cancels, countdowns, stops. Each is the same over REST and on the stream."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from bizzan.client.exchange import Exchange
from bizzan.client.wallet import Wallet
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import struct_hash
from exchange.domain.order import Side

BOTH_SIDES = 2
"""What `MassCancel` calls both sides."""

_TYPES = {
    "cancel": "Cancel",
    "cancel_all": "CancelAll",
    "mass_cancel": "MassCancel",
    "countdown": "Countdown",
    "trading_stop": "TradingStop",
}


@dataclass(frozen=True, slots=True)
class Brake:
    """One such message, signed; `subject` is what its receipt names."""

    op: str
    body: dict[str, Any]
    subject: bytes

    @property
    def path(self) -> str:
        """Where REST takes it."""
        return "/v1/orders/" + self.op.replace("_", "-")


class Brakes:
    """Signs for one account, with its own key or a delegated one."""

    def __init__(self, wallet: Wallet, account: bytes) -> None:
        self._wallet = wallet
        self._account = account
        self._last_nonce = 0

    def cancel(self, exchange: Exchange, nonce: int) -> Brake:
        """End the open order on `nonce`."""
        return self._signed(exchange, "cancel", {"nonce": nonce}, {"nonce": str(nonce)})

    def cancel_all(self, exchange: Exchange, min_nonce: int) -> Brake:
        """End every order below `min_nonce`; such nonces are refused for ever."""
        return self._signed(exchange, "cancel_all", {"min_nonce": min_nonce}, {"min_nonce": str(min_nonce)})

    def mass_cancel(self, exchange: Exchange, symbol: str | None, side: Side | None) -> Brake:
        """End the open orders of one market or all, of one side or both."""
        market = 0 if symbol is None else exchange.markets[symbol].market.market_id
        fields = {"market": market, "side": BOTH_SIDES if side is None else int(side), "nonce": self._next_nonce()}
        shown = {"market": market, "side": "both" if side is None else side.name, "nonce": str(fields["nonce"])}
        return self._signed(exchange, "mass_cancel", fields, shown)

    def countdown(self, exchange: Exchange, seconds: int) -> Brake:
        """End all open orders so many seconds from now; 0 ends the countdown."""
        fields = {"seconds": seconds, "nonce": self._next_nonce()}
        return self._signed(exchange, "countdown", fields, fields | {"nonce": str(fields["nonce"])})

    def trading_stop(self, exchange: Exchange, stopped: bool) -> Brake:
        """Have every order refused and the open ones ended, or orders taken again."""
        fields = {"stopped": int(stopped), "nonce": self._next_nonce()}
        shown = {"stopped": stopped, "nonce": str(fields["nonce"])}
        return self._signed(exchange, "trading_stop", fields, shown)

    def _next_nonce(self) -> int:
        """The time in milliseconds, and never the same twice."""
        self._last_nonce = max(int(time.time() * 1_000), self._last_nonce + 1)
        return self._last_nonce

    def _signed(self, exchange: Exchange, op: str, fields: dict[str, int], shown: dict[str, Any]) -> Brake:
        values: dict[str, int | bytes] = {"account": self._account, **fields}
        body = {
            "chain_id": exchange.chain_id,
            "contract": exchange.custody,
            "account": checksum(self._account),
            **shown,
            "signature": "0x" + self._wallet.sign(exchange.domain, _TYPES[op], values).hex(),
        }
        return Brake(op, body, struct_hash(_TYPES[op], values))
