"""Folders and servers of the local stack, for tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bizzan.supervisor.ports import free_port
from bizzan.supervisor.postgres import Postgres


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that other users can pass through, as the database server's must when run by root."""
    folder = Path(tempfile.mkdtemp(prefix="bizzan-test-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_postgres(folder: Path, options: Mapping[str, str] | None = None, port: int | None = None) -> Postgres:
    """A database server with its data, password and log in one folder, by default on a free port; not started."""
    return Postgres(
        folder / "postgres",
        port or free_port(),
        password_file=folder / "password",
        log_file=folder / "postgres.log",
        pid_file=folder / "postgres.pid",
        options={"shared_buffers": "32MB"} | dict(options or {}),
    )
