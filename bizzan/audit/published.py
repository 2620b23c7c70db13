"""`bizzan audit replay`: from a published journal alone, without database or exchange, whether matching was fair.

It checks the chain of heads, the signed pieces and their hashes, replays every command, and holds what follows against
judges of its own (`priority`, `fee_ledger`), against users' receipts, and, where a node is named, against the batches
and movements on chain. Each finding is a counterexample: it names the place and both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from eth_abi.abi import encode

from bizzan.audit.chain_ledger import ChainLedger
from bizzan.audit.checks import collected_as_charged, refused, settled_as_matched, uncaused
from bizzan.audit.comparing import Problem, as_far_as_it_goes
from bizzan.audit.journal_replay import Replay, replay_for
from bizzan.audit.obedience import obeyed_in_time
from bizzan.audit.pieces import held_bytes, read_lines, receipt_at
from bizzan.audit.progress import Progress
from bizzan.audit.receipts import parse_receipts
from bizzan.audit.reversals import Block, reversals
from bizzan.audit.signed import ByCode, unknown_delegates, unpaid, unsigned_holds
from bizzan.audit.told import ToldLedger, key_of
from bizzan.audit.unasked import unasked
from bizzan.client.receipts import recover
from exchange.domain.deployment import Deployment, checksum
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.receipt import EMPTY, Receipt, ReceiptError, RecordTree, record_hash
from exchange.engine.engine import Engine
from exchange.journal.errors import CorruptJournal, JournalError
from exchange.journal.marker import MARKER_NAME, Marker, read_marker
from exchange.journal.publication import (
    INDEX_NAME,
    RAW_NAME,
    Piece,
    PublicationError,
    is_published,
    pieces_forward,
    public_path,
    read_index,
)
from exchange.journal.reader import Reader, Record
from exchange.journal.receipts import leaf_of
from exchange.journal.record import segment_path

_CLAIM = "(uint64,uint64,bytes32,bytes32,bytes,bool,uint64,uint64,bytes32,bytes32,bytes32[])"


@dataclass(frozen=True, slots=True)
class Finding:
    """One counterexample."""

    check: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.text}"


@dataclass(slots=True)
class JournalAudit:
    """What a journal says, as far as it can be read, and what is wrong with it."""

    folder: Path
    is_published: bool = False
    """Whether it is a published copy, of which every record stands in a piece that is signed."""
    pieces: list[Piece] = field(default_factory=list)
    replay: Replay = field(default_factory=Replay)
    leaves: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=lambda: [bytes(32)])
    findings: list[Finding] = field(default_factory=list)
    batches_beyond: int = 0
    """Batches on chain after the last that the journal cuts: nothing here says what they settled."""

    def add(self, check: str, problems: Iterator[Problem] | Sequence[Problem]) -> None:
        """Keep what a check found."""
        self.findings += [Finding(check, where, text) for where, text in as_far_as_it_goes(problems)]

    def as_json(self) -> dict[str, object]:
        """The audit as one JSON object."""
        return {
            "clean": not self.findings,
            "journal_seq": self.replay.seq,
            "head": "0x" + self.replay.head.hex(),
            "pieces": len(self.pieces),
            "orders": len(self.replay.orders),
            "trades": self.replay.priority.trades,
            "fills": self.replay.fees.fills,
            "batches_beyond": self.batches_beyond,
            "findings": [{"check": f.check, "where": f.where, "message": f.text} for f in self.findings],
        }


def audit_journal(
    folder: Path,
    *,
    domain: Domain | None = None,
    signer: bytes | None = None,
    custody: Deployment | None = None,
    receipts: Sequence[Receipt] = (),
    read_chain: Callable[[], ChainLedger] | None = None,
    read_cited: Callable[[Replay], Mapping[str, Block]] = lambda _: {},
    ask_wallets: Callable[[Sequence[ByCode]], Collection[bytes]] = lambda _: (),
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> JournalAudit:
    """Audit a journal, or a published copy.

    With `domain` and `signer` pieces and receipts must be of that bond and key. With `custody` everything that users
    sign must be signed for that contract. With `read_chain` what moves money or stops something must be on chain,
    which is read after the journal: what a growing journal says last is there by then. `read_cited` gives the blocks of
    the same chain that reversals cite, and `ask_wallets` the hashes of the holds that the contracts at their accounts
    confirm. `engine` replays; by default the reference. `progress` is told how far it is.
    """
    progress = progress or Progress()
    progress.begin()
    audit = JournalAudit(folder, is_published(folder), replay=replay_for(custody))
    if engine is not None:
        audit.replay.engine = engine
    try:
        _read(audit, _published(audit) if audit.is_published else Reader(folder), progress)
    except CorruptJournal as corrupt:
        where = f"{corrupt.path}, offset {corrupt.offset}, sequence {corrupt.seq}"
        audit.add("chain", [(where, f"the line is not what was journaled: {corrupt.reason}")])
    except (JournalError, OSError) as error:
        audit.add("chain", [(str(folder), str(error))])
    progress.end(audit.replay.seq)
    chain = None
    if read_chain is not None:
        with progress.during("reading the chain"):
            chain = read_chain()
    with progress.during("holding pieces, signatures, trades and the chain against the replay"):
        audit.add("pieces", _pieces(audit, domain, signer))
        audit.add("receipts", _receipts(audit, receipts, domain, signer))
        audit.add("replay", refused(audit.replay))
        if audit.replay.signatures is not None:
            audit.add("signatures", audit.replay.signatures.problems)
        audit.add("priority", audit.replay.priority.problems)
        audit.add("fees", audit.replay.fees.problems)
        if audit.replay.backlog is not None:
            audit.add("backlog", audit.replay.backlog.problems)
        audit.add("causes", _uncited(audit.replay))
        audit.add("causes", uncaused(audit.replay))
        if chain is not None:
            if audit.replay.signatures is not None:
                traded = audit.replay.traded_by_delegates
                audit.add("signatures", unknown_delegates(audit.replay.signatures, chain, traded))
                holds = unpaid(audit.replay.signatures, chain)
                audit.add("signatures", unsigned_holds(holds, ask_wallets(holds)))
            reached = _as_far(chain, audit.replay)
            audit.batches_beyond = len(chain.batches) - len(reached.batches)
            audit.add("batches", settled_as_matched(audit.replay, reached))
            audit.add("fees", collected_as_charged(audit.replay, reached))
            audit.add("causes", _cited_on_chain(audit.replay, chain))
            audit.add("causes", reversals(audit.replay, chain, read_cited(audit.replay)))
            audit.add("demands", unasked(audit.replay, chain))
            audit.add("demands", obeyed_in_time(audit.replay, chain, chain.times))
    return audit


def _published(audit: JournalAudit) -> Reader:
    """The raw records, as far as they go; the pieces that are said to have them are read on the way.

    Pieces are published meanwhile: first in the index, then in the marker. So records that the marker has before the
    index is read are in no piece, and those that it has afterwards are read as far as that index goes.
    """
    raw = audit.folder / RAW_NAME
    before = _marker(raw)
    try:
        for piece in pieces_forward(audit.folder):
            audit.pieces.append(piece)
    except (PublicationError, OSError) as error:
        audit.add("pieces", [(str(audit.folder / INDEX_NAME), str(error))])
    after = _marker(raw)
    if not audit.pieces:
        return Reader(raw)
    end = _end_of(audit.pieces[-1])
    if before is None or after is None:  # pieces that were fetched one by one have none with them
        return Reader(raw, end)
    return Reader(raw, end if before.seq <= end.seq < after.seq else after)


def _marker(raw: Path) -> Marker | None:
    return read_marker(raw) if (raw / MARKER_NAME).exists() else None


def _end_of(piece: Piece) -> Marker:
    return Marker(piece.last_seq, bytes.fromhex(piece.head))


def _read(audit: JournalAudit, reader: Reader, progress: Callable[[int, int], None]) -> None:
    """Replay every record, as far as that goes; what follows is read alone."""
    last = reader.durable().seq
    for record in reader.read():
        audit.leaves.append(_leaf(audit, record))
        audit.heads.append(record.head)
        audit.replay.follow(record)
        progress(record.seq, last)


def _leaf(audit: JournalAudit, record: Record) -> bytes:
    """The leaf that stands for a record; one that no user can have signed stands for nothing that a user signed."""
    try:
        return leaf_of(record)
    except ValueError as error:
        audit.add("replay", [(f"journal sequence {record.seq}", f"holds what nobody can sign: {error}")])
        return record_hash(record.seq, record.at_ms, EMPTY, record.head)


def _pieces(audit: JournalAudit, domain: Domain | None, signer: bytes | None) -> Iterator[Problem]:
    """Every piece follows the one before, is signed, and holds just the records that it was signed for.

    Of a published copy every record stands in one.
    """
    seq, head = 0, bytes(32).hex()
    for piece in audit.pieces:
        where = f"piece {piece.first_seq} to {piece.last_seq}"
        if piece.first_seq != seq + 1 or piece.prev_head != head:
            yield where, f"does not follow sequence {seq} with head {head}"
        seq, head = piece.last_seq, piece.head
        yield from ((where, text) for text in _piece(audit, piece, domain, signer))
    there = len(audit.leaves)
    if audit.pieces and there < seq:
        yield f"sequence {there}", f"the raw records end here, the index says {seq}"
    if audit.is_published and there > seq:
        yield f"sequences {seq + 1} to {there}", "no piece signs them: they bind nobody, and cost no bond"


def _piece(audit: JournalAudit, piece: Piece, domain: Domain | None, signer: bytes | None) -> Iterator[str]:
    if domain is not None and (piece.chain_id, piece.bond) != (domain.chain_id, "0x" + domain.contract.hex()):
        there = f"the bond {checksum(domain.contract)} on chain {domain.chain_id}"
        yield f"is for the bond {piece.bond} on chain {piece.chain_id}; the deployment has {there}"
    if domain is not None and signer is not None:
        found = recover(piece.digest(domain), bytes.fromhex(piece.signature))
        if found != signer:
            yield f"is signed by {checksum(found) if found else 'nobody'}, not by {checksum(signer)}"
    raw = segment_path(audit.folder / RAW_NAME, piece.first_seq)
    public = public_path(audit.folder, piece.first_seq)
    for path, expected in ((raw, piece.raw_sha256), (public, piece.public_sha256)):
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != expected:
            yield f"{path.name} is not the file that was published"
    if piece.last_seq > len(audit.leaves):
        return
    if audit.heads[piece.last_seq].hex() != piece.head:
        yield f"its records end with head {audit.heads[piece.last_seq].hex()}, signed is {piece.head}"
    if RecordTree(audit.leaves[piece.first_seq - 1 : piece.last_seq]).root.hex() != piece.root:
        yield f"its records do not lead to the signed root {piece.root}"


def _receipts(
    audit: JournalAudit, receipts: Sequence[Receipt], domain: Domain | None, signer: bytes | None
) -> Iterator[Problem]:
    """Every receipt's record stands in the journal, at its place, as it was acknowledged."""
    for receipt in receipts:
        where = f"receipt for sequence {receipt.seq}"
        if signer is not None:
            try:
                receipt.check(signer, recover)
            except ReceiptError as error:
                yield where, f"shows nothing: {error}"
                continue
            if domain is not None and receipt.domain != domain:
                yield where, "is for another chain or another bond"
                continue
        if not 0 < receipt.seq <= len(audit.leaves):
            yield where, f"0x{receipt.subject.hex()} was acknowledged, the journal ends at {len(audit.leaves)}"
        elif audit.leaves[receipt.seq - 1] != receipt.record_hash:
            yield (
                where,
                (
                    f"0x{receipt.subject.hex()} was acknowledged there at {receipt.at_ms} ms with head "
                    f"0x{receipt.record_head.hex()}; the journal has another record, head "
                    f"0x{audit.heads[receipt.seq].hex()}: the order was skipped or moved"
                ),
            )


def _uncited(replay: Replay) -> Iterator[Problem]:
    """Credits and debits that name no log of the chain."""
    for seq, command in _told(replay).strays:
        yield f"journal sequence {seq}", f"moves money and cites no log: {command}"


def _told(replay: Replay) -> ToldLedger:
    told = ToldLedger()
    told.add_all(((each.seq, each.command) for each in replay.told), replay.withdrawals, replay.accounts)
    return told


def _as_far(chain: ChainLedger, replay: Replay) -> ChainLedger:
    """The chain's batches as far as the journal was published."""
    last = max(replay.batches, default=0)
    seen = ChainLedger(chain.deployment)
    seen.batches = [batch for batch in chain.batches if batch.seq <= last]
    return seen


def _cited_on_chain(replay: Replay, chain: ChainLedger) -> Iterator[Problem]:
    """What a credit or a debit cites is on chain, with its account, asset and amount."""
    moved = {key_of(movement): movement for movement in chain.movements}
    for key, entry in _told(replay).entries.items():
        movement = moved.get(key)
        token = chain.deployment.token(movement.token_id) if movement else None
        there = (movement.account, token.asset_id, movement.amount) if movement and token else None
        if entry.amount and there != (entry.account, entry.asset, entry.amount):
            cited = f"{entry.amount} of asset {entry.asset} for {checksum(entry.account)} by {key[1]}"
            yield f"journal sequence {entry.seq}", f"cites {cited}, and the chain says {there or 'nothing of it'}"


def published_receipt(folder: Path, domain: Domain, seq: int) -> Receipt | None:
    """What was published, and signed, about one sequence number, as a receipt; None when it was not published.

    It is made of the hashes, which lead to what was signed whatever the records hold. JournalError and PieceError when
    the copy cannot be read there.
    """
    piece = next((each for each in read_index(folder, seq - 1) if each.first_seq <= seq), None)
    if piece is None:
        return None
    return receipt_at(domain, piece, read_lines(piece, held_bytes(folder, piece)), seq)


def report_calldata(one: Receipt, other: Receipt, recipient: bytes) -> bytes:
    """The call of `OperatorBond.report` that takes the bond. ReceiptError when the two do not contradict each other."""
    if not one.contradicts(other):
        raise ReceiptError(f"the two do not contradict each other about sequence {one.seq}")
    arguments = encode([_CLAIM, _CLAIM, "address"], [one.claim(), other.claim(), "0x" + recipient.hex()])
    return keccak(f"report({_CLAIM},{_CLAIM},address)".encode())[:4] + arguments


def read_receipts(paths: Sequence[str]) -> list[Receipt]:
    """Receipts in files or texts; ReceiptError."""
    return [receipt for path in paths for receipt in parse_receipts(path)]
