"""Taking money back that is not there any more: a reorg removed a deposit, or a trade cannot settle.

What is missing is taken, in this order, from what is available, from the open orders that hold the asset,
and from unsettled trades in which the account spent the asset: the latest first, as many as needed. A
reversed trade never happened, for both sides; each side gets back what it paid and returns what it got. So a
reversal may leave somebody else short of proceeds already spent; such debts are paid by the same rule, in
the order of the trades that caused them, out of *later* trades only. What remains is a deficit.
"""

from heapq import heappop, heappush

from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine import events as e
from exchange.engine.accounts import Account, Balance
from exchange.engine.events import CloseReason
from exchange.engine.orders import OpenOrder
from exchange.engine.settling import note_oldest, parties, proceeds, settle
from exchange.engine.state import State


class Reversal:
    """One command's reversals. Trades up to `spare_to` stay, whatever happens."""

    def __init__(self, state: State, cause: str, spare_to: int) -> None:
        self.state = state
        self.cause = cause
        self.spare_to = spare_to
        self.debts: list[tuple[int, int, Balance, int]] = []
        self.count = 0
        self.spendings: dict[Balance, list[int]] | None = None
        self.shortfall = 0

    def owe(self, balance: Balance, amount: int, because_of: int) -> None:
        """Queue a debt; `because_of` is the reversed trade that caused it, or 0."""
        heappush(self.debts, (because_of, self.count, balance, amount))
        self.count += 1

    def reverse(self, trade_id: int, because_of: int) -> None:
        """Undo a trade: both sides get back what they paid, and owe what they got."""
        state = self.state
        trade = state.trades.pop(trade_id)
        book = state.books[trade.match.market]
        buyer, seller, buyer_fee, _ = parties(state, trade.match)
        match = trade.match
        state.events.append(e.TradeReversed(trade_id, match.maker_account, match.taker_account, self.cause, because_of))
        settle(state, trade)
        state.give(buyer.balance(book.quote_asset), trade.match.quote + buyer_fee)
        state.give(seller.balance(book.base_asset), trade.match.quantity * book.lot_size)
        for balance, amount in proceeds(state, trade):
            self.owe(balance, amount, trade_id)

    def pay_debts(self, reason: CloseReason) -> None:
        """Pay every debt, those that paying brings about included; whoever cannot pay is blocked."""
        while self.debts:
            because_of, _, balance, amount = heappop(self.debts)
            missing = self._collect(balance, amount, because_of, reason)
            if missing:
                self.state.owe(balance, missing)
                self.state.close_all(balance.account, reason)
        note_oldest(self.state)

    def _collect(self, balance: Balance, amount: int, because_of: int, reason: CloseReason) -> int:
        """Take `amount` by the rule; returns what is missing in the end."""
        state = self.state
        missing = state.take_available(balance, amount)
        if missing:
            state.close_all(balance.account, reason, None if because_of == 0 else balance.asset)
            missing = state.take_available(balance, missing)
        after = max(because_of, self.spare_to)
        while missing:
            trade_id = self._latest_spending(balance, after)
            if trade_id is None:
                break
            self.reverse(trade_id, because_of)
            missing = state.take_available(balance, missing)
        return missing

    def _latest_spending(self, balance: Balance, after: int) -> int | None:
        """The latest unsettled trade above `after` that was paid out of `balance`."""
        if self.spendings is None:
            self.spendings = self._index()
        spent = self.spendings.get(balance, [])
        while spent and spent[-1] not in self.state.trades:
            spent.pop()
        return spent.pop() if spent and spent[-1] > after else None

    def _index(self) -> dict[Balance, list[int]]:
        """Every unsettled trade under the two balances that paid for it, oldest first."""
        state = self.state
        spendings: dict[Balance, list[int]] = {}
        for trade_id, trade in state.trades.items():
            book = state.books[trade.match.market]
            buyer, seller, _, _ = parties(state, trade.match)
            spendings.setdefault(buyer.balance(book.quote_asset), []).append(trade_id)
            spendings.setdefault(seller.balance(book.base_asset), []).append(trade_id)
        return spendings


class Successors:
    """Finds the open order that stands in the place of one that was amended; each account is gone through once.

    An order is known by its hash as long as the account's latest are remembered (`exchange.engine.accounts.Recent`).
    Beyond that it stays open; if it trades again, it is itself an order of a trade that cannot settle.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.found: dict[int, dict[int, OpenOrder]] = {}

    def find(self, order_id: int, account_id: int) -> OpenOrder | None:
        """The order that has replaced this one, if it is open."""
        if not self.state.replaced:
            return None
        if account_id not in self.found:
            self.found[account_id] = self._of(self.state.account_by_id(account_id))
        order = self.found[account_id].get(order_id)
        return order if order is not None and order.order_id in self.state.orders else None

    def _of(self, account: Account) -> dict[int, OpenOrder]:
        known = {}
        for order in account.orders.values():
            for order_hash in self.state.replaced.get(order.order_id, ()):
                number = account.order_hashes.get(order_hash)
                if number is not None:
                    known[number] = order
        return known


def take_back(state: State, balance: Balance, amount: int, cause: str, reason: CloseReason) -> int:
    """Take `amount` from an account, sparing trades in cut batches; returns what became a deficit."""
    before = balance.deficit
    reversal = Reversal(state, cause, state.cut_trade)
    reversal.owe(balance, amount, 0)
    reversal.pay_debts(reason)
    return max(balance.deficit - before, 0)


def reverse_trades(state: State, trade_ids: tuple[int, ...], cause: str) -> None:
    """Reverse the named trades, cut or not, and what follows from them; both orders of each are closed.

    So is an order that has replaced one of them since: it stands on the same nonce, which is what could not settle, and
    counts the reversed trade as filled.
    """
    for trade_id in trade_ids:
        if trade_id not in state.trades:
            raise Refusal(
                ErrorCode.unknown_trade,
                f"trade {trade_id} is final, reversed or was never made",
                "trade_ids",
                {"trade_id": trade_id},
            )
    reversal, successors = Reversal(state, cause, 0), Successors(state)
    for trade_id in sorted(set(trade_ids)):
        match = state.trades[trade_id].match
        for order_id, account_id in (
            (match.maker_order, match.maker_account),
            (match.taker_order, match.taker_account),
        ):
            order = state.orders.get(order_id) or successors.find(order_id, account_id)
            if order is not None:
                state.close(order, CloseReason.trade_reversed)
        reversal.reverse(trade_id, 0)
    reversal.pay_debts(CloseReason.trade_reversed)
