"""No command makes money: each changes the sum of all balances of an asset by what came in or went out, and no more.

Every class of command is here, so a new one fails until it is covered. Each is applied, as meant and with fields
changed at will, to states that random commands made.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.domain.errors import Refusal
from exchange.domain.instrument import Asset, Market, MarketStatus
from exchange.domain.order import SINGLE_FILL, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.journal.codec import COMMAND_KINDS
from tests.utils.engine import BTC, DELEGATE, ETH, FEES, USDC, EngineHarness, only
from tests.utils.frames import frame_of, mixed_frame_of
from tests.utils.signing import Signer

MARKETS = (
    Market(1, "BTC/USDC", BTC, USDC, 10, 1, 200, 5_000, 3_000, 7_000, 100),
    Market(2, "ETH/BTC", ETH, BTC, 10, 1, 200, 0, 1_000, 0, 0),
)
MONEY = 60_000
CLASSES = get_args(c.Command)
FREE = st.integers(0, 3) | st.integers(0, 2 * MONEY) | st.integers(0, 2**63 - 1)
WORDS = st.sampled_from(["", "cause", "request 1", "request 2", "open", "halted", "delisted"])


class Exchange:
    """An engine whose sums are compared around every command; `draw` takes a value from a strategy."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.x = EngineHarness(MARKETS)
        self.x.engine.may_hand_over = True  # type: ignore[attr-defined]  # fields are bent at will
        self.numbers = itertools.count(1)
        for _ in range(3):
            self.newcomer()

    def sums(self) -> dict[int, int]:
        """Per asset, listed or not, what all accounts own, net of what they owe."""
        state = self.x.engine.state
        sums = dict.fromkeys(state.issued, 0)
        for account in state.accounts:
            for asset, balance in account.balances.items():
                sums[asset] += balance.available + balance.held + balance.reserved - balance.deficit
        return sums

    def apply(self, command: c.Command) -> list[e.Event] | None:
        """Apply a command and compare; None when it is refused, which must change nothing."""
        expected = self.sums()
        asset, change = self.moved(command)
        try:
            events = self.x.apply(command)
        except Refusal:
            assert self.sums() == expected
            return None
        expected[asset] = expected.get(asset, 0) + change
        assert self.sums() == self.x.engine.state.issued
        assert _not_zero(self.sums()) == _not_zero(expected)
        return events

    def must(self, command: c.Command) -> list[e.Event]:
        """Apply a command that is meant to be accepted."""
        events = self.apply(command)
        assert events is not None, f"{command} was refused"
        return events

    def moved(self, command: c.Command) -> tuple[int, int]:
        """The only changes that there may be: asset, and what its sum changes by."""
        match command:
            case c.Credit():
                return command.asset, command.amount
            case c.Uncredit() | c.Debit():
                return command.asset, -command.amount
            case c.ConsumeWithdrawal():
                held = self.x.engine.state.withdrawals.get(command.withdrawal_hash)
                return (held.balance.asset, -held.amount) if held else (0, 0)
        return 0, 0

    # what commands need

    def inbox(self) -> int:
        return next(self.x.inbox_ids)

    def newcomer(self) -> bytes:
        """An account with money that has done nothing yet."""
        address = b"\x10" + next(self.numbers).to_bytes(19)
        for asset in (USDC, ETH, BTC):
            self.must(c.Credit(self.inbox(), address, asset, MONEY, "deposit"))
        return address

    def anyone(self) -> bytes:
        """An account in whatever state it is."""
        return bytes(self.draw(st.sampled_from([account.address for account in self.x.engine.state.accounts])))

    def asset(self) -> int:
        return int(self.draw(st.sampled_from([USDC, ETH, BTC])))

    def amount(self) -> int:
        return int(self.draw(st.integers(1, MONEY)))

    def order(self, account: bytes, side: Side, price: int, **options: Any) -> c.PlaceOrder:
        return self.x.order(account, side, price, self.draw(st.integers(10, 60)), max_fee_bps=100, **options)

    def resting(self) -> c.PlaceOrder:
        """An order of a newcomer that meets nothing, in the book."""
        placed = self.order(self.newcomer(), Side.buy, 60, signer=DELEGATE)
        self.must(placed)
        return placed

    def forced(self) -> c.ReserveForced:
        """A forced withdrawal, perhaps of more than there is."""
        command = c.ReserveForced(
            self.inbox(), self.anyone(), self.asset(), self.amount(), f"request {next(self.numbers)}"
        )
        self.must(command)
        return command

    def held(self) -> c.HoldWithdrawal:
        """The hold of a signed withdrawal."""
        command = self.x.hold(self.newcomer(), self.asset(), self.amount(), nonce=next(self.numbers))
        self.must(command)
        return command

    def traded(self) -> list[int]:
        """Ids of trades of which none is final."""
        self.apply(self.order(self.newcomer(), Side.sell, 80))
        events = self.must(self.order(self.newcomer(), Side.buy, 120))
        return [trade.trade_id for trade in only(events, e.TradeMatched)]

    def cut(self) -> int:
        """A batch that is not final: the oldest."""
        state = self.x.engine.state
        if not state.batches:
            self.traded()
            self.must(c.CutBatch(self.inbox(), state.last_batch + 1, state.seq))
        return state.batches[0].batch


def place_order(x: Exchange) -> c.Command:
    side = x.draw(st.sampled_from(Side))
    price, tif = x.draw(st.integers(97, 103)), x.draw(st.sampled_from(TimeInForce))
    self_trade = x.draw(st.sampled_from([SelfTrade.cancel_maker, SelfTrade.cancel_both]))
    if side is Side.buy_quote:
        amount, tif = x.draw(st.integers(1_000, 6_000)), x.draw(st.sampled_from([TimeInForce.ioc, TimeInForce.fok]))
        nonce = next(x.x.nonces) | SINGLE_FILL
        options: dict[str, Any] = {"nonce": nonce, "self_trade": self_trade, "max_fee_bps": 100}
        return x.x.order(x.newcomer(), side, price, amount, tif=tif, **options)
    return x.order(x.newcomer(), side, price, tif=tif, self_trade=self_trade)


def place_frame(x: Exchange) -> c.Command:
    signer = Signer(f"framer {next(x.numbers)}")
    for asset in (USDC, ETH, BTC):
        x.must(c.Credit(x.inbox(), signer.raw, asset, MONEY, "deposit"))
    sides = x.draw(st.lists(st.sampled_from([Side.buy, Side.sell]), min_size=2, max_size=4))
    return frame_of(signer, [x.order(signer.raw, side, x.draw(st.integers(97, 103))).order for side in sides])


def place_mixed_frame(x: Exchange) -> c.Command:
    """Quotes that move, of a framer that stands, and an iceberg and a stop beside them."""
    signer = Signer(f"framer {next(x.numbers)}")
    for asset in (USDC, ETH, BTC):
        x.must(c.Credit(x.inbox(), signer.raw, asset, MONEY, "deposit"))
    prices, side = st.integers(97, 103), x.draw(st.sampled_from([Side.buy, Side.sell]))
    old = [x.order(signer.raw, side, x.draw(prices)).order for _ in range(2)]
    amends = [
        replace(order, price=x.draw(prices), quantity=order.quantity + x.draw(st.integers(0, 5))) for order in old
    ]
    iceberg = replace(x.order(signer.raw, side, x.draw(prices)).order, terms=Terms(displayed_quantity=5).pack())
    word = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
    stop = x.order(signer.raw, Side.sell, 80, terms=word, trigger_price=50).order
    return mixed_frame_of(signer, [*old, *amends, iceberg, stop], (2, 3))


def place_group(x: Exchange) -> c.Command:
    account, kind = x.newcomer(), TriggerType.stop_loss
    far, near = x.draw(st.integers(97, 103)), x.draw(st.sampled_from([50, 130]))  # never in between: no turn is due
    limit = x.order(account, Side.sell, far, terms=Terms(group=7).pack())
    word = Terms(TimeInForce.ioc, trigger_type=kind, group=7).pack()
    legs = (limit, x.order(account, Side.sell, 80, terms=word, trigger_price=near))
    return c.PlaceGroup(*(reversed(legs) if x.draw(st.booleans()) else legs))


def amend_order(x: Exchange) -> c.Command:
    order = x.resting().order
    price, quantity = x.draw(st.integers(60, 103)), x.draw(st.integers(10, 60))
    return c.AmendOrder(replace(order, price=price, quantity=quantity), bytes(32), 0, b"", order.account)


def cancel_order(x: Exchange) -> c.Command:
    order = x.resting().order
    return c.CancelOrder(order.account, order.nonce, b"", order.account)


def cancel_all(x: Exchange) -> c.Command:
    order = x.resting().order
    return c.CancelAll(order.account, order.nonce + 1, b"", order.account)


def mass_cancel(x: Exchange) -> c.Command:
    order = x.resting().order
    market, side = x.draw(st.sampled_from([0, order.market])), x.draw(st.sampled_from([0, 2]))
    return c.MassCancel(order.account, market, side, x.x.at_ms, b"", order.account)


def set_countdown(x: Exchange) -> c.Command:
    account = x.resting().order.account
    return c.SetCountdown(account, x.draw(st.sampled_from([0, 1, 3_000])), x.x.at_ms, b"", account)


def stop_trading(x: Exchange) -> c.Command:
    return c.StopTrading(x.resting().order.account, x.draw(st.booleans()), x.x.at_ms, b"")


def set_trading_stop(x: Exchange) -> c.Command:
    account = x.resting().order.account
    return c.SetTradingStop(x.inbox(), account, x.draw(st.booleans()))


def hold_withdrawal(x: Exchange) -> c.Command:
    return x.x.hold(x.newcomer(), x.asset(), x.amount(), nonce=next(x.numbers))


def tick(x: Exchange) -> c.Command:
    x.x.at_ms += 1_000 * int(x.draw(st.integers(0, 4_000)))
    return c.Tick()


def list_asset(x: Exchange) -> c.Command:
    number = 100 + next(x.numbers)
    return c.ListAsset(Asset(number, f"A{number}", 8))


def list_market(x: Exchange) -> c.Command:
    return c.ListMarket(replace(MARKETS[0], market_id=100 + next(x.numbers)), FEES)


def set_limits(x: Exchange) -> c.Command:
    return c.SetLimits(0, int(x.draw(st.integers(2, 100))), int(x.draw(st.integers(1, 10))))


def market_that_lives(x: Exchange) -> int:
    """The second market, or a new one when that is delisted."""
    delisted = x.x.engine.state.books[2].market.status is MarketStatus.delisted
    market = x.must(c.ListMarket(replace(MARKETS[1], market_id=100 + next(x.numbers)), FEES)) if delisted else None
    return 2 if market is None else only(market, e.MarketListed)[0].market.market_id


def set_market_status(x: Exchange) -> c.Command:
    number = market_that_lives(x)
    others = [status for status in MarketStatus if status is not MarketStatus.auction]
    return c.SetMarketStatus(x.inbox(), number, x.draw(st.sampled_from(others)).value)


def set_market_bounds(x: Exchange) -> c.Command:
    market, collar_bps = int(x.draw(st.sampled_from([1, 2]))), int(x.draw(st.integers(0, 9_999)))
    return c.SetMarketBounds(x.inbox(), market, collar_bps, 0, 0, 0, 0, x.draw(st.sampled_from([None, 0, 20_000])))


def start_auction(x: Exchange) -> c.Command:
    return c.StartAuction(x.inbox(), market_that_lives(x), x.draw(st.sampled_from([0, x.x.now + 30])))


def set_fee_rules(x: Exchange) -> c.Command:
    rules = x.x.engine.state.fee_rules
    return c.SetFeeRules(x.draw(st.integers(100, max(100, rules.fee_cap_bps))), rules.notice_ms)


def announce_fees(x: Exchange) -> c.Command:
    rates = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000))
    first, second = x.draw(rates), x.draw(rates)
    tiers = (first, (min(first[0], second[0]), min(first[1], second[1])))
    return c.AnnounceFees(x.inbox(), int(x.draw(st.sampled_from([1, 2]))), x.x.at_ms, tiers, x.draw(st.integers(0, 6)))


def set_account_tier(x: Exchange) -> c.Command:
    return c.SetAccountTier(x.inbox(), x.anyone(), int(x.draw(st.integers(0, 15))), 0)


def set_account_limits(x: Exchange) -> c.Command:
    most = int(x.draw(st.sampled_from([0, 10**12])))
    return c.SetAccountLimits(x.inbox(), x.anyone(), int(x.draw(st.sampled_from([0, 50]))), x.asset(), most)


def credit(x: Exchange) -> c.Command:
    return c.Credit(x.inbox(), x.anyone(), x.asset(), x.amount(), "deposit")


def uncredit(x: Exchange) -> c.Command:
    return c.Uncredit(x.inbox(), x.anyone(), x.asset(), x.amount(), "reorg")


def reserve_forced(x: Exchange) -> c.Command:
    return c.ReserveForced(x.inbox(), x.anyone(), x.asset(), x.amount(), f"request {next(x.numbers)}")


def release_forced(x: Exchange) -> c.Command:
    return c.ReleaseForced(request=x.forced().request, inbox_id=x.inbox())


def debit(x: Exchange) -> c.Command:
    if x.draw(st.booleans()):
        return c.Debit(x.inbox(), x.anyone(), x.asset(), x.amount(), "", "exit")
    asked = x.forced()
    amount = int(x.draw(st.integers(1, asked.amount)))
    return c.Debit(x.inbox(), asked.account, asked.asset, amount, asked.request, "claim")


def consume_withdrawal(x: Exchange) -> c.Command:
    return c.ConsumeWithdrawal(withdrawal_hash=x.held().withdrawal_hash, cause="mined", inbox_id=x.inbox())


def release_withdrawal(x: Exchange) -> c.Command:
    return c.ReleaseWithdrawal(withdrawal_hash=x.held().withdrawal_hash, cause="late", inbox_id=x.inbox())


def obey_cancel(x: Exchange) -> c.Command:
    order = x.resting().order
    return c.ObeyCancel(x.inbox(), order.account, order.nonce, x.draw(st.sampled_from([0, order.nonce + 1])))


def obey_revocation(x: Exchange) -> c.Command:
    return c.ObeyRevocation(account=x.resting().order.account, delegate=DELEGATE, inbox_id=x.inbox())


def allow_delegate(x: Exchange) -> c.Command:
    account = x.resting().order.account
    x.must(c.ObeyRevocation(x.inbox(), account, DELEGATE))
    return c.AllowDelegate(x.inbox(), account, DELEGATE)


def set_exiting(x: Exchange) -> c.Command:
    account = x.resting().order.account
    return c.SetExiting(x.inbox(), account, x.draw(st.booleans()))


def set_frozen(x: Exchange) -> c.Command:
    account = x.resting().order.account
    return c.SetFrozen(x.inbox(), account, x.draw(st.booleans()))


def cut_batch(x: Exchange) -> c.Command:
    x.traded()
    state = x.x.engine.state
    return c.CutBatch(x.inbox(), state.last_batch + 1, state.seq)


def finalize_batch(x: Exchange) -> c.Command:
    return c.FinalizeBatch(batch=x.cut(), inbox_id=x.inbox())


def reverse_trades(x: Exchange) -> c.Command:
    return c.ReverseTrades(trade_ids=tuple(x.traded()), cause="cause", inbox_id=x.inbox())


MAKERS: dict[type, Callable[[Exchange], c.Command]] = {
    c.PlaceOrder: place_order,
    c.PlaceFrame: place_frame,
    c.PlaceMixedFrame: place_mixed_frame,
    c.AmendOrder: amend_order,
    c.PlaceGroup: place_group,
    c.CancelOrder: cancel_order,
    c.CancelAll: cancel_all,
    c.MassCancel: mass_cancel,
    c.SetCountdown: set_countdown,
    c.StopTrading: stop_trading,
    c.SetTradingStop: set_trading_stop,
    c.HoldWithdrawal: hold_withdrawal,
    c.Tick: tick,
    c.ListAsset: list_asset,
    c.ListMarket: list_market,
    c.SetLimits: set_limits,
    c.SetMarketStatus: set_market_status,
    c.SetMarketBounds: set_market_bounds,
    c.StartAuction: start_auction,
    c.SetFeeRules: set_fee_rules,
    c.AnnounceFees: announce_fees,
    c.SetAccountTier: set_account_tier,
    c.SetAccountLimits: set_account_limits,
    c.Credit: credit,
    c.Uncredit: uncredit,
    c.ReserveForced: reserve_forced,
    c.ReleaseForced: release_forced,
    c.Debit: debit,
    c.ConsumeWithdrawal: consume_withdrawal,
    c.ReleaseWithdrawal: release_withdrawal,
    c.ObeyCancel: obey_cancel,
    c.ObeyRevocation: obey_revocation,
    c.AllowDelegate: allow_delegate,
    c.SetExiting: set_exiting,
    c.SetFrozen: set_frozen,
    c.CutBatch: cut_batch,
    c.FinalizeBatch: finalize_batch,
    c.ReverseTrades: reverse_trades,
}


def _not_zero(sums: dict[int, int]) -> dict[int, int]:
    return {asset: amount for asset, amount in sums.items() if amount}


def bent(x: Exchange, command: Any) -> c.Command:
    """The command with one of its fields changed to anything that the journal can hold."""
    if isinstance(command, c.PlaceOrder) and x.draw(st.booleans()):
        return replace(command, order=bent(x, command.order))  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for field in fields(command):
        value = getattr(command, field.name)
        if isinstance(value, int) and field.name != "inbox_id":
            values[field.name] = bool(x.draw(st.booleans())) if isinstance(value, bool) else x.draw(FREE)
        elif isinstance(value, str):
            values[field.name] = x.draw(WORDS)
        elif isinstance(value, bytes) and len(value) == 20:
            values[field.name] = x.anyone()
    name = x.draw(st.sampled_from(sorted(values))) if values else None
    return replace(command, **({name: values[name]} if name else {}))  # type: ignore[no-any-return]


def test_every_class_of_command_is_covered() -> None:
    assert set(MAKERS) == set(CLASSES) == set(COMMAND_KINDS.values())


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_command_moves_only_what_came_in_or_went_out(kind: type, data: st.DataObject) -> None:
    x = Exchange(data.draw)
    for before in data.draw(st.lists(st.sampled_from(CLASSES), max_size=12)):
        x.must(MAKERS[before](x))
    x.must(MAKERS[kind](x))
    # an amount near the end of 64 bits is beyond what the fast engine counts by itself
    x.x.engine.may_hand_over = True  # type: ignore[attr-defined]
    x.apply(bent(x, MAKERS[kind](x)))
    x.x.validate()
