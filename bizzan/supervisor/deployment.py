"""The contracts of the configured chain, deployed when they are not there yet."""

from __future__ import annotations

import json
import os
import urllib.request
from contextlib import suppress
from typing import Any

from bizzan.supervisor.errors import SupervisorError
from exchange.domain.deployment import Deployment
from exchange.sequencer.seed import SeedError, load_deployment
from exchange.settings import Settings, SettingsError


def ensure_deployed(settings: Settings, *, anywhere: bool = False) -> bool:
    """Deploy to the local chain unless the deployment file names a contract that is there; says whether it did.

    On any other chain this is its owner's decision: without `anywhere` it raises SettingsError there. Raises
    SupervisorError when the chain is away or the deployment fails.
    """
    if _is_deployed(settings):
        return False
    if not settings.is_local_chain and not anywhere:
        raise SettingsError(
            f"no contracts on chain {settings.chain.chain_id} according to {settings.deployment_file}: "
            "run 'bizzan deploy' first"
        )
    write_deployment(settings, _deploy(settings))
    return True


def _deploy(settings: Settings) -> Deployment:
    # Imported here: a start that finds the contracts in place need not load the tools that make them.
    from bizzan.contracts import CompileError
    from bizzan.deployer import DeployError, default_config, deploy

    _rpc(settings.rpc_url, "eth_chainId")
    try:
        return deploy(settings.rpc_url, settings.key("owner"), config=default_config(settings))
    except (CompileError, DeployError) as error:
        raise SupervisorError(f"the contracts are not deployed: {error}") from None


def read_deployment(settings: Settings) -> Deployment:
    """What the deployment file says. Raises SettingsError when it is missing or malformed."""
    if not settings.deployment_file.exists():
        raise SettingsError(
            f"no contracts yet ({settings.deployment_file} is missing): run 'bizzan up' or 'bizzan deploy'"
        )
    try:
        return load_deployment(settings.deployment_file)
    except SeedError as error:
        raise SettingsError(str(error)) from None


def _is_deployed(settings: Settings) -> bool:
    """Whether the contract that the deployment file names has code on the chain."""
    if not settings.deployment_file.exists():
        return False
    custody = read_deployment(settings).custody
    return bool(_rpc(settings.rpc_url, "eth_getCode", custody, "latest") != "0x")


def write_deployment(settings: Settings, deployment: Deployment) -> None:
    """Write the deployment file in one step, so that a kill leaves none half written."""
    path = settings.deployment_file
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(deployment.to_json(), indent=2) + "\n")
    with part.open("rb") as file, suppress(OSError):
        os.fsync(file.fileno())
    part.replace(path)


def _rpc(url: str, method: str, *params: Any) -> Any:
    """The result of one JSON-RPC call."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except (OSError, ValueError) as error:
        raise SupervisorError(f"no chain answers at {url}: {error}") from None
    if "error" in answer:
        raise SupervisorError(f"the chain at {url} refuses {method}: {answer['error'].get('message')}")
    return answer["result"]
