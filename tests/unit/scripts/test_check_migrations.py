"""Two branches that took the same number are found before they are together on main."""

import shutil
from pathlib import Path

import pytest

from exchange.database.engine import MIGRATIONS
from scripts.check_migrations import problems_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The migrations that there are, to be changed."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def add(folder: Path, name: str, revision: str, before: str) -> None:
    text = f'revision = "{revision}"\ndown_revision = "{before}"\n'
    (folder / "versions" / name).write_text(text)


def last(folder: Path) -> int:
    return len(list((folder / "versions").glob("*.py")))


def test_migrations_are_one_line() -> None:
    assert list(problems_of(MIGRATIONS)) == []


def test_next_number_is_taken(folder: Path) -> None:
    number = last(folder)
    add(folder, f"{number + 1:04}_go_on.py", f"{number + 1:04}", f"{number:04}")
    assert list(problems_of(folder)) == []


def test_two_heads_are_refused(folder: Path) -> None:
    number = last(folder)
    add(folder, f"{number + 1:04}_go_on.py", f"{number + 1:04}", f"{number:04}")
    add(folder, f"{number + 2:04}_go_elsewhere.py", f"{number + 2:04}", f"{number:04}")
    found = list(problems_of(folder))
    assert found == [f"there must be exactly one head, there are 2: {number + 1:04}, {number + 2:04}"]


def test_same_number_twice_is_refused(folder: Path) -> None:
    number = last(folder)
    add(folder, f"{number:04}_go_elsewhere.py", f"{number:04}", f"{number - 1:04}")
    assert list(problems_of(folder))


def test_number_that_is_not_its_place_is_refused(folder: Path) -> None:
    number = last(folder)
    add(folder, f"{number + 3:04}_go_on.py", f"{number + 3:04}", f"{number:04}")
    (found,) = problems_of(folder)
    assert found.endswith("take the next free number")
