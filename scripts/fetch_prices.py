"""Fetches the demo's price series into `.tools/data`; see `bizzan.demo.download` for what and why."""

import sys
from pathlib import Path

from bizzan.demo.download import DownloadError, fetch

FOLDER = Path(__file__).resolve().parents[1] / ".tools" / "data"


def main() -> int:
    """Fetch and say where the files are; 1 when they could not be fetched."""
    try:
        fetch(FOLDER)
    except DownloadError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"prices in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
