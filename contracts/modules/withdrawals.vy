# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Withdrawals
@license Apache-2.0
@notice Out of trading, fast or without anybody. Fast: the account signs amount, recipient, fee cap, nonce and deadline, the
        co-signer approves exactly that, and anyone submits it for the fee. Forced: the account requests, and from the
        delay on, for the length of the claim window, the money can be claimed; once frozen, without the delay. The operator is
        needed for neither, and no pause stops them. The fast way is limited by token, and closed to accounts that their
        owner froze.
@custom:invariant X1, X2, X3, N1, G1, G2
@custom:kill The owner schedules `set_co_signer` to the zero address, which leaves the forced way only.
"""

from ..interfaces import ICustody
from . import access
from . import approvals
from . import eip712
from . import guards
from . import ledger
from . import outflow
from . import pausing
from . import registry
from . import transfers
from . import timing

uses: access
uses: approvals
uses: eip712
uses: guards
uses: ledger
uses: outflow
uses: pausing
uses: registry
uses: transfers
uses: timing

APPROVAL_TYPE_HASH: constant(bytes32) = keccak256("Approval(bytes32 withdrawal,uint256 fee)")
NONCE_LIMIT: constant(uint256) = 2**64

# account << 96 | nonce / 256 -> used bits
_used: HashMap[uint256, uint256]
_requests: HashMap[address, HashMap[uint256, ICustody.WithdrawalRequest]]


@external
@view
def withdrawal_used(account: address, nonce: uint256) -> bool:
    """
    @notice Whether a fast withdrawal or funding transfer with this nonce was executed.
    """
    assert nonce < NONCE_LIMIT, "withdraw: nonce out of range"
    return (self._used[self._slot(account, nonce)] >> (nonce & 255)) & 1 == 1


@external
@view
def withdrawal_request(account: address, token_id: uint256) -> ICustody.WithdrawalRequest:
    """
    @notice The forced withdrawal requested last, in ledger units; all zero when there is none.
    """
    return self._requests[account][token_id]


@external
def withdraw(
    account: address,
    token: address,
    amount: uint256,
    recipient: address,
    max_fee: uint256,
    nonce: uint256,
    deadline: uint256,
    signature: Bytes[eip712.MAX_SIGNATURE],
    fee: uint256,
    approval: Bytes[65],
):
    """
    @notice Pay `amount` less `fee` out of trading to `recipient`, and the fee to the caller. All in token units.
    @param max_fee What the account signed: `fee` is at most this.
    @param deadline Unix seconds, the last moment.
    @param signature Of `Withdrawal` by the account; empty when the caller is the account.
    @param approval Of `Approval` by the co-signer.
    """
    digest: bytes32 = approvals._withdrawal_digest(
        account, token, amount, recipient, max_fee, nonce, deadline
    )
    eip712._check_account(account, digest, signature)
    guards._check_recipient(account, recipient)
    token_id: uint256 = registry._token_id(token)
    debit: uint256 = 0
    charge: uint256 = 0
    debit, charge = self._debit_approved(
        account, token_id, amount, max_fee, nonce, deadline, fee, digest, approval
    )
    transfers._pay(token_id, recipient, debit - charge, account)
    transfers._pay(token_id, msg.sender, charge, msg.sender)
    log ICustody.Withdrawn(
        account=account,
        token_id=token_id,
        recipient=recipient,
        amount=debit,
        fee=charge,
        nonce=nonce,
        withdrawal_hash=digest,
        submitter=msg.sender,
    )


@external
def move_to_funding(
    account: address,
    token: address,
    amount: uint256,
    max_fee: uint256,
    nonce: uint256,
    deadline: uint256,
    signature: Bytes[eip712.MAX_SIGNATURE],
    fee: uint256,
    approval: Bytes[65],
):
    """
    @notice Move `amount` less `fee` from trading to the account's own funding, and pay the fee out to the caller. All
            in token units.
    @param max_fee What the account signed: `fee` is at most this.
    @param deadline Unix seconds, the last moment.
    @param signature Of `FundingTransfer` by the account; empty when the caller is the account.
    @param approval Of `Approval` by the co-signer.
    """
    digest: bytes32 = approvals._transfer_digest(account, token, amount, max_fee, nonce, deadline)
    eip712._check_account(account, digest, signature)
    token_id: uint256 = registry._token_id(token)
    debit: uint256 = 0
    charge: uint256 = 0
    debit, charge = self._debit_approved(
        account, token_id, amount, max_fee, nonce, deadline, fee, digest, approval
    )
    ledger._credit(account, token_id, debit - charge, True)
    transfers._pay(token_id, msg.sender, charge, msg.sender)
    log ICustody.MovedToFunding(
        account=account, token_id=token_id, amount=debit, fee=charge, nonce=nonce, withdrawal_hash=digest
    )


@external
def request_withdraw(token: address, amount: uint256, recipient: address):
    """
    @notice The caller will withdraw without the operator: claimable from the delay on, for the claim window. One request
            per token at a time.
    @param amount Token units; the claim pays what of it is there then.
    """
    token_id: uint256 = registry._token_id(token)
    requested: uint256 = registry._ledger_amount(token_id, amount)
    assert requested <= ledger.MAX_LIABILITIES, "amount: too large"
    transfers._check_recipient(recipient)
    guards._check_recipient(msg.sender, recipient)
    assert block.timestamp > self._requests[msg.sender][token_id].lapses_at, "request: one is open"
    claimable_at: uint256 = block.timestamp + timing.DELAY
    lapses_at: uint256 = claimable_at + timing.CLAIM_WINDOW
    self._requests[msg.sender][token_id] = ICustody.WithdrawalRequest(
        recipient=recipient, amount=requested, claimable_at=claimable_at, lapses_at=lapses_at
    )
    log ICustody.WithdrawalRequested(
        account=msg.sender,
        token_id=token_id,
        recipient=recipient,
        amount=requested,
        claimable_at=claimable_at,
        lapses_at=lapses_at,
    )


@external
def cancel_withdraw_request(token: address):
    """
    @notice The caller takes its request back.
    """
    token_id: uint256 = registry._token_id(token)
    assert self._requests[msg.sender][token_id].amount != 0, "request: none"
    self._requests[msg.sender][token_id] = empty(ICustody.WithdrawalRequest)
    log ICustody.WithdrawalRequestCancelled(account=msg.sender, token_id=token_id)


@external
def claim_withdraw(account: address, token: address):
    """
    @notice Anyone executes a request from the delay on, or at once when frozen, until it lapses: pays the requested
            amount to the recipient that the account named. When the trading balance is less, only the account itself
            claims, all of it, so that nobody uses its request up while proceeds are still to settle.
    """
    token_id: uint256 = registry._token_id(token)
    request: ICustody.WithdrawalRequest = self._requests[account][token_id]
    assert request.amount != 0, "request: none"
    if not pausing._is_frozen():
        assert block.timestamp >= request.claimable_at, "request: too early"
    assert block.timestamp <= request.lapses_at, "request: lapsed"
    self._requests[account][token_id] = empty(ICustody.WithdrawalRequest)
    paid: uint256 = min(request.amount, ledger._trading_balance(account, token_id))
    assert paid == request.amount or msg.sender == account, "request: less than requested"
    ledger._debit_trading(account, token_id, paid)
    transfers._pay(token_id, request.recipient, paid, account)
    log ICustody.WithdrawalClaimed(account=account, token_id=token_id, recipient=request.recipient, amount=paid)


@internal
def _debit_approved(
    account: address,
    token_id: uint256,
    amount: uint256,
    max_fee: uint256,
    nonce: uint256,
    deadline: uint256,
    fee: uint256,
    digest: bytes32,
    approval: Bytes[65],
) -> (uint256, uint256):
    """
    @dev Check everything but the account's own consent, use the nonce up and debit. Amount and fee in ledger units.
    """
    guards._check_thawed(account)
    assert block.timestamp <= deadline, "withdraw: past the deadline"
    assert fee <= max_fee and fee <= amount, "withdraw: fee over the cap"
    approved: bytes32 = eip712._digest(keccak256(abi_encode(APPROVAL_TYPE_HASH, digest, fee)))
    assert eip712._signer_of(approved, approval) == access._co_signer, "withdraw: not approved"
    self._use(account, nonce)
    debit: uint256 = registry._ledger_amount(token_id, amount)
    charge: uint256 = 0
    if fee != 0:
        charge = registry._ledger_amount(token_id, fee)
    ledger._debit_trading(account, token_id, debit)
    outflow._leave(token_id, debit, digest)
    return debit, charge


@internal
def _use(account: address, nonce: uint256):
    assert nonce < NONCE_LIMIT, "withdraw: nonce out of range"
    slot: uint256 = self._slot(account, nonce)
    bit: uint256 = 1 << (nonce & 255)
    bits: uint256 = self._used[slot]
    assert bits & bit == 0, "withdraw: nonce used"
    self._used[slot] = bits | bit


@internal
@pure
def _slot(account: address, nonce: uint256) -> uint256:
    return (convert(account, uint256) << 96) | (nonce >> 8)
