"""The journal, replayed from its first record by an engine of the audit's own.

Reading checks every link of the hash chain; replaying checks that each command is one that the engine accepts.
What the engine then says (orders, trades, batches, balances) is kept to be compared with chain and database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bizzan.audit.backlog import BacklogLedger
from bizzan.audit.comparing import Problem
from bizzan.audit.fee_ledger import FeeLedger
from bizzan.audit.meddling import Meddling
from bizzan.audit.placed import placed_in
from bizzan.audit.priority import PriorityLedger
from bizzan.audit.signed import SignatureLedger
from exchange.domain.deployment import Deployment
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Side
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.journal.reader import Reader, Record


@dataclass(slots=True)
class ReplayedTrade:
    """A trade, the sequence that matched it, and what became of it. `batch` 0: not cut yet."""

    seq: int
    at_ms: int
    match: e.TradeMatched
    batch: int = 0
    reversed_cause: str | None = None


@dataclass(slots=True)
class ReplayedBatch:
    """A batch as the journal cut it; heads are the journal's at `from_seq` and `to_seq`.

    `final_seq` is the sequence that calls it final, 0 until then.
    """

    batch: int
    from_seq: int
    to_seq: int
    prev_head: bytes
    new_head: bytes
    cut_seq: int
    final_seq: int = 0


@dataclass(slots=True)
class ReplayedOrder:
    """An accepted order and how it stands. `closed` is the reason, None while it works."""

    placed: c.PlaceOrder
    accepted: e.OrderAccepted
    remaining: int
    filled: int = 0
    closed: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A command by which the engine was told of the chain, and where it stands in the journal."""

    seq: int
    command: c.Command


@dataclass(frozen=True, slots=True)
class Obeyed:
    """A command that obeys what an account said on chain; its time, and that of the last record that does not obey."""

    seq: int
    before_ms: int
    at_ms: int
    command: c.Command


OBEYING = (c.SetExiting, c.SetFrozen, c.ObeyCancel, c.ObeyRevocation, c.AllowDelegate)


OPERATED = (
    c.SetMarketStatus,
    c.StartAuction,
    c.SetMarketBounds,
    c.AnnounceFees,
    c.SetAccountTier,
    c.SetAccountLimits,
    c.SetTradingStop,
)
"""What operators command. A market's status changes by the chain's word too."""


@dataclass(slots=True)
class Replay:
    """Everything up to journal sequence `seq`. Balances are by (account id, asset id).

    `went_on_ms` is the time of the last record that does not obey the chain.
    """

    seq: int = 0
    head: bytes = bytes(32)
    at_ms: int = 0
    went_on_ms: int = 0
    inbox_id: int = 0
    heads: list[bytes] = field(default_factory=lambda: [bytes(32)])
    markets: dict[int, e.MarketListed] = field(default_factory=dict)
    accounts: dict[int, bytes] = field(default_factory=dict)
    orders: dict[int, ReplayedOrder] = field(default_factory=dict)
    trades: dict[int, ReplayedTrade] = field(default_factory=dict)
    batches: dict[int, ReplayedBatch] = field(default_factory=dict)
    balances: dict[tuple[int, int], e.BalanceChanged] = field(default_factory=dict)
    withdrawals: dict[bytes, e.WithdrawalHeld] = field(default_factory=dict)
    announced: dict[int, e.FeesAnnounced] = field(default_factory=dict)
    tiers: dict[int, e.AccountTierSet] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    obeyed: list[Obeyed] = field(default_factory=list)
    operated: list[Told] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    fees: FeeLedger = field(default_factory=FeeLedger)
    priority: PriorityLedger = field(default_factory=PriorityLedger)
    signatures: SignatureLedger | None = None
    """Where it is known for which contract users sign."""
    backlog: BacklogLedger | None = None
    """Where the deployment's windows are known."""
    meddling: Meddling = field(init=False)
    engine: Engine = field(default_factory=Engine)
    stopped: Problem | None = None
    """The record that cannot be replayed, and why; none after it is."""
    _uncut: list[ReplayedTrade] = field(default_factory=list)
    _placed: Mapping[int, c.PlaceOrder] = field(default_factory=dict)
    _placed_seq: int = 0

    def __post_init__(self) -> None:
        self.meddling = Meddling(
            self.priority, lambda order_id: self.orders[order_id].placed, lambda trade_id: self.trades[trade_id].match
        )

    def account_id(self, address: bytes) -> int | None:
        """The engine's id of an address."""
        return next((number for number, known in self.accounts.items() if known == address), None)

    @property
    def traded_by_delegates(self) -> set[tuple[bytes, bytes]]:
        """Accounts, each with a key that signed an order for it of which a trade stands."""
        sides = (
            self.orders[order_id].placed
            for trade in self.trades.values()
            if trade.reversed_cause is None
            for order_id in (trade.match.maker_order, trade.match.taker_order)
        )
        return {(placed.order.account, placed.signer) for placed in sides if placed.signer != placed.order.account}

    def follow(self, record: Record) -> None:
        """Replay one record, unless one before it stopped the replay; one of which no judge can make anything does."""
        if self.stopped is not None:
            return
        try:
            self.apply(record)
        except Exception as error:  # whoever wrote the record may have aimed at the judges; that must not hide the rest
            text = f"cannot be replayed, and nothing after it is: {type(error).__name__}: {error}: {record.command}"
            self.stopped = f"journal sequence {record.seq}", text

    def apply(self, record: Record) -> None:
        """Replay one record. One whose time is before its predecessor's is replayed at that one's time."""
        if record.at_ms < self.at_ms:
            text = f"its time, {record.at_ms} ms, is before that of the record before it, {self.at_ms} ms"
            self.refused.append((record.seq, Refusal(ErrorCode.malformed, text, "at_ms")))
            record = record._replace(at_ms=self.at_ms)
        if isinstance(record.command, OBEYING):
            self.obeyed.append(Obeyed(record.seq, self.went_on_ms, record.at_ms, record.command))
        else:
            self.went_on_ms = record.at_ms
        self.seq, self.at_ms, self.head = record.seq, record.at_ms, record.head
        self.heads.append(record.head)
        self.inbox_id = getattr(record.command, "inbox_id", self.inbox_id)
        self.fees.command(record)
        if self.backlog is not None:
            self.backlog.command(record)
        if self.signatures is not None:
            self.signatures.add(record)
        try:
            happened = self.engine.apply(record.seq, record.at_ms, record.command)
        except Refusal as refusal:
            self.refused.append((record.seq, refusal))
            return
        self.fees.happened(record, happened)
        self.priority.happened(record, self.meddling.overhear(happened))
        if hasattr(record.command, "cause") or isinstance(record.command, c.ReserveForced | c.ReleaseForced):
            self.told.append(Told(record.seq, record.command))
        if isinstance(record.command, OPERATED):
            self.operated.append(Told(record.seq, record.command))
        for event in happened:
            keep = _KEEP.get(type(event))
            if keep is not None:
                keep(self, record, event)
        if self.backlog is not None:
            self.backlog.happened(record, happened, self._placed)
        if self.signatures is not None:
            self.signatures.meddled.update(self.meddling.pairs(record, happened))

    def _market(self, record: Record, event: e.MarketListed) -> None:
        self.markets[event.market.market_id] = event

    def _account(self, record: Record, event: e.AccountOpened) -> None:
        self.accounts[event.account] = event.address

    def _accepted(self, record: Record, event: e.OrderAccepted) -> None:
        if record.seq != self._placed_seq:
            self._placed_seq, self._placed = record.seq, placed_in(record)
        self.orders[event.order_id] = ReplayedOrder(self._placed[event.order_id], event, event.quantity)

    def _closed(self, record: Record, event: e.OrderClosed) -> None:
        order = self.orders[event.order_id]
        order.remaining, order.closed = event.remaining, event.reason.value

    def _trade(self, record: Record, event: e.TradeMatched) -> None:
        self.trades[event.trade_id] = trade = ReplayedTrade(record.seq, record.at_ms, event)
        self._uncut.append(trade)
        maker, taker = self.orders[event.maker_order], self.orders[event.taker_order]
        maker.remaining, taker.remaining = event.maker_remaining, event.taker_remaining
        maker.filled += event.quantity
        taker.filled += event.quote if taker.accepted.side == Side.buy_quote else event.quantity

    def _amended(self, record: Record, event: e.OrderAmended) -> None:
        self.orders[event.order_id].remaining = event.remaining

    def _reduced(self, record: Record, event: e.OrderReduced) -> None:
        self.orders[event.order_id].remaining = event.remaining

    def _cut(self, record: Record, event: e.BatchCut) -> None:
        self.batches[event.batch] = ReplayedBatch(
            event.batch, event.from_seq, event.to_seq, self.heads[event.from_seq], self.heads[event.to_seq], record.seq
        )
        for trade in self._uncut:
            if trade.seq <= event.to_seq:
                trade.batch = event.batch
        self._uncut = [trade for trade in self._uncut if not trade.batch]

    def _final(self, record: Record, event: e.BatchFinalized) -> None:
        self.batches[event.batch].final_seq = record.seq

    def _reversed(self, record: Record, event: e.TradeReversed) -> None:
        self.trades[event.trade_id].reversed_cause = event.cause

    def _balance(self, record: Record, event: e.BalanceChanged) -> None:
        self.balances[event.account, event.asset] = event

    def _announced(self, record: Record, event: e.FeesAnnounced) -> None:
        self.announced[record.seq] = event

    def _tier_set(self, record: Record, event: e.AccountTierSet) -> None:
        self.tiers[record.seq] = event

    def _held(self, record: Record, event: e.WithdrawalHeld) -> None:
        self.withdrawals[event.withdrawal_hash] = event


_KEEP: dict[type, Callable[[Replay, Record, Any], None]] = {
    e.MarketListed: Replay._market,
    e.AccountOpened: Replay._account,
    e.OrderAccepted: Replay._accepted,
    e.OrderAmended: Replay._amended,
    e.OrderReduced: Replay._reduced,
    e.OrderClosed: Replay._closed,
    e.TradeMatched: Replay._trade,
    e.BatchCut: Replay._cut,
    e.BatchFinalized: Replay._final,
    e.TradeReversed: Replay._reversed,
    e.BalanceChanged: Replay._balance,
    e.WithdrawalHeld: Replay._held,
    e.FeesAnnounced: Replay._announced,
    e.AccountTierSet: Replay._tier_set,
}


def replay_for(custody: Deployment | None) -> Replay:
    """A replay that has not begun, with the judges that need the deployment if there is one."""
    if custody is None:
        return Replay()
    return Replay(signatures=SignatureLedger(custody), backlog=BacklogLedger(custody.windows))


def replay(
    folder: Path,
    until_seq: int,
    custody: Deployment | None = None,
    progress: Callable[[int, int], None] = lambda seq, last: None,
) -> Replay:
    """Replay the journal in `folder` from genesis up to `until_seq`, and check the chain of hashes to its end.

    With `custody` also what users signed, which must be for that contract, and when matching stopped. `progress` is
    told each sequence that is read, and the last. Raises CorruptJournal, which names file, offset and sequence.
    """
    reader = Reader(folder)
    end = max(reader.durable().seq, until_seq)
    state = replay_for(custody)
    for record in reader.read():
        if record.seq <= until_seq:
            state.follow(record)
        progress(record.seq, end)
        if record.seq >= end:
            break
    return state
