"""What an approver does: look at the withdrawals that wait above their token's outflow limit, and approve one.

The database only says which messages wait. What is shown and approved is read from the message itself, after its digest
and its account's signature were checked: who can write the database can show no other withdrawal than is approved. An
account that is a contract is asked on chain whether it signed (EIP-1271); it can change its mind until it is paid.

Raises ApprovalError when nothing like it waits, when it cannot be trusted, or when the contract refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_account import Account
from eth_typing import ChecksumAddress
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError, Web3Exception

from bizzan.contracts import exported_abi
from exchange.chain.rpc import ChainError, Rpc
from exchange.chain.signing import recover
from exchange.chain.wallets import MAX_SIGNATURE, wallet_signed
from exchange.database import approvals
from exchange.database.engine import create_engine
from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.contract_refusals import contract_refusal
from exchange.domain.deployment import ETH, Deployment, address_bytes, checksum
from keeper.withdrawal import BadWithdrawal, SignedWithdrawal

RECEIPT_SECONDS = 60


class ApprovalError(Exception):
    """Nothing was approved; the message says why."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A withdrawal that waits, as its account signed it. `amount` in ledger units.

    `needed` and `by` are the database's word. `by_code`: not its account's key signed it, but the contract that the
    account is says so now.
    """

    withdrawal_hash: bytes
    signed: SignedWithdrawal
    asset_id: int
    amount: int
    needed: int
    by: tuple[str, ...]
    by_code: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of the database that nobody can approve here, and why."""

    withdrawal_hash: bytes
    reason: str


def waiting(database_url: str, rpc_url: str, deployment: Deployment) -> list[Waiting | Refused]:
    """All that wait, the first to lapse first. Raises ApprovalError when the database or the chain's node is away."""
    try:
        return asyncio.run(_waiting(database_url, rpc_url, deployment))
    except ChainError as error:
        raise ApprovalError(f"the chain's node at {rpc_url} cannot be asked: {error}") from None
    except (SQLAlchemyError, OSError) as error:
        raise ApprovalError(f"the database cannot be used ({error}): start the stack with 'bizzan up'") from None


def read(
    deployment: Deployment,
    withdrawal_hash: bytes,
    message: Mapping[str, Any],
    signature: bytes,
    given: approvals.Approvals,
    code_says: bool = False,
) -> Waiting | Refused:
    """The withdrawal in a stored message, or why it cannot be trusted.

    `code_says`: the contract that the message's account is takes the signature of this hash.
    """
    try:
        signed = SignedWithdrawal.parse(message)
        digest = signed.digest(deployment.domain)
    except (BadWithdrawal, ValueError) as error:
        return Refused(withdrawal_hash, str(error))
    token = {address_bytes(token.address): token for token in deployment.tokens}.get(signed.token)
    if digest != withdrawal_hash:
        return Refused(withdrawal_hash, "the stored message is not the one with this hash")
    by_key = recover(digest, signature) == signed.account
    if not by_key and not code_says:
        return Refused(withdrawal_hash, "its account's key did not sign it, nor does a contract there say so")
    if signed.recipient == address_bytes(ETH):
        return Refused(withdrawal_hash, "its recipient is the zero address, which would approve another message")
    if token is None:
        return Refused(withdrawal_hash, f"token {checksum(signed.token)} is not listed")
    amount, rest = divmod(signed.amount, token.unit)
    if rest or amount > MAX_AMOUNT:
        return Refused(withdrawal_hash, f"{signed.amount} token units are no amount that custody pays")
    return Waiting(
        withdrawal_hash,
        signed,
        token.asset_id,
        amount,
        given.needed,
        tuple(checksum(approver) for approver in given.by),
        not by_key,
    )


def find(rows: Sequence[Waiting | Refused], digest: str) -> Waiting:
    """The one whose hash begins with `digest` (0x hex). Raises ApprovalError for none, several, or a refused one."""
    found = [row for row in rows if ("0x" + row.withdrawal_hash.hex()).startswith(digest.lower())]
    if len(found) != 1 or not digest.lower().startswith("0x"):
        raise ApprovalError(f"{len(found)} waiting withdrawals begin with {digest}: see 'bizzan approvals list'")
    row = found[0]
    if isinstance(row, Refused):
        raise ApprovalError(f"0x{row.withdrawal_hash.hex()} cannot be approved: {row.reason}")
    return row


def approve(rpc_url: str, deployment: Deployment, key: str, row: Waiting) -> str:
    """Approve as the key's account, which pays the gas; the transaction's hash. Raises ApprovalError."""
    web3 = Web3(HTTPProvider(rpc_url))
    approver = Account.from_key(key)
    custody = web3.eth.contract(address=cast(ChecksumAddress, deployment.custody), abi=exported_abi("Custody"))
    signed = row.signed
    call = custody.functions.approve_withdrawal(
        checksum(signed.account),
        checksum(signed.token),
        signed.amount,
        ETH if signed.recipient is None else checksum(signed.recipient),
        signed.max_fee,
        signed.nonce,
        signed.deadline,
        approver.address,
        b"",
    )
    try:
        transaction = call.build_transaction(
            {"from": approver.address, "nonce": web3.eth.get_transaction_count(approver.address, "pending")}
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


async def find_waiting(database: AsyncEngine, rpc: Rpc, deployment: Deployment) -> list[Waiting | Refused]:
    """All that wait, the first to lapse first. Raises the database's errors, and ChainError."""
    async with database.connect() as conn:
        rows = await approvals.waiting(conn)
        given = await approvals.of(conn, deployment.chain_id, [row.withdrawal_hash for row in rows])
    return [
        read(
            deployment,
            row.withdrawal_hash,
            row.message,
            row.signature,
            given[row.withdrawal_hash],
            await _code_says(rpc, row.withdrawal_hash, row.message, row.signature),
        )
        for row in rows
    ]


async def _code_says(rpc: Rpc, digest: bytes, message: Mapping[str, Any], signature: bytes) -> bool:
    """Whether the message's account is a contract that takes the signature; not asked where a key signed."""
    try:
        account = SignedWithdrawal.parse(message).account
    except BadWithdrawal:
        return False
    if recover(digest, signature) == account or not 0 < len(signature) <= MAX_SIGNATURE:
        return False
    return await wallet_signed(rpc, account, digest, signature)


async def _waiting(url: str, rpc_url: str, deployment: Deployment) -> list[Waiting | Refused]:
    database = create_engine(url, pool_size=1)
    try:
        async with Rpc(rpc_url) as rpc:
            return await find_waiting(database, rpc, deployment)
    finally:
        await database.dispose()
