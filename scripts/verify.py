"""Compare the contracts on chain with the sources at hand, byte by byte; exit code 1 and every difference otherwise.

    python scripts/verify.py --rpc http://127.0.0.1:8545 --deployment deployments/31337.json

Both default to what the settings say. `bizzan verify` is the same. It needs a chain node, and neither key nor database.
"""

import argparse
import sys
from pathlib import Path

from bizzan.cli.verification import run
from bizzan.supervisor.errors import SupervisorError
from exchange.settings import SettingsError, load_settings


def main() -> int:
    """0 when everything on chain is what the sources and the deployment file say."""
    parser = argparse.ArgumentParser(description="Compare the contracts on chain with the sources at hand.")
    parser.add_argument("--rpc", help="the chain's JSON-RPC; the settings' by default")
    parser.add_argument("--deployment", type=Path, help="the deployment file; the settings' by default")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        return run(arguments.rpc or settings.rpc_url, arguments.deployment or settings.deployment_file)
    except (SettingsError, SupervisorError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
