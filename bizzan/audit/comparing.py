"""What all checks share: a problem, and the comparison of two mappings."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

Problem = tuple[str, str]
"""Where, and what."""


def compare(rows: Mapping[K, V], known: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """Keys at which two mappings differ, with both values (None where there is none), rows' order first."""
    for key in [*rows, *(key for key in known if key not in rows)]:
        if rows.get(key) != known.get(key):
            yield key, rows.get(key), known.get(key)
