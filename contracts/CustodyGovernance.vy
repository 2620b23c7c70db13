# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Custody governance
@license Apache-2.0
@notice The part of the custody contract that the roles call: roles, registry, outflow limits and their approvals. It runs on
        the custody contract's storage, reached through `CustodyExtension`, under the same rules as that one.
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
    # roles
    access.schedule,
    access.unschedule,
    access.set_operator,
    access.set_standby_operator,
    access.set_co_signer,
    access.set_guardian,
    access.set_fee_account,
    access.propose_owner,
    access.accept_owner,
    access.remove_operator,
    access.roles,
    access.pending_owner,
    access.launched,
    access.operation_ready_at,
    # registry
    registry.list_token,
    registry.set_token_status,
    registry.list_market,
    registry.set_market_status,
    registry.token_count,
    registry.tokens,
    registry.market_count,
    registry.markets,
    # outflow limits
    outflow.set_outflow_limit,
    outflow.outflow_state,
    approvals.set_approver,
    approvals.set_approval_threshold,
    approvals.approve_withdrawal,
    approvals.approvers,
    approvals.approval_threshold,
    approvals.withdrawal_approvals,
    # by which the extension knows its own
    eip712.domain_separator,
    fees.fee_cap_bps,
    timing.windows,
)


@deploy
def __init__(name: String[32], roles: ICustody.Roles, windows: ICustody.Windows, fee_cap_bps: uint256):
    """
    @param name As for the extension, which checks that it is equal.
    @param roles As for the custody contract.
    @param windows As for the extension, which checks that they are equal.
    @param fee_cap_bps As for the extension, which checks that it is equal.
    """
    timing.__init__(windows)
    fees.__init__(fee_cap_bps)
    eip712.__init__(name)
    access.__init__(roles)
