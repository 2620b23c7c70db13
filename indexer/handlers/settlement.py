"""Batches: what each order bought or sold, the fees, and the batch that closes its transaction's logs."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from exchange.domain.order import Side
from indexer.fold import BYTES, Fold, Handler

SELL = Side.sell.value


def order_executed(fold: Fold, log: Log, prefix: str) -> None:
    """One order's part in a batch: base and quote change hands within the account's trading balances.

    The hot path; its row is a view of the raw log. Word 1 packs side 8, market 32, lots 64, quote 64 and fee 64 bits.
    """
    account = log.topics[1][26:]
    data = log.data
    base_token, quote_token, lot_size = fold.markets[int(data[74:82], 16)]
    base = int(data[82:98], 16) * lot_size
    quote = int(data[98:114], 16)
    fee = int(data[114:130], 16)
    trading = fold.trading
    if int(data[72:74], 16) == SELL:
        trading[account, base_token] -= base
        trading[account, quote_token] += quote - fee
    else:
        trading[account, base_token] += base
        trading[account, quote_token] -= quote + fee


def fees_collected(fold: Fold, log: Log, prefix: str) -> None:
    """The fees of one market in a batch, credited to the fee account in the market's quote token."""
    market = int(log.topics[1], 16)
    account, amount = word(log.data, 0)[24:], int(word(log.data, 1), 16)
    fold.trading[account, fold.markets[market][1]] += amount
    fold.add("fees_collected", prefix, BYTES + log.transaction_hash[2:], str(market), BYTES + account, str(amount))


def batch_settled(fold: Fold, log: Log, prefix: str) -> None:
    """A batch; the executions in its transaction are its own."""
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


HANDLERS: Mapping[str, Handler] = {
    "OrderExecuted": order_executed,
    "FeesCollected": fees_collected,
    "BatchSettled": batch_settled,
}
