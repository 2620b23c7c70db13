"""Folding events into rows: what a run of journal records changes in the database, each row once.

Pure: records and the events of a replica go in, rows come out, the last value of each winning. A run is written in
one transaction together with its end, so writing it twice is impossible and losing it is too.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exchange.domain.order import PACKED_SIZE, Side
from exchange.domain.order_id import index_of
from exchange.engine import events as e
from exchange.engine.commands import PlaceFrame, PlaceGroup, PlaceOrder
from exchange.journal.reader import Record
from exchange.sequencer.candles import Candle, Candles
from exchange.sequencer.inbox import INBOX_COMMANDS, dedup_key, kind_of, to_payload

Row = dict[str, Any]

_FROM_INBOX = frozenset(INBOX_COMMANDS.values())
REJECTED = frozenset({e.CloseReason.fok_unfilled, e.CloseReason.post_only_would_take, e.CloseReason.price_out_of_band})


@dataclass(slots=True)
class Rows:
    """The rows of one run of records, by table; keys are columns. `seq`, `head` and `at_ms` are those of its end."""

    seq: int
    head: bytes
    at_ms: int
    records: int = 0
    assets: dict[int, Row] = field(default_factory=dict)
    markets: dict[int, Row] = field(default_factory=dict)
    market_changes: dict[int, Row] = field(default_factory=dict)
    market_bands: dict[int, Row] = field(default_factory=dict)
    accounts: dict[int, Row] = field(default_factory=dict)
    account_changes: dict[int, Row] = field(default_factory=dict)
    fee_schedules: list[Row] = field(default_factory=list)
    account_tiers: list[Row] = field(default_factory=list)
    balances: dict[tuple[int, int], Row] = field(default_factory=dict)
    orders: dict[int, Row] = field(default_factory=dict)
    order_fills: dict[int, Row] = field(default_factory=dict)
    order_closes: dict[int, Row] = field(default_factory=dict)
    order_triggers: dict[int, Row] = field(default_factory=dict)
    trades: list[Row] = field(default_factory=list)
    reversals: list[Row] = field(default_factory=list)
    batches: list[Row] = field(default_factory=list)
    final_batches: list[int] = field(default_factory=list)
    withdrawals: dict[bytes, Row] = field(default_factory=dict)
    withdrawal_ends: dict[bytes, Row] = field(default_factory=dict)
    forced: dict[str, Row] = field(default_factory=dict)
    forced_ends: dict[str, Row] = field(default_factory=dict)
    candles: list[Candle] = field(default_factory=list)
    inbox: dict[int, Row] = field(default_factory=dict)


class Fold:
    """Collects the rows of a run. `head_at` gives the journal's head after a sequence, for batches."""

    def __init__(self, head_at: Callable[[int], bytes]) -> None:
        self.rows = Rows(0, b"", 0)
        self._head_at = head_at
        self._candles = Candles()
        self._record: Record
        self._handlers: dict[type, Callable[[Any], None]] = {
            e.AssetListed: self._asset_listed,
            e.MarketListed: self._market_listed,
            e.MarketChanged: self._market_changed,
            e.MarketBoundsChanged: self._market_bounded,
            e.FeesAnnounced: self._fees_announced,
            e.AccountTierSet: self._account_tier_set,
            e.AccountOpened: self._account_opened,
            e.AccountChanged: self._account_changed,
            e.OrderAccepted: self._order_accepted,
            e.OrderAmended: self._order_amended,
            e.OrderTriggered: self._order_triggered,
            e.TradeMatched: self._trade_matched,
            e.OrderReduced: self._order_reduced,
            e.OrderClosed: self._order_closed,
            e.BalanceChanged: self._balance_changed,
            e.WithdrawalHeld: self._withdrawal_held,
            e.WithdrawalEnded: self._withdrawal_ended,
            e.ForcedReserved: self._forced_reserved,
            e.ForcedReleased: self._forced_released,
            e.BatchCut: self._batch_cut,
            e.BatchFinalized: self._batch_finalized,
            e.TradeReversed: self._trade_reversed,
        }

    def add(self, record: Record, events: list[e.Event]) -> None:
        """Fold in one record and what it did."""
        self._record = record
        handlers = self._handlers
        for event in events:
            handler = handlers.get(type(event))
            if handler is not None:  # levels, limits, credits and debits have no rows of their own
                handler(event)
        if type(record.command) in _FROM_INBOX:
            self._inbox_applied(record)
        self.rows.seq, self.rows.head, self.rows.at_ms = record.seq, record.head, record.at_ms
        self.rows.records += 1

    def finish(self) -> Rows:
        """The rows of everything added."""
        self.rows.candles = self._candles.all()
        return self.rows

    def _inbox_applied(self, record: Record) -> None:
        command: Any = record.command
        self.rows.inbox[command.inbox_id] = {
            "id": command.inbox_id,
            "kind": kind_of(type(command)),
            "payload": storable_json(json.dumps(to_payload(command))),
            "dedup_key": storable(dedup_key(command)),
            "applied_seq": record.seq,
        }

    def _asset_listed(self, event: e.AssetListed) -> None:
        asset = event.asset
        self.rows.assets[asset.asset_id] = {
            "asset_id": asset.asset_id,
            "symbol": storable(asset.symbol),
            "decimals": asset.decimals,
        }

    def _market_listed(self, event: e.MarketListed) -> None:
        market = event.market
        self.rows.markets[market.market_id] = {
            "market_id": market.market_id,
            "symbol": storable(market.symbol),
            "base_asset": market.base_asset,
            "quote_asset": market.quote_asset,
            "lot_size": market.lot_size,
            "tick_size": market.tick_size,
            "min_notional": market.min_notional,
            "band_bps": market.band_bps,
            "reference_price": market.reference_price,
            "status": market.status.value,
            "fee_account": event.fee_account,
        }

    def _market_changed(self, event: e.MarketChanged) -> None:
        self.rows.market_changes[event.market] = {
            "market_id": event.market,
            "status": str(event.status),
        }

    def _market_bounded(self, event: e.MarketBoundsChanged) -> None:
        self.rows.market_bands[event.market] = {"market_id": event.market, "band_bps": event.band_bps}

    def _fees_announced(self, event: e.FeesAnnounced) -> None:
        self.rows.fee_schedules.append(
            {
                "seq": self._record.seq,
                "market_id": event.market,
                "announced_at": self._record.at_ms,
                "effective_at": event.effective_at,
                "tiers": json.dumps(event.tiers),
                "floor": event.floor,
            }
        )

    def _account_tier_set(self, event: e.AccountTierSet) -> None:
        self.rows.account_tiers.append(
            {
                "seq": self._record.seq,
                "account_id": event.account,
                "announced_at": self._record.at_ms,
                "effective_at": event.effective_at,
                "tier": event.tier,
            }
        )

    def _account_opened(self, event: e.AccountOpened) -> None:
        self.rows.accounts[event.account] = {
            "account_id": event.account,
            "address": event.address,
            "status": "active",
            "min_nonce": 0,
        }

    def _account_changed(self, event: e.AccountChanged) -> None:
        self.rows.account_changes[event.account] = {
            "account_id": event.account,
            "status": event.status,
            "min_nonce": event.min_nonce,
        }

    def _balance_changed(self, event: e.BalanceChanged) -> None:
        self.rows.balances[event.account, event.asset] = {
            "account_id": event.account,
            "asset_id": event.asset,
            "available": event.available,
            "held": event.held,
            "reserved": event.reserved,
            "unsettled": event.unsettled,
            "deficit": event.deficit,
            "seq": self._record.seq,
        }

    def _order_accepted(self, event: e.OrderAccepted) -> None:
        packed = self._packed(event.order_id)
        self.rows.orders[event.order_id] = {
            "order_id": event.order_id,
            "account_id": event.account,
            "market_id": event.market,
            "side": event.side,
            "price": event.price,
            "quantity": event.quantity,
            "nonce": event.nonce,
            "expiry": event.expiry,
            "max_fee_bps": event.max_fee_bps,
            "terms": event.terms,
            "packed": packed,
            "order_hash": event.order_hash,
            "scheme": event.scheme,
            "signature": event.signature,
            "signer": event.signer,
            "client_order_id": storable(event.client_order_id),
            "maker_fee_ppm": event.maker_fee_ppm,
            "taker_fee_ppm": event.taker_fee_ppm,
            "fee_floor": event.fee_floor,
            "status": "open",
            "close_reason": None,
            "filled": 0,
            "remaining": event.quantity,
            "triggered_at": None,
            "created_at": self._record.at_ms,
            "closed_at": None,
        }

    def _packed(self, number: int) -> bytes:
        """An order as it was signed."""
        command = self._record.command
        if isinstance(command, PlaceFrame):
            at = PACKED_SIZE * index_of(number)
            return command.orders[at : at + PACKED_SIZE]
        if isinstance(command, PlaceGroup):
            return command.legs[index_of(number)].order.pack()
        if isinstance(command, PlaceOrder):
            return command.order.pack()
        raise TypeError(f"an order was accepted by {type(command).__name__}, sequence {self._record.seq}")

    def _trade_matched(self, event: e.TradeMatched) -> None:
        at_ms = self._record.at_ms
        self.rows.trades.append(
            {
                "trade_id": event.trade_id,
                "seq": self._record.seq,
                "market_id": event.market,
                "price": event.price,
                "quantity": event.quantity,
                "quote": event.quote,
                "taker_side": event.taker_side,
                "maker_order_id": event.maker_order,
                "taker_order_id": event.taker_order,
                "maker_account_id": event.maker_account,
                "taker_account_id": event.taker_account,
                "maker_fee": event.maker_fee,
                "taker_fee": event.taker_fee,
                "at_ms": at_ms,
            }
        )
        self._candles.add(event.market, at_ms, event.price, event.quantity, event.quote)
        self._order_changed(event.maker_order, event.maker_remaining, event.quantity)
        taker = self.rows.orders.get(event.taker_order)  # one for an amount of quote never rests, so it is here
        by_quote = taker is not None and taker["side"] == Side.buy_quote
        self._order_changed(event.taker_order, event.taker_remaining, event.quote if by_quote else event.quantity)

    def _order_amended(self, event: e.OrderAmended) -> None:
        self._order_changed(event.order_id, event.remaining, 0)

    def _order_triggered(self, event: e.OrderTriggered) -> None:
        change = {"order_id": event.order_id, "triggered_at": self._record.at_ms}
        row = self.rows.orders.get(event.order_id)
        if row is None:
            self.rows.order_triggers[event.order_id] = change
        else:
            row.update(change)

    def _order_reduced(self, event: e.OrderReduced) -> None:
        self._order_changed(event.order_id, event.remaining, 0)

    def _order_changed(self, order_id: int, remaining: int, filled: int) -> None:
        row = self.rows.orders.get(order_id)
        if row is None:
            row = self.rows.order_fills.setdefault(order_id, {"order_id": order_id, "remaining": 0, "filled": 0})
        row["remaining"] = remaining
        row["filled"] += filled

    def _order_closed(self, event: e.OrderClosed) -> None:
        change = {
            "status": order_status(event.reason),
            "close_reason": event.reason.value,
            "closed_at": self._record.at_ms,
        }
        row = self.rows.orders.get(event.order_id)
        if row is None:
            self.rows.order_closes[event.order_id] = {"order_id": event.order_id, **change}
        else:
            row.update(change)

    def _withdrawal_held(self, event: e.WithdrawalHeld) -> None:
        self.rows.withdrawals[event.withdrawal_hash] = {
            "withdrawal_hash": event.withdrawal_hash,
            "account_id": event.account,
            "asset_id": event.asset,
            "amount": event.amount,
            "nonce": event.nonce,
            "deadline": event.deadline,
            "message": storable_json(event.message),
            "signature": event.signature,
            "status": "held",
            "cause": None,
            "seq": self._record.seq,
            "created_at": self._record.at_ms,
            "ended_at": None,
        }

    def _withdrawal_ended(self, event: e.WithdrawalEnded) -> None:
        change = {"status": event.outcome, "cause": storable(event.cause), "ended_at": self._record.at_ms}
        row = self.rows.withdrawals.get(event.withdrawal_hash)
        if row is None:
            self.rows.withdrawal_ends[event.withdrawal_hash] = {"withdrawal_hash": event.withdrawal_hash, **change}
        else:
            row.update(change)

    def _forced_reserved(self, event: e.ForcedReserved) -> None:
        request = storable(event.request)
        self.rows.forced_ends.pop(request, None)
        self.rows.forced[request] = {
            "request": request,
            "account_id": event.account,
            "asset_id": event.asset,
            "requested": event.requested,
            "reserved": event.reserved,
            "status": "reserved",
            "seq": self._record.seq,
        }

    def _forced_released(self, event: e.ForcedReleased) -> None:
        request = storable(event.request)
        change = {"status": event.outcome, "seq": self._record.seq}
        row = self.rows.forced.get(request)
        if row is None:
            self.rows.forced_ends[request] = {"request": request, **change}
        else:
            row.update(change)

    def _batch_cut(self, event: e.BatchCut) -> None:
        self.rows.batches.append(
            {
                "batch": event.batch,
                "from_seq": event.from_seq,
                "to_seq": event.to_seq,
                "prev_head": self._head_at(event.from_seq),
                "new_head": self._head_at(event.to_seq),
                "status": "cut",
                "cut_seq": self._record.seq,
            }
        )

    def _batch_finalized(self, event: e.BatchFinalized) -> None:
        self.rows.final_batches.append(event.batch)

    def _trade_reversed(self, event: e.TradeReversed) -> None:
        self.rows.reversals.append(
            {
                "trade_id": event.trade_id,
                "seq": self._record.seq,
                "cause": storable(event.cause),
                "because_of": event.because_of,
                "at_ms": self._record.at_ms,
            }
        )


def order_status(reason: e.CloseReason) -> str:
    """The status of an order that was closed for `reason`."""
    if reason in (e.CloseReason.filled, e.CloseReason.expired):
        return reason.value
    return "rejected" if reason in REJECTED else "cancelled"


def storable(text: str) -> str:
    """The text without the one character that the database cannot store."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def storable_json(message: str) -> str:
    """A JSON document as the database can store it; text that is none is stored as a string."""
    try:
        value = json.loads(message, parse_constant=str, parse_float=str)
    except (ValueError, RecursionError):
        value = message
    text = json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()
    return text.replace("\\u0000", "\N{REPLACEMENT CHARACTER}")
