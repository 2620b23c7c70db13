"""An account as the engine has it, in the shape of the stream."""

from typing import Any

from backend.stream.account_feed import AccountState, Load
from backend.wire import hexed
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order, Side
from exchange.engine.orders import group_of
from exchange.sequencer.client import EngineClient
from exchange.sequencer.protocol import BalanceView, OpenOrderView


def load_account(engine: EngineClient) -> Load:
    """A function that asks `engine` for an account."""

    async def load(address: bytes) -> AccountState:
        """Balances at `seq`, and open orders at that sequence or later.

        Orders may be ahead of `seq`: events carry absolute values, so that applying one twice is harmless.
        """
        before = await engine.status()
        try:
            view = await engine.account(address)
        except Refusal as refusal:
            if refusal.code != ErrorCode.unknown_account:
                raise
            return AccountState(before.seq, None, {"status": "unknown", "balances": [], "orders": []})
        orders = await engine.open_orders(address)
        content = {
            "status": view.status,
            "balances": [_balance(balance) for balance in view.balances],
            "orders": [_order(order) for order in orders],
        }
        return AccountState(view.seq, view.account, content)

    return load


def _balance(view: BalanceView) -> dict[str, Any]:
    names = ("available", "held", "reserved", "unsettled", "deficit", "withdrawable")
    return {"asset_id": view.asset, **{name: str(getattr(view, name)) for name in names}}


def _order(view: OpenOrderView) -> dict[str, Any]:
    order = Order.unpack(view.packed)
    return {
        "order_id": view.order_id,
        "order_hash": hexed(view.order_hash),
        "client_order_id": view.client_order_id,
        "market": order.market,
        "side": Side(order.side).name,
        "price": str(order.price),
        "quantity": str(order.quantity),
        "remaining": str(view.remaining),
        "nonce": str(order.nonce),
        "expiry": order.expiry,
        "trigger_price": str(order.trigger_price),
        "waiting": view.waiting,
        "group": group_of(order.terms),
    }
