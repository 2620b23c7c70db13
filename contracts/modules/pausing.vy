# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Pausing
@license Apache-2.0
@notice The three ways in which trading stops: it has not been launched, the guardian paused it for a bounded time, or the
        operator was silent and anyone froze it for ever. None of them stops a withdrawal or an exit.
@custom:invariant P1, P2
@custom:kill The guardian calls `pause`. After a long enough silence anyone calls `freeze`, which cannot be undone.
"""

from ..interfaces import ICustody
from . import access
from . import timing

uses: access
uses: timing

# The pause that never ends.
FOR_EVER: constant(uint256) = max_value(uint256)

_paused_until: uint256
_pause_ready_at: uint256
_last_seen: uint256


@external
@view
def paused_until() -> uint256:
    """
    @notice When deposits and settlement work again; the largest number when frozen.
    """
    return self._paused_until


@external
@view
def pause_ready_at() -> uint256:
    """
    @notice From when the guardian may pause again.
    """
    return self._pause_ready_at


@external
@view
def last_seen() -> uint256:
    """
    @notice When the operator last settled or showed that it lives.
    """
    return self._last_seen


@external
@view
def frozen() -> bool:
    """
    @notice Whether trading has ended for ever and every exit is immediate.
    """
    return self._is_frozen()


@external
def launch():
    """
    @notice The owner opens deposits and binds itself to the timelock, for ever.
    """
    access._check_owner()
    assert not access._launched, "launch: done before"
    access._launched = True
    self._last_seen = block.timestamp
    log ICustody.Launched()


@external
def pause(duration: uint256):
    """
    @notice The guardian stops deposits and settlement. A second pause must wait until everything that the first one
            delayed can have settled, so pauses cannot be chained.
    @param duration Seconds, at most the deployment's `pause_max`.
    """
    access._check_guardian()
    assert not self._is_frozen(), "pause: frozen"
    assert duration != 0 and duration <= timing.PAUSE_MAX, "pause: duration out of range"
    assert block.timestamp >= self._pause_ready_at, "pause: too soon after another"
    until: uint256 = block.timestamp + duration
    self._paused_until = until
    self._pause_ready_at = until + timing.DELAY + timing.GRACE
    log ICustody.Paused(until=until)


@external
def unpause():
    """
    @notice The guardian ends its pause early; the next one is not allowed sooner.
    """
    access._check_guardian()
    assert not self._is_frozen(), "pause: frozen"
    assert block.timestamp < self._paused_until, "pause: not paused"
    self._paused_until = 0
    log ICustody.Unpaused()


@external
def heartbeat():
    """
    @notice The operator shows that it lives when there is nothing to settle.
    """
    access._check_operator()
    assert not self._is_frozen(), "custody: frozen"
    self._last_seen = block.timestamp
    log ICustody.OperatorSeen(operator=msg.sender)


@external
def freeze():
    """
    @notice Anyone ends trading for ever after `silence` without a batch or a heartbeat.
    """
    assert access._launched, "freeze: not launched"
    assert not self._is_frozen(), "freeze: done before"
    assert block.timestamp > self._last_seen + timing.SILENCE, "freeze: operator was seen"
    self._paused_until = FOR_EVER
    log ICustody.Frozen()


@internal
@view
def _is_frozen() -> bool:
    return self._paused_until == FOR_EVER


@internal
@view
def _check_running():
    if block.timestamp < self._paused_until:
        assert not self._is_frozen(), "custody: frozen"
        raise "custody: paused"


@internal
@view
def _check_deposits():
    assert access._launched, "custody: not launched"
    self._check_running()
