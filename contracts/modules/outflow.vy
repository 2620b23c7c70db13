# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Outflow
@license Apache-2.0
@notice How much of a token may leave trading by the fast ways before people must approve. A level rises by what leaves and
        falls by what comes in, never below zero, and drains evenly, by the limit in one window. What approvals let go
        does not count, and the forced ways out are neither counted nor limited.
@custom:invariant N1
@custom:kill The owner schedules `set_outflow_limit` to 0, which ends the limit; the forced ways out need neither.
"""

from ..interfaces import ICustody
from . import access
from . import approvals
from . import registry

uses: access
uses: approvals
uses: registry

# In which a full level drains, in seconds.
OUTFLOW_WINDOW: constant(uint256) = 86_400
MAX_LIMIT: constant(uint256) = 2**63 - 1
UPDATED_SHIFT: constant(uint256) = 64
LEVEL_SHIFT: constant(uint256) = 104
U40: constant(uint256) = 2**40 - 1
U64: constant(uint256) = 2**64 - 1
TWO_WORDS: constant(uint256) = 68

# limit 64 | updated_at 40 | level 96 in ledger units times seconds of the window, so that nothing is ever rounded
_words: HashMap[uint256, uint256]


@external
@view
def outflow_state(token_id: uint256) -> ICustody.OutflowState:
    """
    @notice A token's limit, 0 for none, and its level now, rounded up; in ledger units.
    """
    word: uint256 = self._words[token_id]
    level: uint256 = (self._level(word) + OUTFLOW_WINDOW - 1) // OUTFLOW_WINDOW
    return ICustody.OutflowState(limit=word & U64, level=level)


@external
def set_outflow_limit(token_id: uint256, limit: uint256):
    """
    @notice The owner limits what leaves trading by the fast ways without approvals. The level stays as it is.
    @param limit Ledger units; 0 ends the limit.
    """
    access._check_operation(keccak256(slice(msg.data, 0, TWO_WORDS)))
    assert token_id < registry._token_count, "token: not listed"
    assert limit <= MAX_LIMIT, "outflow: limit out of range"
    word: uint256 = self._words[token_id]
    if word & U64 != 0:
        approvals._limits -= 1
    if limit != 0:
        assert approvals._threshold != 0, "outflow: nobody approves"
        approvals._limits += 1
    self._set(token_id, limit, self._level(word))
    log ICustody.OutflowLimitChanged(token_id=token_id, limit=limit)


@internal
@view
def _level(word: uint256) -> uint256:
    level: uint256 = word >> LEVEL_SHIFT
    drained: uint256 = (word & U64) * (block.timestamp - ((word >> UPDATED_SHIFT) & U40))
    return level - min(level, drained)


@internal
def _set(token_id: uint256, limit: uint256, level: uint256):
    self._words[token_id] = (level << LEVEL_SHIFT) | (block.timestamp << UPDATED_SHIFT) | limit


@internal
def _leave(token_id: uint256, amount: uint256, digest: bytes32):
    """
    @dev `amount` leaves trading by a fast way: within the limit, or approved.
    """
    word: uint256 = self._words[token_id]
    limit: uint256 = word & U64
    if limit != 0:
        level: uint256 = self._level(word) + amount * OUTFLOW_WINDOW
        if level <= limit * OUTFLOW_WINDOW:
            self._set(token_id, limit, level)
        else:
            approvals._check_approved(digest)


@internal
def _enter(token_id: uint256, amount: uint256):
    """
    @dev `amount` comes into trading.
    """
    word: uint256 = self._words[token_id]
    if word & U64 != 0 and word >> LEVEL_SHIFT != 0:
        level: uint256 = self._level(word)
        self._set(token_id, word & U64, level - min(level, amount * OUTFLOW_WINDOW))
