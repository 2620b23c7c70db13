"""Signed withdrawals: checked here, held by the engine, submitted by the keeper.

Only the account itself can take money out: its own key, or what the contract at it says is its signature (EIP-1271). A
delegated key is refused.
"""

import msgspec
from sqlalchemy import Row

from backend.context import Api, now_ms
from backend.receipts import service as receipts
from backend.receipts.schemas import SignedReceipt
from backend.wire import address_of, checksum, hexed, integer
from backend.withdrawals import schemas
from exchange.database import approvals, guards, orders, payouts, positions, withdrawals
from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Token
from exchange.engine.commands import HoldWithdrawal

MAX_DEADLINE_SECONDS = 7 * 86_400
ZERO_ADDRESS = bytes(20)


async def withdraw(api: Api, request: schemas.WithdrawalRequest) -> schemas.WithdrawalAck:
    """Hold money for a signed withdrawal to `recipient`."""
    recipient = address_of(request.recipient)
    if recipient in (ZERO_ADDRESS, address_of(api.deployment.custody)):
        raise Refusal(
            ErrorCode.bad_recipient, "recipient must not be the zero address, nor the exchange's contract", "recipient"
        )
    return await _hold(api, "Withdrawal", request, {"recipient": recipient})


async def transfer(api: Api, request: schemas.FundingTransferRequest) -> schemas.WithdrawalAck:
    """Hold money for a signed transfer to the funding balance."""
    return await _hold(api, "FundingTransfer", request, {})


async def _hold(
    api: Api, kind: str, request: schemas.FundingTransferRequest, more: dict[str, int | bytes]
) -> schemas.WithdrawalAck:
    api.check_domain(request.chain_id, address_of(request.contract))
    account = address_of(request.account)
    token = _token(api, request.token)
    amount = _ledger(request.amount, token, "amount")
    _check_amount(amount, api.min_withdrawal(token.asset_id))
    if _ledger(request.max_fee, token, "max_fee") >= amount:
        raise Refusal(ErrorCode.fee_cap_out_of_range, "max_fee must be below amount", "max_fee")
    nonce = integer(request.nonce, "nonce")
    message: dict[str, int | bytes] = {
        "account": account,
        "token": address_of(request.token),
        "amount": int(request.amount),
        "max_fee": int(request.max_fee),
        "nonce": nonce,
        "deadline": request.deadline,
        **more,
    }
    digest = api.domain.hash(kind, message)
    signature = bytes.fromhex(request.signature[2:])
    _check_deadline(request.deadline)
    await api.wallets.check(account, digest, signature)
    api.limits.account_writes.take(account)
    await _check_nonce(api, account, nonce)
    await _check_guards(api, account, message.get("recipient", account))
    text = msgspec.json.encode({"type": kind, **{name: _json(value) for name, value in message.items()}}).decode()
    ack = await api.engine.submit(
        HoldWithdrawal(account, token.asset_id, amount, digest, nonce, request.deadline, text, signature)
    )
    return schemas.WithdrawalAck(
        withdrawal_hash=hexed(digest),
        seq=ack.seq,
        at=ack.at_ms,
        asset_id=token.asset_id,
        amount=str(amount),
        receipt=receipts.receipt_of(api.deployment, ack),
    )


async def receipt_again(api: Api, address: bytes, withdrawal_hash: bytes) -> SignedReceipt:
    """The receipt of a withdrawal's hold, for its account. Refuses an unknown one, and one of somebody else alike."""
    async with api.reading() as connection:
        seq = await withdrawals.held_at(connection, address, withdrawal_hash)
        mirrored = await positions.read(connection, api.domain.chain_id)
    if seq is None:
        raise Refusal(
            ErrorCode.unknown_withdrawal,
            f"you have no withdrawal {hexed(withdrawal_hash)} (mirrored up to sequence {mirrored.journal_seq})",
            "hash",
            {"journal_seq": mirrored.journal_seq},
        )
    return await receipts.again(api, address, seq)


def _token(api: Api, address: str) -> Token:
    found = next((t for t in api.deployment.tokens if t.address.lower() == address.lower()), None)
    if found is None:
        raise Refusal(ErrorCode.unknown_asset, f"there is no token {address}: see /v1/exchange", "token")
    return found


def _ledger(text: str, token: Token, field: str) -> int:
    """Token units as ledger units; refuses a remainder."""
    amount, rest = divmod(int(text), token.unit)
    if rest:
        raise Refusal(
            ErrorCode.amount_out_of_range,
            f"{field} must be a multiple of {token.unit} token units (one ledger unit)",
            field,
            {"unit": str(token.unit)},
        )
    if amount > MAX_AMOUNT:
        raise Refusal(ErrorCode.amount_out_of_range, f"{field} must be below 2**63 ledger units", field)
    return amount


def _check_amount(amount: int, smallest: int) -> None:
    """Refuse what is not worth the gas of the keeper; whoever pays gas oneself may request any amount on chain."""
    if amount < smallest:
        raise Refusal(
            ErrorCode.amount_out_of_range,
            f"amount must be at least {smallest} ledger units of this token, or be requested on chain",
            "amount",
            {"min": str(smallest)},
        )


def _check_deadline(deadline: int) -> None:
    now = now_ms() // 1_000
    if deadline <= now:
        raise Refusal(ErrorCode.withdrawal_deadline, "deadline has passed: sign a new withdrawal", "deadline")
    if deadline > now + MAX_DEADLINE_SECONDS:
        raise Refusal(
            ErrorCode.withdrawal_deadline,
            f"deadline must be within {MAX_DEADLINE_SECONDS} s: the money stays held until then",
            "deadline",
            {"max_seconds": MAX_DEADLINE_SECONDS},
        )


async def _check_nonce(api: Api, account: bytes, nonce: int) -> None:
    async with api.reading() as connection:
        used = await withdrawals.nonce_used(connection, api.domain.chain_id, account, nonce)
    if used:
        raise Refusal(ErrorCode.nonce_used, "a withdrawal with this nonce is on chain: take another", "nonce")


async def _check_guards(api: Api, account: bytes, recipient: int | bytes) -> None:
    """Refuse what the contract would, because of the account's own freeze or allow-list, before money is held."""
    now, chain_id = now_ms() // 1_000, api.domain.chain_id
    assert isinstance(recipient, bytes)
    async with api.reading() as connection:
        if await guards.frozen(connection, chain_id, account, now):
            raise Refusal(ErrorCode.account_frozen, "its owner froze the account: unfreeze it, or exit", "account")
        if not await guards.allowed(connection, chain_id, account, recipient, now):
            raise Refusal(
                ErrorCode.recipient_not_allowed,
                "recipient is not on the account's allow-list, or not yet: name one that is, or wait",
                "recipient",
            )


def _json(value: int | bytes) -> str:
    if isinstance(value, bytes):
        return checksum(value)
    return str(value)


async def page(api: Api, address: bytes, before: int | None, limit: int) -> schemas.WithdrawalPage:
    """Withdrawals of one account."""
    chain_id = api.domain.chain_id
    async with api.reading() as connection:
        owner = await orders.account_id(connection, address)
        rows = [] if owner is None else await withdrawals.fast(connection, chain_id, owner, before=before, limit=limit)
        digests = [row.withdrawal_hash for row in rows]
        approved = await approvals.of(connection, chain_id, digests)
        given_up = await payouts.given_up(connection, digests)
        rests = await payouts.rests(connection, digests)
        requests = await withdrawals.requests(connection, chain_id, address)
        paid = await withdrawals.paid(connection, chain_id, address)
        position = await positions.read(connection, chain_id)
    return schemas.WithdrawalPage(
        withdrawals=[
            _view(row, approved[row.withdrawal_hash], row.withdrawal_hash in given_up, rests.get(row.withdrawal_hash))
            for row in rows
        ],
        forced_requests=[_request(row) for row in requests if row.kind == "requested"],
        other_payments=[_paid(row) for row in paid],
        next_before=rows[-1].seq if len(rows) == limit else None,
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
        journal_seq=position.journal_seq,
    )


def _view(
    row: Row[tuple[object, ...]], approved: approvals.Approvals, given_up: bool, rest: payouts.Rest | None
) -> schemas.WithdrawalView:
    needed = approved.needed if row.status == "held" else 0
    because, until = _waits(needed > len(approved.by), given_up, rest)
    return schemas.WithdrawalView(
        withdrawal_hash=hexed(row.withdrawal_hash),
        kind="funding_transfer" if row.message.get("type") == "FundingTransfer" else "withdrawal",
        asset_id=row.asset_id,
        amount=str(row.amount),
        nonce=str(row.nonce),
        deadline=row.deadline,
        message=row.message,
        status=row.status,
        waits_because=because,
        waits_until=until,
        approvals=schemas.ApprovalsView(
            needed=needed,
            given=len(approved.by),
            by=[checksum(approver) for approver in approved.by],
        ),
        tx_hash=None if row.tx_hash is None else hexed(row.tx_hash),
        block_number=row.block_number,
        fee=None if row.fee is None else str(row.fee),
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _waits(
    needs_approvals: bool, given_up: bool, rest: payouts.Rest | None
) -> tuple[schemas.WaitReason | None, int | None]:
    """Why a withdrawal is not sent now, and until when if that is known."""
    if given_up:
        return "given_up", None
    if needs_approvals:
        return "needs_approvals", None
    if rest is None:
        return None, None
    return rest.because, rest.until_ms if rest.because == "gas_budget" else None


def _request(row: Row[tuple[object, ...]]) -> schemas.ForcedRequestView:
    return schemas.ForcedRequestView(
        token_id=row.token_id,
        recipient=checksum(row.recipient),
        amount=str(row.amount),
        claimable_at=row.claimable_at,
        lapses_at=row.lapses_at,
        tx_hash=hexed(row.tx_hash),
        block_number=row.block_number,
    )


def _paid(row: Row[tuple[object, ...]]) -> schemas.PaidView:
    return schemas.PaidView(
        kind=row.kind,
        token_id=row.token_id,
        recipient=None if row.recipient is None else checksum(row.recipient),
        amount=str(row.amount),
        funding_amount=str(row.funding_amount),
        tx_hash=hexed(row.tx_hash),
        block_number=row.block_number,
    )
