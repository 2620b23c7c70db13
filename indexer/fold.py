"""The fold: what a run of logs adds to the tables.

Raw and derived rows are built as COPY text straight from the node's hexadecimal. Balances are sums of
changes, so taking logs back is the same fold with the sign turned.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from exchange.chain.types import Header, Log
from exchange.database.mirror import NULL, log_prefix, log_row, transaction_part

Market = tuple[int, int, int]
"""Base token id, quote token id, lot size in base ledger units."""

BYTES = "\\\\x"
"""What COPY text wants before hexadecimal digits."""


class Fold:
    """Rows and balance changes of a run of logs. `markets` grows with the listings among them."""

    def __init__(self, chain_id: int, markets: Mapping[int, Market]) -> None:
        self.chain_id = chain_id
        self.markets = dict(markets)
        self.rows: defaultdict[str, list[str]] = defaultdict(list)
        self.trading: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.funding: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.logs: list[str] = []
        """Raw rows, in hexadecimal."""
        self.unknown = 0
        """Logs whose event is not known; they are in the raw rows only."""

    def add(self, table: str, prefix: str, *values: str) -> None:
        """Add a row to a derived table; `prefix` is what all derived rows begin with."""
        self.rows[table].append(prefix + "\t".join(values))


Handler = Callable[[Fold, Log, str], None]
"""Takes the fold, the log, and the first columns of its derived row (chain, block, log index, height)."""


def fold_headers(fold: Fold, headers: Iterable[Header]) -> None:
    """Add the rows of `block`."""
    fold.rows["block"] += [
        f"{fold.chain_id}\t{header.number}\t{BYTES}{header.hash[2:]}"
        f"\t{BYTES + header.parent_hash[2:] if header.parent_hash else NULL}\t{header.timestamp}"
        for header in headers
    ]


def fold_logs(fold: Fold, logs: Iterable[Log], handlers: Mapping[str, Handler]) -> None:
    """Add the raw rows of logs that are in order, and whatever their handlers make of them."""
    add_raw = fold.logs.append
    find = handlers.get
    block_hash = tx_hash = prefix = raw_prefix = transaction = number = ""
    for log in logs:
        if log.block_hash != block_hash:
            block_hash = log.block_hash
            prefix = f"{fold.chain_id}\t{BYTES}{block_hash[2:]}\t"
            raw_prefix = log_prefix(fold.chain_id, block_hash[2:])
            number = str(int(log.block_number, 16))
            tx_hash = ""
        if log.transaction_hash != tx_hash:
            tx_hash = log.transaction_hash
            transaction = transaction_part(log.transaction_index[2:], tx_hash[2:], log.address[2:])
        topics = log.topics
        add_raw(log_row(raw_prefix, log.log_index[2:], transaction, "".join(topics).replace("0x", ""), log.data[2:]))
        handler = find(topics[0]) if topics else None
        if handler is None:
            fold.unknown += 1
        else:
            handler(fold, log, f"{prefix}{int(log.log_index, 16)}\t{number}\t")
