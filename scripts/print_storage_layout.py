"""Print the storage layout of a contract, of custody by default: slot, type, module and name, one line each.

    python scripts/print_storage_layout.py > contracts/storage_layout.txt
    python scripts/print_storage_layout.py OperatorBond > contracts/storage_layout_bond.txt

The output is committed, because a change of storage is a decision; `check_layout.py` compares it.
"""

import json
import sys
from typing import Any

from bizzan.contracts import SOURCES, vyper

COMMITTED = SOURCES / "storage_layout.txt"
COMMITTED_BOND = SOURCES / "storage_layout_bond.txt"


def storage_layout(name: str) -> str:
    """The layout of a contract under `contracts/`, sorted by slot."""
    layout: dict[str, Any] = json.loads(vyper("layout", f"{name}.vy"))
    rows: list[tuple[int, str]] = []
    for kind in ("storage_layout", "transient_storage_layout"):
        _collect(layout.get(kind, {}), "", " (transient)" if kind.startswith("transient") else "", rows)
    return "".join(f"{slot:>4}  {text}\n" for slot, text in sorted(rows))


def _collect(tree: dict[str, Any], where: str, suffix: str, rows: list[tuple[int, str]]) -> None:
    for name, entry in tree.items():
        if "slot" in entry:
            rows.append((entry["slot"], f"{where}{name}: {entry['type']}{suffix}"))
        else:
            _collect(entry, f"{where}{name}.", suffix, rows)


if __name__ == "__main__":
    sys.stdout.write(storage_layout(sys.argv[1] if len(sys.argv) > 1 else "Custody"))
