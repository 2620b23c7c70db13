"""`bizzan status`: how far the chain, the mirror, the journal and settlement are."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from bizzan.cli.console import console
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import Settings, setting_name


def read_status(settings: Settings) -> dict[str, Any]:
    """The answer of `GET /v1/status`. Raises SupervisorError when the API is away."""
    return read_api(settings, "/v1/status")


def read_api(settings: Settings, path: str) -> dict[str, Any]:
    """The answer to a public `GET`. Raises SupervisorError when the API is away."""
    url = f"http://{settings.api.host}:{settings.api.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        raise SupervisorError(f"the API answers {error.code} to {url}: see its log in {settings.log_dir}") from None
    except (OSError, ValueError) as error:
        raise SupervisorError(
            f"no API at {url} ({error}): start the stack with '.venv/bin/bizzan up', or name the port with "
            f"{setting_name('api', 'port')}"
        ) from None
    return answer


def print_status(status: Mapping[str, Any]) -> None:
    """One row per value; values inside a section carry its name."""
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(status):
        table.add_row(f"[dim]{name}[/]", str(value))
    console.print(table)


def _rows(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        rows += _rows(value, f"{name} ") if isinstance(value, Mapping) else [(name, value)]
    return rows
