# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Transfers
@license Apache-2.0
@notice The only place where tokens and ETH come in and go out, and the only place where the ledger's total changes. What
        comes in is what the balance rose by; nothing else ever reads a balance. A token may return true or nothing. ETH
        goes out with bounded gas; if the receiver refuses it, it waits as a claim of the party whose money it was, so that
        no receiver stops another, and nobody who picks the moment of a payment takes it from its owner.
@custom:invariant L1, T1, T2, T3
@custom:kill Nothing to stop: paying out must always work.
"""

from ethereum.ercs import IERC20

from ..interfaces import ICustody
from . import guards
from . import ledger
from . import registry

uses: guards
uses: ledger
uses: registry

ETH: constant(address) = empty(address)
# What a receiver of ETH may spend: enough for a wallet of any kind.
ETH_GAS: constant(uint256) = 100_000
# With less than this left, the receiver might get less: a payment to a new account costs up to 36,700 itself, and only
# 63 of 64 parts of the rest are passed on.
ETH_GAS_NEEDED: constant(uint256) = 150_000

# ledger units
_refused: HashMap[address, uint256]


@external
@view
def refused_eth(account: address) -> uint256:
    """
    @notice What `account` can fetch with `claim_eth`, in ledger units; no part of the liabilities any more.
    """
    return self._refused[account]


@external
def claim_eth(recipient: address):
    """
    @notice Fetch, with unbounded gas, ETH that was paid out of the caller's account, or to the caller as a fee, and that
            the receiver refused.
    """
    self._check_recipient(recipient)
    guards._check_recipient(msg.sender, recipient)
    amount: uint256 = self._refused[msg.sender]
    assert amount != 0, "claim: nothing to claim"
    self._refused[msg.sender] = 0
    raw_call(recipient, b"", value=amount * registry._tokens[registry._token_id(ETH)].unit)
    log ICustody.EthClaimed(account=msg.sender, recipient=recipient, amount=amount)


@internal
@view
def _check_recipient(recipient: address):
    assert recipient not in [empty(address), self], "transfer: bad recipient"


@internal
def _take(token_id: uint256, amount: uint256) -> uint256:
    """
    @dev Take token units from the caller and say what arrived, in ledger units rounded down; the caller credits it.
    """
    token: IERC20 = IERC20(registry._tokens[token_id].token)
    before: uint256 = staticcall token.balanceOf(self)
    assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "token: refused"
    arrived: uint256 = (staticcall token.balanceOf(self) - before) // registry._tokens[token_id].unit
    ledger._receive(token_id, arrived)
    return arrived


@internal
def _pay(token_id: uint256, recipient: address, amount: uint256, claimant: address):
    """
    @dev Pay ledger units that the caller has debited; zero pays nothing. Refused ETH waits for the claimant.
    """
    if amount == 0:
        return
    self._check_recipient(recipient)
    ledger._release(token_id, amount)
    token: address = registry._tokens[token_id].token
    value: uint256 = amount * registry._tokens[token_id].unit
    if token != ETH:
        assert extcall IERC20(token).transfer(recipient, value, default_return_value=True), "token: refused"
        return
    assert msg.gas >= ETH_GAS_NEEDED, "transfer: too little gas"
    if not raw_call(recipient, b"", value=value, gas=ETH_GAS, revert_on_failure=False):
        self._refused[claimant] += amount
        log ICustody.EthRefused(account=claimant, amount=amount)
