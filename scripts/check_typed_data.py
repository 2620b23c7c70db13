"""Fail when docs/typed-data.md does not show the messages that users sign, or leaves one unexplained."""

import sys

from scripts.print_typed_data import COMMITTED, typed_data


def main() -> int:
    """0 when the document is current."""
    try:
        current = typed_data()
    except KeyError as error:
        print(f"check_typed_data: scripts/print_typed_data.py does not explain {error}", file=sys.stderr)
        return 1
    if COMMITTED.exists() and COMMITTED.read_text() == current:
        return 0
    print(
        f"check_typed_data: {COMMITTED.name} is not current; run\n"
        "  python scripts/print_typed_data.py > docs/typed-data.md",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
