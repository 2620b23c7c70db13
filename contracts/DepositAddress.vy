# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Deposit address
@license Apache-2.0
@notice What the proxy of every account's deposit address runs, on the proxy's own tokens and ETH. Only the factory may
        call; the account comes from the factory, which found this very proxy by it. It has no storage, names custody and
        factory in its code, and never calls anything but a token, custody and the recipient whom the account named.
        Plain ETH never gets here: the proxy takes it by itself.
@custom:invariant C1, C2, C3
@custom:kill Nothing to stop: closed deposits of custody stop `deposit`, and `pay_out` must always work.
"""

from ethereum.ercs import IERC20

from .interfaces import ICustody

ETH: constant(address) = empty(address)

FACTORY: immutable(address)
CUSTODY: immutable(address)


@deploy
def __init__(custody: address):
    """
    @param custody The custody contract, for ever. Whoever deploys is the factory, for ever.
    """
    FACTORY = msg.sender
    CUSTODY = custody


@external
def deposit(account: address, token_id: uint256) -> uint256:
    """
    @notice Deposit all there is of a token of custody into the trading balance of `account`, as anybody would. What is
            less than a ledger unit stays here. Only the factory.
    @return The ledger units deposited; a token with a fee credits less.
    """
    self._check_factory()
    info: ICustody.TokenInfo = staticcall ICustody(CUSTODY).tokens(token_id)
    assert info.unit != 0, "token: not listed"
    amount: uint256 = self._balance(info.token) // info.unit
    assert amount != 0, "sweep: nothing to sweep"
    value: uint256 = amount * info.unit
    if info.token == ETH:
        extcall ICustody(CUSTODY).deposit_eth(account, False, value=value)
        return amount
    token: IERC20 = IERC20(info.token)
    assert extcall token.approve(CUSTODY, value, default_return_value=True), "token: refused"
    extcall ICustody(CUSTODY).deposit(info.token, value, account, False)
    # some tokens take no approval while one is left
    if staticcall token.allowance(self, CUSTODY) != 0:
        assert extcall token.approve(CUSTODY, 0, default_return_value=True), "token: refused"
    return amount


@external
def pay_out(token: address, recipient: address) -> uint256:
    """
    @notice Pay all there is of any token to `recipient`; ETH with unbounded gas. Only the factory.
    @return The token units paid.
    """
    self._check_factory()
    assert recipient not in [empty(address), self, FACTORY, CUSTODY], "recover: bad recipient"
    assert token == ETH or token.is_contract, "token: no code"
    amount: uint256 = self._balance(token)
    assert amount != 0, "recover: nothing to recover"
    if token == ETH:
        assert raw_call(recipient, b"", value=amount, revert_on_failure=False), "recover: recipient refused"
    else:
        assert extcall IERC20(token).transfer(recipient, amount, default_return_value=True), "token: refused"
    return amount


@internal
@view
def _check_factory():
    assert msg.sender == FACTORY, "deposit address: not factory"


@internal
@view
def _balance(token: address) -> uint256:
    """
    @dev Token units of any token at this address.
    """
    if token == ETH:
        return self.balance
    return staticcall IERC20(token).balanceOf(self)
