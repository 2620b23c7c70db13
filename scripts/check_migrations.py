"""Fail when the database's migrations are not one line: one head, and each numbered by its place, like its file."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import CommandError

from exchange.database.engine import MIGRATIONS


def problems_of(migrations: Path) -> Iterator[str]:
    """What is wrong with the migrations in a folder."""
    scripts = ScriptDirectory(str(migrations))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            heads = scripts.get_heads()
            line = list(scripts.walk_revisions())[::-1]
    except (CommandError, KeyError, UserWarning) as error:
        yield f"alembic cannot read them: {error}"
        return
    if len(heads) != 1:
        yield f"there must be exactly one head, there are {len(heads)}: {', '.join(sorted(heads)) or 'none'}"
        return
    for place, script in enumerate(line, start=1):
        name, number = Path(script.path).name, f"{place:04}"
        if script.revision != number or not name.startswith(number + "_"):
            yield f"{name} has revision {script.revision} and is number {place} in the line: take the next free number"


def main() -> int:
    """0 when there is one line."""
    found = list(problems_of(MIGRATIONS))
    for each in found:
        print(f"check_migrations: {each}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
