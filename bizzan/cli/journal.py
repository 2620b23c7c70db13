"""Commands about the journal's files: list, archive, check, rebuild the archive's index, mark."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from bizzan.cli.console import console
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import Settings, load_settings

if TYPE_CHECKING:
    from exchange.journal.archive_index import Entry

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]

commands = typer.Typer(
    help="List, archive or check the journal's segments; rebuild the archive's index; mark what is durable.",
    no_args_is_help=True,
)


@commands.command(name="list")
def list_all(as_json: AsJson = False) -> None:
    """Every segment of the journal, archived and live, with its first sequence and its bytes."""
    from exchange.journal.archive import StoredFile, stored_files
    from exchange.journal.errors import JournalError

    settings = load_settings()
    try:
        files: list[StoredFile] = list(stored_files(settings.journal_dir))
    except JournalError as error:
        raise SupervisorError(str(error)) from None
    for file in files:
        if as_json:
            print(json.dumps(file._asdict() | {"path": str(file.path)}))  # noqa: T201 - for programs
        else:
            last = file.last_seq if file.last_seq is not None else "…"
            where = "archived" if file.archived else "live"
            _print(f"{file.first_seq:>12} to {last:>12}  {file.size_bytes:>12,} bytes  {where:<8}  {file.path}")
    if not files:
        console.print(f"there is no journal in {settings.journal_dir}", soft_wrap=True)


@commands.command()
def archive() -> None:
    """Move once the closed segments that nobody needs at hand to the archive, as the publisher does."""
    from sqlalchemy.exc import SQLAlchemyError

    from exchange.journal.errors import JournalError
    from exchange.sequencer.notary import notary_of
    from exchange.sequencer.seed import SeedError, load_deployment

    settings = load_settings()
    try:
        publishes = notary_of(settings, load_deployment(settings.deployment_file)) is not None
        moved = asyncio.run(_archive(settings, publishes))
    except (JournalError, SeedError) as error:
        raise SupervisorError(str(error)) from None
    except SQLAlchemyError as error:
        raise SupervisorError(
            f"the database cannot say how far the journal is projected: {str(error).splitlines()[0]}"
        ) from None
    for entry in moved:
        share = entry.packed_bytes * 100 // entry.segment_bytes
        _print(f"archived {entry.first_seq} to {entry.last_seq}, {share} % of {entry.segment_bytes:,} bytes")
    if not moved:
        console.print("nothing to archive: what is closed is needed at hand, or is archived", soft_wrap=True)


@commands.command()
def check() -> None:
    """Hold every archived segment against the index and the journal's chain of hashes; exit 1 if one differs."""
    from exchange.journal.archive import check as check_archive
    from exchange.journal.archive_index import Index, archive_of

    settings = load_settings()
    folder = archive_of(settings.journal_dir)
    if folder is None:
        _print(f"the journal in {settings.journal_dir} has no archive")
        return
    problems = list(check_archive(settings.journal_dir))
    for path, problem in problems:
        _print(f"{path}: {problem}")
    count = len(Index(folder))
    _print(f"{count} archived segments: {f'{len(problems)} problems' if problems else 'all as they were archived'}")
    raise typer.Exit(1 if problems else 0)


@commands.command()
def rebuild() -> None:
    """Write the archive's index anew from its segments, after checking every record of them; exit 1 if one is wrong."""
    from exchange.journal.archive import rebuild_index
    from exchange.journal.errors import JournalError

    count = 0
    try:
        for entry in rebuild_index(load_settings().journal_dir):
            count += 1
            _print(f"{entry.first_seq:>12} to {entry.last_seq:>12}  head 0x{entry.head.hex()}")
    except JournalError as error:
        raise SupervisorError(f"{error}; the index stays as it was") from None
    _print(f"the index is written anew: {count} archived segments, which lead to the live ones")


@commands.command()
def mark() -> None:
    """Put an earlier durable marker in the place of a missing or damaged one; stop all and copy the folder before."""
    from exchange.journal.errors import JournalError
    from exchange.journal.marking import mark_anew
    from exchange.journal.publication import RAW_NAME

    settings = load_settings()
    try:
        marker, last, aside = mark_anew(settings.journal_dir, settings.published_dir / RAW_NAME)
    except JournalError as error:
        raise SupervisorError(str(error)) from None
    if aside is not None:
        _print(f"the damaged marker is {aside} now")
    _print(f"marked at sequence {marker.seq}, {'as published' if marker.seq else 'as an empty journal is'}")
    _print(f"whole records reach sequence {last.seq}, head 0x{last.head.hex()}")
    _print("'bizzan engine' takes them. Before the rest starts, see that nobody was told more (docs/runbook.md)")


async def _archive(settings: Settings, publishes: bool) -> list[Entry]:
    from prometheus_client import CollectorRegistry

    from exchange.database.engine import create_engine
    from exchange.sequencer.archivist import Archivist

    database = create_engine(settings.database_url(), pool_size=1)
    published = settings.published_dir if publishes else None
    try:
        registry = CollectorRegistry()
        return await Archivist(settings.journal_dir, settings.archive_dir, published, database, registry).once()
    finally:
        await database.dispose()


def _print(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
