# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Approvals
@license Apache-2.0
@notice People who let a withdrawal above its token's outflow limit go: as many of them as the threshold says must approve
        the very message that the account signed. They approve what they can read, field by field. They can start
        nothing, change nothing and stop nothing but the fast way.
@custom:invariant N2
@custom:kill The owner schedules `set_approver`; the forced ways out need no approval.
"""

from ..interfaces import ICustody
from . import access
from . import eip712

uses: access
uses: eip712

WITHDRAWAL_TYPE_HASH: constant(bytes32) = keccak256(
    "Withdrawal(address account,address token,uint256 amount,address recipient,uint256 max_fee,uint64 nonce,uint64 deadline)"
)
FUNDING_TRANSFER_TYPE_HASH: constant(bytes32) = keccak256(
    "FundingTransfer(address account,address token,uint256 amount,uint256 max_fee,uint64 nonce,uint64 deadline)"
)
WITHDRAWAL_APPROVAL_TYPE_HASH: constant(bytes32) = keccak256(
    "WithdrawalApproval(address account,address token,uint256 amount,address recipient,uint256 max_fee,uint64 nonce,uint64 deadline)"
)
ONE_WORD: constant(uint256) = 36
TWO_WORDS: constant(uint256) = 68

_threshold: uint256
# How many tokens have an outflow limit.
_limits: uint256
_approved: HashMap[bytes32, HashMap[address, bool]]


@external
@view
def approvers() -> DynArray[address, access.MAX_APPROVERS]:
    """
    @notice Who may approve, in no order.
    """
    return access._approvers


@external
@view
def approval_threshold() -> uint256:
    """
    @notice How many approvals a withdrawal above the limit needs.
    """
    return self._threshold


@external
@view
def withdrawal_approvals(withdrawal_hash: bytes32) -> DynArray[address, access.MAX_APPROVERS]:
    """
    @notice Which of today's approvers have approved a withdrawal or funding transfer.
    @param withdrawal_hash The digest that the account signed.
    """
    given: DynArray[address, access.MAX_APPROVERS] = []
    for approver: address in access._approvers:
        if self._approved[withdrawal_hash][approver]:
            given.append(approver)
    return given


@external
def set_approver(approver: address, approved: bool):
    """
    @notice The owner appoints an approver (`approved`) or dismisses it; the approvals of who is dismissed count no more.
    @param approver A key or a contract wallet; neither of the operators, nor the co-signer.
    """
    access._check_operation(keccak256(slice(msg.data, 0, TWO_WORDS)))
    assert approver != empty(address), "approval: zero address"
    assert approved != (approver in access._approvers), "approval: no change"
    if approved:
        access._check_approver(approver)
        assert len(access._approvers) < access.MAX_APPROVERS, "approval: too many approvers"
        access._approvers.append(approver)
    else:
        assert len(access._approvers) > self._threshold, "approval: fewer than threshold"
        self._remove(approver)
    log ICustody.ApproverChanged(approver=approver, approved=approved)


@external
def set_approval_threshold(threshold: uint256):
    """
    @notice The owner says how many approvals are needed (`threshold`): at most one by each approver, and at least one
            while a limit is set.
    """
    access._check_operation(keccak256(slice(msg.data, 0, ONE_WORD)))
    assert threshold <= len(access._approvers), "approval: fewer than threshold"
    assert threshold != 0 or self._limits == 0, "approval: a limit is set"
    self._threshold = threshold
    log ICustody.ApprovalThresholdChanged(threshold=threshold)


@external
def approve_withdrawal(
    account: address,
    token: address,
    amount: uint256,
    recipient: address,
    max_fee: uint256,
    nonce: uint256,
    deadline: uint256,
    approver: address,
    signature: Bytes[eip712.MAX_SIGNATURE],
):
    """
    @notice `approver` lets this withdrawal go above the limit; anyone posts it. `amount` and `max_fee` are token units and
            `deadline` unix seconds, as the account signed them.
    @param recipient The zero address for a funding transfer, which has none.
    @param signature Of `WithdrawalApproval` by the approver; empty when the caller is the approver.
    """
    assert approver in access._approvers, "approval: not an approver"
    struct_hash: bytes32 = keccak256(
        abi_encode(WITHDRAWAL_APPROVAL_TYPE_HASH, account, token, amount, recipient, max_fee, nonce, deadline)
    )
    eip712._check_account(approver, eip712._digest(struct_hash), signature)
    digest: bytes32 = empty(bytes32)
    if recipient == empty(address):
        digest = self._transfer_digest(account, token, amount, max_fee, nonce, deadline)
    else:
        digest = self._withdrawal_digest(account, token, amount, recipient, max_fee, nonce, deadline)
    assert not self._approved[digest][approver], "approval: given before"
    self._approved[digest][approver] = True
    log ICustody.WithdrawalApproved(withdrawal_hash=digest, account=account, approver=approver)


@internal
@view
def _withdrawal_digest(
    account: address,
    token: address,
    amount: uint256,
    recipient: address,
    max_fee: uint256,
    nonce: uint256,
    deadline: uint256,
) -> bytes32:
    return eip712._digest(
        keccak256(
            abi_encode(WITHDRAWAL_TYPE_HASH, account, token, amount, recipient, max_fee, nonce, deadline)
        )
    )


@internal
@view
def _transfer_digest(
    account: address, token: address, amount: uint256, max_fee: uint256, nonce: uint256, deadline: uint256
) -> bytes32:
    return eip712._digest(
        keccak256(abi_encode(FUNDING_TRANSFER_TYPE_HASH, account, token, amount, max_fee, nonce, deadline))
    )


@internal
def _remove(approver: address):
    """
    @dev The last of the list takes the place of the one that goes.
    """
    last: address = access._approvers.pop()
    if last != approver:
        for i: uint256 in range(len(access._approvers), bound=access.MAX_APPROVERS):
            if access._approvers[i] == approver:
                access._approvers[i] = last


@internal
@view
def _check_approved(digest: bytes32):
    """
    @dev Approvals of today's approvers reach the threshold, which is not zero while a limit is set.
    """
    given: uint256 = 0
    for approver: address in access._approvers:
        if self._approved[digest][approver]:
            given += 1
    assert given >= self._threshold, "withdraw: needs approvals"
