"""Write the API's OpenAPI document, from which the web app's types are made.

python scripts/export_openapi.py build/openapi.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from backend.app import create_app
from exchange.settings import load_settings


def main() -> None:
    """Write the document of the local chain's API to the file named on the command line."""
    file = Path(sys.argv[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(create_app(load_settings()).openapi(), indent=1) + "\n")


if __name__ == "__main__":
    main()
