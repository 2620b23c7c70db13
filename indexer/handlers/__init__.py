"""Handlers: one function per event, one file per subject. Each slices its words and adds one row."""

from collections.abc import Mapping
from types import MappingProxyType

from exchange.chain.abi import EVENTS
from indexer.fold import Handler
from indexer.handlers import accounts, deposits, guards, listings, settlement, status, withdrawals

_BY_NAME: Mapping[str, Handler] = {
    **{name: status.handler(EVENTS[name]) for name in status.NAMES},
    **listings.HANDLERS,
    **deposits.HANDLERS,
    **withdrawals.HANDLERS,
    **accounts.HANDLERS,
    **guards.HANDLERS,
    **settlement.HANDLERS,
}

HANDLERS: Mapping[str, Handler] = MappingProxyType({EVENTS[name].topic: handler for name, handler in _BY_NAME.items()})
"""Handlers by the event's topic (0x hex)."""
