"""The examples, as somebody runs them who has forgotten to start the exchange."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bizzan.supervisor.ports import free_port

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example_without_an_exchange_says_how_to_start_one(name: str) -> None:
    port = str(free_port())
    environ = {**os.environ, "BIZZAN_API__PORT": port}
    done = subprocess.run(
        [sys.executable, EXAMPLES / name], env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    said = done.stderr.strip()
    assert said.startswith(f"GET http://127.0.0.1:{port}/v1/exchange: ")
    assert said.endswith(": start the exchange with 'make run'")
    assert "\n" not in said
