# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Deposit addresses
@license Apache-2.0
@notice Gives every account an address to which anybody can send tokens and ETH by a plain transfer. It is known before
        anything is deployed there. Anyone may then sweep what lies there into the account's trading balance in custody,
        as an ordinary deposit; while custody takes none, the account itself recovers it. There are no roles, nothing can
        be changed, and custody trusts this contract no more than any depositor.
@custom:invariant C1, C2, C3
@custom:kill Custody's paused or closed deposits stop `sweep`; `recover` must always work.
"""

from . import DepositAddress
from .interfaces import IDepositAddresses

implements: IDepositAddresses

MAX_CODE: constant(uint256) = 8_192
# Copies what follows into the account's code.
LOADER: constant(Bytes[9]) = x"60333d8160093d39f3"
# The proxy of EIP-1167, behind a test that takes plain ETH at once: a call without data ends there, far below the 2,300
# gas of `transfer` and `send`, which do not suffice to look at another contract.
PLAIN_ETH: constant(Bytes[6]) = x"36600557005b"
PROXY_HEAD: constant(Bytes[10]) = x"363d3d373d3d3d363d73"
PROXY_TAIL: constant(Bytes[15]) = x"5af43d82803e903d91603157fd5bf3"

custody: public(immutable(address))
implementation: public(immutable(address))
INIT_CODE_HASH: immutable(bytes32)


@deploy
def __init__(custody_address: address, implementation_code: Bytes[MAX_CODE]):
    """
    @param custody_address The custody contract into which sweeps deposit, for ever.
    @param implementation_code The creation code of `DepositAddress`, which is deployed here, for ever.
    """
    assert custody_address.is_contract, "custody: no code"
    custody = custody_address
    implementation = raw_create(implementation_code, custody_address)
    INIT_CODE_HASH = keccak256(self._init_code(implementation))


@external
@view
def address_of(account: address) -> address:
    """
    @notice Where transfers for `account` go, deployed or not. No account that custody can never credit has one.
    """
    return self._address_of(account)


@external
def sweep(account: address, token_id: uint256) -> uint256:
    """
    @notice Deposit what lies at an account's deposit address into its trading balance, in whole ledger units. Anyone may
            call, and pays the gas.
    @param token_id Custody's id of the token.
    @return The ledger units deposited; a token with a fee credits less.
    """
    proxy: address = self._deployed(account)
    amount: uint256 = extcall DepositAddress.__at__(proxy).deposit(account, token_id)
    log IDepositAddresses.Swept(account=account, token_id=token_id, amount=amount)
    return amount


@external
def recover(token: address, recipient: address) -> uint256:
    """
    @notice Pay what lies at the caller's own deposit address to `recipient`: any token, listed or not, to the last unit.
    @return The token units paid.
    """
    proxy: address = self._deployed(msg.sender)
    amount: uint256 = extcall DepositAddress.__at__(proxy).pay_out(token, recipient)
    log IDepositAddresses.Recovered(account=msg.sender, token=token, recipient=recipient, amount=amount)
    return amount


@internal
@view
def _address_of(account: address) -> address:
    assert account not in [empty(address), custody, self], "deposit: bad account"
    salt: bytes32 = convert(account, bytes32)
    digest: bytes32 = keccak256(concat(0xff, convert(self, bytes20), salt, INIT_CODE_HASH))
    return convert(convert(digest, uint256) & (2**160 - 1), address)


@internal
def _deployed(account: address) -> address:
    """
    @dev The account's proxy, deployed now if it was not. Nobody else can deploy anything at its address.
    """
    proxy: address = self._address_of(account)
    if proxy.is_contract:
        return proxy
    proxy = raw_create(self._init_code(implementation), salt=convert(account, bytes32))
    log IDepositAddresses.AddressDeployed(account=account, deposit_address=proxy)
    return proxy


@internal
@pure
def _init_code(target: address) -> Bytes[60]:
    return concat(LOADER, PLAIN_ETH, PROXY_HEAD, convert(target, bytes20), PROXY_TAIL)
