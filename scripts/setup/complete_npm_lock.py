"""Complete package-lock.json with the platform packages that the registry at hand does not carry.

npm writes a lock without the optional packages it cannot fetch, and `npm ci` then refuses that lock. The
packages that hold native binaries differ by platform only, so their entries can be written without fetching.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OS = {"darwin": "darwin", "linux": "linux", "win32": "win32"}
CPU = {"amd64": "x64", "arm64": "arm64"}


def platform_entry(name: str, version: str) -> dict[str, Any]:
    """The lock entry of a package named `<tool>-<os>-<cpu>`, which npm installs on that platform only."""
    _, system, cpu = name.rsplit("-", 2)
    return {"version": version, "cpu": [CPU[cpu]], "optional": True, "os": [OS[system]]}


def complete(lock: dict[str, Any]) -> dict[str, Any]:
    """The lock with an entry for every optional dependency, without registry addresses, sorted by path."""
    packages: dict[str, dict[str, Any]] = lock["packages"]
    for package in list(packages.values()):
        package.pop("resolved", None)
        for name, version in package.get("optionalDependencies", {}).items():
            packages.setdefault(f"node_modules/{name}", platform_entry(name, version))
    return lock | {"packages": dict(sorted(packages.items()))}


def main() -> None:
    """Rewrite the lock named on the command line in place."""
    path = Path(sys.argv[1])
    lock = complete(json.loads(path.read_text()))
    path.write_text(json.dumps(lock, indent=2) + "\n")


if __name__ == "__main__":
    main()
