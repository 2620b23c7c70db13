# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exits
@license Apache-2.0
@notice Leaving altogether, with nobody's help. A requested exit stops settlement for the account after the delay and then
        pays trading and funding, token by token, to the account itself. Once frozen it is immediate.
@custom:invariant E1, E2
@custom:kill The account calls `cancel_exit`; nobody else can stop an exit.
"""

from ..interfaces import ICustody
from . import accounts
from . import ledger
from . import pausing
from . import registry
from . import transfers
from . import timing

uses: accounts
uses: ledger
uses: pausing
uses: registry
uses: transfers
uses: timing


@external
def request_exit():
    """
    @notice The caller leaves: the engine stops at once, settlement after the delay, and then `claim_exit` pays.
    """
    assert accounts._exit_at(msg.sender) == 0, "exit: requested before"
    effective_at: uint256 = block.timestamp + timing.DELAY
    accounts._set_exit_at(msg.sender, effective_at)
    log ICustody.ExitRequested(account=msg.sender, effective_at=effective_at)


@external
def cancel_exit():
    """
    @notice The caller stays after all, also when part of the exit has been paid.
    """
    assert accounts._exit_at(msg.sender) != 0, "exit: not requested"
    accounts._set_exit_at(msg.sender, 0)
    log ICustody.ExitCancelled(account=msg.sender)


@external
def claim_exit(account: address, token: address):
    """
    @notice Anyone pays all of an account's trading and funding in one token to the account, once its exit is due. When
            frozen the account needs no request.
    """
    exit_at: uint256 = accounts._exit_at(account)
    if pausing._is_frozen():
        assert exit_at != 0 or msg.sender == account, "exit: not requested"
    else:
        assert exit_at != 0, "exit: not requested"
        assert block.timestamp >= exit_at, "exit: too early"
    token_id: uint256 = registry._token_id(token)
    trading: uint256 = ledger._trading_balance(account, token_id)
    funding: uint256 = ledger._funding[account][token_id]
    assert trading + funding != 0, "exit: nothing to claim"
    ledger._debit_trading(account, token_id, trading)
    ledger._debit_funding(account, token_id, funding)
    transfers._pay(token_id, account, trading + funding, account)
    log ICustody.ExitClaimed(
        account=account, token_id=token_id, trading_amount=trading, funding_amount=funding
    )
