"""Whether everything in the journal that a user must sign is signed, for this contract and by somebody who may.

An operator that writes the journal can write any line, also one that no user sent: an order of its own in somebody's
name, a cancel that makes room. What it cannot write is the signature.

SIG-1  signed      orders, amends, cancels, countdowns, stops and holds for withdrawals carry their signer's signature,
                   under the deployment's domain, over exactly what stands there. A hold that its account's key did not
                   sign is a contract wallet's, which only the chain knows: what the contract paid it has checked,
                   of the others the wallet is asked (EIP-1271), as it is and as it was then. A reorganisation may have
                   taken the wallet, and then all that the account ever did on chain: its credits were taken back, and
                   nothing of it is held
SIG-2  for whom    the signer is the account itself, or signs as a delegate; with the chain: as one whom it named there.
                   A reorganisation may have taken its naming: then the engine was told to refuse the key, and no trade
                   of it stands. What it did to others' orders of the account is held against the operator all the same
SIG-3  frames      a frame is under the deployment's domain. One that is void does nothing, and is no finding: whoever
                   sent it sees by its receipt which bytes were taken (`exchange.domain.receipt`)
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from bizzan.audit.chain_ledger import ChainLedger
from bizzan.audit.comparing import Problem
from bizzan.audit.meddling import Pair
from exchange.chain.rpc import Rpc, RpcRefused
from exchange.chain.wallets import MAX_SIGNATURE, wallet_signed
from exchange.chain.wallets import signed as account_signed
from exchange.domain.bulk import BulkSignature
from exchange.domain.deployment import Deployment, address_bytes, checksum
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
from keeper.withdrawal import BadWithdrawal, SignedWithdrawal

Signed = c.CancelOrder | c.CancelAll | c.MassCancel | c.SetCountdown | c.StopTrading

MAX_MESSAGE = 2_048
"""Characters that are read of a withdrawal's message, which has some 500: what is longer is none."""


@dataclass(frozen=True, slots=True)
class ByCode:
    """A hold at a sequence that no key of its account signed: the account is a contract that says so, or nobody did."""

    seq: int
    at_ms: int
    account: bytes
    withdrawal_hash: bytes
    signature: bytes


@dataclass(slots=True)
class SignatureLedger:
    """Signatures so far; `problems` in the order of the journal. `delegates` says where one first signed for whom.

    `revoked` are the pairs of account and delegate that the engine refuses, `meddled` those of which something that the
    delegate signed did more than place and end its own orders (`meddling`). `by_code` are the holds of which only the
    chain can say whether they are signed.
    """

    deployment: Deployment
    domain: Domain = field(init=False)
    by_code: list[ByCode] = field(default_factory=list)
    delegates: dict[Pair, int] = field(default_factory=dict)
    revoked: set[Pair] = field(default_factory=set)
    meddled: set[Pair] = field(default_factory=set)
    checked: int = 0
    void_frames: int = 0
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.domain = self.deployment.domain

    def add(self, record: Record) -> None:
        """Check what a record says was signed."""
        command = record.command
        if isinstance(command, c.PlaceOrder):
            self._order(record.seq, command)
        elif isinstance(command, c.PlaceGroup):
            for leg in command.legs:
                self._order(record.seq, leg)
        elif isinstance(command, c.PlaceFrame):
            self._frame(record.seq, command)
        elif isinstance(command, c.HoldWithdrawal):
            self._hold(record.seq, record.at_ms, command)
        elif isinstance(command, c.ObeyRevocation):
            self.revoked.add((command.account, command.delegate))
        elif isinstance(command, c.AllowDelegate):
            self.revoked.discard((command.account, command.delegate))
        elif isinstance(command, Signed):
            self._single(record.seq, command)

    def _single(self, seq: int, command: Signed) -> None:
        signer = command.account if isinstance(command, c.StopTrading) else command.signer
        try:
            digest = self.domain.digest(_struct_hash(command))
        except ValueError as error:
            self._problem(seq, f"it cannot have been signed: {error}")
            return
        self._signature(seq, "it", digest, command.signature, signer)
        self._for_whom(seq, command.account, signer)

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

    def _hold(self, seq: int, at_ms: int, held: c.HoldWithdrawal) -> None:
        what = f"the withdrawal 0x{held.withdrawal_hash.hex()}"
        try:
            message = SignedWithdrawal.parse(json.loads(held.message[:MAX_MESSAGE]))
            digest = message.digest(self.domain)
        except (BadWithdrawal, ValueError, OverflowError, RecursionError) as error:
            self._problem(seq, f"{what} is held without the message that was signed: {error}")
            return
        if digest != held.withdrawal_hash:
            self._problem(seq, f"{what} is held, its message has the hash 0x{digest.hex()}")
        token = next((one for one in self.deployment.tokens if address_bytes(one.address) == message.token), None)
        signed = (
            checksum(message.account),
            None if token is None else token.asset_id,
            message.amount,
            message.nonce,
            message.deadline,
        )
        units = held.amount * (1 if token is None else token.unit)
        stands = (checksum(held.account), held.asset, units, held.nonce, held.deadline)
        names = ("account", "asset", "amount in token units", "nonce", "deadline")
        for name, said, there in zip(names, signed, stands, strict=True):
            if said != there:
                self._problem(seq, f"{what} holds with {name} {there}, its message says {said}")
        self.checked += 1
        if recover(held.withdrawal_hash, held.signature) != held.account:
            self.by_code.append(ByCode(seq, at_ms, held.account, held.withdrawal_hash, held.signature))

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


def unknown_delegates(ledger: SignatureLedger, chain: ChainLedger, traded: Collection[Pair]) -> Iterator[Problem]:
    """Keys that signed for an account, which never named them on chain; `traded` are those of whom a trade stands."""
    named = {(kept.values["account"], kept.values["delegate"]) for kept in chain.kept if kept.name == "DelegateAdded"}
    for pair, seq in ledger.delegates.items():
        taken_back = pair in ledger.revoked and pair not in ledger.meddled and pair not in traded
        if pair not in named and not taken_back:
            account, signer = pair
            yield (
                f"journal sequence {seq}",
                f"{checksum(signer)} signs for {checksum(account)}, which never named it a delegate on chain",
            )


def unpaid(ledger: SignatureLedger, chain: ChainLedger) -> list[ByCode]:
    """The holds without a key's signature that the contract did not pay, or not yet: nobody has checked them.

    Those of accounts of which nothing stands on chain, where a reorganisation took even their deposits, are none of
    them: such an account has nothing that a hold could keep from it. Fees are credited without a movement.
    """
    paid = {movement.withdrawal_hash for movement in chain.movements}
    known = {movement.account for movement in chain.movements} | chain.fee_accounts
    known.update(account for (account, _), amount in chain.trading.items() if amount)
    known.update(done.account for batch in chain.batches for done in batch.executed)
    return [held for held in ledger.by_code if held.account in known and held.withdrawal_hash not in paid]


async def by_wallets(rpc: Rpc, holds: Sequence[ByCode]) -> frozenset[bytes]:
    """Hashes of those that the contract at their account says are signed, now or then. Raises ChainError."""
    return frozenset(
        [
            held.withdrawal_hash
            for held in holds
            if await account_signed(rpc, held.account, held.withdrawal_hash, held.signature)
            or await _signed_then(rpc, held)
        ]
    )


async def _signed_then(rpc: Rpc, held: ByCode) -> bool:
    """Whether the contract said so at the block of the hold's time: a wallet may change its owners.

    False where the node has forgotten that state.
    """
    if not 0 < len(held.signature) <= MAX_SIGNATURE:
        return False
    first, last = 0, await rpc.block_number()
    while first < last:
        middle = (first + last + 1) // 2
        header = await rpc.header(middle)
        if header is not None and 1_000 * header.timestamp <= held.at_ms:
            first = middle
        else:
            last = middle - 1
    try:
        return await wallet_signed(rpc, held.account, held.withdrawal_hash, held.signature, first)
    except RpcRefused:
        return False


def unsigned_holds(holds: Sequence[ByCode], confirmed: Collection[bytes]) -> Iterator[Problem]:
    """Holds that neither a key nor the contract at their account confirms."""
    for held in holds:
        if held.withdrawal_hash not in confirmed:
            yield (
                f"journal sequence {held.seq}",
                f"the withdrawal 0x{held.withdrawal_hash.hex()} is held: the key of {checksum(held.account)} did not "
                "sign it, nor does a contract there say so",
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
