"""Everything else the contract says: roles, pauses, freezes, listing status, schedules, refused ETH."""

import json
import re
from collections.abc import Mapping

from exchange.chain.abi import Event, decode
from exchange.chain.types import Log
from indexer.fold import BYTES, Fold, Handler

NAMES = (
    "TokenStatusChanged",
    "MarketStatusChanged",
    "EthRefused",
    "EthClaimed",
    "OutflowLimitChanged",
    "ApproverChanged",
    "ApprovalThresholdChanged",
    "OperatorSeen",
    "Paused",
    "Unpaused",
    "Frozen",
    "Launched",
    "OperationScheduled",
    "OperationUnscheduled",
    "OperatorChanged",
    "OperatorRemoved",
    "StandbyOperatorChanged",
    "CoSignerChanged",
    "GuardianChanged",
    "FeeAccountChanged",
    "OwnerProposed",
    "OwnerChanged",
)
"""Events kept as name and fields."""


def handler(event: Event) -> Handler:
    """A handler that keeps `event` as a row of chain_status."""
    kind = snake_case(event.name)

    def keep(fold: Fold, log: Log) -> None:
        params = json.dumps(_plain(decode(event, log)))
        fold.add("chain_status", log, BYTES + log.transaction_hash[2:], kind, params)

    return keep


def snake_case(name: str) -> str:
    """`MarketStatusChanged` is `market_status_changed`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _plain(fields: Mapping[str, int | bytes | bool]) -> dict[str, str | bool]:
    """Fields as JSON holds them: integers as strings, bytes as 0x hex."""
    return {
        name: "0x" + value.hex() if isinstance(value, bytes) else value if isinstance(value, bool) else str(value)
        for name, value in fields.items()
    }
