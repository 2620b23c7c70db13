# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Custody extension
@license Apache-2.0
@notice The part of the custody contract that is called rarely: requests to leave, cancels, delegates, guards, pauses, views.
        The custody contract runs this code on its own storage for every function that it does not have itself, and this
        code runs `CustodyGovernance` in the same way; so each stays under the limit of EIP-170. All initialize the same
        modules in the same order, so all see one storage layout. Called directly it has a storage of its own, takes no money and means nothing.
@custom:invariant V1
@custom:kill As for the custody contract.
"""

from .interfaces import ICustody
from .modules import access
from .modules import accounts
from .modules import bulk
from .modules import approvals
from .modules import delegates
from .modules import deposits
from .modules import eip712
from .modules import exits
from .modules import fees
from .modules import guards
from .modules import ledger
from .modules import order
from .modules import outflow
from .modules import parts
from .modules import pausing
from .modules import registry
from .modules import replay
from .modules import settlement
from .modules import timing
from .modules import transfers
from .modules import withdrawals

initializes: timing
initializes: fees
initializes: bulk
initializes: eip712
initializes: parts
initializes: ledger
initializes: accounts[ledger := ledger]
initializes: access[timing := timing]
initializes: order[eip712 := eip712]
initializes: pausing[access := access, timing := timing]
initializes: registry[access := access, timing := timing]
initializes: guards[accounts := accounts, eip712 := eip712, timing := timing]
initializes: approvals[access := access, eip712 := eip712]
initializes: outflow[access := access, approvals := approvals, registry := registry]
initializes: transfers[guards := guards, ledger := ledger, registry := registry]
initializes: delegates[accounts := accounts, eip712 := eip712, guards := guards, timing := timing]
initializes: replay[
    accounts := accounts,
    delegates := delegates,
    eip712 := eip712,
    guards := guards,
    timing := timing,
]
initializes: deposits[
    guards := guards,
    ledger := ledger,
    outflow := outflow,
    pausing := pausing,
    registry := registry,
    transfers := transfers,
]
initializes: withdrawals[
    access := access,
    approvals := approvals,
    eip712 := eip712,
    guards := guards,
    ledger := ledger,
    outflow := outflow,
    pausing := pausing,
    registry := registry,
    transfers := transfers,
    timing := timing,
]
initializes: exits[
    accounts := accounts,
    ledger := ledger,
    pausing := pausing,
    registry := registry,
    transfers := transfers,
    timing := timing,
]
initializes: settlement[
    access := access,
    delegates := delegates,
    eip712 := eip712,
    fees := fees,
    ledger := ledger,
    pausing := pausing,
    registry := registry,
    replay := replay,
    timing := timing,
]

exports: (
    # money that is moved rarely
    deposits.deposit_with_permit,
    transfers.claim_eth,
    # leaving: what moves no money yet
    withdrawals.request_withdraw,
    withdrawals.cancel_withdraw_request,
    exits.request_exit,
    exits.cancel_exit,
    # orders and delegates
    replay.cancel,
    replay.cancel_all,
    replay.filled,
    replay.nonce_cancelled_at,
    accounts.account_state,
    delegates.add_delegate,
    delegates.add_delegate_signed,
    delegates.revoke_delegate,
    delegates.revoke_delegate_signed,
    delegates.delegate_state,
    order.order_hash,
    eip712.domain_separator,
    # what protects an account
    guards.freeze_account,
    guards.freeze_account_signed,
    guards.unfreeze_account,
    guards.set_allow_list,
    guards.allow_recipient,
    guards.disallow_recipient,
    guards.account_guards,
    guards.recipient_allowed_at,
    # running
    pausing.heartbeat,
    pausing.pause,
    pausing.unpause,
    pausing.launch,
    pausing.paused_until,
    pausing.pause_ready_at,
    pausing.last_seen,
    pausing.frozen,
    timing.windows,
    fees.fee_cap_bps,
    # views of the other modules
    transfers.refused_eth,
    withdrawals.withdrawal_used,
    withdrawals.withdrawal_request,
)


# Bytes of the largest answer of the governance part.
MAX_ANSWER: constant(uint256) = 1024

GOVERNANCE: immutable(address)


@deploy
def __init__(
    name: String[32], roles: ICustody.Roles, windows: ICustody.Windows, fee_cap_bps: uint256, governance: address
):
    """
    @param name As for the custody contract, which checks that it is equal.
    @param roles As for the custody contract.
    @param windows As for the custody contract, which checks that they are equal.
    @param fee_cap_bps As for the custody contract, which checks that it is equal.
    @param governance A `CustodyGovernance` with equal name, windows and fee cap, for ever.
    """
    timing.__init__(windows)
    fees.__init__(fee_cap_bps)
    eip712.__init__(name)
    access.__init__(roles)
    parts._check(governance, name, windows, fee_cap_bps)
    GOVERNANCE = governance


# Not locked here: the governance part's own functions take the lock, which lies in the same storage.
@external
@reentrant
@raw_return
def __default__() -> Bytes[MAX_ANSWER]:
    """
    @notice Run the governance part's function of that name, on this contract's storage. It takes no ETH.
    """
    return raw_call(GOVERNANCE, msg.data, max_outsize=MAX_ANSWER, is_delegate_call=True)
