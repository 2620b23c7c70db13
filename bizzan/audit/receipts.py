"""One receipt, checked alone and offline: by its signature, and against a journal or a published copy of it.

It needs the receipt key's address and nothing of the exchange's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bizzan.audit.pieces import Line, PieceError, held_bytes, read_lines
from bizzan.client.receipts import recover
from exchange.domain.receipt import EMPTY, Receipt, ReceiptError, record_hash
from exchange.journal.errors import JournalError
from exchange.journal.marker import MARKER_NAME, read_marker
from exchange.journal.publication import INDEX_NAME, RAW_NAME, read_index
from exchange.journal.receipts import RecordFinder, subject_of


def parse_receipts(source: str) -> list[Receipt]:
    """The receipts in a text of JSON, or in the file that it names: receipts, acks with one, or a list of these.

    Raises ReceiptError; also when there is none, which must not be taken for one that holds.
    """
    try:
        text = source if source.lstrip()[:1] in ("{", "[") else Path(source).read_text()
        document = json.loads(text)
    except OSError as error:
        raise ReceiptError(f"{source} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ReceiptError(f"it is no JSON: {error}") from None
    rows = document if isinstance(document, list) else [document]
    if not rows:
        raise ReceiptError("there is no receipt in it: the list is empty")
    return [_parse(row) for row in rows]


def _parse(row: object) -> Receipt:
    if not isinstance(row, dict):
        raise ReceiptError("a receipt is a JSON object")
    inner = row.get("receipt", row)
    if not isinstance(inner, dict):
        raise ReceiptError("the ack carries no receipt")
    return Receipt.from_json(inner)


def problems(receipt: Receipt, signer: bytes, bond: bytes | None = None, journal: Path | None = None) -> Iterator[str]:
    """What is wrong with a receipt; nothing when it holds."""
    try:
        receipt.check(signer, recover)
    except ReceiptError as error:
        yield f"the receipt shows nothing: {error}"
        return
    if bond is not None and bond != receipt.domain.contract:
        yield f"the receipt is under another bond, 0x{receipt.domain.contract.hex()}: nobody stands behind it here"
    if journal is not None:
        yield from against_journal(receipt, journal)


def against_journal(receipt: Receipt, journal: Path) -> Iterator[str]:
    """What differs between a receipt that holds and the journal: proof of fraud, where that journal is signed too."""
    try:
        line = _line_at(journal, receipt.seq)
    except LookupError:
        late = "acknowledged, and not published yet, which takes 10 minutes at most, or skipped"
        yield f"sequence {receipt.seq} is not in the journal: {late}"
        return
    except (JournalError, PieceError, OSError) as error:
        yield f"the journal cannot be read: {error}"
        return
    if record_hash(*line) != receipt.record_hash:
        there = f"one at {line.at_ms} ms, head 0x{line.head.hex()}"
        acknowledged = f"0x{receipt.subject.hex()} at {receipt.at_ms} ms, head 0x{receipt.record_head.hex()}"
        yield f"the journal has another record at sequence {receipt.seq}: {there}; acknowledged was {acknowledged}"


def _line_at(journal: Path, seq: int) -> Line:
    """The journal's record at a sequence; of a published one by its hashes, where it has no more. LookupError."""
    raw = journal / RAW_NAME if (journal / INDEX_NAME).exists() else journal
    if raw != journal and (not (raw / MARKER_NAME).exists() or read_marker(raw).seq < seq):
        piece = next(iter(read_index(journal, seq - 1)), None)
        if piece is None or not piece.first_seq <= seq:
            raise LookupError(f"sequence {seq} is not published in {journal}")
        return read_lines(piece, held_bytes(journal, piece))[seq - piece.first_seq]
    record = RecordFinder(raw).find(seq)
    try:
        subject = subject_of(record.command)
    except ValueError:  # nobody can have signed it, so no receipt is for it
        subject = EMPTY
    return Line(seq, record.at_ms, subject, record.head)
