"""Tokens and markets that the contract takes."""

from collections.abc import Mapping

from exchange.chain.abi import word
from exchange.chain.types import Log
from indexer.fold import BYTES, Fold, Handler


def token_listed(fold: Fold, log: Log) -> None:
    """A token the contract takes from now on."""
    unit, decimals = int(word(log.data, 1), 16), int(word(log.data, 2), 16)
    token_id = int(log.topics[1], 16)
    fold.add("token_listed", log, str(token_id), BYTES + word(log.data, 0)[24:], str(unit), str(decimals))


def market_listed(fold: Fold, log: Log) -> None:
    """A market the contract settles from now on."""
    market = int(log.topics[1], 16)
    base, quote, lot_size = (int(word(log.data, place), 16) for place in range(3))
    fold.markets[market] = (base, quote, lot_size)
    fold.add("market_listed", log, str(market), str(base), str(quote), str(lot_size))


HANDLERS: Mapping[str, Handler] = {"TokenListed": token_listed, "MarketListed": market_listed}
