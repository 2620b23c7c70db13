"""What every fill should have paid, by the journal's commands alone.

Written from `docs/fees.md` and sharing no formula with the engine, so that a mistake, or a hand, in one is seen by
the other. It is told each command before the engine is, and then what the engine says that happened.

FEE-1  told      within the notice nobody comes to pay more than was announced; cap and notice are only tightened
FEE-2  fixed     an order has the rates of its account's tier and the floor that are in force when it is accepted
FEE-3  charged   each fill pays its order's rate, a taker what is left of the floor, never above the signed or fixed cap
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bizzan.audit.comparing import Problem
from bizzan.audit.placed import placed_in
from exchange.domain.order import Order
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.journal.reader import Record

MILLION = 1_000_000
TEN_THOUSAND = 10_000
TIERS = 16
POST_ONLY = 4


@dataclass(frozen=True, slots=True)
class Told:
    """Fees of one market that hold from a time on; `seq` is where they were announced."""

    from_ms: int
    seq: int
    tiers: tuple[tuple[int, int], ...]
    floor: int

    def pays(self, tier: int) -> tuple[int, int, int]:
        """Maker's rate, taker's rate and floor of a tier."""
        maker, taker = self.tiers[tier] if tier < len(self.tiers) else self.tiers[-1]
        return maker, taker, self.floor


@dataclass(slots=True)
class OrderFees:
    """What was fixed for one order, and what it has paid as the taker: the quote of each fill, and the sum of fees."""

    maker_ppm: int
    taker_ppm: int
    floor: int
    signed_bps: int
    cap_bps: int
    taken: list[int] = field(default_factory=list)
    paid: int = 0

    def as_maker(self, quote: int) -> int:
        """The fee of a fill in which this order rested."""
        return quote * self.maker_ppm // MILLION

    def as_taker(self, quote: int) -> int:
        """The fee of the next fill in which this order came in."""
        self.taken.append(quote)
        owed = max(self.floor, sum(each * self.taker_ppm // MILLION for each in self.taken))
        fee = min(owed - self.paid, quote * self.cap_bps // TEN_THOUSAND)
        self.paid += fee
        return fee


@dataclass(slots=True)
class FeeLedger:
    """Schedules, tiers and the fees of every fill so far; `problems` in the order of the journal."""

    cap_bps: int = TEN_THOUSAND
    notice_ms: int = 0
    schedules: dict[int, list[Told]] = field(default_factory=dict)
    tiers: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    orders: dict[int, OrderFees] = field(default_factory=dict)
    fills: int = 0
    auctions: set[int] = field(default_factory=set)
    """Markets that trade at the price of an auction, where no floor is due."""
    problems: list[Problem] = field(default_factory=list)

    def command(self, record: Record) -> None:
        """Take note of a command, whether the audit's engine accepts it or not."""
        handler = _COMMANDS.get(type(record.command))
        if handler is not None:
            handler(self, record, record.command)

    def happened(self, record: Record, events: Iterable[e.Event]) -> None:
        """Compare what the engine says of a command with what it should be."""
        for event in events:
            if isinstance(event, e.TradeMatched):
                self._trade(record, event)
            elif isinstance(event, e.OrderAccepted):
                self._accepted(record, event)
            elif isinstance(event, e.AuctionPriced):
                self.auctions.add(event.market)
            elif isinstance(event, e.MarketChanged):
                self.auctions.discard(event.market)

    # FEE-1

    def _rules(self, record: Record, command: c.SetFeeRules) -> None:
        if command.fee_cap_bps > self.cap_bps or command.notice_ms < self.notice_ms:
            self._problem(
                record,
                f"loosens the rules of fees: cap {self.cap_bps} to {command.fee_cap_bps} bps, "
                f"notice {self.notice_ms} to {command.notice_ms} ms",
            )
        self.cap_bps, self.notice_ms = command.fee_cap_bps, command.notice_ms

    def _listed(self, record: Record, command: c.ListMarket) -> None:
        market = command.market
        rates = ((market.maker_fee_ppm, market.taker_fee_ppm),)
        self.schedules[market.market_id] = [Told(record.at_ms, record.seq, rates, 0)]
        self._check_cap(record, market.market_id, rates)

    def _announced(self, record: Record, command: c.AnnounceFees) -> None:
        if not command.tiers:
            return self._problem(record, f"announces fees of market {command.market} without a single tier")
        told = self.schedules.setdefault(command.market, [])
        new = Told(max(record.at_ms, command.effective_at), record.seq, command.tiers, command.floor)
        self._check_cap(record, command.market, command.tiers)
        for at_ms in self._moments(record.at_ms, new.from_ms, [known.from_ms for known in told]):
            if not told:  # a market that is not listed: the engine refuses it
                break
            before = _holds(told, at_ms)
            for tier in range(TIERS):
                old, now = before.pays(tier), new.pays(tier)
                if any(after > ago for after, ago in zip(now, old, strict=True)):
                    return self._too_soon(record, command.market, at_ms, tier, old, now, told, new)
        self._keep(told, new)
        return None

    def _too_soon(
        self,
        record: Record,
        market: int,
        at_ms: int,
        tier: int,
        old: tuple[int, int, int],
        now: tuple[int, int, int],
        told: list[Told],
        new: Told,
    ) -> None:
        self._problem(
            record,
            f"raises the fees of market {market} without notice: tier {tier} pays (maker ppm, taker ppm, floor) {now} "
            f"instead of {old} at {at_ms}, announced at {record.at_ms}, the notice is {self.notice_ms} ms",
        )
        self._keep(told, new)

    def _keep(self, told: list[Told], new: Told) -> None:
        told[:] = [known for known in told if known.from_ms < new.from_ms] + [new]

    def _check_cap(self, record: Record, market: int, tiers: tuple[tuple[int, int], ...]) -> None:
        for rates in tiers:
            if not all(0 <= rate * TEN_THOUSAND <= self.cap_bps * MILLION for rate in rates):
                self._problem(record, f"rates {rates} of market {market} are beyond the cap, {self.cap_bps} bps")

    def _tier_set(self, record: Record, command: c.SetAccountTier) -> None:
        told = self.tiers.setdefault(command.account, [(0, 0)])
        from_ms = max(record.at_ms, command.effective_at)
        for at_ms in self._moments(record.at_ms, from_ms, [known for known, _ in told]):
            before = [tier for known, tier in told if known <= at_ms][-1]
            if command.tier < before:
                self._problem(
                    record,
                    f"lowers 0x{command.account.hex()} from tier {before} to {command.tier} at {at_ms} without notice: "
                    f"announced at {record.at_ms}, the notice is {self.notice_ms} ms",
                )
                break
        told[:] = [(known, tier) for known, tier in told if known < from_ms] + [(from_ms, command.tier)]

    def _moments(self, now_ms: int, from_ms: int, known: Iterable[int]) -> list[int]:
        """The times within the notice at which a change could make somebody pay more than before."""
        return sorted(at for at in {from_ms, *known} if from_ms <= at < now_ms + self.notice_ms)

    # FEE-2

    def _placed(self, record: Record, command: c.PlaceOrder | c.PlaceFrame | c.PlaceGroup) -> None:
        for number, placed in placed_in(record).items():
            self._expect(record, number, placed.order)

    def _expect(self, record: Record, number: int, order: Order) -> None:
        told = self.schedules.get(order.market)
        if not told:
            return
        tier = [tier for known, tier in self.tiers.get(order.account, [(0, 0)]) if known <= record.at_ms][-1]
        maker, taker, floor = _holds(told, record.at_ms).pays(tier)
        if order.terms & POST_ONLY:
            floor = 0
        self.orders[number] = OrderFees(maker, taker, floor, order.max_fee_bps, min(order.max_fee_bps, self.cap_bps))

    def _accepted(self, record: Record, event: e.OrderAccepted) -> None:
        due = self.orders[event.order_id]
        fixed = (event.maker_fee_ppm, event.taker_fee_ppm, event.fee_floor)
        if fixed != (due.maker_ppm, due.taker_ppm, due.floor):
            due_now = (due.maker_ppm, due.taker_ppm, due.floor)
            self._problem(
                record, f"the order has (maker ppm, taker ppm, floor) {fixed}, the schedule of its time says {due_now}"
            )

    # FEE-3

    def _trade(self, record: Record, match: e.TradeMatched) -> None:
        maker, taker = self.orders[match.maker_order], self.orders[match.taker_order]
        if match.market in self.auctions:
            as_taker = match.quote * taker.taker_ppm // MILLION
        else:
            as_taker = taker.as_taker(match.quote)
        for role, order_id, order, charged, due in (
            ("maker", match.maker_order, maker, match.maker_fee, maker.as_maker(match.quote)),
            ("taker", match.taker_order, taker, match.taker_fee, as_taker),
        ):
            self.fills += 1
            what = f"trade {match.trade_id}, quote {match.quote}: the {role}, order {order_id}, pays {charged}"
            if charged * TEN_THOUSAND > match.quote * order.signed_bps:
                self._problem(record, f"{what}, above its signed cap of {order.signed_bps} bps")
            if charged != due:
                self._problem(
                    record,
                    f"{what}, the schedule of its acceptance asks {due} (maker {order.maker_ppm} ppm, "
                    f"taker {order.taker_ppm} ppm, floor {order.floor}, cap {order.cap_bps} bps)",
                )

    def _problem(self, record: Record, text: str) -> None:
        self.problems.append((f"journal sequence {record.seq}", text))


def _holds(told: list[Told], at_ms: int) -> Told:
    """The fees in force at a time: the last that hold from then or before, the first where none does."""
    return [known for known in told if known.from_ms <= at_ms or known is told[0]][-1]


_COMMANDS: dict[type, Callable[[FeeLedger, Record, Any], None]] = {
    c.SetFeeRules: FeeLedger._rules,
    c.ListMarket: FeeLedger._listed,
    c.AnnounceFees: FeeLedger._announced,
    c.SetAccountTier: FeeLedger._tier_set,
    c.PlaceOrder: FeeLedger._placed,
    c.PlaceFrame: FeeLedger._placed,
    c.PlaceMixedFrame: FeeLedger._placed,
    c.PlaceGroup: FeeLedger._placed,
    c.AmendOrder: FeeLedger._placed,
}
