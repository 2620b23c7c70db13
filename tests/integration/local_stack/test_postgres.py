"""The database server keeps what it committed, whatever ends it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bizzan.supervisor.errors import PortTaken, StartError
from bizzan.supervisor.postgres import Postgres, fallback_folder
from tests.utils.local_stack import make_postgres, open_folder


@pytest.fixture
def server() -> Iterator[Postgres]:
    with open_folder() as folder:
        server = make_postgres(folder)
        server.start()
        server.wait_ready()
        yield server
        server.kill()
        server.remove()


def test_committed_rows_survive_a_kill(server: Postgres) -> None:
    server.create_database("bizzan")
    server.query("CREATE TABLE kept (n int)", "bizzan")
    server.query("INSERT INTO kept VALUES (7)", "bizzan")

    server.kill()
    server.start()
    server.wait_ready()

    assert server.query("SELECT n FROM kept", "bizzan") == "7"


def test_server_is_version_18_and_writes_durably(server: Postgres) -> None:
    assert server.query("SHOW server_version_num").startswith("18")
    assert server.query("SHOW fsync") == "on"
    assert server.query("SHOW synchronous_commit") == "on"


def test_a_stopped_server_starts_again_with_the_same_password(server: Postgres) -> None:
    password = server.password
    server.stop()
    assert server.pid is None

    server.start()
    server.wait_ready()

    assert server.password == password
    assert server.query("SELECT 1") == "1"


def test_password_is_readable_by_its_owner_only(server: Postgres, tmp_path: Path) -> None:
    mode = stat.S_IMODE(server._password_file.stat().st_mode)

    assert mode == 0o600


def test_wrong_password_is_refused(server: Postgres) -> None:
    server._password_file.write_text("wrong\n")

    with pytest.raises(StartError, match="password authentication failed"):
        server.query("SELECT 1")


def test_database_made_from_a_template_holds_its_tables(server: Postgres) -> None:
    server.create_database("template_a")
    server.query("CREATE TABLE t (n int)", "template_a")

    server.create_database("copy", template="template_a")

    assert server.query("SELECT count(*) FROM t", "copy") == "0"
    server.drop_database("copy")
    with pytest.raises(StartError, match="does not exist"):
        server.query("SELECT 1", "copy")


def test_taken_port_is_refused_with_the_name_of_the_setting(server: Postgres) -> None:
    with open_folder() as folder:
        second = Postgres(
            folder / "postgres",
            server.port,
            password_file=folder / "password",
            log_file=folder / "log",
            port_setting="BIZZAN_LOCAL__DATABASE_PORT",
        )

        with pytest.raises(PortTaken, match=f"port {server.port} is taken.*BIZZAN_LOCAL__DATABASE_PORT"):
            second.start()


def test_next_start_ends_a_server_whose_supervisor_was_killed(server: Postgres) -> None:
    first_pid = server.pid
    successor = make_postgres(server._password_file.parent, port=server.port)

    successor.start()
    successor.wait_ready()

    assert successor.pid != first_pid
    assert server.pid is None
    assert successor.query("SELECT 1") == "1"
    successor.stop()


def test_half_made_data_folder_is_made_anew() -> None:
    with open_folder() as folder:
        server = make_postgres(folder)
        part = server._data.with_name("data.part")
        part.mkdir(parents=True)
        (part / "PG_VERSION").write_text("18\n")

        server.start()
        server.wait_ready()

        assert server.query("SELECT 1") == "1"
        server.stop()
        server.remove()


def test_folder_that_others_cannot_reach_works() -> None:
    with open_folder() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        server = make_postgres(closed)
        server.start()
        server.wait_ready()

        assert server.query("SELECT 1") == "1"
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        server.stop()
        server.remove()
        assert not fallback_folder(closed / "postgres").exists()


def test_server_never_runs_as_root(server: Postgres) -> None:
    assert server.pid is not None
    owner = Path(f"/proc/{server.pid}").stat().st_uid

    assert owner != 0
    assert owner == os.geteuid() or os.geteuid() == 0
