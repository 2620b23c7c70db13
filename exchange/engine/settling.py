"""The way of trades to the chain: bound to a batch, then final.

Batch k holds the trades of the sequences after those of batch k-1 and up to its own `to_seq`. Batches are
cut in order and become final in order; what is final can be withdrawn and never be reversed.
"""

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Side
from exchange.engine import events as e
from exchange.engine.accounts import Account, Balance
from exchange.engine.commands import CutBatch, FinalizeBatch
from exchange.engine.orders import BUY, OpenOrder
from exchange.engine.state import Batch, State, Trade

QUOTE_BOUND = 2
"""What one trade brings one balance in quote is at most this many times its quote: proceeds and both fees."""


def cut_batch(state: State, seq: int, command: CutBatch) -> None:
    """Bind the trades in (last cut, `to_seq`] to the next batch."""
    expected = state.last_batch + 1
    if command.batch != expected:
        raise Refusal(
            ErrorCode.batch_out_of_order, f"the next batch to cut is {expected}", "batch", {"expected": expected}
        )
    if not state.cut_seq < command.to_seq < seq:
        raise Refusal(
            ErrorCode.batch_out_of_order,
            f"to_seq must be above {state.cut_seq} and below {seq}",
            "to_seq",
            {"above": state.cut_seq, "below": seq},
        )
    last_trade = state.cut_trade
    for trade_id, trade in state.trades.items():
        if trade.seq > command.to_seq:
            break
        last_trade = max(last_trade, trade_id)
    state.batches.append(Batch(command.batch, state.cut_seq, command.to_seq, last_trade))
    state.events.append(e.BatchCut(command.batch, state.cut_seq, command.to_seq))
    state.last_batch = command.batch
    state.cut_seq = command.to_seq
    state.cut_trade = last_trade


def finalize_batch(state: State, command: FinalizeBatch) -> None:
    """The oldest cut batch is final: its proceeds are settled."""
    if not state.batches or state.batches[0].batch != command.batch:
        expected = state.batches[0].batch if state.batches else 0
        raise Refusal(
            ErrorCode.unknown_batch,
            f"the batch to finalize next is {expected}" if expected else "no batch is waiting to be final",
            "batch",
            {"expected": expected},
        )
    last_trade = state.batches.popleft().last_trade
    final = []
    for trade_id in state.trades:
        if trade_id > last_trade:
            break
        final.append(trade_id)
    for trade_id in final:
        settle(state, state.trades.pop(trade_id))
    note_oldest(state)
    state.events.append(e.BatchFinalized(command.batch))


def note_oldest(state: State) -> None:
    """Note the time of the oldest trade that is not final, after trades have gone."""
    oldest = next(iter(state.trades.values()), None)
    state.oldest_unsettled_at = None if oldest is None else oldest.at_ms


def limited_by(taker: OpenOrder, maker: OpenOrder, lots: int, quote: int) -> OpenOrder | None:
    """The order that cannot trade this much, because what is unsettled would exceed what the ledger counts."""
    book = taker.book
    base, quote = lots * book.lot_size, QUOTE_BOUND * quote
    to_taker, to_maker = (base, quote) if taker.side == BUY else (quote, base)
    if maker.gets.unsettled + to_maker > MAX_AMOUNT:
        return maker
    if taker.gets.unsettled + to_taker > MAX_AMOUNT or book.fees.unsettled + quote > MAX_AMOUNT:
        return taker
    return None


def proceeds(state: State, trade: Trade) -> tuple[tuple[Balance, int], ...]:
    """What a trade brought to whom: base to the buyer, quote less fee to the seller, the fees."""
    match = trade.match
    book = state.books[match.market]
    buyer, seller, _, seller_fee = parties(state, match)
    return (
        (buyer.balance(book.base_asset), match.quantity * book.lot_size),
        (seller.balance(book.quote_asset), match.quote - seller_fee),
        (book.fees, match.maker_fee + match.taker_fee),
    )


def parties(state: State, match: e.TradeMatched) -> tuple[Account, Account, int, int]:
    """Buyer, seller, the buyer's fee and the seller's fee."""
    maker, taker = state.account_by_id(match.maker_account), state.account_by_id(match.taker_account)
    if match.taker_side == Side.buy:
        return taker, maker, match.taker_fee, match.maker_fee
    return maker, taker, match.maker_fee, match.taker_fee


def settle(state: State, trade: Trade) -> None:
    """What the trade brought in is unsettled no more (it is final, or it never happened)."""
    for balance, amount in proceeds(state, trade):
        balance.unsettled -= amount
        state.touched_balances[balance] = None
