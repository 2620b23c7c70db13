# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Custody extension
@license Apache-2.0
@notice The part of the custody contract that is called rarely: roles, registry, pauses, cancels, delegates, views. The
        custody contract runs this code on its own storage for every function that it does not have itself; together they
        stay under the limit of EIP-170. Both initialize the same modules in the same order, so both see one storage
        layout. Called directly it has a storage of its own, takes no money and means nothing.
@custom:invariant V1
@custom:kill As for the custody contract.
"""

from .interfaces import ICustody
from .modules import access
from .modules import accounts
from .modules import bulk
from .modules import delegates
from .modules import deposits
from .modules import eip712
from .modules import exits
from .modules import fees
from .modules import ledger
from .modules import order
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
initializes: ledger
initializes: accounts[ledger := ledger]
initializes: access[timing := timing]
initializes: order[eip712 := eip712]
initializes: pausing[access := access, timing := timing]
initializes: registry[access := access, timing := timing]
initializes: transfers[ledger := ledger, registry := registry]
initializes: delegates[accounts := accounts, eip712 := eip712, timing := timing]
initializes: replay[accounts := accounts, delegates := delegates, eip712 := eip712, timing := timing]
initializes: deposits[ledger := ledger, pausing := pausing, registry := registry, transfers := transfers]
initializes: withdrawals[
    access := access,
    eip712 := eip712,
    ledger := ledger,
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
    # views of the other modules
    transfers.refused_eth,
    withdrawals.withdrawal_used,
    withdrawals.withdrawal_request,
)


@deploy
def __init__(name: String[32], roles: ICustody.Roles, windows: ICustody.Windows, fee_cap_bps: uint256):
    """
    @param name As for the custody contract, which checks that it is equal.
    @param roles As for the custody contract.
    @param windows As for the custody contract, which checks that they are equal.
    @param fee_cap_bps As for the custody contract, which checks that it is equal.
    """
    timing.__init__(windows)
    fees.__init__(fee_cap_bps)
    eip712.__init__(name)
    access.__init__(roles)
