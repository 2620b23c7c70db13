# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Accounts
@license Apache-2.0
@notice One packed slot per account: the nonces that are closed, the exit, and whether any single nonce was cancelled
        here, or the account ever frozen by its owner. Settlement reads it only for accounts that the ledger marks, so every limit set here marks its account. From
        the lowest bit: min_nonce 48 | pending_min_nonce 48 | pending_min_nonce_at 40 | exit_at 40 | delegation_nonce 48 |
        has_cancels 1 | has_freezes 1.
@custom:invariant O5, E1
@custom:kill Nothing to stop: only other modules call it.
"""

from ..interfaces import ICustody
from . import ledger

uses: ledger

PENDING_SHIFT: constant(uint256) = 48
PENDING_AT_SHIFT: constant(uint256) = 96
EXIT_SHIFT: constant(uint256) = 136
DELEGATION_SHIFT: constant(uint256) = 176
CANCELS_FLAG: constant(uint256) = 1 << 224
FREEZES_FLAG: constant(uint256) = 1 << 225
# One delegation nonce rises by less than this, so that no single message uses up what revocations need.
MAX_DELEGATION_STEP: constant(uint256) = 2**44
U40: constant(uint256) = 2**40 - 1
U48: constant(uint256) = 2**48 - 1

_words: HashMap[address, uint256]


@external
@view
def account_state(account: address) -> ICustody.AccountState:
    """
    @notice The account's limits. `min_nonce` is what binds now; the pending one replaces it at its time; `exit_at` 0
            means that no exit was requested.
    """
    word: uint256 = self._words[account]
    return ICustody.AccountState(
        min_nonce=self._min_nonce(word),
        pending_min_nonce=(word >> PENDING_SHIFT) & U48,
        pending_min_nonce_at=(word >> PENDING_AT_SHIFT) & U40,
        exit_at=(word >> EXIT_SHIFT) & U40,
        delegation_nonce=(word >> DELEGATION_SHIFT) & U48,
        has_cancels=word & CANCELS_FLAG != 0,
    )


@internal
@view
def _min_nonce(word: uint256) -> uint256:
    """
    @dev The lowest sequence that may settle now.
    """
    at: uint256 = (word >> PENDING_AT_SHIFT) & U40
    if at != 0 and block.timestamp >= at:
        return (word >> PENDING_SHIFT) & U48
    return word & U48


@internal
def _set_pending(account: address, min_nonce: uint256, at: uint256):
    """
    @dev An earlier pending minimum binds already, or is replaced.
    """
    word: uint256 = self._words[account]
    ledger._mark(account)
    kept: uint256 = (word >> EXIT_SHIFT) << EXIT_SHIFT
    self._words[account] = kept | (at << PENDING_AT_SHIFT) | (min_nonce << PENDING_SHIFT) | self._min_nonce(word)


@internal
@view
def _exit_at(account: address) -> uint256:
    return (self._words[account] >> EXIT_SHIFT) & U40


@internal
def _set_exit_at(account: address, at: uint256):
    ledger._mark(account)
    self._words[account] = (self._words[account] & ~(U40 << EXIT_SHIFT)) | (at << EXIT_SHIFT)


@internal
def _use_delegation_nonce(account: address, nonce: uint256):
    """
    @dev Delegation nonces only rise, so an older message cannot be posted after a newer one.
    """
    word: uint256 = self._words[account]
    current: uint256 = (word >> DELEGATION_SHIFT) & U48
    assert nonce > current, "delegate: nonce too low"
    assert nonce <= U48 and nonce < current + MAX_DELEGATION_STEP, "delegate: nonce too high"
    self._words[account] = (word & ~(U48 << DELEGATION_SHIFT)) | (nonce << DELEGATION_SHIFT)


@internal
@view
def _next_delegation_nonce(account: address) -> uint256:
    return ((self._words[account] >> DELEGATION_SHIFT) & U48) + 1


@internal
def _flag_cancels(account: address):
    ledger._mark(account)
    self._words[account] |= CANCELS_FLAG


@internal
def _flag_freezes(account: address):
    ledger._mark(account)
    self._words[account] |= FREEZES_FLAG
