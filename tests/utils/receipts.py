"""A small journal whose records are signed in any ranges: what an honest engine says, and what a crooked one may."""

from dataclasses import dataclass, field, replace
from hashlib import sha256

from exchange.domain.eip712 import Domain, keccak
from exchange.domain.receipt import Receipt, RecordTree, commit_digest, record_hash
from tests.utils.signing import Signer


@dataclass(frozen=True)
class Line:
    """One record."""

    at_ms: int
    subject: bytes
    head: bytes


@dataclass(frozen=True)
class SignedJournal:
    """Records from sequence 1 on, and the key that signs them under a bond's domain."""

    domain: Domain
    signer: Signer
    lines: tuple[Line, ...]
    tampered: dict[int, Line] = field(default_factory=dict)
    """Lines that the tree shows otherwise than the chain of heads does."""

    @classmethod
    def of(cls, domain: Domain, signer: Signer, subjects: list[str]) -> "SignedJournal":
        """One record for each name, each binding all before it."""
        head, lines = bytes(32), []
        for number, name in enumerate(subjects):
            head = sha256(head + name.encode()).digest()
            lines.append(Line(1_000 + number, keccak(name.encode()), head))
        return cls(domain, signer, tuple(lines))

    def line(self, seq: int) -> Line:
        """The record at a sequence number."""
        return self.tampered.get(seq, self.lines[seq - 1])

    def with_line(self, seq: int, **changes: object) -> "SignedJournal":
        """The same journal but for one line in its trees."""
        return replace(self, tampered={**self.tampered, seq: replace(self.line(seq), **changes)})  # type: ignore[arg-type]

    def receipt(self, seq: int, first_seq: int, last_seq: int, head: bytes | None = None) -> Receipt:
        """The receipt of one record out of a signed range; another `head` than the last record's is a lie."""
        lines = [self.line(each) for each in range(first_seq, last_seq + 1)]
        tree = RecordTree([record_hash(first_seq + i, one.at_ms, one.subject, one.head) for i, one in enumerate(lines)])
        head = lines[-1].head if head is None else head
        shown = self.line(seq)
        return Receipt(
            self.domain,
            first_seq,
            last_seq,
            head,
            seq,
            shown.at_ms,
            shown.subject,
            shown.head,
            tuple(tree.path(seq - first_seq)),
            self.signer.key.sign(commit_digest(self.domain, first_seq, last_seq, head, tree.root)),
        )

    def head_claim(self, first_seq: int, last_seq: int, head: bytes | None = None) -> tuple[object, ...]:
        """What `OperatorBond.report` takes about the head after a range."""
        claim = self.receipt(last_seq, first_seq, last_seq, head).claim()
        return (*claim[:5], False, last_seq, 0, bytes(32), bytes(32), [])
