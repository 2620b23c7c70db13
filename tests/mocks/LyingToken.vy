# pragma version 0.4.3
"""
@title Lying token
@license Apache-2.0
@notice A token that says anything about balances, answers a transfer with any bytes, refuses whom it likes, and can take
        what it gave.
"""

MAX_ANSWER: constant(uint256) = 8_192

_balances: HashMap[address, uint256]
_blocked: HashMap[address, bool]
_answer: Bytes[MAX_ANSWER]
# what it says of each balance: more, less, or nothing at all
_bonus: uint256
_malus: uint256
_mute: bool
# what a transfer adds to the bonus, or to the malus, in passing
_bonus_step: uint256
_malus_step: uint256


@deploy
def __init__():
    self._answer = abi_encode(True)


@external
def set_answer(answer: Bytes[MAX_ANSWER]):
    self._answer = answer


@external
def set_blocked(holder: address, blocked: bool):
    self._blocked[holder] = blocked


@external
def set_lies(bonus: uint256, malus: uint256, mute: bool):
    self._bonus = bonus
    self._malus = malus
    self._mute = mute


@external
def set_steps(bonus_step: uint256, malus_step: uint256):
    self._bonus_step = bonus_step
    self._malus_step = malus_step


@external
def faucet(amount: uint256):
    self._balances[msg.sender] += amount


@external
def seize(holder: address, amount: uint256):
    self._balances[holder] -= amount


@external
@view
def balanceOf(holder: address) -> uint256:
    assert not self._mute, "token: no comment"
    return self._balances[holder] + self._bonus - self._malus


@external
@raw_return
def transfer(receiver: address, amount: uint256) -> Bytes[MAX_ANSWER]:
    self._move(msg.sender, receiver, amount)
    return self._answer


@external
@raw_return
def transferFrom(sender: address, receiver: address, amount: uint256) -> Bytes[MAX_ANSWER]:
    self._move(sender, receiver, amount)
    return self._answer


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert not (self._blocked[sender] or self._blocked[receiver]), "token: blocked"
    self._balances[sender] -= amount
    self._balances[receiver] += amount
    self._bonus += self._bonus_step
    self._malus += self._malus_step
