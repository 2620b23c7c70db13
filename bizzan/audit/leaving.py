"""What may take a resting order out of the book, by the reason that is given (PRI-3)."""

from __future__ import annotations

from collections.abc import Mapping

from bizzan.audit.standing import Standing
from exchange.engine import commands as c
from exchange.engine.events import CloseReason
from exchange.journal.reader import Record

EVERY_MARKET, BOTH_SIDES = 0, 2
# Commands about the account or the market.
_ABOUT: dict[CloseReason, tuple[type, ...]] = {
    CloseReason.cancelled: (c.CancelOrder, c.CancelAll),
    CloseReason.cancelled_on_chain: (c.ObeyCancel,),
    CloseReason.delegate_revoked: (c.ObeyRevocation,),
    CloseReason.account_exiting: (c.SetExiting,),
    CloseReason.account_frozen: (c.SetFrozen,),
    CloseReason.market_delisted: (c.SetMarketStatus,),
    CloseReason.mass_cancelled: (c.MassCancel,),
    CloseReason.trading_stopped: (c.StopTrading, c.SetTradingStop),
}
# These follow from what others owe or did: money taken back, an order of one's own met, the limits of settlement.
_CAUSES: dict[CloseReason, tuple[type, ...]] = {
    CloseReason.debited: (c.Uncredit, c.Debit, c.ReserveForced),
    CloseReason.trade_reversed: (c.ReverseTrades,),
    CloseReason.self_trade: (c.PlaceOrder, c.PlaceGroup, c.PlaceFrame, c.Tick),
    CloseReason.unsettled_limit: (c.PlaceOrder, c.PlaceGroup, c.PlaceFrame, c.Tick),
}


def may_leave(record: Record, order: Standing, reason: CloseReason, countdowns: Mapping[bytes, int]) -> bool:
    """Whether something in the journal says so. `countdowns` are when accounts' orders end, in milliseconds."""
    if reason == CloseReason.expired:
        return order.expiry * 1_000 <= record.at_ms
    if reason in (CloseReason.group, CloseReason.amended):
        return True  # judged with its record, and with what replaces it
    if reason == CloseReason.countdown:
        return countdowns.get(order.account, record.at_ms + 1) <= record.at_ms
    if reason in _CAUSES:
        return isinstance(record.command, _CAUSES[reason])
    command = record.command
    if not isinstance(command, _ABOUT.get(reason, ())):
        return False
    if isinstance(command, c.SetMarketStatus):
        return command.market == order.market
    if getattr(command, "account", None) != order.account:
        return False
    if isinstance(command, c.CancelOrder) or (isinstance(command, c.ObeyCancel) and not command.min_nonce):
        return command.nonce == order.nonce
    if isinstance(command, c.MassCancel):
        return command.market in (EVERY_MARKET, order.market) and command.side in (BOTH_SIDES, order.book_side)
    if isinstance(command, c.CancelAll | c.ObeyCancel):
        return order.nonce % (1 << 63) < command.min_nonce
    return True
