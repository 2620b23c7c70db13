"""The contract's events: names, fields and signatures.

Every field of every event is one 32-byte word, so a log decodes by slicing. The tests compare this table
with the exported ABI and the slicing with eth-abi.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exchange.chain.types import Log
from exchange.domain.eip712 import keccak

WORD = 64
"""Hexadecimal digits in a word."""

Value = int | bytes | bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event. Fields are (name, type); the first `indexed` of them are topics. `topic` is 0x hex."""

    name: str
    fields: tuple[tuple[str, str], ...]
    indexed: int
    topic: str = field(init=False)

    def __post_init__(self) -> None:
        types = ",".join(kind for _, kind in self.fields)
        object.__setattr__(self, "topic", "0x" + keccak(f"{self.name}({types})".encode()).hex())


def _event(name: str, fields: str, indexed: int) -> Event:
    pairs = [item.split() for item in fields.split(",")] if fields else []
    return Event(name, tuple((name, kind) for kind, name in pairs), indexed)


_EVENTS = (
    _event("TokenListed", "uint256 token_id,address token,uint256 unit,uint256 decimals", 1),
    _event("TokenStatusChanged", "uint256 token_id,bool deposits_open", 1),
    _event("MarketListed", "uint256 market_id,uint256 base_token_id,uint256 quote_token_id,uint256 lot_size", 1),
    _event("MarketStatusChanged", "uint256 market_id,bool halted,uint256 effective_at", 1),
    _event("Deposited", "address account,uint256 token_id,address sender,uint256 amount,bool to_funding", 2),
    _event("MovedToTrading", "address account,uint256 token_id,uint256 amount", 2),
    _event(
        "MovedToFunding",
        "address account,uint256 token_id,uint256 amount,uint256 fee,uint256 nonce,bytes32 withdrawal_hash",
        2,
    ),
    _event("FundingWithdrawn", "address account,uint256 token_id,address recipient,uint256 amount", 2),
    _event(
        "Withdrawn",
        "address account,uint256 token_id,address recipient,uint256 amount,uint256 fee,uint256 nonce,"
        "bytes32 withdrawal_hash,address submitter",
        2,
    ),
    _event(
        "WithdrawalRequested",
        "address account,uint256 token_id,address recipient,uint256 amount,uint256 claimable_at,uint256 lapses_at",
        2,
    ),
    _event("WithdrawalRequestCancelled", "address account,uint256 token_id", 2),
    _event("WithdrawalClaimed", "address account,uint256 token_id,address recipient,uint256 amount", 2),
    _event("ExitRequested", "address account,uint256 effective_at", 1),
    _event("ExitCancelled", "address account", 1),
    _event("ExitClaimed", "address account,uint256 token_id,uint256 trading_amount,uint256 funding_amount", 2),
    _event("EthRefused", "address account,uint256 amount", 1),
    _event("EthClaimed", "address account,address recipient,uint256 amount", 1),
    _event("NonceCancelled", "address account,uint256 nonce,uint256 effective_at", 1),
    _event("NoncesCancelled", "address account,uint256 min_nonce,uint256 effective_at", 1),
    _event("DelegateAdded", "address account,address delegate,uint256 markets,uint256 expiry,uint256 nonce", 2),
    _event("DelegateRevoked", "address account,address delegate,uint256 effective_at,uint256 nonce", 2),
    _event("OrderExecuted", "address account,bytes32 order_hash,uint256 amounts", 1),
    _event("FeesCollected", "uint256 market_id,address fee_account,uint256 amount", 1),
    _event("BatchSettled", "uint256 seq,bytes32 prev_head,bytes32 new_head,uint256 executions", 1),
    _event("AccountFrozen", "address account,uint256 effective_at,uint256 nonce", 1),
    _event("AccountUnfrozen", "address account,uint256 effective_at", 1),
    _event("AllowListChanged", "address account,bool enabled,uint256 effective_at", 1),
    _event("RecipientAllowed", "address account,address recipient,uint256 effective_at", 2),
    _event("RecipientDisallowed", "address account,address recipient", 2),
    _event("OutflowLimitChanged", "uint256 token_id,uint256 limit", 1),
    _event("ApproverChanged", "address approver,bool approved", 1),
    _event("ApprovalThresholdChanged", "uint256 threshold", 0),
    _event("WithdrawalApproved", "bytes32 withdrawal_hash,address account,address approver", 3),
    _event("OperatorSeen", "address operator", 1),
    _event("Paused", "uint256 until", 0),
    _event("Unpaused", "", 0),
    _event("Frozen", "", 0),
    _event("Launched", "", 0),
    _event("OperationScheduled", "bytes32 operation_hash,uint256 ready_at", 1),
    _event("OperationUnscheduled", "bytes32 operation_hash", 1),
    _event("OperatorChanged", "address operator", 1),
    _event("OperatorRemoved", "address operator,address successor", 2),
    _event("StandbyOperatorChanged", "address standby_operator", 1),
    _event("CoSignerChanged", "address co_signer", 1),
    _event("GuardianChanged", "address guardian", 1),
    _event("FeeAccountChanged", "address fee_account", 1),
    _event("OwnerProposed", "address owner", 1),
    _event("OwnerChanged", "address owner", 1),
)

EVENTS: Mapping[str, Event] = {event.name: event for event in _EVENTS}
"""The custody contract's events by name."""


def word(data: str, place: int) -> str:
    """The digits of word `place` of a log's data."""
    start = 2 + place * WORD
    return data[start : start + WORD]


def decode(event: Event, log: Log) -> dict[str, Value]:
    """A log's fields by name: integers, bytes (20 or 32) or booleans."""
    words = [topic[2:] for topic in log.topics[1:]]
    words += [word(log.data, place) for place in range(len(event.fields) - event.indexed)]
    return {name: _value(kind, digits) for (name, kind), digits in zip(event.fields, words, strict=True)}


def _value(kind: str, digits: str) -> Value:
    if kind == "address":
        return bytes.fromhex(digits[24:])
    if kind == "bytes32":
        return bytes.fromhex(digits)
    number = int(digits, 16)
    return bool(number) if kind == "bool" else number
