"""Seeding: what the deployment lists and the engine does not know yet becomes its next commands.

At the first start that is everything. The journal remembers which contract it is for, and an engine refuses to
go on with another one's.
"""

import json
from pathlib import Path

from exchange.domain.deployment import Deployment, DeploymentError, Windows, address_bytes
from exchange.domain.fees import FeeRules
from exchange.engine.commands import Command, ListAsset, ListMarket, SetFeeRules, SetLimits
from exchange.engine.engine import Engine
from exchange.engine.state import DEFAULT_LIMITS
from exchange.journal.files import write_atomically
from exchange.settings import FeeSettings

BINDING_NAME = "deployment.json"
_BACKLOG_SHARE = 4  # matching stops when the oldest unsettled trade is a quarter of the age that it may reach


class SeedError(Exception):
    """The engine cannot start with this deployment; the message says what to do."""


def load_deployment(path: Path) -> Deployment:
    """The deployment in a file; SeedError when there is none, or it cannot be used."""
    try:
        return Deployment.parse(json.loads(path.read_text()))
    except FileNotFoundError:
        raise SeedError(f"{path} does not exist: deploy the contract first ('bizzan deploy')") from None
    except (ValueError, DeploymentError) as error:
        raise SeedError(f"{path} cannot be used: {error}") from None


def bind_journal(folder: Path, deployment: Deployment) -> None:
    """Bind the journal in `folder` to the deployment's contract; SeedError if it is bound to another."""
    binding = {"chain_id": deployment.chain_id, "custody": deployment.custody, "block_hash": deployment.block_hash}
    path = folder / BINDING_NAME
    if not path.exists():
        write_atomically(path, json.dumps(binding).encode())
        return
    bound = json.loads(path.read_text())
    if bound != binding:
        raise SeedError(
            f"the journal in {folder} is for contract {bound['custody']} on chain {bound['chain_id']}, the deployment "
            f"is {deployment.custody} on chain {deployment.chain_id}: restore the deployment file, or reset the state"
        )


def missing_commands(
    engine: Engine,
    deployment: Deployment,
    rules: FeeRules,
    max_open_orders: int = DEFAULT_LIMITS.max_open_orders,
) -> list[Command]:
    """The commands that make the engine know every asset, market and limit of the deployment, the rules of fees, and
    how many open orders an account may have.
    """
    state = engine.state
    fee_account = address_bytes(deployment.fee_account, "fee_account")
    commands: list[Command] = []
    if state.fee_rules != rules:
        commands.append(SetFeeRules(rules.fee_cap_bps, rules.notice_ms))
    commands += [ListAsset(asset) for asset in deployment.assets if asset.asset_id not in state.assets]
    commands += [
        ListMarket(market, fee_account) for market in deployment.markets if market.market_id not in state.books
    ]
    limits = state.limits
    max_unsettled_ms = unsettled_limit_ms(deployment.windows)
    if (limits.max_unsettled_ms, limits.max_open_orders) != (max_unsettled_ms, max_open_orders):
        commands.append(SetLimits(max_unsettled_ms, max_open_orders, limits.max_fills))
    return commands


def fee_rules(settings: FeeSettings, deployment: Deployment) -> FeeRules:
    """What binds every fee schedule here. SeedError when a rise could count before whoever disagrees has left."""
    windows = deployment.windows
    seconds = windows.timelock if settings.notice_seconds is None else settings.notice_seconds
    if seconds < windows.delay:
        raise SeedError(f"fees.notice_seconds must be at least windows.delay, {windows.delay}: an exit takes that long")
    return FeeRules(deployment.fee_cap_bps, seconds * 1_000)


def unsettled_limit_ms(windows: Windows) -> int:
    """The age of the oldest unsettled trade at which matching stops, in milliseconds.

    A trade must settle before a delayed cancel binds and before its grace ends, even when a pause lies between.
    """
    settle_within = min(windows.delay, windows.grace) - windows.pause_max
    if settle_within <= 0:
        raise SeedError(
            "windows.pause_max must be below windows.delay and windows.grace: no trade could settle in time"
        )
    return settle_within * 1_000 // _BACKLOG_SHARE
