"""`bizzan audit fetch`: the published journal of an exchange in a folder, checked piece by piece as it comes.

Of each piece the hashes come first. They must be what the receipt key signed, so the records that follow have to lead,
link by link, to heads that are known already: nothing that a server makes up is written for long.
Files stand under their names when they are whole and right, and a piece joins the index when its files are there; so
fetching again goes on where the last time ended, however it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec

from bizzan.audit.pieces import MAX_SEQ, Line, PiecePage, PieceRow, held_bytes, read_lines, receipt_at
from bizzan.audit.raw_file import RawFile
from bizzan.audit.remote import FetchError, Remote, bounded, patiently
from bizzan.client.receipts import recover
from exchange.domain.deployment import DeploymentError, address_bytes, checksum
from exchange.domain.eip712 import Domain
from exchange.journal.files import keep, write_atomically
from exchange.journal.marker import MARKER_NAME, read_marker
from exchange.journal.publication import (
    INDEX_NAME,
    MAX_RECORDS,
    PUBLIC_NAME,
    RAW_NAME,
    Piece,
    append_piece,
    drop_torn_line,
    last_piece,
    mark_raw,
    only_writer,
    pieces_forward,
    public_path,
)
from exchange.journal.record import segment_path

PAGE = 500
CONTRADICTION_NAME = "contradiction"
_MAX_PUBLIC_BYTES = MAX_RECORDS * (20 + 20 + 64 + 64 + 4)


class Identity(msgspec.Struct, frozen=True):
    """For what the exchange says that its receipt key signs."""

    name: str
    chain_id: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
    operator_bond: str


class Contradiction(FetchError):
    """The exchange signed two different records for one place: proof, which is kept in `folder`."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


@dataclass(slots=True)
class Fetched:
    """What a run fetched, and how far the folder reaches now."""

    pieces: int = 0
    raw_pieces: int = 0
    seq: int = 0
    head: str = "00" * 32

    def as_json(self) -> dict[str, object]:
        """As one JSON object."""
        return {
            "pieces": self.pieces,
            "raw_pieces": self.raw_pieces,
            "journal_seq": self.seq,
            "head": "0x" + self.head,
        }


async def signed_domain(remote: Remote, bond: bytes | None) -> Domain:
    """The domain under which the exchange says that it signs; a bond that is given must be the one that it names."""
    there = await remote.get(Identity, "/v1/exchange")
    try:
        contract = address_bytes(there.operator_bond, "operator_bond")
    except DeploymentError as error:
        raise FetchError(f"the answer to /v1/exchange is not one of this API: {error}") from None
    if bond not in (None, contract):
        raise FetchError(f"the exchange names the bond {checksum(contract)}, not {checksum(bond or b'')}")
    return Domain(there.name, there.chain_id, contract)


class Fetcher:
    """Fetches into one folder what `signer` signed under `domain`. `progress` is told how many records are done, of
    how many."""

    def __init__(
        self,
        remote: Remote,
        folder: Path,
        domain: Domain,
        signer: bytes,
        *,
        raw: bool = False,
        progress: Callable[[int, int], None] = lambda seq, last: None,
    ) -> None:
        self._remote = remote
        self._folder = folder
        self._domain = domain
        self._signer = signer
        self._raw = raw
        self._progress = progress
        self._fetched = Fetched()

    async def run(self) -> Fetched:
        """Fetch what the folder does not have. Raises FetchError; Contradiction where that proves fraud."""
        for name in (PUBLIC_NAME, RAW_NAME) if self._raw else (PUBLIC_NAME,):
            (self._folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        with only_writer(self._folder):
            drop_torn_line(self._folder / INDEX_NAME)
            last = last_piece(self._folder)
            if last is not None:
                await self._check_unchanged(last)
                if self._raw:
                    await self._fill_raw(last)
            await self._go_on(last)
        return self._fetched

    async def _go_on(self, last: Piece | None) -> None:
        goal, begun = None, last.last_seq if last is not None else 0
        while True:
            seq, head = (last.last_seq, last.head) if last is not None else (0, "00" * 32)
            self._fetched.seq, self._fetched.head = seq, head
            page = await self._remote.get(PiecePage, "/v1/journal", after=seq, limit=PAGE)
            goal = page.published_seq if goal is None else goal  # what is published meanwhile is for the next run
            if seq >= goal:
                return
            if not page.pieces:
                raise FetchError(f"the exchange says that it published up to {goal}, and gives nothing after {seq}")
            for row in page.pieces:
                last = await self._fetch(self._piece(row, last))
                self._progress(last.last_seq - begun, goal - begun)
                if last.last_seq >= goal:
                    break

    async def _fetch(self, piece: Piece) -> Piece:
        """Fetch the files of a piece, and add it to the index."""
        public = await self._public(piece)
        if self._raw:
            await self._fetch_raw(piece, read_lines(piece, public))
        write_atomically(public_path(self._folder, piece.first_seq), public)
        append_piece(self._folder, piece)
        self._fetched.pieces += 1
        if self._raw:
            mark_raw(self._folder, piece)
        return piece

    async def _fill_raw(self, last: Piece) -> None:
        """Fetch the records of pieces of which the folder has the hashes alone."""
        raw = self._folder / RAW_NAME
        reached = read_marker(raw).seq if (raw / MARKER_NAME).exists() else 0
        if reached >= last.last_seq:
            return
        for piece in pieces_forward(self._folder):
            if piece.last_seq > reached:
                await self._fetch_raw(piece, read_lines(piece, held_bytes(self._folder, piece)))
                mark_raw(self._folder, piece)
                self._progress(piece.last_seq - reached, last.last_seq - reached)

    def _piece(self, row: PieceRow, last: Piece | None) -> Piece:
        """A row as a line of the index, if it follows the last one and is signed."""
        seq, head = (last.last_seq, last.head) if last is not None else (0, "00" * 32)
        if row.first_seq != seq + 1 or not 0 <= row.last_seq - row.first_seq < MAX_RECORDS:
            raise FetchError(
                f"the exchange gives a piece of sequences {row.first_seq} to {row.last_seq} after {seq}: a gap, or no "
                "piece; the folder stays as it is, ask the operator"
            )
        piece = self._line(row, head)
        self._check_signed(piece)
        return piece

    def _line(self, row: PieceRow, prev_head: str) -> Piece:
        return Piece(
            row.first_seq,
            row.last_seq,
            prev_head,
            row.head[2:],
            row.root[2:],
            self._domain.chain_id,
            "0x" + self._domain.contract.hex(),
            row.signature[2:],
            row.raw_sha256[2:],
            row.public_sha256[2:],
            row.published_at,
        )

    def _check_signed(self, piece: Piece) -> None:
        found = recover(piece.digest(self._domain), bytes.fromhex(piece.signature))
        if found != self._signer:
            raise FetchError(
                f"the piece of sequences {piece.first_seq} to {piece.last_seq} is signed by "
                f"{checksum(found) if found else 'nobody'}, not by {checksum(self._signer)}, for the bond {piece.bond} "
                f"on chain {piece.chain_id}: it is not fetched"
            )

    async def _public(self, piece: Piece) -> bytes:
        """The hashes of a piece, which are what was signed."""
        path = f"/v1/journal/{piece.first_seq}/hashes"

        async def read() -> bytes:
            body = bytearray()
            await self._remote.read(path, bounded(body, _MAX_PUBLIC_BYTES, path))
            return bytes(body)

        data = await patiently(read)
        if sha256(data).hexdigest() != piece.public_sha256:
            raise FetchError(f"the answer to {path} has another sha256 than {piece.public_sha256}, which was published")
        read_lines(piece, data)
        return data

    async def _fetch_raw(self, piece: Piece, lines: Sequence[Line]) -> None:
        """The records of a piece, which lead to the heads in `lines`."""
        path = segment_path(self._folder / RAW_NAME, piece.first_seq)
        part = path.with_name(path.name + ".part")

        async def read() -> None:
            with closing(RawFile(part, piece, lines)) as file:
                await self._remote.read_as_auditor(f"/v1/journal/{piece.first_seq}/raw", file.take)
                file.end()

        try:
            await patiently(read)
            keep(part, path)
        finally:
            part.unlink(missing_ok=True)
        self._fetched.raw_pieces += 1

    async def _check_unchanged(self, held: Piece) -> None:
        """Refuse an exchange that publishes another journal than it did."""
        if (held.chain_id, held.bond) != (self._domain.chain_id, "0x" + self._domain.contract.hex()):
            raise FetchError(
                f"{self._folder} holds what was signed for the bond {held.bond} on chain {held.chain_id}, the exchange "
                f"names {checksum(self._domain.contract)} on {self._domain.chain_id}: fetch it into another folder"
            )
        self._check_signed(held)
        page = await self._remote.get(PiecePage, "/v1/journal", after=held.first_seq - 1, limit=1)
        if page.pieces and _signed(self._line(page.pieces[0], held.prev_head)) == _signed(held):
            return
        page = await self._remote.get(PiecePage, "/v1/journal", before=held.last_seq + 1, limit=1)
        if not page.pieces or not page.pieces[0].first_seq <= held.last_seq <= page.pieces[0].last_seq:
            raise FetchError(
                f"the exchange publishes nothing at sequence {held.last_seq} any more, which {self._folder} has, "
                "signed: keep that folder, and ask the operator"
            )
        served = self._line(page.pieces[0], "")
        if served.last_seq - served.first_seq >= MAX_RECORDS:
            raise FetchError(
                f"the exchange gives a piece of {served.last_seq - served.first_seq + 1:,} records: none is"
            )
        self._check_signed(served)
        await self._contradict(held, served)

    async def _contradict(self, held: Piece, served: Piece) -> None:
        """Show where two signed pieces differ, and keep both. Raises Contradiction; FetchError when they do not."""
        public = await self._public(served)
        ours, theirs = read_lines(held, held_bytes(self._folder, held)), read_lines(served, public)
        known = {line.seq: line for line in ours}
        differs = next((line.seq for line in theirs if known.get(line.seq, line) != line), None)
        if differs is None:
            raise FetchError(
                f"the exchange cuts its journal into other pieces or files than {self._folder} has, of the same "
                "records as far as can be seen: fetch it into another folder"
            )
        kept = self._folder / CONTRADICTION_NAME
        kept.mkdir(exist_ok=True)
        write_atomically(kept / public_path(kept, served.first_seq).name, public)
        for name, piece, lines in (("held", held, ours), ("served", served, theirs)):
            document = receipt_at(self._domain, piece, lines, differs).to_json()
            write_atomically(kept / f"{name}.json", msgspec.json.encode(document))
        raise Contradiction(
            f"the exchange signed two different records at sequence {differs}: it rewrote what it had published. That "
            f"is proof. The hashes that were fetched stay in {public_path(self._folder, held.first_seq)}, those that "
            f"it serves now are in {kept}, with both as statements about that sequence. To take its bond: bizzan audit "
            f"fraud {kept / 'held.json'} {kept / 'served.json'} --deployment FILE --recipient ADDRESS",
            kept,
        )


def _signed(piece: Piece) -> tuple[object, ...]:
    """What a piece says, without when and by which of many good signatures."""
    return piece.first_seq, piece.last_seq, piece.head, piece.root, piece.raw_sha256, piece.public_sha256
