"""Batches: what each order bought or sold, the fees, and the batch that closes its transaction's logs."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from indexer.fold import BYTES, Fold, Handler


def order_executed(fold: Fold, log: Log) -> None:
    """One order's part in a batch; its row is a view of the raw log.

    The hot path. Word 1 packs side 8, market 32, lots 64, quote 64 and fee 64 bits.
    """
    data = log.data
    sums = fold.executed[log.topics[1] + data[72:82]]
    sums[0] += int(data[82:98], 16)
    sums[1] += int(data[98:114], 16)
    sums[2] += int(data[114:130], 16)


def fees_collected(fold: Fold, log: Log) -> None:
    """The fees of one market in a batch, credited to the fee account in the market's quote token."""
    market = int(log.topics[1], 16)
    account, amount = word(log.data, 0)[24:], int(word(log.data, 1), 16)
    fold.trading[account, fold.markets[market][1]] += amount
    fold.add("fees_collected", log, BYTES + log.transaction_hash[2:], str(market), BYTES + account, str(amount))


def batch_settled(fold: Fold, log: Log) -> None:
    """A batch; the executions in its transaction are its own."""
    seq = str(int(log.topics[1], 16))
    fold.add(
        "batch_settled",
        log,
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
