"""Lint the contracts with natrix.

natrix compiles each file by itself, so modules that borrow another module's state are out of its reach; the deployables
and the modules that stand alone are not.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bizzan.contracts import ROOT, SOURCES

DISABLED = ("NTX11",)  # plain argument names are the house rule
# A delegated call may write; natrix takes it for a read.
ALLOWED = {("contracts/Custody.vy", "NTX4", "__default__")}


def targets() -> list[str]:
    """The files that natrix can compile."""
    alone = [path for path in (SOURCES / "modules").glob("*.vy") if "\nuses: " not in path.read_text()]
    deployables = [*SOURCES.glob("*.vy"), *(SOURCES / "test_tokens").glob("*.vy")]
    return [path.relative_to(ROOT).as_posix() for path in sorted([*alone, *deployables])]


def issues() -> list[dict[str, Any]]:
    """What natrix finds and the list above does not allow. Raises RuntimeError when it does not run."""
    tools = Path(sys.executable).parent
    command = [str(tools / "natrix"), "lint", *targets(), "--json", "--disable", *DISABLED]
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"natrix does not run: {done.stderr.strip()[-2000:]}") from None
    return [issue for issue in found if not _is_allowed(issue)]


def _is_allowed(issue: dict[str, Any]) -> bool:
    return any(
        str(issue["file"]).endswith(path) and issue["code"] == code and function in str(issue["message"])
        for path, code, function in ALLOWED
    )


def main() -> int:
    """0 when natrix has nothing to say."""
    found = issues()
    for issue in found:
        print(f"check_natrix: {issue}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
