"""Fail when docs/powers.md is not what the contracts' code says about who may call what."""

import sys

from scripts.print_powers import COMMITTED, powers


def main() -> int:
    """0 when the committed table is current."""
    if COMMITTED.exists() and COMMITTED.read_text() == powers():
        return 0
    print(
        f"check_powers: {COMMITTED.name} differs from the contracts; if the change is meant, run\n"
        "  python scripts/print_powers.py > docs/powers.md",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
