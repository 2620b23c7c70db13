"""What an account, or the operator for it, stops at once: its orders, after a silence its orders, its trading.

A signed brake carries the time in milliseconds as its nonce, which only rises: so an old one cannot be sent again, and
none can be kept for later. What the account's own key signed is counted apart from what its delegates signed, so that a
stolen delegated key, whatever nonces it uses, is no bar to the owner's brakes.
"""

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import MarketStatus
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.accounts import Account
from exchange.engine.control import check_signer
from exchange.engine.events import CloseReason
from exchange.engine.orders import BUY, SELL, by_age
from exchange.engine.state import State

BOTH_SIDES = 2
EVERY_MARKET = 0

MAX_SKEW_MS = 60_000
"""How far a brake's nonce may be from the engine's time."""

MAX_COUNTDOWN_SECONDS = 86_400

BY_OWNER = 1
BY_OPERATOR = 2


def only_reduces_risk(command: c.Command) -> bool:
    """Whether a command can do nothing but end orders and stop trading."""
    match command:
        case c.CancelOrder() | c.CancelAll() | c.MassCancel() | c.ObeyCancel() | c.ObeyRevocation():
            return True
        case c.SetCountdown():
            return command.seconds > 0
        case c.StopTrading() | c.SetTradingStop():
            return command.stopped
        case c.SetExiting():
            return command.exiting
        case c.SetFrozen():
            return command.frozen
        case c.SetMarketStatus():
            return command.status == MarketStatus.halted
        case _:
            return False


def is_from_operator(command: c.Command) -> bool:
    """Of what only reduces risk, whether an operator or the contract's halt says it, and no user."""
    return isinstance(command, c.SetMarketStatus | c.SetTradingStop)


def mass_cancel(state: State, at_ms: int, command: c.MassCancel) -> None:
    """Cancel the account's open orders of one market or all, and of one side or both."""
    account = state.account(command.account)
    check_signer(account, command.signer)
    if command.side not in (BUY, SELL, BOTH_SIDES):
        raise Refusal(ErrorCode.unsupported_terms, "side must be 0 (buy), 1 (sell) or 2 (both)", "side")
    if command.market != EVERY_MARKET:
        state.book(command.market)
    _use_nonce(account, command.signer, at_ms, command.nonce)
    for order in by_age(account.orders.values()):
        meant = command.market in (EVERY_MARKET, order.placed.order.market) and command.side in (BOTH_SIDES, order.side)
        if meant and not order.ended:
            state.close(order, CloseReason.mass_cancelled)


def set_countdown(state: State, at_ms: int, command: c.SetCountdown) -> None:
    """From now on the account's orders end when so many seconds pass without another countdown; 0 ends it."""
    account = state.account(command.account)
    check_signer(account, command.signer)
    if command.seconds > MAX_COUNTDOWN_SECONDS:
        raise Refusal(
            ErrorCode.amount_out_of_range,
            f"seconds must be at most {MAX_COUNTDOWN_SECONDS}",
            "seconds",
            {"max": MAX_COUNTDOWN_SECONDS},
        )
    _use_nonce(account, command.signer, at_ms, command.nonce)
    account.countdown = -(-at_ms // 1_000) + command.seconds if command.seconds else 0
    state.watch_countdown(account)
    state.events.append(e.CountdownSet(account.account_id, account.countdown))


def stop_trading(state: State, at_ms: int, command: c.StopTrading) -> None:
    """The owner stops its trading, or lets it go on; what the operator stopped stays stopped."""
    account = state.account(command.account)
    _use_nonce(account, account.address, at_ms, command.nonce)
    _stop(state, account, BY_OWNER, command.stopped)


def set_trading_stop(state: State, command: c.SetTradingStop) -> None:
    """The operator stops an account's trading, or lets it go on; what the owner stopped stays stopped."""
    _stop(state, state.open_account(command.account), BY_OPERATOR, command.stopped)


def _stop(state: State, account: Account, who: int, stopped: bool) -> None:
    account.stops = account.stops | who if stopped else account.stops & ~who
    state.events.append(
        e.TradingStopChanged(account.account_id, bool(account.stops & BY_OWNER), bool(account.stops & BY_OPERATOR))
    )
    if stopped:
        state.close_all(account, CloseReason.trading_stopped)


def _use_nonce(account: Account, signer: bytes, at_ms: int, nonce: int) -> None:
    """Refuse a nonce that the account, or its delegates, passed or that is no time of now; remember it otherwise."""
    by_owner = signer == account.address
    last = account.owner_brake_nonce if by_owner else account.brake_nonce
    if nonce <= last:
        raise Refusal(
            ErrorCode.nonce_too_low,
            f"the nonce must be above {last}, the last one's",
            "nonce",
            {"above": str(last)},
        )
    if abs(nonce - at_ms) > MAX_SKEW_MS:
        raise Refusal(
            ErrorCode.nonce_out_of_range,
            f"the nonce must be the time in milliseconds, which is {at_ms}",
            "nonce",
            {"now_ms": str(at_ms)},
        )
    if by_owner:
        account.owner_brake_nonce = nonce
    else:
        account.brake_nonce = nonce
