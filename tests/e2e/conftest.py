"""A whole exchange with demo traffic, as `make run` starts it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bizzan.contracts import ROOT
from bizzan.demo import download
from bizzan.demo.main import PRICES_FOLDER
from tests.utils.local_stack import open_folder
from tests.utils.program import Program


@pytest.fixture(scope="package")
def program() -> Iterator[Program]:
    """A running exchange, stopped and removed after the last test of the package."""
    with open_folder() as folder:
        bring_prices(folder)
        program = Program(folder, SURVEILLANCE__SELF_TRADES="3", SURVEILLANCE__EVERY_SECONDS="5")
        program.succeed("up", "--detach")
        yield program
        program.succeed("down")
        program.succeed("reset", "--yes")


def bring_prices(folder: Path) -> None:
    """The demo's prices, fetched once for the repository instead of once for every exchange."""
    download.fetch(ROOT / PRICES_FOLDER)
    shutil.copytree(ROOT / PRICES_FOLDER, folder / PRICES_FOLDER)
