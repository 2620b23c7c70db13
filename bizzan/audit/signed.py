"""Whether everything in the journal that a user must sign is signed, for this contract and by somebody who may.

An operator that writes the journal can write any line, also one that no user sent: an order of its own in somebody's
name, a cancel that makes room. What it cannot write is the signature.

SIG-1  signed      orders, amends, cancels, countdowns and stops carry their signer's signature, under the deployment's
                   domain, over exactly what stands there
SIG-2  for whom    the signer is the account itself, or signs as a delegate; with the chain: as one whom it named there
SIG-3  frames      a frame is under the deployment's domain. One that is void does nothing, and is no finding: whoever
                   sent it sees by its receipt which bytes were taken (`exchange.domain.receipt`)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bizzan.audit.chain_ledger import ChainLedger
from bizzan.audit.comparing import Problem
from exchange.domain.bulk import BulkSignature
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.receipt import (
    cancel_all_subject,
    cancel_subject,
    countdown_subject,
    mass_cancel_subject,
    trading_stop_subject,
)
from exchange.domain.recovery import recover
from exchange.engine import commands as c
from exchange.journal.reader import Record

Signed = c.CancelOrder | c.CancelAll | c.MassCancel | c.SetCountdown | c.StopTrading


@dataclass(slots=True)
class SignatureLedger:
    """Signatures so far; `problems` in the order of the journal. `delegates` says where one first signed for whom."""

    domain: Domain
    delegates: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    checked: int = 0
    void_frames: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Check what a record says was signed."""
        command = record.command
        if isinstance(command, c.PlaceOrder):
            self._order(record.seq, command)
        elif isinstance(command, c.PlaceFrame):
            self._frame(record.seq, command)
        elif isinstance(command, Signed):
            signer = command.account if isinstance(command, c.StopTrading) else command.signer
            self._signature(record.seq, "it", self.domain.digest(_struct_hash(command)), command.signature, signer)
            self._for_whom(record.seq, command.account, signer)

    def _order(self, seq: int, placed: c.PlaceOrder) -> None:
        digest = self.domain.order_hash(placed.order)
        if digest != placed.order_hash:
            self._problem(
                seq, f"the order is known as 0x{placed.order_hash.hex()}, its fields have the hash 0x{digest.hex()}"
            )
        signature = placed.signature
        if placed.scheme & Scheme.bulk:
            try:
                bulk = BulkSignature.unpack(signature)
            except ValueError as error:
                self._problem(seq, f"the order is not signed: {error}")
                return
            digest, signature = bulk.digest(self.domain, placed.order), bulk.signature
        self._signature(seq, f"the order 0x{placed.order_hash.hex()}", digest, signature, placed.signer)
        delegated = bool(placed.scheme & Scheme.delegate)
        if delegated != (placed.signer != placed.order.account):
            self._problem(
                seq,
                f"the order of {checksum(placed.order.account)} is signed by {checksum(placed.signer)}, and its scheme "
                f"says {'a delegate' if delegated else 'the account'}",
            )
        self._for_whom(seq, placed.order.account, placed.signer)

    def _frame(self, seq: int, command: c.PlaceFrame) -> None:
        if command.separator != self.domain.separator:
            self._problem(
                seq,
                f"the frame is signed under the domain 0x{command.separator.hex()}, the deployment's is "
                f"0x{self.domain.separator.hex()}",
            )
        if command.judged().unfolded is None:
            self.void_frames += 1
            return
        self.checked += 1
        self._for_whom(seq, command.orders[:20], command.signer)

    def _signature(self, seq: int, what: str, digest: bytes, signature: bytes, signer: bytes) -> None:
        self.checked += 1
        found = recover(digest, signature)
        if found != signer:
            by = checksum(found) if found else "nobody"
            self._problem(seq, f"{what} is said to be signed by {checksum(signer)}, and is signed by {by}")

    def _for_whom(self, seq: int, account: bytes, signer: bytes) -> None:
        if signer != account:
            self.delegates.setdefault((account, signer), seq)

    def _problem(self, seq: int, text: str) -> None:
        self.problems.append((f"journal sequence {seq}", text))


def unknown_delegates(ledger: SignatureLedger, chain: ChainLedger) -> Iterator[Problem]:
    """Keys that signed for an account, which never named them on chain."""
    named = {(kept.values["account"], kept.values["delegate"]) for kept in chain.kept if kept.name == "DelegateAdded"}
    for (account, signer), seq in ledger.delegates.items():
        if (account, signer) not in named:
            yield (
                f"journal sequence {seq}",
                f"{checksum(signer)} signs for {checksum(account)}, which never named it a delegate on chain",
            )


def _struct_hash(command: Signed) -> bytes:
    match command:
        case c.CancelOrder():
            return cancel_subject(command.account, command.nonce)
        case c.CancelAll():
            return cancel_all_subject(command.account, command.min_nonce)
        case c.MassCancel():
            return mass_cancel_subject(command.account, command.market, command.side, command.nonce)
        case c.SetCountdown():
            return countdown_subject(command.account, command.seconds, command.nonce)
        case c.StopTrading():
            return trading_stop_subject(command.account, command.stopped, command.nonce)
