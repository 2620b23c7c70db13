"""`bizzan cases`: what market surveillance found, read from the database."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from bizzan.cli.console import console
from bizzan.cli.options import number_option
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import Settings, load_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


def cases(
    limit: Annotated[int, number_option("At most so many, latest first.", most=500, least=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the latest cases of market surveillance: what a person should look at."""
    found = asyncio.run(_read(load_settings(), limit))
    if as_json:
        print(json.dumps(found))  # noqa: T201 - for programs
        return
    table = Table(title=f"{len(found)} cases, latest first")
    for name in ("case", "pattern", "market", "records", "what was found"):
        table.add_column(name)
    for case in found:
        records = f"{case['first_seq']} to {case['last_seq']}"
        who = ", ".join(case["accounts"])
        table.add_row(str(case["case_id"]), case["pattern"], str(case["market"]), records, f"{case['text']}: {who}")
    console.print(table)


async def _read(settings: Settings, limit: int) -> list[dict[str, Any]]:
    from sqlalchemy.exc import SQLAlchemyError

    from exchange.database import surveillance
    from exchange.database.engine import create_engine

    database = create_engine(settings.database_url(), pool_size=1)
    try:
        async with database.connect() as connection:
            return [dict(row._mapping) for row in await surveillance.page(connection, None, limit)]
    except (SQLAlchemyError, OSError) as error:
        raise SupervisorError(f"the database cannot be read: {str(error).splitlines()[0]}") from None
    finally:
        await database.dispose()
