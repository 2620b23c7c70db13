# pragma version 0.4.3
"""
@title Busy wallet
@license Apache-2.0
@notice A contract wallet that takes ETH whenever it is not in the middle of something, and lets anybody put it there, as
        the callback of a flash loan does.
"""

busy: bool


@external
@payable
def __default__():
    assert not self.busy


@external
def flash(target: address, payload: Bytes[1024]):
    self.busy = True
    raw_call(target, payload)
    self.busy = False


@external
def execute(target: address, payload: Bytes[1024]):
    raw_call(target, payload)
