"""The commands in the documents, so that tests run what readers type.

A block's name is the second word of its fence: ```` ```bash claim ````. A block without a name is for reading only.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bizzan.contracts import ROOT

FENCE = re.compile(r"^```(\w+) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CPU = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def blocks(document: str, language: str = "bash") -> dict[str, str]:
    """The named blocks of a document under `docs/` in one language, in its order."""
    text = (ROOT / "docs" / document).read_text()
    found = [(name, block) for kind, name, block in FENCE.findall(text) if kind == language]
    assert len(dict(found)) == len(found), f"{document} has two blocks of one name"
    return dict(found)


def with_settings(block: str, values: Mapping[str, str]) -> str:
    """A block of exports with a reader's own values in place; every value must have its line."""
    for name, value in values.items():
        block, count = re.subn(rf"^export {name}=\S+", f"export {name}={value}", block, flags=re.MULTILINE)
        assert count == 1, f"{count} lines export {name}"
    return block


def tool_folder(tool: str) -> Path:
    """The folder of a native program inside its npm package; npm's wrapper costs a start of Node each time."""
    machine = _CPU.get(platform.machine().lower(), platform.machine())
    folder = ROOT / "node_modules" / "@foundry-rs" / f"{tool}-{sys.platform}-{machine}" / "bin"
    assert (folder / tool).is_file(), f"{folder / tool} is missing: run 'make setup'"
    return folder


def run_bash(script: str, *, path: list[Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a script as a reader's shell would, but stop at the first failure; what it prints."""
    folders = ":".join([*map(str, path), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PATH": folders} | dict(environment or {}),
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
