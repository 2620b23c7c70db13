"""What surveillance looks at: a run of the journal's facts in their order, free of any engine, clock or database.

Prices are quote units per lot, quantities lots, times milliseconds since 1970; accounts are addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

BUY, SELL = 0, 1
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Placed:
    """An order was accepted. `signer` is the account itself or the key that trades for it."""

    seq: int
    at_ms: int
    order_id: int
    account: bytes
    signer: bytes
    market: int
    side: int
    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Traded:
    """A trade at the maker's price."""

    seq: int
    at_ms: int
    trade_id: int
    market: int
    price: int
    quantity: int
    quote: int
    taker_side: int
    maker_order: int
    taker_order: int
    maker: bytes
    taker: bytes

    def side_of(self, account: bytes) -> int:
        """On which side an account was."""
        return self.taker_side if account == self.taker else 1 - self.taker_side


@dataclass(frozen=True, slots=True)
class Ended:
    """An order left the book, with so many lots unfilled."""

    seq: int
    at_ms: int
    order_id: int
    account: bytes
    market: int
    reason: str
    remaining: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Self-trade prevention cut an order down: it had met its own account."""

    seq: int
    at_ms: int
    order_id: int
    account: bytes
    market: int
    quantity: int


Fact = Placed | Traded | Ended | Stopped


@dataclass(frozen=True, slots=True)
class Link:
    """What ties an account to others: the same `key` signs for both (`signer`), or one paid the other (`funder`)."""

    kind: str
    account: bytes
    key: bytes


class Pattern(StrEnum):
    """What a case is about."""

    wash_trades = "wash_trades"
    round_trips = "round_trips"
    layering = "layering"
    momentum_ignition = "momentum_ignition"
    self_trades = "self_trades"


@dataclass(frozen=True, slots=True)
class Case:
    """What a person should look at: who, where, from which to which record, and the figures that crossed thresholds.

    `evidence` are order or trade ids, the first twenty.
    """

    pattern: Pattern
    market: int
    accounts: tuple[bytes, ...]
    first_seq: int
    last_seq: int
    began_ms: int
    ended_ms: int
    figures: dict[str, int] = field(default_factory=dict)
    evidence: tuple[int, ...] = ()
    text: str = ""

    @property
    def subject(self) -> str:
        """What two cases about the same conduct share."""
        return ":".join((self.pattern.value, str(self.market), *(account.hex() for account in self.accounts)))


MAX_EVIDENCE = 20


def of_kind(tape: Iterable[Fact], kind: type[F]) -> list[F]:
    """The facts of one kind, in order."""
    return [fact for fact in tape if isinstance(fact, kind)]


def case_of(
    pattern: Pattern,
    market: int,
    accounts: Iterable[bytes],
    facts: Sequence[Fact],
    figures: dict[str, int],
    evidence: Iterable[int],
    text: str,
) -> Case:
    """A case over `facts`, which are in order."""
    first, last = facts[0], facts[-1]
    return Case(
        pattern,
        market,
        tuple(sorted(set(accounts))),
        first.seq,
        last.seq,
        first.at_ms,
        last.at_ms,
        figures,
        tuple(evidence)[:MAX_EVIDENCE],
        text,
    )
