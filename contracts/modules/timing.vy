# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Windows
@license Apache-2.0
@notice The contract's times, in seconds, fixed at deployment: nobody can shorten the way out.
@custom:invariant W1
@custom:kill Nothing to stop: there is no state.
"""

from ..interfaces import ICustody

# A delay longer than this would make every exit useless.
MAX_DELAY: constant(uint256) = 30 * 86_400
# Nor is any other window longer than this: each comes to an end, and no sum of times overflows.
MAX_WINDOW: constant(uint256) = 90 * 86_400

DELAY: immutable(uint256)
GRACE: immutable(uint256)
CLAIM_WINDOW: immutable(uint256)
TIMELOCK: immutable(uint256)
PAUSE_MAX: immutable(uint256)
SILENCE: immutable(uint256)


@deploy
def __init__(values: ICustody.Windows):
    assert values.delay != 0 and values.delay <= MAX_DELAY, "windows: delay out of range"
    assert values.grace <= MAX_DELAY, "windows: grace out of range"
    assert values.pause_max < min(values.delay, values.grace), "windows: pause too long"
    assert values.claim_window != 0 and values.claim_window <= MAX_WINDOW, "windows: claim out of range"
    assert values.timelock > values.delay + values.claim_window, "windows: timelock too short"
    # the owner can appoint an operator before the lack of one freezes
    assert values.silence > values.timelock, "windows: silence too short"
    assert values.silence <= MAX_WINDOW, "windows: silence too long"
    DELAY = values.delay
    GRACE = values.grace
    CLAIM_WINDOW = values.claim_window
    TIMELOCK = values.timelock
    PAUSE_MAX = values.pause_max
    SILENCE = values.silence


@external
@view
def windows() -> ICustody.Windows:
    """
    @notice All windows, in seconds.
    """
    return ICustody.Windows(
        delay=DELAY,
        grace=GRACE,
        claim_window=CLAIM_WINDOW,
        timelock=TIMELOCK,
        pause_max=PAUSE_MAX,
        silence=SILENCE,
    )
