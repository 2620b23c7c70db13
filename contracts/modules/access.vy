# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Access
@license Apache-2.0
@notice Who may do what. Until `launch` the owner configures at once, while deposits are refused; afterwards each of its
        calls must have been scheduled, by the hash of its calldata, longer ago than a user needs to leave. The guardian
        can remove the operator at once, in favour of a standby that the owner announced under the timelock. No role
        can move a user's balance.
@custom:invariant A1, A2, R3
@custom:kill The guardian calls `remove_operator`; a second call leaves nobody who can settle.
"""

from ..interfaces import ICustody
from . import timing

uses: timing

# A scheduled operation that is not executed in this time is forgotten, in seconds.
OPERATION_WINDOW: constant(uint256) = 14 * 86_400
# Calldata of a call with one, two and three words of arguments, in bytes.
ONE_WORD: constant(uint256) = 36
MAX_APPROVERS: constant(uint256) = 15

_owner: address
_pending_owner: address
_operator: address
_standby_operator: address
_co_signer: address
_guardian: address
_fee_account: address
_launched: bool
# Who approves withdrawals above the limits (`approvals`); here, because none of them holds one of the keys above.
_approvers: DynArray[address, MAX_APPROVERS]
_ready_at: HashMap[bytes32, uint256]


@deploy
def __init__(roles: ICustody.Roles):
    assert empty(address) not in [
        roles.owner, roles.operator, roles.co_signer, roles.guardian, roles.fee_account
    ], "roles: zero address"
    assert roles.fee_account != self, "roles: fee account is custody"
    self._check_operators(roles.operator, roles.standby_operator, roles.co_signer)
    self._owner = roles.owner
    self._operator = roles.operator
    self._standby_operator = roles.standby_operator
    self._co_signer = roles.co_signer
    self._guardian = roles.guardian
    self._fee_account = roles.fee_account
    log ICustody.OwnerChanged(owner=roles.owner)
    log ICustody.OperatorChanged(operator=roles.operator)
    log ICustody.StandbyOperatorChanged(standby_operator=roles.standby_operator)
    log ICustody.CoSignerChanged(co_signer=roles.co_signer)
    log ICustody.GuardianChanged(guardian=roles.guardian)
    log ICustody.FeeAccountChanged(fee_account=roles.fee_account)


@external
@view
def roles() -> ICustody.Roles:
    """
    @notice Who holds each role; the zero address holds none.
    """
    return ICustody.Roles(
        owner=self._owner,
        operator=self._operator,
        standby_operator=self._standby_operator,
        co_signer=self._co_signer,
        guardian=self._guardian,
        fee_account=self._fee_account,
    )


@external
@view
def pending_owner() -> address:
    """
    @notice Who may call `accept_owner`.
    """
    return self._pending_owner


@external
@view
def launched() -> bool:
    """
    @notice Whether the timelock binds the owner and deposits are open.
    """
    return self._launched


@external
@view
def operation_ready_at(operation_hash: bytes32) -> uint256:
    """
    @notice From when an operation may be executed; 0 when it is not scheduled.
    @param operation_hash keccak256 of the later call's calldata.
    """
    return self._ready_at[operation_hash]


@external
def schedule(operation_hash: bytes32):
    """
    @notice Announce an owner's call, after launch. Scheduling it again starts its time again.
    @param operation_hash keccak256 of the later call's calldata.
    """
    self._check_owner()
    assert self._launched, "owner: not launched"
    ready_at: uint256 = block.timestamp + timing.TIMELOCK
    self._ready_at[operation_hash] = ready_at
    log ICustody.OperationScheduled(operation_hash=operation_hash, ready_at=ready_at)


@external
def unschedule(operation_hash: bytes32):
    """
    @notice The owner withdraws an announcement.
    @param operation_hash keccak256 of the later call's calldata.
    """
    self._check_owner()
    self._ready_at[operation_hash] = 0
    log ICustody.OperationUnscheduled(operation_hash=operation_hash)


@external
def set_operator(operator: address):
    """
    @notice The owner appoints who may settle; the zero address leaves nobody.
    """
    self._check_operation(keccak256(slice(msg.data, 0, ONE_WORD)))
    self._check_operators(operator, self._standby_operator, self._co_signer)
    self._operator = operator
    log ICustody.OperatorChanged(operator=operator)


@external
def set_standby_operator(standby_operator: address):
    """
    @notice The owner names who succeeds when the guardian removes the operator; the zero address leaves nobody.
    """
    self._check_operation(keccak256(slice(msg.data, 0, ONE_WORD)))
    self._check_operators(self._operator, standby_operator, self._co_signer)
    self._standby_operator = standby_operator
    log ICustody.StandbyOperatorChanged(standby_operator=standby_operator)


@external
def set_co_signer(co_signer: address):
    """
    @notice The owner appoints who approves fast withdrawals; the zero address leaves the delayed ones only.
    """
    self._check_operation(keccak256(slice(msg.data, 0, ONE_WORD)))
    self._check_operators(self._operator, self._standby_operator, co_signer)
    self._co_signer = co_signer
    log ICustody.CoSignerChanged(co_signer=co_signer)


@external
def set_guardian(guardian: address):
    """
    @notice The owner appoints who may pause and remove the operator; the zero address leaves nobody.
    """
    self._check_operation(keccak256(slice(msg.data, 0, ONE_WORD)))
    self._guardian = guardian
    log ICustody.GuardianChanged(guardian=guardian)


@external
def set_fee_account(fee_account: address):
    """
    @notice The owner names the account whose trading balance is credited with fees.
    """
    self._check_operation(keccak256(slice(msg.data, 0, ONE_WORD)))
    assert fee_account != empty(address), "roles: zero address"
    assert fee_account != self, "roles: fee account is custody"
    self._fee_account = fee_account
    log ICustody.FeeAccountChanged(fee_account=fee_account)


@external
def propose_owner(owner: address):
    """
    @notice The owner names the next one, who must accept.
    """
    self._check_operation(keccak256(slice(msg.data, 0, ONE_WORD)))
    self._pending_owner = owner
    log ICustody.OwnerProposed(owner=owner)


@external
def accept_owner():
    """
    @notice Become the owner, when proposed.
    """
    assert msg.sender == self._pending_owner, "owner: not proposed"
    self._owner = msg.sender
    self._pending_owner = empty(address)
    log ICustody.OwnerChanged(owner=msg.sender)


@external
def remove_operator():
    """
    @notice The guardian puts the standby operator, if any, in the operator's place.
    """
    self._check_guardian()
    removed: address = self._operator
    successor: address = self._standby_operator
    self._operator = successor
    self._standby_operator = empty(address)
    log ICustody.OperatorRemoved(operator=removed, successor=successor)


@internal
@view
def _check_operators(operator: address, standby_operator: address, co_signer: address):
    """
    @dev Three different keys, none of them an approver's; the zero address holds no role.
    """
    if co_signer != empty(address):
        assert co_signer not in [operator, standby_operator], "roles: co-signer operates"
    assert operator == empty(address) or operator != standby_operator, "roles: standby operates"
    for approver: address in self._approvers:
        assert approver not in [operator, standby_operator, co_signer], "roles: approver operates"


@internal
@view
def _check_approver(approver: address):
    """
    @dev Who approves holds no key by which withdrawals are co-signed or trades settled, so that no key counts twice.
    """
    assert approver not in [
        self._operator, self._standby_operator, self._co_signer
    ], "approval: holds a role"


@internal
@view
def _check_owner():
    assert msg.sender == self._owner, "owner: not the owner"


@internal
@view
def _check_operator():
    assert msg.sender == self._operator, "operator: not the operator"


@internal
@view
def _check_guardian():
    assert msg.sender == self._guardian, "guardian: not the guardian"


@internal
def _check_operation(operation_hash: bytes32):
    """
    @dev The caller is the owner and, after launch, the operation is due; each announcement serves once.
    """
    self._check_owner()
    if self._launched:
        ready_at: uint256 = self._ready_at[operation_hash]
        assert ready_at != 0, "owner: not scheduled"
        assert block.timestamp >= ready_at, "owner: too early"
        assert block.timestamp <= ready_at + OPERATION_WINDOW, "owner: lapsed"
        self._ready_at[operation_hash] = 0
