"""The program `bizzan`, run as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from bizzan.supervisor.ports import free_port
from tests.utils.warm import WarmProcess, command


class Program:
    """Runs `bizzan` in a folder of its own, on ports of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` are named as in the environment, without the prefix."""
        self.folder = folder
        names = ["LOCAL__CHAIN_PORT", "LOCAL__DATABASE_PORT", "API__PORT", "METRICS__ENGINE", "METRICS__PROJECTOR"]
        names += ["METRICS__INDEXER", "METRICS__KEEPER", "METRICS__PUBLISHER", "METRICS__SURVEILLANCE"]
        names += ["METRICS__ENTRY", "ENTRY__PORT"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BIZZAN_")}
        self._environment = kept | {f"BIZZAN_{name}": str(free_port()) for name in names} | {"COLUMNS": "400"}
        self._environment |= {f"BIZZAN_{name}": value for name, value in settings.items()}

    @property
    def state_dir(self) -> Path:
        return self.folder / ".bizzan"

    @property
    def api_url(self) -> str:
        """Where its API listens."""
        return f"http://127.0.0.1:{self._environment['BIZZAN_API__PORT']}"

    @property
    def entry_port(self) -> int:
        """Where its order entry listens."""
        return int(self._environment["BIZZAN_ENTRY__PORT"])

    @property
    def rpc_url(self) -> str:
        """Where its chain node listens."""
        return f"http://127.0.0.1:{self._environment['BIZZAN_LOCAL__CHAIN_PORT']}"

    @property
    def database_port(self) -> int:
        """Where its database server listens."""
        return int(self._environment["BIZZAN_LOCAL__DATABASE_PORT"])

    def run_file(self, path: Path) -> subprocess.CompletedProcess[str]:
        """Run a Python file with the same settings."""
        return subprocess.run(
            [sys.executable, str(path)],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the program."""
        with tempfile.TemporaryDirectory() as folder:
            output, errors = Path(folder, "output"), Path(folder, "errors")
            process = WarmProcess(
                command,
                list(arguments),
                environment=self._environment | environment,
                output=output,
                errors=errors,
                folder=self.folder,
            )
            code = process.wait(600)
            return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())

    def refusal(self, *arguments: str, **environment: str) -> str:
        result = self.run(*arguments, **environment)
        assert result.returncode == 1, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result.stderr

    def succeed(self, *arguments: str, **environment: str) -> str:
        """Run it, and return what it printed. Fails, showing its words, when it fails."""
        result = self.run(*arguments, **environment)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def status(self) -> dict[str, Any]:
        """What `bizzan status --json` prints, as the API says it."""
        with urllib.request.urlopen(f"{self.api_url}/v1/status", timeout=60) as response:
            status: dict[str, Any] = json.load(response)
        return status

    def answer(self) -> dict[str, Any]:
        """The same; empty while the API does not say."""
        with suppress(OSError, ValueError):
            return self.status()
        return {}

    def pid(self, service: str) -> int | None:
        """The pid that the supervisor keeps for a service."""
        try:
            return int((self.state_dir / "run" / f"{service}.pid").read_text().split()[0])
        except (OSError, IndexError):
            return None
