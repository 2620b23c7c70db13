"""Fail when the parts of the custody contract differ in storage, or a contract's storage from its committed layout."""

import sys

from bizzan.contracts import PARTS
from scripts.print_storage_layout import COMMITTED, COMMITTED_BOND, storage_layout


def main() -> int:
    """0 when all parts and the committed file agree."""
    custody = storage_layout("Custody")
    for part in PARTS[1:]:
        if custody != storage_layout(part):
            print(f"check_layout: Custody.vy and {part}.vy differ in storage", file=sys.stderr)
            return 1
    if custody != COMMITTED.read_text():
        print(
            f"check_layout: storage differs from contracts/{COMMITTED.name}; if the change is meant, run\n"
            "  python scripts/print_storage_layout.py > contracts/storage_layout.txt",
            file=sys.stderr,
        )
        return 1
    if storage_layout("OperatorBond") != COMMITTED_BOND.read_text():
        print(
            f"check_layout: storage differs from contracts/{COMMITTED_BOND.name}; if the change is meant, run\n"
            "  python scripts/print_storage_layout.py OperatorBond > contracts/storage_layout_bond.txt",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
