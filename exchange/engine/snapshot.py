"""The state as plain lists, and back; its hash. Two engines with equal hashes answer every command equally.

What has no order of its own is sorted; what is kept in order of arrival (trades, requests) stays so. Open orders
stand as they queue, market by market, bids before asks, the best price first; behind them those in no book, by age.
Integers fit 64 bits, so that msgpack carries everything.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import msgspec

from exchange.domain.fees import FeeRules, Schedule
from exchange.domain.instrument import Asset, Market, MarketStatus
from exchange.domain.order import Order
from exchange.engine import events as e
from exchange.engine import groups
from exchange.engine.accounts import Account, AccountLimits, Balance, NonceSet, Recent
from exchange.engine.book import Book
from exchange.engine.commands import PlaceOrder
from exchange.engine.orders import OpenOrder, by_age, group_of
from exchange.engine.state import Auction, Batch, ForcedRequest, State, Trade, Withdrawal
from exchange.engine.timeline import Timeline
from exchange.engine.triggers import Trigger, wait

VERSION = 14

UNLISTED = -1
"""The decimals of an asset that has come in and is not listed yet."""


class SnapshotError(ValueError):
    """The bytes are no snapshot, or one of another version."""


def dump(state: State) -> bytes:
    """The whole state, canonical: equal states give equal bytes."""
    orders = standing(state)
    return msgspec.msgpack.encode(
        [
            VERSION,
            [
                state.seq,
                state.at_ms,
                state.inbox_id,
                state.last_trade,
                state.last_batch,
                state.cut_seq,
                state.cut_trade,
            ],
            list(astuple(state.limits)),
            list(astuple(state.fee_rules)),
            [
                [*astuple(state.assets.get(key) or Asset(key, "", UNLISTED)), state.issued[key]]
                for key in sorted(state.issued)
            ],
            [_dump_account(account) for account in state.accounts],
            [_dump_book(state.books[key]) for key in sorted(state.books)],
            [_dump_order(order) for order in orders],
            [[trade.seq, trade.at_ms, *astuple(trade.match)] for trade in state.trades.values()],
            [[batch.batch, batch.from_seq, batch.to_seq, batch.last_trade] for batch in state.batches],
            [_dump_withdrawal(key, state.withdrawals[key]) for key in state.withdrawals],
            [_dump_forced(forced) for forced in state.forced.values()],
            [[order_id, *trigger] for order_id, trigger in _triggers(state)],
            [[order_id, *astuple(trigger)] for order_id, trigger in state.due.items()],
            [astuple(state.bounds[market]) for market in sorted(state.bounds)],
            [[order_id, *state.replaced[order_id]] for order_id in sorted(state.replaced)],
            [[order.order_id, order.partner.order_id if order.partner else 0] for order in _legs(orders)],
            [[auction.market, auction.ends_at, auction.price] for auction in state.auctions.values()],
            [
                [account, limits.max_open_orders, sorted(limits.max_open_notional.items())]
                for account, limits in sorted(state.limited.items())
            ],
        ]
    )


def state_hash(state: State) -> bytes:
    """SHA-256 of the canonical state, 32 bytes."""
    return hashlib.sha256(dump(state)).digest()


def load(data: bytes) -> State:
    """The state that `dump` wrote; SnapshotError if `data` is something else."""
    try:
        return _load(msgspec.msgpack.decode(data))
    except (msgspec.DecodeError, ValueError, TypeError, LookupError) as error:
        raise SnapshotError(f"not a snapshot of version {VERSION}: {error}") from error


def _load(parts: list[Any]) -> State:
    if not isinstance(parts, list) or parts[0] != VERSION:
        raise SnapshotError("unknown version")
    _, counters, limits, fee_rules, assets, accounts, books, orders, trades, batches, *rest = parts
    withdrawals, forced, triggers, due, bounds, replaced, legs, auctions, limited = rest
    state = State()
    state.seq, state.at_ms, state.inbox_id, state.last_trade, state.last_batch, state.cut_seq, state.cut_trade = (
        counters
    )
    state.limits = e.LimitsChanged(*limits)
    state.fee_rules = FeeRules(*fee_rules)
    state.bounds = {market: e.MarketBoundsChanged(market, *values) for market, *values in bounds}
    state.replaced = {order_id: tuple(hashes) for order_id, *hashes in replaced}
    for *fields, issued in assets:
        asset = Asset(*fields)
        if asset.decimals != UNLISTED:
            state.assets[asset.asset_id] = asset
        state.issued[asset.asset_id] = issued
    for values in accounts:
        account = _load_account(len(state.accounts) + 1, values)
        state.accounts.append(account)
        state.by_address[account.address] = account
    for values in books:
        book = _load_book(state, values)
        state.books[book.market.market_id] = book
    waiting = {order_id: Trigger(*values) for order_id, *values in triggers}
    state.due.update((order_id, Trigger(*values)) for order_id, *values in due)
    for values in orders:
        _load_order(state, values, waiting)
    _load_legs(state, legs)
    state.auctions = {market: Auction(market, ends_at, price) for market, ends_at, price in auctions}
    state.limited = {account: AccountLimits(most, dict(by_asset)) for account, most, by_asset in limited}
    for account in state.accounts:
        state.watch_countdown(account)
    for seq, at_ms, *fields in trades:
        match = e.TradeMatched(*fields)
        state.trades[match.trade_id] = Trade(seq, at_ms, match)
    state.oldest_unsettled_at = next((trade.at_ms for trade in state.trades.values()), None)
    state.batches.extend(Batch(*values) for values in batches)
    for withdrawal_hash, account_id, asset, amount, nonce, deadline in withdrawals:
        balance = state.account_by_id(account_id).balance(asset)
        state.withdrawals[withdrawal_hash] = Withdrawal(balance, amount, nonce, deadline)
        balance.account.holds += 1
    for request, account_id, asset, requested, reserved in forced:
        entry = ForcedRequest(request, state.account_by_id(account_id).balance(asset), requested)
        entry.reserved = reserved
        state.forced[request] = entry
    state.flush()
    return state


def _dump_account(account: Account) -> list[Any]:
    return [
        account.address,
        account.min_nonce,
        account.top_nonce,
        account.exiting,
        account.frozen,
        [account.owner_brake_nonce, account.brake_nonce, account.countdown, account.stops],
        sorted(account.revoked),
        [list(entry) for entry in account.tiers.entries] if account.tiers else [],
        sorted(account.used_nonces.words.items()),
        sorted(account.used_withdrawals.words.items()),
        sorted(account.used_groups.words.items()),
        [list(account.order_hashes.old.items()), list(account.order_hashes.young.items())],
        [list(account.client_order_ids.old.items()), list(account.client_order_ids.young.items())],
        [
            [key, b.available, b.held, b.reserved, b.unsettled, b.deficit, b.owed]
            for key, b in sorted(account.balances.items())
        ],
    ]


def _load_account(account_id: int, values: list[Any]) -> Account:
    address, min_nonce, top_nonce, exiting, frozen, brakes, *values = values
    revoked, tiers, nonces, withdrawals, used_groups, hashes, client_ids, balances = values
    account = Account(account_id, address)
    account.min_nonce, account.top_nonce = min_nonce, top_nonce
    account.exiting, account.frozen = exiting, frozen
    account.owner_brake_nonce, account.brake_nonce, account.countdown, account.stops = brakes
    account.revoked = set(revoked)
    account.tiers = Timeline([(from_ms, tier) for from_ms, tier in tiers]) if tiers else None
    account.used_nonces = _load_nonces(nonces)
    account.used_withdrawals = _load_nonces(withdrawals)
    account.used_groups = _load_nonces(used_groups)
    account.order_hashes = _load_recent(hashes)
    account.client_order_ids = _load_recent(client_ids)
    for asset, available, held, reserved, unsettled, deficit, owed in balances:
        balance = Balance(account, asset)
        balance.available, balance.held, balance.reserved = available, held, reserved
        balance.unsettled, balance.deficit, balance.owed = unsettled, deficit, owed
        account.balances[asset] = balance
        account.deficits += deficit > 0
    return account


def _load_nonces(words: list[tuple[int, int]]) -> NonceSet:
    nonces = NonceSet()
    nonces.words = dict(words)
    return nonces


def _load_recent(generations: list[Any]) -> Recent[Any, Any]:
    recent: Recent[Any, Any] = Recent()
    recent.old, recent.young = (dict(items) for items in generations)
    return recent


def _dump_book(book: Book) -> list[Any]:
    schedules = [[from_ms, *astuple(schedule)] for from_ms, schedule in book.schedules.entries]
    return [astuple(book.market), book.fee_account.account_id, book.last_price, schedules]


def _load_book(state: State, values: list[Any]) -> Book:
    (*rules, status), fee_account, last_price, entries = values
    schedules = [
        (from_ms, Schedule(tuple((maker, taker) for maker, taker in tiers), floor)) for from_ms, tiers, floor in entries
    ]
    book = Book(Market(*[*rules, MarketStatus(status)]), state.account_by_id(fee_account), schedules)
    book.last_price = last_price
    return book


def standing(state: State) -> list[OpenOrder]:
    """The open orders, queue by queue, then those that wait."""
    books = [state.books[key] for key in sorted(state.books)]
    queued = [order for book in books for half in (book.bids, book.asks) for level in half for order in level]
    if len(queued) == len(state.orders):
        return queued
    return queued + by_age(order for order in state.orders.values() if order.level is None)


def _dump_order(order: OpenOrder) -> list[Any]:
    placed = order.placed
    return [
        order.order_id,
        placed.order.pack(),
        placed.order_hash,
        placed.scheme,
        placed.signature,
        placed.signer,
        placed.client_order_id,
        order.remaining,
        order.held,
        order.hidden,
        [order.maker_ppm, order.taker_ppm, order.hold_ppm, order.floor, order.cap_bps],
    ]


def _triggers(state: State) -> list[tuple[int, tuple[int, ...]]]:
    """What the waiting orders wait for, by id."""
    return sorted(
        (key, astuple(trigger)) for watch in state.watches.values() for key, trigger in watch.triggers.items()
    )


def _load_order(state: State, values: list[Any], waiting: Mapping[int, Trigger]) -> None:
    order_id, packed, order_hash, scheme, signature, signer, client_order_id, *amounts, rates = values
    signed = Order.unpack(packed)
    placed = PlaceOrder(signed, order_hash, scheme, signature, signer, client_order_id)
    *fees, cap_bps = rates
    account, book = state.by_address[signed.account], state.books[signed.market]
    order = OpenOrder(order_id, placed, account, book, (fees[0], fees[1], fees[2], fees[3]), cap_bps)
    order.remaining, held, order.hidden = amounts
    # the hold is in the balances already: give it back for a moment, then rest as any order does
    order.pays.available += held
    order.pays.held -= held
    if order_id in waiting or order_id in state.due:
        wait(state, order, waiting.get(order_id))
    else:
        state.rest(order)
    _hold(order, held)


def _hold(order: OpenOrder, held: int) -> None:
    """A leg of a group may hold less than it needs by itself."""
    order.pays.available += order.held - held
    order.pays.held -= order.held - held
    order.held = held


def _legs(orders: list[OpenOrder]) -> list[OpenOrder]:
    """The legs of groups that are not decided, by id; of two the one with the lower id stands for both."""
    legs = [leg for leg in orders if leg.group and (leg.partner is None or leg.order_id < leg.partner.order_id)]
    return sorted(legs, key=lambda leg: leg.order_id)


def _load_legs(state: State, legs: list[Any]) -> None:
    for order_id, partner_id in legs:
        order = state.orders[order_id]
        order.group = group_of(order.placed.order.terms)
        if not partner_id:
            groups.join(order)
            continue
        partner = state.orders[partner_id]
        partner.group, partner.partner, order.partner = order.group, order, partner


def _dump_withdrawal(withdrawal_hash: bytes, withdrawal: Withdrawal) -> list[Any]:
    balance = withdrawal.balance
    return [
        withdrawal_hash,
        balance.account.account_id,
        balance.asset,
        withdrawal.amount,
        withdrawal.nonce,
        withdrawal.deadline,
    ]


def _dump_forced(forced: ForcedRequest) -> list[Any]:
    balance = forced.balance
    return [forced.request, balance.account.account_id, balance.asset, forced.requested, forced.reserved]
