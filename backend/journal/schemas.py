"""Shapes of the published journal."""

from pydantic import BaseModel, Field


class PieceView(BaseModel):
    """A signed piece of the journal: the records from `first_seq` to `last_seq`."""

    first_seq: int
    last_seq: int
    head: str = Field(description="the journal's head after its last record")
    root: str = Field(description="Merkle root of its records")
    signature: str = Field(description="the receipt key's over a `JournalCommit` of range, head and root")
    raw_sha256: str = Field(description="SHA-256 of the file for auditors")
    public_sha256: str = Field(description="SHA-256 of the file for everybody")
    published_at: int = Field(description="milliseconds")


class PiecePage(BaseModel):
    """Pieces, latest first; earliest first where `after` was given."""

    pieces: list[PieceView]
    next_before: int | None
    promise_seconds: int = Field(description="within which everything that is durable is published")
    published_seq: int = Field(description="0 before the first piece")
    server_time: int = Field(description="milliseconds")
