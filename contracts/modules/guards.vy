# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Guards
@license Apache-2.0
@notice What an account may set up against the theft of its key. Frozen, it can neither withdraw fast nor spend funding nor
        name delegates, and after the delay it cannot settle. With an allow-list it pays the entries in force only, itself
        among them if it is listed: its own address is no safer than its key. To tighten binds at once and to loosen after the delay, so that the owner of a stolen key can take it back.
        Neither stops a forced withdrawal to an allowed recipient or an exit.
@custom:invariant G1, G2
@custom:kill The account calls `unfreeze_account` or `set_allow_list`, and waits for the delay.
"""

from ..interfaces import ICustody
from . import accounts
from . import eip712
from . import timing

uses: accounts
uses: eip712
uses: timing

ACCOUNT_FREEZE_TYPE_HASH: constant(bytes32) = keccak256("AccountFreeze(address account,uint64 nonce)")
UNTIL_SHIFT: constant(uint256) = 40
NONCE_SHIFT: constant(uint256) = 80
LISTED_SHIFT: constant(uint256) = 120
U40: constant(uint256) = 2**40 - 1
# The time that never comes, where a freeze or an allow-list has no end.
NO_END: constant(uint256) = U40

# frozen_at 40 | frozen_until 40 | freeze_nonce 40 | allow_list_until 40, from the lowest bit
_words: HashMap[address, uint256]
_allowed_at: HashMap[address, HashMap[address, uint256]]


@external
@view
def account_guards(account: address) -> ICustody.AccountGuards:
    """
    @notice An account's own protection. Orders settle outside [`frozen_at`, `frozen_until`); everything else that a freeze
            stops is stopped before `frozen_until`; the allow-list binds before `allow_list_until`. 2**40 - 1 has no end.
    """
    word: uint256 = self._words[account]
    return ICustody.AccountGuards(
        frozen_at=word & U40,
        frozen_until=(word >> UNTIL_SHIFT) & U40,
        freeze_nonce=(word >> NONCE_SHIFT) & U40,
        allow_list_until=(word >> LISTED_SHIFT) & U40,
    )


@external
@view
def recipient_allowed_at(account: address, recipient: address) -> uint256:
    """
    @notice From when a recipient is on the account's allow-list; 0 when it is not.
    """
    return self._allowed_at[account][recipient]


@external
def freeze_account():
    """
    @notice The caller's account stops at once, settlement after the delay. Again while it thaws: it stays frozen.
    """
    self._freeze(msg.sender)


@external
def freeze_account_signed(account: address, nonce: uint256, signature: Bytes[eip712.MAX_SIGNATURE]):
    """
    @notice The same by the account's signature (`AccountFreeze`), posted by anyone.
    @param nonce How often the account was frozen before, so that a message kept for an emergency serves once.
    """
    assert nonce == (self._words[account] >> NONCE_SHIFT) & U40, "account: wrong freeze nonce"
    struct_hash: bytes32 = keccak256(abi_encode(ACCOUNT_FREEZE_TYPE_HASH, account, nonce))
    eip712._check_account(account, eip712._digest(struct_hash), signature)
    self._freeze(account)


@external
def unfreeze_account():
    """
    @notice The caller's account thaws after the delay, unless it is frozen again before.
    """
    word: uint256 = self._words[msg.sender]
    assert (word >> UNTIL_SHIFT) & U40 == NO_END, "account: not frozen"
    effective_at: uint256 = block.timestamp + timing.DELAY
    self._words[msg.sender] = (word & ~(U40 << UNTIL_SHIFT)) | (effective_at << UNTIL_SHIFT)
    log ICustody.AccountUnfrozen(account=msg.sender, effective_at=effective_at)


@external
def set_allow_list(enabled: bool):
    """
    @notice Turn the caller's allow-list on (`enabled`), at once, or off, after the delay.
    """
    word: uint256 = self._words[msg.sender]
    on: bool = (word >> LISTED_SHIFT) & U40 == NO_END
    assert enabled != on, "allow list: no change"
    effective_at: uint256 = block.timestamp
    until: uint256 = NO_END
    if not enabled:
        effective_at += timing.DELAY
        until = effective_at
    self._words[msg.sender] = (word & ~(U40 << LISTED_SHIFT)) | (until << LISTED_SHIFT)
    log ICustody.AllowListChanged(account=msg.sender, enabled=enabled, effective_at=effective_at)


@external
def allow_recipient(recipient: address):
    """
    @notice Put a recipient on the caller's allow-list, after the delay.
    """
    assert recipient != empty(address), "allow list: bad recipient"
    assert self._allowed_at[msg.sender][recipient] == 0, "allow list: no change"
    effective_at: uint256 = block.timestamp + timing.DELAY
    self._allowed_at[msg.sender][recipient] = effective_at
    log ICustody.RecipientAllowed(account=msg.sender, recipient=recipient, effective_at=effective_at)


@external
def disallow_recipient(recipient: address):
    """
    @notice Take a recipient off the caller's allow-list, at once.
    """
    assert self._allowed_at[msg.sender][recipient] != 0, "allow list: no change"
    self._allowed_at[msg.sender][recipient] = 0
    log ICustody.RecipientDisallowed(account=msg.sender, recipient=recipient)


@internal
def _freeze(account: address):
    word: uint256 = self._words[account]
    until: uint256 = (word >> UNTIL_SHIFT) & U40
    assert until != NO_END, "account: frozen before"
    frozen_at: uint256 = word & U40
    if block.timestamp >= until:
        frozen_at = block.timestamp + timing.DELAY
    nonce: uint256 = (word >> NONCE_SHIFT) & U40
    kept: uint256 = (word >> LISTED_SHIFT) << LISTED_SHIFT
    self._words[account] = kept | ((nonce + 1) << NONCE_SHIFT) | (NO_END << UNTIL_SHIFT) | frozen_at
    accounts._flag_freezes(account)
    log ICustody.AccountFrozen(account=account, effective_at=frozen_at, nonce=nonce)


@internal
@view
def _check_thawed(account: address):
    """
    @dev What goes on while frozen: settlement until the delay is over, forced withdrawals, the exit, deposits, and the
         claim of ETH that was refused.
    """
    assert block.timestamp >= (self._words[account] >> UNTIL_SHIFT) & U40, "account: frozen"


@internal
@view
def _check_settling(account: address):
    """
    @dev A freeze binds settlement after the delay, so that what was matched before settles.
    """
    word: uint256 = self._words[account]
    if block.timestamp >= word & U40:
        assert block.timestamp >= (word >> UNTIL_SHIFT) & U40, "order: account frozen"


@internal
@view
def _check_recipient(account: address, recipient: address):
    if block.timestamp < (self._words[account] >> LISTED_SHIFT) & U40:
        allowed_at: uint256 = self._allowed_at[account][recipient]
        assert allowed_at != 0 and block.timestamp >= allowed_at, "recipient: not on the allow list"
