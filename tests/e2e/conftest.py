"""A whole exchange with demo traffic, as `make run` starts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.utils.local_stack import open_folder
from tests.utils.program import Program


@pytest.fixture(scope="package")
def program() -> Iterator[Program]:
    """A running exchange, stopped and removed after the last test of the package."""
    with open_folder() as folder:
        program = Program(folder)
        program.succeed("up", "--detach")
        yield program
        program.succeed("down")
        program.succeed("reset", "--yes")
