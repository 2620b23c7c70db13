"""Deploy the contracts to any chain and write its deployment file.

    python scripts/deploy.py --rpc-url http://127.0.0.1:8545

Keys and roles come from the settings (`BIZZAN_KEYS__...`); the owner's key pays and configures. The file goes to where
the settings expect it, `deployments/{chain_id}.json` outside the local chain.
"""

import argparse
import sys

from bizzan.contracts import CompileError
from bizzan.deployer import DeployError, default_config, deploy
from bizzan.supervisor.deployment import write_deployment
from exchange.settings import SettingsError, load_settings


def main() -> int:
    """Deploy; 0 when the file is written."""
    parser = argparse.ArgumentParser(description="Deploy the contracts and write the deployment file.")
    parser.add_argument("--rpc-url", help="the chain's JSON-RPC; the settings' by default")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        rpc_url = arguments.rpc_url or settings.rpc_url
        deployment = deploy(rpc_url, settings.key("owner"), config=default_config(settings))
    except (CompileError, DeployError, SettingsError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    write_deployment(settings, deployment)
    print(f"custody {deployment.custody} in block {deployment.block_number}: {settings.deployment_file}")
    print(f"deposit addresses {deployment.deposit_addresses}")
    print(f"operator's bond {deployment.operator_bond}, receipts by {deployment.receipt_signer}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
