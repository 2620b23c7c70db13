# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Delegates
@license Apache-2.0
@notice Keys that trade for an account, within markets and until a time, and can never withdraw. Scope and time only widen;
        a revoked key binds on chain until the delay is over, so that what it matched settles, and never comes back, so
        that its old orders cannot either. Replay state belongs to the account, never to the key.
@custom:invariant D1, D2
@custom:kill The account calls `revoke_delegate`; the engine obeys at once, the contract after the delay.
"""

from ..interfaces import ICustody
from . import accounts
from . import eip712
from . import guards
from . import timing

uses: accounts
uses: eip712
uses: guards
uses: timing

DELEGATION_TYPE_HASH: constant(bytes32) = keccak256(
    "Delegation(address account,address delegate,uint256 markets,uint64 expiry,uint64 nonce)"
)
REVOCATION_TYPE_HASH: constant(bytes32) = keccak256("Revocation(address account,address delegate,uint64 nonce)")
MARKETS_MASK: constant(uint256) = 2**176 - 1
REVOKED_SHIFT: constant(uint256) = 176
EXPIRY_SHIFT: constant(uint256) = 216
U40: constant(uint256) = 2**40 - 1

# expiry 40 | revoked_at 40 | markets 176
_delegates: HashMap[address, HashMap[address, uint256]]


@external
@view
def delegate_state(account: address, delegate: address) -> ICustody.DelegateState:
    """
    @notice A key's scope: bit n of `markets` is market n; `revoked_at` 0 means not revoked; all zero means unknown.
    """
    word: uint256 = self._delegates[account][delegate]
    return ICustody.DelegateState(
        markets=word & MARKETS_MASK, expiry=word >> EXPIRY_SHIFT, revoked_at=(word >> REVOKED_SHIFT) & U40
    )


@external
def add_delegate(delegate: address, markets: uint256, expiry: uint256):
    """
    @notice The caller lets `delegate` sign orders for it, or widens what it may do.
    @param markets Bit n allows market n.
    @param expiry Unix seconds; no order of this key may expire later.
    """
    self._add(msg.sender, delegate, markets, expiry, accounts._next_delegation_nonce(msg.sender))


@external
def add_delegate_signed(
    account: address,
    delegate: address,
    markets: uint256,
    expiry: uint256,
    nonce: uint256,
    signature: Bytes[eip712.MAX_SIGNATURE],
):
    """
    @notice The same by the account's signature (`Delegation`), posted by anyone.
    @param markets Bit n allows market n.
    @param expiry Unix seconds; no order of this key may expire later.
    """
    struct_hash: bytes32 = keccak256(
        abi_encode(DELEGATION_TYPE_HASH, account, delegate, markets, expiry, nonce)
    )
    eip712._check_account(account, eip712._digest(struct_hash), signature)
    self._add(account, delegate, markets, expiry, nonce)


@external
def revoke_delegate(delegate: address):
    """
    @notice The caller takes the right back, for ever: the engine obeys at once, settlement after the delay. A signed
            delegation that nobody has posted yet is of no use any more.
    """
    self._revoke(msg.sender, delegate, accounts._next_delegation_nonce(msg.sender))


@external
def revoke_delegate_signed(
    account: address, delegate: address, nonce: uint256, signature: Bytes[eip712.MAX_SIGNATURE]
):
    """
    @notice The same by the account's signature (`Revocation`), posted by anyone.
    """
    struct_hash: bytes32 = keccak256(abi_encode(REVOCATION_TYPE_HASH, account, delegate, nonce))
    eip712._check_account(account, eip712._digest(struct_hash), signature)
    self._revoke(account, delegate, nonce)


@internal
def _add(account: address, delegate: address, markets: uint256, expiry: uint256, nonce: uint256):
    word: uint256 = self._delegates[account][delegate]
    scope: uint256 = markets & MARKETS_MASK
    guards._check_thawed(account)
    assert delegate not in [empty(address), account], "delegate: bad address"
    assert (word >> REVOKED_SHIFT) & U40 == 0, "delegate: revoked for ever"
    assert scope & word == word & MARKETS_MASK and expiry >= word >> EXPIRY_SHIFT, "delegate: may only widen"
    assert expiry > block.timestamp and expiry <= U40, "delegate: expiry out of range"
    accounts._use_delegation_nonce(account, nonce)
    self._delegates[account][delegate] = (expiry << EXPIRY_SHIFT) | scope
    log ICustody.DelegateAdded(account=account, delegate=delegate, markets=scope, expiry=expiry, nonce=nonce)


@internal
def _revoke(account: address, delegate: address, nonce: uint256):
    word: uint256 = self._delegates[account][delegate]
    assert (word >> REVOKED_SHIFT) & U40 == 0, "delegate: revoked for ever"
    accounts._use_delegation_nonce(account, nonce)
    effective_at: uint256 = block.timestamp + timing.DELAY
    self._delegates[account][delegate] = word | (effective_at << REVOKED_SHIFT)
    log ICustody.DelegateRevoked(account=account, delegate=delegate, effective_at=effective_at, nonce=nonce)


@internal
@view
def _may_cancel(account: address, delegate: address) -> bool:
    word: uint256 = self._delegates[account][delegate]
    return (word >> REVOKED_SHIFT) & U40 == 0 and block.timestamp < word >> EXPIRY_SHIFT


@internal
@view
def _check_order(account: address, delegate: address, market_id: uint256, expiry: uint256):
    """
    @dev The key signed an order within its scope. An order that outlives its key is refused whole, so that no clock
         decides which part of it was matched in time.
    """
    word: uint256 = self._delegates[account][delegate]
    assert word != 0, "delegate: unknown"
    assert (word >> market_id) & 1 == 1, "delegate: out of scope"
    assert expiry <= word >> EXPIRY_SHIFT, "delegate: order outlives key"
    revoked_at: uint256 = (word >> REVOKED_SHIFT) & U40
    assert revoked_at == 0 or block.timestamp < revoked_at, "delegate: revoked"
