"""Receipts: the operator's signed word that a message stands at one place of the journal's sequence.

Each group commit is signed once, after it is durable, over the Merkle root of its records and its place in the
journal. A receipt shows one record and its way up to that root, so one user checks it alone.

    record     hashStruct JournalRecord(uint64 seq,uint64 at_ms,bytes32 subject,bytes32 head)
    node       keccak(left ‖ right); the tree is as high as its records need, free places hold 32 zero bytes
    signed     JournalCommit(uint64 first_seq,uint64 last_seq,bytes32 head,bytes32 root), under the bond's domain

`subject` is what the user signed: an order's hash, a withdrawal's, the struct hash of a cancel; of the two legs of a
group that came together hashStruct OrderGroup(bytes32 first,bytes32 second) of their hashes; of a frame what was signed
together with the orders as they came, because nobody has judged a frame that is acknowledged early; zeros for commands
that no user signs. `head` is the journal's head after the record, so every record binds all that came before
it. All of it follows from the journal alone, whatever the groups were: receipts of an honest engine never contradict
each other.

    ReceiptError   a receipt that shows nothing; the message says why
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from exchange.domain.deployment import DeploymentError, address_bytes, checksum
from exchange.domain.eip712 import Domain, keccak, struct_hash

try:
    from exchange.domain import hashing
except ImportError:  # there was no compiler
    hashing = None  # type: ignore[assignment, unused-ignore]
IS_COMPILED = hashing is not None

EMPTY = bytes(32)
MAX_HEIGHT = 32
MAX_SEQ = (1 << 64) - 1
_RECORD_TYPE_HASH = keccak(b"JournalRecord(uint64 seq,uint64 at_ms,bytes32 subject,bytes32 head)")
_GROUP_TYPE_HASH = keccak(b"OrderGroup(bytes32 first,bytes32 second)")
_FIELDS = ("name", "chain_id", "bond", "first_seq", "last_seq", "head", "seq", "at_ms", "subject", "record_head")
_ALL_FIELDS = frozenset((*_FIELDS, "path", "signature"))

Recover = Callable[[bytes, bytes], bytes | None]
"""The address (20 bytes) that signed a digest, or None."""


class ReceiptError(ValueError):
    """A receipt that shows nothing."""


def record_hash(seq: int, at_ms: int, subject: bytes, head: bytes) -> bytes:
    """The leaf of one record."""
    return keccak(_RECORD_TYPE_HASH + seq.to_bytes(32) + at_ms.to_bytes(32) + subject + head)


def cancel_subject(account: bytes, nonce: int) -> bytes:
    """The subject of a cancel of one nonce."""
    return struct_hash("Cancel", {"account": account, "nonce": nonce})


def cancel_all_subject(account: bytes, min_nonce: int) -> bytes:
    """The subject of a cancel of all nonces below one."""
    return struct_hash("CancelAll", {"account": account, "min_nonce": min_nonce})


def mass_cancel_subject(account: bytes, market: int, side: int, nonce: int) -> bytes:
    """The subject of a cancel of a market's or a side's orders."""
    return struct_hash("MassCancel", {"account": account, "market": market, "side": side, "nonce": nonce})


def countdown_subject(account: bytes, seconds: int, nonce: int) -> bytes:
    """The subject of a countdown."""
    return struct_hash("Countdown", {"account": account, "seconds": seconds, "nonce": nonce})


def trading_stop_subject(account: bytes, stopped: bool, nonce: int) -> bytes:
    """The subject of a stop of trading, or its end."""
    return struct_hash("TradingStop", {"account": account, "stopped": int(stopped), "nonce": nonce})


def group_subject(first: bytes, second: bytes) -> bytes:
    """The subject of two legs that came together, by their orders' hashes."""
    return keccak(_GROUP_TYPE_HASH + first + second)


def frame_subject(digest: bytes, orders: bytes, amends: bytes | None = None) -> bytes:
    """The subject of a frame: what was signed, as the frame says it, and the packed orders that came with it.

    So nobody can put other orders under the signature, which would make the frame void, and keep to the receipt. Of a
    mixed frame `amends` are the bits that say which orders amend. They stand under the first hash, so that no other
    orders, and no plain frame, have the same subject; be they none, as no frame that stands has them.
    """
    return sha256((digest if amends is None else sha256(digest + amends).digest()) + orders).digest()


def record_hashes(first_seq: int, at_ms: int, subjects: Sequence[bytes], heads: Sequence[bytes]) -> list[bytes]:
    """The leaves of records from `first_seq` on, all of one time."""
    if not IS_COMPILED:
        placed = enumerate(zip(subjects, heads, strict=True), first_seq)
        return [record_hash(seq, at_ms, subject, head) for seq, (subject, head) in placed]
    return _parts(hashing.record_hashes(first_seq, at_ms, b"".join(subjects), b"".join(heads), _RECORD_TYPE_HASH))


class RecordTree:
    """The Merkle tree over the records of a range, given by their hashes in order."""

    __slots__ = ("_levels",)

    def __init__(self, hashes: Sequence[bytes]) -> None:
        if not hashes:
            raise ValueError("a tree has one record at least")
        self._levels = _levels(hashes) if IS_COMPILED else _levels_in_python(hashes)

    @property
    def root(self) -> bytes:
        """The root."""
        return self._levels[-1][0]

    def path(self, index: int) -> list[bytes]:
        """The hashes beside the way from a record up to the root, the lowest first."""
        path: list[bytes] = []
        for level in self._levels[:-1]:
            path.append(level[index ^ 1])
            index >>= 1
        return path


def _levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The tree from its leaves up to its root; a level that is odd has one more node, for a free place."""
    nodes = _parts(hashing.record_tree(b"".join(hashes)))
    levels, first, width = [], 0, len(hashes)
    while width > 1:
        width += width & 1
        levels.append(nodes[first : first + width])
        first, width = first + width, width // 2
    return [*levels, nodes[first:]]


def _levels_in_python(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The same without the compiled module."""
    level = list(hashes)
    levels = [level]
    while len(level) > 1:
        if len(level) & 1:
            level.append(_empty(len(levels) - 1))
        pairs = iter(level)
        level = [keccak(left + right) for left, right in zip(pairs, pairs, strict=True)]
        levels.append(level)
    return levels


def _parts(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + 32] for at in range(0, len(hashes), 32)]


def _empty(height: int) -> bytes:
    """The node above free places only."""
    node = EMPTY
    for _ in range(height):
        node = keccak(node + node)
    return node


def commit_digest(domain: Domain, first_seq: int, last_seq: int, head: bytes, root: bytes) -> bytes:
    """What the receipt key signs."""
    return domain.hash("JournalCommit", {"first_seq": first_seq, "last_seq": last_seq, "head": head, "root": root})


@dataclass(frozen=True, slots=True)
class Receipt:
    """One record, its way up to the root of its range, and the signature over it. `domain` is the bond's."""

    domain: Domain
    first_seq: int
    last_seq: int
    head: bytes
    seq: int
    at_ms: int
    subject: bytes
    record_head: bytes
    path: tuple[bytes, ...]
    signature: bytes

    @property
    def record_hash(self) -> bytes:
        """The leaf that it shows."""
        return record_hash(self.seq, self.at_ms, self.subject, self.record_head)

    @property
    def root(self) -> bytes:
        """The root that its record and path lead to. ReceiptError when they cannot lead to any."""
        index, last = self.seq - self.first_seq, self.last_seq - self.first_seq
        if not 0 < self.first_seq <= self.seq <= self.last_seq <= MAX_SEQ:
            raise ReceiptError(f"sequence {self.seq} is not within {self.first_seq} to {self.last_seq}")
        if len(self.path) != last.bit_length():
            raise ReceiptError(f"the path has {len(self.path)} hashes, {last + 1} records need {last.bit_length()}")
        node = self.record_hash
        for sibling in self.path:
            node = keccak(sibling + node) if index & 1 else keccak(node + sibling)
            index >>= 1
        return node

    @property
    def digest(self) -> bytes:
        """What was signed, if the receipt is one."""
        return commit_digest(self.domain, self.first_seq, self.last_seq, self.head, self.root)

    def check(self, signer: bytes, recover: Recover, subject: bytes | None = None) -> None:
        """Raise ReceiptError unless `signer` signed it, and it is for `subject`, if one is given."""
        if self.seq == self.last_seq and self.record_head != self.head:
            raise ReceiptError("the head after the last record is not the range's: the receipt contradicts itself")
        if subject is not None and subject != self.subject:
            raise ReceiptError(f"it is for 0x{self.subject.hex()}, not for 0x{subject.hex()}")
        found = recover(self.digest, self.signature)
        if found != signer:
            by = checksum(found) if found else "nobody"
            raise ReceiptError(f"it is signed by {by}, not by {checksum(signer)}")

    def claim(self) -> tuple[object, ...]:
        """The receipt as `OperatorBond.report` takes it, about its record."""
        range_ = (self.first_seq, self.last_seq, self.head, self.root, self.signature)
        return (*range_, True, self.seq, self.at_ms, self.subject, self.record_head, list(self.path))

    def contradicts(self, other: "Receipt") -> bool:
        """Whether two receipts, each signed, prove fraud: another record in one place."""
        return self.seq == other.seq and self.record_hash != other.record_hash

    def to_json(self) -> dict[str, object]:
        """The receipt as it is given to users; `from_json` reads it back."""
        plain: dict[str, object] = {"name": self.domain.name, "chain_id": self.domain.chain_id}
        plain["bond"] = checksum(self.domain.contract)
        for name in _FIELDS[3:]:
            value = getattr(self, name)
            plain[name] = "0x" + value.hex() if isinstance(value, bytes) else value
        return plain | {"path": ["0x" + node.hex() for node in self.path], "signature": "0x" + self.signature.hex()}

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Self:
        """The receipt in a parsed JSON object; ReceiptError names the first field that is wrong."""
        for name in sorted(_ALL_FIELDS ^ set(document)):
            raise ReceiptError(f"{name} is missing" if name in _ALL_FIELDS else f"{name!r} is not a known field")
        path = document["path"]
        if not isinstance(path, list) or len(path) > MAX_HEIGHT:
            raise ReceiptError(f"path must be a list of at most {MAX_HEIGHT} hashes")
        try:
            bond = address_bytes(str(document["bond"]), "bond")
        except DeploymentError as error:
            raise ReceiptError(str(error)) from None
        return cls(
            domain=Domain(_text(document["name"], "name"), _integer(document, "chain_id"), bond),
            first_seq=_integer(document, "first_seq"),
            last_seq=_integer(document, "last_seq"),
            head=_bytes(document["head"], 32, "head"),
            seq=_integer(document, "seq"),
            at_ms=_integer(document, "at_ms"),
            subject=_bytes(document["subject"], 32, "subject"),
            record_head=_bytes(document["record_head"], 32, "record_head"),
            path=tuple(_bytes(node, 32, "path") for node in path),
            signature=_bytes(document["signature"], 65, "signature"),
        )


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise ReceiptError(f"{name} must be text in Unicode, not {value!r}")
    return value


def _integer(document: Mapping[str, object], name: str) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEQ:
        raise ReceiptError(f"{name} must be an integer of 64 bits, not {value!r}")
    return value


def _bytes(value: object, size: int, name: str) -> bytes:
    try:
        data = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else b""
    except ValueError:
        data = b""
    if len(data) != size:
        raise ReceiptError(f"{name} must be {size} bytes in hexadecimal")
    return data
