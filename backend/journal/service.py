"""Pieces from the rows of the publisher, their files from its folder."""

from pathlib import Path

from backend.context import Api, now_ms
from backend.journal import schemas
from exchange.database import publication
from exchange.domain.errors import ErrorCode, Refusal
from exchange.journal.publication import PROMISE_SECONDS, RAW_NAME, public_path
from exchange.journal.record import segment_path


async def page(api: Api, before: int | None, after: int | None, limit: int) -> schemas.PiecePage:
    """Pieces, latest first; with `after` earliest first. Refuses both."""
    if before is not None and after is not None:
        raise Refusal(ErrorCode.malformed, "after and before exclude each other: leave one out", "after")
    async with api.reading() as connection:
        if after is None:
            rows = await publication.page(connection, before, limit)
        else:
            rows = await publication.page_after(connection, after, limit)
        published = await publication.published(connection)
    hexes = ("head", "root", "signature", "raw_sha256", "public_sha256")
    pieces = [
        schemas.PieceView(
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            published_at=row.published_at,
            **{name: "0x" + getattr(row, name).hex() for name in hexes},
        )
        for row in rows
    ]
    return schemas.PiecePage(
        pieces=pieces,
        next_before=pieces[-1].first_seq if len(pieces) == limit and after is None else None,
        promise_seconds=PROMISE_SECONDS,
        published_seq=published.seq,
        server_time=now_ms(),
    )


def hashes_file(api: Api, first_seq: int) -> Path:
    """What everybody may read of a piece. Refuses where none starts."""
    return _file(public_path(api.published_dir, first_seq), first_seq)


def raw_file(api: Api, first_seq: int) -> Path:
    """What auditors may read of a piece. Refuses where none starts."""
    return _file(segment_path(api.published_dir / RAW_NAME, first_seq), first_seq)


def _file(path: Path, first_seq: int) -> Path:
    if not path.is_file():
        raise Refusal(ErrorCode.not_found, f"no published piece starts at {first_seq}: see /v1/journal", "first_seq")
    return path
