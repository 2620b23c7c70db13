# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Fee cap
@license Apache-2.0
@notice The most that settlement ever takes of an execution's quote, fixed at deployment: no order allows more, whatever
        its owner signed.
@custom:invariant O6
@custom:kill Nothing to stop: there is no state.
"""

# In basis points.
BPS: constant(uint256) = 10_000

FEE_CAP_BPS: immutable(uint256)


@deploy
def __init__(fee_cap_bps: uint256):
    assert fee_cap_bps <= BPS, "fees: cap out of range"
    FEE_CAP_BPS = fee_cap_bps


@external
@view
def fee_cap_bps() -> uint256:
    """
    @notice The most that an execution's fee can be of its quote, in basis points, for ever.
    """
    return FEE_CAP_BPS
