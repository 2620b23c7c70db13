"""How much of custody was used so far: settled executions, sweeps and withdrawals, by the way they were authorised.

The numbers are the mirror's, so they are what the chain did; which accounts are contracts the chain says.

Raises FeaturesError when the database or the chain is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.chain.rpc import ChainError, Rpc
from exchange.database import features
from exchange.database.engine import create_engine
from exchange.domain.deployment import Deployment, address_bytes
from exchange.domain.deposit_address import deposit_address
from exchange.domain.eip712 import Scheme


class FeaturesError(Exception):
    """The numbers cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Features:
    """What is mined. Executions of orders: those that a delegated key signed for an ordinary account, those of contract
    wallets, those that were signed in bulk, and those that had waited for a price. Amended orders are those that
    another on their nonce replaced. Sweeps are deposits from deposit addresses.
    """

    executions: int
    by_delegated_keys: int
    of_contract_wallets: int
    signed_in_bulk: int
    triggered: int
    amended_orders: int
    sweeps: int
    withdrawals: int
    withdrawals_with_approvals: int
    withdrawals_of_contract_wallets: int


def read(database_url: str, rpc_url: str, deployment: Deployment) -> Features:
    """Count. Raises FeaturesError."""
    try:
        return asyncio.run(_read(database_url, rpc_url, deployment))
    except (SQLAlchemyError, ChainError, OSError) as error:
        raise FeaturesError(f"the numbers cannot be read ({error}): start the stack with 'bizzan up'") from None


def count(
    executions: Mapping[tuple[bytes, int], int],
    withdrawals: Mapping[bytes, int],
    contracts: Collection[bytes],
    approved: int,
    sweeps: int,
    triggered: int = 0,
    amended: int = 0,
) -> Features:
    """Sum up: executions by account and scheme, withdrawals by account."""
    delegated = {key: number for key, number in executions.items() if key[1] & Scheme.delegate}
    return Features(
        executions=sum(executions.values()),
        by_delegated_keys=sum(number for (account, _), number in delegated.items() if account not in contracts),
        of_contract_wallets=sum(number for (account, _), number in delegated.items() if account in contracts),
        signed_in_bulk=sum(number for (_, scheme), number in executions.items() if scheme & Scheme.bulk),
        triggered=triggered,
        amended_orders=amended,
        sweeps=sweeps,
        withdrawals=sum(withdrawals.values()),
        withdrawals_with_approvals=approved,
        withdrawals_of_contract_wallets=sum(n for account, n in withdrawals.items() if account in contracts),
    )


async def _read(database_url: str, rpc_url: str, deployment: Deployment) -> Features:
    database = create_engine(database_url, pool_size=1)
    try:
        async with database.connect() as conn, Rpc(rpc_url) as rpc:
            return await _counted(conn, rpc, deployment)
    finally:
        await database.dispose()


async def _counted(conn: AsyncConnection, rpc: Rpc, deployment: Deployment) -> Features:
    chain_id = deployment.chain_id
    factory = address_bytes(deployment.deposit_addresses)
    senders = [deposit_address(factory, account) for account in await features.deposit_accounts(conn, chain_id)]
    contracts = {a for a in await features.delegators(conn, chain_id) if await _has_code(rpc, a)}
    return count(
        await features.executions(conn, chain_id),
        await features.withdrawals(conn, chain_id),
        contracts,
        await features.approved_withdrawals(conn, chain_id),
        await features.deposits_from(conn, chain_id, senders),
        await features.triggered_executions(conn, chain_id),
        await features.amends(conn),
    )


async def _has_code(rpc: Rpc, address: bytes) -> bool:
    """Whether it is a contract; an account that names code under EIP-7702 is a key's."""
    code = await rpc.call("eth_getCode", "0x" + address.hex(), "latest", returns=str)
    return code != "0x" and not code.startswith("0xef0100")
