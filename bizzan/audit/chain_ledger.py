"""The ledger as the chain's own logs tell it, up to one block: read from the node, folded here.

The fold shares no code with the indexer, so that a mistake in one is seen by the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bizzan.audit.demands import timed_blocks
from exchange.chain.abi import EVENTS, decode
from exchange.chain.rpc import Call, RangeTooLarge, Rpc
from exchange.chain.types import Header, Log
from exchange.domain.deployment import Deployment, address_bytes
from exchange.domain.order import Side

_U64 = (1 << 64) - 1
_BY_TOPIC = {event.topic: event for event in EVENTS.values()}
FIRST_RANGE_BLOCKS = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a log stands on the chain."""

    block_number: int
    log_index: int
    block_hash: str
    tx_hash: str

    def __str__(self) -> str:
        return f"block {self.block_number}, log {self.log_index} (transaction {self.tx_hash})"


@dataclass(frozen=True, slots=True)
class Executed:
    """One order as a batch executed it on chain; `quote` and `fee` in quote ledger units."""

    account: bytes
    order_hash: bytes
    side: int
    market: int
    lots: int
    quote: int
    fee: int


@dataclass(frozen=True, slots=True)
class Movement:
    """A change of a trading balance that the engine is told of: `amount` is negative when money left."""

    place: Place
    kind: str
    account: bytes
    token_id: int
    amount: int
    withdrawal_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class SettledBatch:
    """A batch as it was mined."""

    place: Place
    seq: int
    prev_head: bytes
    new_head: bytes
    announced: int
    executed: tuple[Executed, ...]
    fees: Mapping[int, int] = field(default_factory=dict)
    """Fees collected, by market, in quote ledger units."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A log of those in `KEPT`, as it is: for checks that fold it by rules of their own."""

    place: Place
    name: str
    values: Mapping[str, Any]


KEPT = frozenset(
    {
        *("ExitRequested", "ExitCancelled", "AccountFrozen", "AccountUnfrozen", "NonceCancelled", "NoncesCancelled"),
        *("DelegateAdded", "DelegateRevoked", "Deposited", "MovedToTrading", "Withdrawn", "MovedToFunding"),
        *("WithdrawalRequested", "WithdrawalRequestCancelled", "WithdrawalClaimed"),
        *("OutflowLimitChanged", "ApproverChanged", "ApprovalThresholdChanged", "WithdrawalApproved"),
    }
)


@dataclass(slots=True)
class ChainLedger:
    """Trading and funding balances by (account, token id), movements and batches, in the order of the logs.

    `block_numbers` has the heights of the blocks with logs, by hash; `times` the seconds of those blocks by whose time
    demands are judged, and `read_at` those of the last block.
    """

    deployment: Deployment
    trading: defaultdict[tuple[bytes, int], int] = field(default_factory=lambda: defaultdict(int))
    funding: defaultdict[tuple[bytes, int], int] = field(default_factory=lambda: defaultdict(int))
    movements: list[Movement] = field(default_factory=list)
    batches: list[SettledBatch] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    block_numbers: dict[str, int] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    read_at: int = 0
    logs: int = 0
    fee_account: bytes = b""
    """Who is credited with fees."""
    fee_accounts: set[bytes] = field(default_factory=set)
    """Everybody who ever was."""
    _open: list[Executed] = field(default_factory=list)
    _open_fees: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.fee_account = address_bytes(self.deployment.fee_account)
        self.fee_accounts.add(self.fee_account)

    def total(self, token_id: int) -> int:
        """What the contract owes in one token, in ledger units."""
        return sum(
            amount for book in (self.trading, self.funding) for (_, token), amount in book.items() if token == token_id
        )

    def apply(self, log: Log) -> None:
        """Fold one log. Events that move no money change nothing."""
        self.logs += 1
        self.block_numbers[log.block_hash] = int(log.block_number, 16)
        event = _BY_TOPIC.get(log.topics[0])
        if event is None or (event.name not in _HANDLERS and event.name not in KEPT):
            return
        place, values = _place(log), decode(event, log)
        if event.name in KEPT:
            self.kept.append(Kept(place, event.name, values))
        if handler := _HANDLERS.get(event.name):
            handler(self, place, values)

    def _move(self, place: Place, kind: str, values: dict[str, Any], amount: int) -> None:
        account, token_id = values["account"], values["token_id"]
        self.trading[account, token_id] += amount
        self.movements.append(Movement(place, kind, account, token_id, amount, values.get("withdrawal_hash", b"")))

    def _deposited(self, place: Place, values: dict[str, Any]) -> None:
        if values["to_funding"]:
            self.funding[values["account"], values["token_id"]] += values["amount"]
        else:
            self._move(place, "deposit", values, values["amount"])

    def _moved_to_trading(self, place: Place, values: dict[str, Any]) -> None:
        self.funding[values["account"], values["token_id"]] -= values["amount"]
        self._move(place, "moved_to_trading", values, values["amount"])

    def _moved_to_funding(self, place: Place, values: dict[str, Any]) -> None:
        self.funding[values["account"], values["token_id"]] += values["amount"] - values["fee"]
        self._move(place, "moved_to_funding", values, -values["amount"])

    def _funding_withdrawn(self, place: Place, values: dict[str, Any]) -> None:
        self.funding[values["account"], values["token_id"]] -= values["amount"]

    def _withdrawn(self, place: Place, values: dict[str, Any]) -> None:
        self._move(place, "withdrawn", values, -values["amount"])

    def _claimed(self, place: Place, values: dict[str, Any]) -> None:
        self._move(place, "claimed", values, -values["amount"])

    def _exit_claimed(self, place: Place, values: dict[str, Any]) -> None:
        self.funding[values["account"], values["token_id"]] -= values["funding_amount"]
        self._move(place, "exit_claimed", values, -values["trading_amount"])

    def _executed(self, place: Place, values: dict[str, Any]) -> None:
        word = values["amounts"]
        market_id, lots = word >> 192 & 0xFFFF_FFFF, word >> 128 & _U64
        quote, fee, side = word >> 64 & _U64, word & _U64, word >> 224
        account = values["account"]
        self._open.append(Executed(account, values["order_hash"], side, market_id, lots, quote, fee))
        base, paid = self.tokens_of(market_id)
        sign = -1 if side == Side.sell else 1
        self.trading[account, base] += sign * lots * self.deployment.market(market_id).lot_size
        self.trading[account, paid] -= sign * quote + fee

    def _fees_collected(self, place: Place, values: dict[str, Any]) -> None:
        self.trading[values["fee_account"], self.tokens_of(values["market_id"])[1]] += values["amount"]
        self._open_fees[values["market_id"]] += values["amount"]

    def _fee_account_changed(self, place: Place, values: dict[str, Any]) -> None:
        self.fee_account = values["fee_account"]
        self.fee_accounts.add(self.fee_account)

    def _batch_settled(self, place: Place, values: dict[str, Any]) -> None:
        executed, fees = tuple(self._open), dict(self._open_fees)
        self._open.clear()
        self._open_fees.clear()
        self.batches.append(
            SettledBatch(
                place, values["seq"], values["prev_head"], values["new_head"], values["executions"], executed, fees
            )
        )

    def tokens_of(self, market_id: int) -> tuple[int, int]:
        """Base and quote token ids of a market."""
        market = self.deployment.market(market_id)
        base = self.deployment.token_of_asset(market.base_asset)
        return base.token_id, self.deployment.token_of_asset(market.quote_asset).token_id


_HANDLERS: dict[str, Callable[[ChainLedger, Place, dict[str, Any]], None]] = {
    "Deposited": ChainLedger._deposited,
    "MovedToTrading": ChainLedger._moved_to_trading,
    "MovedToFunding": ChainLedger._moved_to_funding,
    "FundingWithdrawn": ChainLedger._funding_withdrawn,
    "Withdrawn": ChainLedger._withdrawn,
    "WithdrawalClaimed": ChainLedger._claimed,
    "ExitClaimed": ChainLedger._exit_claimed,
    "OrderExecuted": ChainLedger._executed,
    "FeeAccountChanged": ChainLedger._fee_account_changed,
    "FeesCollected": ChainLedger._fees_collected,
    "BatchSettled": ChainLedger._batch_settled,
}


async def read_chain(rpc: Rpc, deployment: Deployment, last_block: int) -> ChainLedger:
    """The ledger of all logs from the deployment to `last_block`. Raises ChainError."""
    ledger = ChainLedger(deployment)
    for log in await read_logs(rpc, deployment.custody, deployment.block_number, last_block):
        ledger.apply(log)
    ledger.times = await read_times(rpc, timed_blocks(ledger, last_block) | {last_block})
    ledger.read_at = ledger.times[last_block]
    return ledger


async def read_times(rpc: Rpc, numbers: Iterable[int]) -> dict[int, int]:
    """The seconds of these blocks. Raises ChainError."""
    calls: list[Call] = [("eth_getBlockByNumber", (hex(number), False)) for number in sorted(numbers)]
    return {header.number: header.timestamp for header in await rpc.batch(calls, Header)}


async def read_logs(rpc: Rpc, address: str, first: int, last: int) -> Sequence[Log]:
    """All logs of a contract, in ranges that the node is willing to answer."""
    logs: list[Log] = []
    size = FIRST_RANGE_BLOCKS
    while first <= last:
        end = min(last, first + size - 1)
        try:
            logs += await rpc.logs(address, first, end)
        except RangeTooLarge:
            if size == 1:
                raise
            size = max(1, size // 2)
            continue
        first = end + 1
    return logs


def _place(log: Log) -> Place:
    return Place(int(log.block_number, 16), int(log.log_index, 16), log.block_hash, log.transaction_hash)
