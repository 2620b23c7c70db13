# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Deposits
@license Apache-2.0
@notice Money in, and the moves that need nobody's consent: from funding to trading, and out of funding. Arguments are
        token units and must be whole ledger units.
@custom:invariant L1, L3, R3
@custom:kill The guardian calls `pause`, or the owner closes one token with `set_token_status`; both stop deposits only.
"""

from ethereum.ercs import IERC20

from ..interfaces import ICustody
from . import guards
from . import ledger
from . import outflow
from . import pausing
from . import registry
from . import transfers

uses: guards
uses: ledger
uses: outflow
uses: pausing
uses: registry
uses: transfers


@external
def deposit(token: address, amount: uint256, account: address, to_funding: bool):
    """
    @notice Credit `account` with what the transfer from the caller brings in.
    @param amount Token units, allowed to this contract before. What arrives is rounded down to ledger units.
    """
    self._deposit(token, amount, account, to_funding)


@external
def deposit_with_permit(
    token: address,
    amount: uint256,
    account: address,
    to_funding: bool,
    deadline: uint256,
    v: uint256,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Deposit with the caller's permit (EIP-2612) of `amount` to this contract, signed as `v`, `r` and `s`. If somebody
            has posted the permit before, the allowance is there already.
    @param amount Token units. What arrives is rounded down to ledger units.
    @param deadline Of the permit, in unix seconds.
    """
    registry._token_id(token)
    permit: Bytes[228] = abi_encode(
        msg.sender,
        self,
        amount,
        deadline,
        v,
        r,
        s,
        method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
    )
    if not raw_call(token, permit, revert_on_failure=False):
        allowed: uint256 = staticcall IERC20(token).allowance(msg.sender, self)
        assert allowed >= amount, "deposit: permit refused"
    self._deposit(token, amount, account, to_funding)


@external
@payable
def deposit_eth(account: address, to_funding: bool):
    """
    @notice Anyone credits `account` with the ETH sent along, in wei: a whole number of ledger units.
    """
    token_id: uint256 = self._open_token(empty(address), account)
    amount: uint256 = registry._ledger_amount(token_id, msg.value)
    ledger._receive(token_id, amount)
    self._credit(account, token_id, amount, to_funding)


@external
def move_to_trading(token: address, amount: uint256):
    """
    @notice Move the caller's own funding to trading, at once.
    @param amount Token units.
    """
    token_id: uint256 = registry._token_id(token)
    moved: uint256 = registry._ledger_amount(token_id, amount)
    guards._check_thawed(msg.sender)
    ledger._debit_funding(msg.sender, token_id, moved)
    ledger._credit(msg.sender, token_id, moved, False)
    outflow._enter(token_id, moved)
    log ICustody.MovedToTrading(account=msg.sender, token_id=token_id, amount=moved)


@external
def withdraw_funding(token: address, amount: uint256, recipient: address):
    """
    @notice Pay the caller's own funding out, at once, also while paused or frozen.
    @param amount Token units.
    """
    token_id: uint256 = registry._token_id(token)
    paid: uint256 = registry._ledger_amount(token_id, amount)
    guards._check_thawed(msg.sender)
    guards._check_recipient(msg.sender, recipient)
    ledger._debit_funding(msg.sender, token_id, paid)
    transfers._pay(token_id, recipient, paid, msg.sender)
    log ICustody.FundingWithdrawn(account=msg.sender, token_id=token_id, recipient=recipient, amount=paid)


@internal
def _deposit(token: address, amount: uint256, account: address, to_funding: bool):
    assert token != empty(address), "deposit: use deposit_eth"
    token_id: uint256 = self._open_token(token, account)
    registry._ledger_amount(token_id, amount)
    self._credit(account, token_id, transfers._take(token_id, amount), to_funding)


@internal
@view
def _open_token(token: address, account: address) -> uint256:
    pausing._check_deposits()
    assert account not in [empty(address), self], "deposit: bad account"
    token_id: uint256 = registry._token_id(token)
    assert registry._tokens[token_id].deposits_open, "token: deposits closed"
    return token_id


@internal
def _credit(account: address, token_id: uint256, amount: uint256, to_funding: bool):
    ledger._credit(account, token_id, amount, to_funding)
    if not to_funding:
        outflow._enter(token_id, amount)
    log ICustody.Deposited(
        account=account, token_id=token_id, sender=msg.sender, amount=amount, to_funding=to_funding
    )
