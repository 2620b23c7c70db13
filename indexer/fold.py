"""The fold: what a run of logs adds to the tables.

Raw and derived rows are built as COPY text straight from the node's hexadecimal. Balances are sums of
changes, so taking logs back is the same fold with the sign turned.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from exchange.chain.types import Header, Log
from exchange.database.mirror import NULL, log_prefix, log_row, transaction_part
from exchange.domain.order import Side

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
        self.executed: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        """Lots, quote and fee executed, by the account's topic, side (2 digits) and market (8 digits)."""
        self.block_prefix = ""
        """The first columns of derived rows in the block being folded: chain and block hash."""
        self.block_number = ""
        self.unknown = 0
        """Logs whose event is not known; they are in the raw rows only."""

    def add(self, table: str, log: Log, *values: str) -> None:
        """Add the row of a log to a derived table; `values` follow chain, block hash, log index and height."""
        place = int(log.log_index, 16)
        self.rows[table].append(f"{self.block_prefix}{place}\t{self.block_number}\t" + "\t".join(values))

    def close(self) -> None:
        """Turn what was executed into changes of balances: base and quote change hands, the fee is in quote."""
        for key, (lots, quote, fee) in self.executed.items():
            account, side, market = key[26:66], int(key[66:68], 16), int(key[68:], 16)
            base_token, quote_token, lot_size = self.markets[market]
            sign = -1 if side == Side.sell else 1
            self.trading[account, base_token] += sign * lots * lot_size
            self.trading[account, quote_token] -= sign * quote + fee
        self.executed.clear()


Handler = Callable[[Fold, Log], None]
"""Takes the fold and a log whose block the fold is at."""


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
    block_hash = tx_hash = raw_prefix = transaction = ""
    for log in logs:
        if log.block_hash != block_hash:
            block_hash, tx_hash = log.block_hash, ""
            raw_prefix = log_prefix(fold.chain_id, block_hash[2:])
            fold.block_prefix = f"{fold.chain_id}\t{BYTES}{block_hash[2:]}\t"
            fold.block_number = str(int(log.block_number, 16))
        if log.transaction_hash != tx_hash:
            tx_hash = log.transaction_hash
            transaction = transaction_part(int(log.transaction_index, 16), tx_hash[2:], log.address[2:])
        topics = log.topics
        words = "".join(topics).replace("0x", "")
        add_raw(log_row(raw_prefix, int(log.log_index, 16), transaction, words, log.data[2:]))
        handler = find(topics[0]) if topics else None
        if handler is None:
            fold.unknown += 1
        else:
            handler(fold, log)
    fold.close()
