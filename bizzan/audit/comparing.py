"""What all checks share: a problem, and the comparison of two mappings."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

Problem = tuple[str, str]
"""Where, and what."""


def as_far_as_it_goes(problems: Iterable[Problem]) -> Iterator[Problem]:
    """A check's problems; that it fails is one of them.

    Whoever wrote the journal may have aimed at a check, and that must not hide what the others find.
    """
    try:
        yield from problems
    except Exception as error:
        text = f"failed on what it reads, and what follows there is not compared: {type(error).__name__}: {error}"
        yield "the check itself", text


def compare(rows: Mapping[K, V], known: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """Keys at which two mappings differ, with both values (None where there is none), rows' order first."""
    for key in [*rows, *(key for key in known if key not in rows)]:
        if rows.get(key) != known.get(key):
            yield key, rows.get(key), known.get(key)
