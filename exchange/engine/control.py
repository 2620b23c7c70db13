"""Everything that is not an order, money or settlement: cancels, what the chain says of accounts, listings."""

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import Schedule
from exchange.domain.instrument import MarketStatus
from exchange.domain.order import NONCE_LIMIT, SINGLE_FILL
from exchange.domain.settlement import MAX_EXECUTIONS
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.accounts import Account
from exchange.engine.auctions import change_status, end_call, gather, open_market, price_auction
from exchange.engine.book import Book
from exchange.engine.events import CloseReason
from exchange.engine.fees import check_schedule
from exchange.engine.orders import by_age
from exchange.engine.state import Auction, State

CANCELLED = CloseReason.cancelled

MAX_NONCE_STEP = 1 << 44
"""How far one cancel-all raises the minimum nonce, at most; the contract has the same limit."""

DELEGATED_NONCE_SLACK = 1 << 20
"""How far above the time, or the account's own orders, a delegated key raises the minimum nonce, at most."""


def cancel_order(state: State, command: c.CancelOrder) -> None:
    """Cancel one open order by its nonce."""
    account = state.account(command.account)
    check_signer(account, command.signer)
    order = account.orders.get(command.nonce)
    if order is not None:
        return state.close(order, CANCELLED)
    if command.nonce in account.used_nonces:
        raise Refusal(ErrorCode.order_closed, "the order on this nonce is closed already", "nonce")
    raise Refusal(ErrorCode.unknown_order, "there is no order on this nonce", "nonce")


def cancel_all(state: State, at_ms: int, command: c.CancelAll) -> None:
    """Raise the minimum nonce and cancel the open orders below it."""
    account = state.account(command.account)
    check_signer(account, command.signer)
    if command.min_nonce <= account.min_nonce:
        minimum = account.min_nonce
        raise Refusal(
            ErrorCode.nonce_too_low,
            f"min_nonce must be above {minimum}, the one in force",
            "min_nonce",
            {"min_nonce": str(minimum)},
        )
    highest = _highest_minimum(account, command.signer, at_ms)
    if command.min_nonce > highest:
        raise Refusal(
            ErrorCode.nonce_out_of_range,
            f"min_nonce must be at most {highest}, or the account's nonces could be used up",
            "min_nonce",
            {"max": str(highest)},
        )
    _raise_min_nonce(state, account, command.min_nonce, CloseReason.cancelled)


def obey_cancel(state: State, command: c.ObeyCancel) -> None:
    """Obey a cancel that was posted on chain; what it cancels may be closed, or not be here yet."""
    account = state.open_account(command.account)
    if command.min_nonce:
        if command.min_nonce > account.min_nonce:
            _raise_min_nonce(state, account, command.min_nonce, CloseReason.cancelled_on_chain)
        return
    account.used_nonces.add(command.nonce)
    order = account.orders.get(command.nonce)
    if order is not None:
        state.close(order, CloseReason.cancelled_on_chain)


def obey_revocation(state: State, command: c.ObeyRevocation) -> None:
    """Cancel the delegate's orders, and take no more of them."""
    account = state.open_account(command.account)
    account.revoked.add(command.delegate)
    for order in by_age(account.orders.values()):
        if order.placed.signer == command.delegate and not order.ended:
            state.close(order, CloseReason.delegate_revoked)


def allow_delegate(state: State, command: c.AllowDelegate) -> None:
    """Take the delegate's orders again."""
    account = state.by_address.get(command.account)
    if account is not None:
        account.revoked.discard(command.delegate)


def set_exiting(state: State, command: c.SetExiting) -> None:
    """Stop the account, its orders included, or let it go on."""
    account = state.open_account(command.account)
    account.exiting = command.exiting
    state.touched_accounts[account] = None
    if command.exiting:
        state.close_all(account, CloseReason.account_exiting)


def set_frozen(state: State, command: c.SetFrozen) -> None:
    """Stop an account that its owner froze, its orders included, or let it go on."""
    account = state.open_account(command.account)
    account.frozen = command.frozen
    state.touched_accounts[account] = None
    if command.frozen:
        state.close_all(account, CloseReason.account_frozen)


def list_asset(state: State, command: c.ListAsset) -> None:
    """A new asset, of which there is nothing yet, or what came in before it was listed."""
    asset = command.asset
    if asset.asset_id in state.assets:
        raise Refusal(ErrorCode.asset_exists, f"asset {asset.asset_id} is listed already", "asset")
    state.assets[asset.asset_id] = asset
    state.issued.setdefault(asset.asset_id, 0)
    state.events.append(e.AssetListed(asset))


def list_market(state: State, at_ms: int, command: c.ListMarket) -> None:
    """A new market between two listed assets."""
    market = command.market
    if market.market_id in state.books:
        raise Refusal(ErrorCode.market_exists, f"market {market.market_id} is listed already", "market")
    if market.base_asset == market.quote_asset or not {market.base_asset, market.quote_asset} <= state.assets.keys():
        raise Refusal(ErrorCode.unknown_asset, "base and quote must be two listed assets", "market")
    if market.lot_size <= 0 or market.tick_size <= 0 or min(market.min_notional, market.reference_price) < 0:
        raise Refusal(ErrorCode.amount_out_of_range, "lot_size and tick_size must be positive", "market")
    schedule = Schedule(((market.maker_fee_ppm, market.taker_fee_ppm),))
    check_schedule(state, schedule)
    fee_account = state.open_account(command.fee_account)
    state.books[market.market_id] = state.new_book(market, fee_account, [(at_ms, schedule)])
    state.events.append(e.MarketListed(market, fee_account.account_id))
    if market.status is MarketStatus.auction:
        gather(state, state.books[market.market_id], 0)
    state.events.append(e.FeesAnnounced(market.market_id, at_ms, schedule.tiers, schedule.floor))


def set_market_status(state: State, at_ms: int, command: c.SetMarketStatus) -> None:
    """Open, halt or delist a market; delisting is for ever and closes its orders."""
    book = state.book(command.market)
    try:
        status = MarketStatus(command.status)
    except ValueError:
        choices = ", ".join(MarketStatus)
        raise Refusal(ErrorCode.malformed, f"status must be one of {choices}", "status") from None
    if status is MarketStatus.auction:
        raise Refusal(ErrorCode.malformed, "an auction has a command of its own", "status")
    if book.market.status is MarketStatus.delisted:
        raise Refusal(ErrorCode.market_halted, "the market is delisted for ever", "market")
    auction = state.auctions.get(command.market)
    if status is MarketStatus.open:
        return _open(state, at_ms, book, auction)
    if auction is not None:
        auction.price = 0  # one that traded goes on when the market opens, at the price of then
    change_status(state, book, status)
    if status is MarketStatus.delisted:
        state.auctions.pop(command.market, None)
        waiting = by_age(order for order in state.orders.values() if order.level is None and order.book is book)
        for order in [order for half in (book.bids, book.asks) for level in half for order in level] + waiting:
            if not order.ended:
                state.close(order, CloseReason.market_delisted)
    return None


def _open(state: State, at_ms: int, book: Book, auction: Auction | None) -> None:
    """Open a market, once the auction that it is in has traded: its call ends now."""
    if auction is None:
        open_market(state, book)
    elif auction.price:
        return
    elif state.is_behind(at_ms):
        end_call(state, at_ms, book)
    else:
        price_auction(state, auction)


def set_limits(state: State, command: c.SetLimits) -> None:
    """New limits for the commands to come."""
    if command.max_unsettled_ms < 0 or command.max_open_orders < 1 or command.max_fills < 1:
        raise Refusal(ErrorCode.amount_out_of_range, "max_unsettled_ms must be 0 or more, the other limits 1 or more")
    if command.max_fills >= MAX_EXECUTIONS:  # an order and all that it meets settle in one batch
        raise Refusal(
            ErrorCode.amount_out_of_range, f"max_fills must be below the {MAX_EXECUTIONS} executions of a batch"
        )
    state.limits = e.LimitsChanged(command.max_unsettled_ms, command.max_open_orders, command.max_fills)
    state.events.append(state.limits)


def check_signer(account: Account, signer: bytes) -> None:
    """Refuse a delegate that is revoked."""
    if account.revoked and signer in account.revoked:
        raise Refusal(ErrorCode.unknown_delegate, "this delegate is revoked: sign with another key", "signature")


def _highest_minimum(account: Account, signer: bytes, at_ms: int) -> int:
    """How high this signer may raise the minimum nonce now.

    Nonces run out for ever, so a delegated key gets no further than the time in milliseconds, where clients
    start to count, and the nonces that the account's own key used. Nonces of delegated orders do not count,
    because a delegated key chooses them.
    """
    highest = min(account.min_nonce + MAX_NONCE_STEP, NONCE_LIMIT) - 1
    if signer == account.address:
        return highest
    return min(highest, max(account.top_nonce, at_ms) + DELEGATED_NONCE_SLACK)


def _raise_min_nonce(state: State, account: Account, min_nonce: int, reason: CloseReason) -> None:
    account.min_nonce = min_nonce
    state.touched_accounts[account] = None
    for order in by_age(account.orders.values()):
        if order.placed.order.nonce & ~SINGLE_FILL < min_nonce and not order.ended:
            state.close(order, reason)
