"""The receipt key: it signs each group once, when it is durable, and a single record again when it is asked for.

It signs nothing but what it read from, or has just synced to, its own journal, so a process that asks can never make
it contradict itself. Trees are hashed while the disk works, if a thread waits for it.
"""

from collections.abc import Sequence
from pathlib import Path

from exchange.chain.signing import Key
from exchange.domain import entry as wire
from exchange.domain.deployment import Deployment, address_bytes, checksum
from exchange.domain.eip712 import Domain
from exchange.domain.receipt import EMPTY, RecordTree, commit_digest, record_hashes
from exchange.engine.commands import PlaceGroup, PlaceOrder
from exchange.journal.receipts import RecordFinder, account_of, leaf_of, subject_of
from exchange.sequencer.protocol import Ack, Refused, WireReceipt
from exchange.sequencer.seed import SeedError
from exchange.settings import Settings


class Witnessed:
    """A group whose tree is made and that is not signed yet."""

    __slots__ = ("_first", "_heads", "_subjects", "_tree")

    def __init__(self, first_seq: int, at_ms: int, subjects: Sequence[bytes], heads: Sequence[bytes]) -> None:
        self._first = first_seq
        self._subjects = subjects
        self._heads = heads
        self._tree = RecordTree(record_hashes(first_seq, at_ms, subjects, heads))

    def _sign(self, domain: Domain, key: Key) -> bytes:
        """The group's signature."""
        last = self._first + len(self._heads) - 1
        return key.sign(commit_digest(domain, self._first, last, self._heads[-1], self._tree.root))

    def sign(self, domain: Domain, key: Key, outcomes: Sequence[Ack | Refused]) -> list[Ack | Refused]:
        """The group's outcomes, with a receipt in each ack of what a user signed. Only once the group is durable."""
        first, heads, subjects = self._first, self._heads, self._subjects
        last, head = first + len(heads) - 1, heads[-1]
        signature = self._sign(domain, key)
        signed: list[Ack | Refused] = []
        for outcome in outcomes:
            if isinstance(outcome, Ack) and not outcome.duplicate:
                index = outcome.seq - first
                if subjects[index] != EMPTY:
                    path = self._tree.path(index)
                    receipt = WireReceipt(first, last, head, subjects[index], heads[index], path, signature)
                    outcome = Ack(outcome.seq, outcome.at_ms, outcome.order_id, False, receipt)
            signed.append(outcome)
        return signed

    def packed_receipts(self, domain: Domain, key: Key) -> list[bytes]:
        """The receipt of each record in the bytes of order entry. Only once the group is durable."""
        first, heads, tree = self._first, self._heads, self._tree
        last, head, signature = first + len(heads) - 1, heads[-1], self._sign(domain, key)
        return [
            wire.pack_receipt(first, last, head, subject, heads[index], tree.path(index), signature)
            for index, subject in enumerate(self._subjects)
        ]


class Notary:
    """Signs for one bond and one journal."""

    def __init__(self, domain: Domain, key: Key, folder: Path) -> None:
        self.domain = domain
        self.key = key
        self._finder = RecordFinder(folder)

    def again(self, seq: int, account: bytes) -> Ack | None:
        """The ack of a durable record with a receipt of its own; None when the account has no such record.

        Reads the journal: call it beside the loop.
        """
        try:
            record = self._finder.find(seq)
        except LookupError:
            return None
        subject = subject_of(record.command)
        if subject == EMPTY or account_of(record.command) != account:
            return None
        signature = self.key.sign(commit_digest(self.domain, seq, seq, record.head, leaf_of(record)))
        receipt = WireReceipt(seq, seq, record.head, subject, record.head, [], signature)
        places = isinstance(record.command, PlaceOrder | PlaceGroup)
        return Ack(seq, record.at_ms, seq if places else None, False, receipt)


def notary_of(settings: Settings, deployment: Deployment) -> Notary | None:
    """The notary of a deployment with a bond; None without one. SeedError when the key is not the bond's."""
    if not deployment.gives_receipts:
        return None
    key = Key(settings.key("receipt_signer"))
    if key.address != address_bytes(deployment.receipt_signer):
        raise SeedError(
            f"BIZZAN_KEYS__RECEIPT_SIGNER is the key of {checksum(key.address)}, the operator's bond stands for "
            f"{deployment.receipt_signer}: set that key"
        )
    return Notary(deployment.bond_domain, key, settings.journal_dir)
