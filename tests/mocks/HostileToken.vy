# pragma version 0.4.3
"""
@title Hostile token
@license Apache-2.0
@notice A token that may keep a fee, answer false, or call somebody back in the middle of a transfer.
"""

balanceOf: public(HashMap[address, uint256])
fee_bps: public(uint256)
answer: public(bool)
target: public(address)
payload: public(Bytes[512])
target_failed: public(bool)


@deploy
def __init__():
    self.answer = True


@external
def set_behaviour(fee_bps: uint256, answer: bool, target: address, payload: Bytes[512]):
    self.fee_bps = fee_bps
    self.answer = answer
    self.target = target
    self.payload = payload


@external
def faucet(amount: uint256):
    self.balanceOf[msg.sender] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> bool:
    if self.target != empty(address):
        self.target_failed = not raw_call(self.target, self.payload, revert_on_failure=False)
    if self.answer:
        self.balanceOf[sender] -= amount
        self.balanceOf[receiver] += amount - amount * self.fee_bps // 10_000
    return self.answer
