# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Custody
@license Apache-2.0
@notice Holds the users' money and settles what they signed. It is made of modules, one per subject; what it may never do
        stands in docs/invariants.md. What is called rarely stands in `CustodyExtension` and `CustodyGovernance`, whose code
        runs on this contract's storage; together they form one contract, whose functions are `ICustody`. All is fixed at
        deployment and nothing can be changed in place: a new version is a new contract, to which users move by exit.
@custom:invariant L1, L2, W1
@custom:kill The guardian pauses or removes the operator; after a long silence anyone freezes, and every exit is immediate.
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
    # deposits and transfers
    deposits.deposit,
    deposits.deposit_eth,
    deposits.move_to_trading,
    deposits.withdraw_funding,
    # leaving
    withdrawals.withdraw,
    withdrawals.move_to_funding,
    withdrawals.claim_withdraw,
    exits.claim_exit,
    pausing.freeze,
    # settlement
    settlement.settle,
    settlement.journal_head,
    settlement.batch_seq,
    ledger.trading_balance,
    ledger.funding_balance,
    ledger.liabilities,
)

# Bytes of the largest answer of the extension.
MAX_ANSWER: constant(uint256) = 1024

EXTENSION: immutable(address)


@deploy
def __init__(
    name: String[32], roles: ICustody.Roles, windows: ICustody.Windows, fee_cap_bps: uint256, extension: address
):
    """
    @param name The brand that users see when they sign: the EIP-712 domain's name.
    @param roles Who holds each role; only the standby operator may be the zero address.
    @param windows The contract's times, in seconds, for ever.
    @param fee_cap_bps The most that a fee can be of an execution's quote, for ever.
    @param extension A `CustodyExtension` with equal name, windows and fee cap, for ever.
    """
    timing.__init__(windows)
    fees.__init__(fee_cap_bps)
    eip712.__init__(name)
    access.__init__(roles)
    parts._check(extension, name, windows, fee_cap_bps)
    EXTENSION = extension


# Not locked here: the extension's own functions take the lock, which lies in the same storage.
@external
@reentrant
@raw_return
def __default__() -> Bytes[MAX_ANSWER]:
    """
    @notice Run the extension's function of that name, on this contract's storage. It takes no ETH.
    """
    return raw_call(EXTENSION, msg.data, max_outsize=MAX_ANSWER, is_delegate_call=True)
