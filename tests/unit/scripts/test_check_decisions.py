"""Two decisions that took the same number are found before they are together on main."""

import shutil
from pathlib import Path

import pytest

from scripts.check_decisions import FOLDER, problems_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The decisions that there are, to be changed."""
    return Path(shutil.copytree(FOLDER, tmp_path / "decisions"))


def last(folder: Path) -> int:
    return len(list(folder.glob("0*.md")))


def test_decisions_are_numbered_and_listed() -> None:
    assert list(problems_of(FOLDER)) == []


def test_a_decision_that_is_not_listed_is_refused(folder: Path) -> None:
    number = last(folder) + 1
    (folder / f"{number:04}-more.md").write_text(f"# {number}. More\n")
    (found,) = problems_of(folder)
    assert found.startswith("README.md must list the decisions so")
    assert found.endswith(f"- [{number}. More]({number:04}-more.md)")
    readme = folder / "README.md"
    readme.write_text(readme.read_text().rstrip() + f"\n- [{number}. More]({number:04}-more.md)\n")
    assert list(problems_of(folder)) == []


def test_the_same_number_twice_is_refused(folder: Path) -> None:
    number = last(folder)
    (folder / f"{number:04}-zzz.md").write_text(f"# {number}. More\n")
    assert list(problems_of(folder)) == [
        f"{number:04}-zzz.md is number {number + 1} in the line: take the next free number"
    ]


def test_a_number_that_is_left_out_is_refused(folder: Path) -> None:
    number = last(folder)
    (folder / f"{number + 2:04}-more.md").write_text(f"# {number + 2}. More\n")
    (found,) = problems_of(folder)
    assert found.endswith("take the next free number")


def test_a_title_with_another_number_is_refused(folder: Path) -> None:
    number = last(folder) + 1
    (folder / f"{number:04}-more.md").write_text(f"# {number + 1}. More\n")
    (found,) = problems_of(folder)
    assert found == f"{number:04}-more.md must begin with '# {number}. ' and what was decided"
