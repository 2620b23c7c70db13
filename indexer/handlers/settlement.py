"""Batches: what each order bought or sold, the fees, and the batch that closes its transaction's logs."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from exchange.domain.order import Side
from indexer.fold import BYTES, Fold, Handler

SELL = Side.sell.value


def order_executed(fold: Fold, log: Log, prefix: str) -> None:
    """One order's part in a batch: base and quote change hands within the account's trading balances.

    The hot path. The second word packs side 8, market 32, lots 64, quote 64 and fee 64 bits.
    """
    account = log.topics[1][26:]
    data = log.data
    side = int(data[72:74], 16)
    market = int(data[74:82], 16)
    lots = int(data[82:98], 16)
    quote = int(data[98:114], 16)
    fee = int(data[114:130], 16)
    base_token, quote_token, lot_size = fold.markets[market]
    trading = fold.trading
    if side == SELL:
        trading[account, base_token] -= lots * lot_size
        trading[account, quote_token] += quote - fee
    else:
        trading[account, base_token] += lots * lot_size
        trading[account, quote_token] -= quote + fee
    fold.executions.append(f"{prefix}{BYTES}{account}\t{BYTES}{data[2:66]}\t{market}\t{side}\t{lots}\t{quote}\t{fee}\t")


def fees_collected(fold: Fold, log: Log, prefix: str) -> None:
    """The fees of one market in a batch, credited to the fee account in the market's quote token."""
    market = int(log.topics[1], 16)
    account, amount = word(log.data, 0)[24:], int(word(log.data, 1), 16)
    fold.trading[account, fold.markets[market][1]] += amount
    fold.add("fees_collected", prefix, BYTES + log.transaction_hash[2:], str(market), BYTES + account, str(amount))


def batch_settled(fold: Fold, log: Log, prefix: str) -> None:
    """A batch; it is the last log of its transaction, so the executions that wait are its own."""
    seq = str(int(log.topics[1], 16))
    fold.add(
        "batch_settled",
        prefix,
        BYTES + log.transaction_hash[2:],
        seq,
        BYTES + word(log.data, 0),
        BYTES + word(log.data, 1),
        str(int(word(log.data, 2), 16)),
    )
    fold.rows["order_executed"] += [row + seq for row in fold.executions]
    fold.executions.clear()


HANDLERS: Mapping[str, Handler] = {
    "OrderExecuted": order_executed,
    "FeesCollected": fees_collected,
    "BatchSettled": batch_settled,
}
