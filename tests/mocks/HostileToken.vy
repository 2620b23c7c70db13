# pragma version 0.4.3
"""
@title Hostile token
@license Apache-2.0
@notice A token that may keep a fee, answer false, or call somebody back in the middle of a transfer or of a look at a
        balance. It never uses up an allowance, and replaces none but by zero.
"""

_balances: HashMap[address, uint256]
allowance: public(HashMap[address, HashMap[address, uint256]])
fee_bps: public(uint256)
answer: public(bool)
target: public(address)
payload: public(Bytes[1024])
target_failed: public(bool)
target_answer: public(Bytes[128])
calls_back_when_read: public(bool)


@deploy
def __init__():
    self.answer = True


@external
def set_behaviour(fee_bps: uint256, answer: bool, target: address, payload: Bytes[1024], calls_back_when_read: bool):
    self.fee_bps = fee_bps
    self.answer = answer
    self.target = target
    self.payload = payload
    self.calls_back_when_read = calls_back_when_read


@external
def faucet(amount: uint256):
    self._balances[msg.sender] += amount


@external
@view
def balanceOf(holder: address) -> uint256:
    if self.calls_back_when_read:
        done: bool = False
        answer: Bytes[128] = b""
        done, answer = raw_call(
            self.target, self.payload, max_outsize=128, is_static_call=True, revert_on_failure=False
        )
        # a view cannot take notes
        assert not done and len(answer) == 0, "token: let in"
    return self._balances[holder]


@external
def approve(spender: address, amount: uint256) -> bool:
    assert amount == 0 or self.allowance[msg.sender][spender] == 0
    self.allowance[msg.sender][spender] = amount
    return self.answer


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> bool:
    if self.target != empty(address):
        done: bool = False
        done, self.target_answer = raw_call(self.target, self.payload, max_outsize=128, revert_on_failure=False)
        self.target_failed = not done
    if self.answer:
        self._balances[sender] -= amount
        self._balances[receiver] += amount - amount * self.fee_bps // 10_000
    return self.answer
