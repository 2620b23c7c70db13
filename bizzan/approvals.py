"""What an approver does: look at the withdrawals that wait above their token's outflow limit, and approve one.

Raises ApprovalError when nothing like it waits, or when the contract refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_account import Account
from eth_typing import ChecksumAddress
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError, Web3Exception

from bizzan.contracts import exported_abi
from exchange.database import approvals
from exchange.database.engine import create_engine
from exchange.domain.contract_refusals import contract_refusal
from exchange.domain.deployment import ETH, Deployment, checksum

RECEIPT_SECONDS = 60


class ApprovalError(Exception):
    """Nothing was approved; the message says why."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A withdrawal that waits. `amount` in ledger units, `deadline` in unix seconds; a transfer has no recipient."""

    withdrawal_hash: bytes
    account: str
    asset_id: int
    amount: int
    recipient: str | None
    deadline: int
    message: dict[str, Any]
    needed: int
    by: tuple[str, ...]


def waiting(database_url: str, chain_id: int) -> list[Waiting]:
    """All that wait, the first to lapse first. Raises ApprovalError when the database is away."""
    try:
        return asyncio.run(_waiting(database_url, chain_id))
    except (SQLAlchemyError, OSError) as error:
        raise ApprovalError(f"the database cannot be used ({error}): start the stack with 'bizzan up'") from None


def find(rows: Sequence[Waiting], digest: str) -> Waiting:
    """The one whose hash begins with `digest` (0x hex). Raises ApprovalError for none or several."""
    found = [row for row in rows if ("0x" + row.withdrawal_hash.hex()).startswith(digest.lower())]
    if len(found) != 1 or not digest.lower().startswith("0x"):
        raise ApprovalError(f"{len(found)} waiting withdrawals begin with {digest}: see 'bizzan approvals list'")
    return found[0]


def approve(rpc_url: str, deployment: Deployment, key: str, row: Waiting) -> str:
    """Approve as the key's account, which pays the gas; the transaction's hash. Raises ApprovalError."""
    web3 = Web3(HTTPProvider(rpc_url))
    approver = Account.from_key(key)
    custody = web3.eth.contract(address=cast(ChecksumAddress, deployment.custody), abi=exported_abi("Custody"))
    message = row.message
    call = custody.functions.approve_withdrawal(
        message["account"],
        message["token"],
        int(message["amount"]),
        message.get("recipient", ETH),
        int(message["max_fee"]),
        int(message["nonce"]),
        int(message["deadline"]),
        approver.address,
        b"",
    )
    try:
        transaction = call.build_transaction(
            {"from": approver.address, "nonce": web3.eth.get_transaction_count(approver.address)}
        )
        sent = web3.eth.send_raw_transaction(approver.sign_transaction(cast(Any, transaction)).raw_transaction)
        receipt = web3.eth.wait_for_transaction_receipt(sent, timeout=RECEIPT_SECONDS)
    except ContractLogicError as error:
        reason = str(error.message or "").removeprefix("execution reverted").lstrip(": ")
        raise ApprovalError(f"the contract refuses ({reason}): {contract_refusal(reason).advice}") from None
    except (Web3Exception, OSError, ValueError) as error:
        raise ApprovalError(f"the approval of {approver.address} was not mined: {error}") from None
    if not receipt["status"]:
        raise ApprovalError(f"the approval reverted in transaction 0x{bytes(sent).hex()}")
    return "0x" + bytes(sent).hex()


async def _waiting(url: str, chain_id: int) -> list[Waiting]:
    database = create_engine(url, pool_size=1)
    try:
        async with database.connect() as conn:
            rows = await approvals.waiting(conn)
            given = await approvals.of(conn, chain_id, [row.withdrawal_hash for row in rows])
    finally:
        await database.dispose()
    return [_row(row, given[row.withdrawal_hash]) for row in rows]


def _row(row: Row[Any], given: approvals.Approvals) -> Waiting:
    return Waiting(
        withdrawal_hash=row.withdrawal_hash,
        account=checksum(row.address),
        asset_id=row.asset_id,
        amount=row.amount,
        recipient=row.message.get("recipient"),
        deadline=row.deadline,
        message=dict(row.message),
        needed=given.needed,
        by=tuple(checksum(approver) for approver in given.by),
    )
