# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Replay
@license Apache-2.0
@notice What has been filled and what may no longer be. A nonce whose top bit is set executes once, marked by one of 256
        bits. Any other has two bits, 128 nonces to a slot: closed, once an order was filled whole, and counted, while the
        lots filled so far stand in a 64-bit lane, four nonces to a slot. An order filled whole at once thus needs no lane.
        All orders of a nonce share this: the first that is filled whole closes the nonce for every other. Cancels are
        signed messages that anyone may post; they bind here after the delay, so that what was matched before settles.
@custom:invariant O2, O3, O5, D3
@custom:kill A cancel cannot be undone; `cancel_all` closes every nonce below a number.
"""

from ..interfaces import ICustody
from . import accounts
from . import delegates
from . import eip712
from . import guards
from . import timing

uses: accounts
uses: delegates
uses: eip712
uses: guards
uses: timing

CANCEL_TYPE_HASH: constant(bytes32) = keccak256("Cancel(address account,uint64 nonce)")
CANCEL_ALL_TYPE_HASH: constant(bytes32) = keccak256("CancelAll(address account,uint64 min_nonce)")
SINGLE_FILL: constant(uint256) = 1 << 63
SEQUENCE_MASK: constant(uint256) = 2**63 - 1
NONCE_LIMIT: constant(uint256) = 2**48
# One cancel_all rises by less than this, so that a stolen delegated key cannot use up an account's nonces.
MAX_NONCE_STEP: constant(uint256) = 2**44
U64: constant(uint256) = 2**64 - 1

# The two bits of a multi-fill nonce.
COUNTED: constant(uint256) = 1
CLOSED: constant(uint256) = 2
# What `filled` says of a nonce on which nothing more can be filled.
ALL_FILLED: constant(uint256) = 2**64 - 1

# account << 96 | sequence / 128 -> two bits of each nonce
_marks: HashMap[uint256, uint256]
# account << 96 | sequence / 4 -> four counters of filled lots
_lanes: HashMap[uint256, uint256]
# account << 96 | sequence / 256 -> executed bits
_bits: HashMap[uint256, uint256]
_cancelled_at: HashMap[address, HashMap[uint256, uint256]]


@external
@view
def filled(account: address, nonce: uint256) -> uint256:
    """
    @notice Lots filled so far on a nonce that orders can still fill, and 2**64 - 1 once nothing more can be filled on it:
            an order was filled whole, or a single-fill order was executed.
    """
    sequence: uint256 = nonce & SEQUENCE_MASK
    self._check_nonce(nonce)
    key: uint256 = convert(account, uint256) << 96
    if nonce & SINGLE_FILL != 0:
        return ((self._bits[key | (sequence >> 8)] >> (sequence & 255)) & 1) * ALL_FILLED
    marks: uint256 = self._marks[key | (sequence >> 7)] >> ((sequence & 127) << 1)
    if marks & CLOSED != 0:
        return ALL_FILLED
    return (self._lanes[key | (sequence >> 2)] >> ((sequence & 3) << 6)) & U64


@external
@view
def nonce_cancelled_at(account: address, nonce: uint256) -> uint256:
    """
    @notice From when a posted cancel binds; 0 when none was posted.
    """
    return self._cancelled_at[account][nonce]


@external
def cancel(account: address, nonce: uint256, signature: Bytes[eip712.MAX_SIGNATURE]):
    """
    @notice Post a cancel of one nonce: the engine obeys at once, settlement after the delay.
    @param signature Of `Cancel` by the account or a live delegate; empty when the caller is the account.
    """
    self._check_nonce(nonce)
    assert self._cancelled_at[account][nonce] == 0, "cancel: posted before"
    self._check_author(account, keccak256(abi_encode(CANCEL_TYPE_HASH, account, nonce)), signature)
    effective_at: uint256 = block.timestamp + timing.DELAY
    self._cancelled_at[account][nonce] = effective_at
    accounts._flag_cancels(account)
    log ICustody.NonceCancelled(account=account, nonce=nonce, effective_at=effective_at)


@external
def cancel_all(account: address, min_nonce: uint256, signature: Bytes[eip712.MAX_SIGNATURE]):
    """
    @notice Post a cancel of every nonce (without its top bit) below `min_nonce`. One that does not bind yet must bind
            before the next, so that nobody else can put off what the account posted; the account itself may replace it
            by a higher one, which binds the whole delay later.
    @param signature Of `CancelAll` by the account or a live delegate; empty when the caller is the account.
    """
    word: uint256 = accounts._words[account]
    current: uint256 = accounts._min_nonce(word)
    pending_at: uint256 = (word >> accounts.PENDING_AT_SHIFT) & accounts.U40
    if block.timestamp < pending_at:
        assert msg.sender == account, "cancel: another is pending"
        current = (word >> accounts.PENDING_SHIFT) & accounts.U48
    assert min_nonce > current, "cancel: not above the minimum"
    assert min_nonce < min(current + MAX_NONCE_STEP, NONCE_LIMIT), "cancel: too far"
    self._check_author(account, keccak256(abi_encode(CANCEL_ALL_TYPE_HASH, account, min_nonce)), signature)
    effective_at: uint256 = block.timestamp + timing.DELAY
    accounts._set_pending(account, min_nonce, effective_at)
    log ICustody.NoncesCancelled(account=account, min_nonce=min_nonce, effective_at=effective_at)


@internal
@pure
def _check_nonce(nonce: uint256):
    # clears the top bit of 64 only: a set bit above stays and is refused
    assert nonce & ~SINGLE_FILL < NONCE_LIMIT, "order: nonce out of range"


@internal
@view
def _check_author(account: address, struct_hash: bytes32, signature: Bytes[eip712.MAX_SIGNATURE]):
    if len(signature) == 0:
        assert msg.sender == account, "signature: missing"
    else:
        digest: bytes32 = eip712._digest(struct_hash)
        key: address = eip712._key_of(digest, signature)
        if key == empty(address) or (key != account and not delegates._may_cancel(account, key)):
            eip712._ask(account, digest, signature)


@internal
@view
def _check_limits(account: address, nonce: uint256):
    """
    @dev What the account has closed: nonces, or everything by its exit.
    """
    word: uint256 = accounts._words[account]
    assert nonce & SEQUENCE_MASK >= accounts._min_nonce(word), "order: nonce closed"
    exit_at: uint256 = (word >> accounts.EXIT_SHIFT) & accounts.U40
    assert exit_at == 0 or block.timestamp < exit_at, "order: account exited"
    if word & accounts.CANCELS_FLAG != 0:
        cancelled_at: uint256 = self._cancelled_at[account][nonce]
        assert cancelled_at == 0 or block.timestamp < cancelled_at, "order: cancelled"
    if word & accounts.FREEZES_FLAG != 0:
        guards._check_settling(account)


@internal
def _use(key: uint256, nonce: uint256, lots: uint256, quantity: uint256):
    """
    @dev Count a fill. `key` is the account << 96; for a single fill `lots` and `quantity` are in the order's own measure.
         Neither is above 2**64, and the caller has seen to it that `lots` is not 0.
    """
    # clears the top bit of 64 only, as `_check_nonce` does
    sequence: uint256 = nonce & SEQUENCE_MASK
    assert sequence < NONCE_LIMIT, "order: nonce out of range"
    if nonce != sequence:
        slot: uint256 = key | (sequence >> 8)
        bits: uint256 = self._bits[slot]
        bit: uint256 = 1 << (sequence & 255)
        assert bits & bit == 0, "order: executed before"
        assert lots <= quantity, "order: overfilled"
        self._bits[slot] = bits | bit
        return
    marks_slot: uint256 = key | (sequence >> 7)
    offset: uint256 = (sequence & 127) << 1
    marks: uint256 = self._marks[marks_slot]
    mark: uint256 = (marks >> offset) & 3
    assert mark < CLOSED, "order: nonce filled"
    if mark != 0 or lots != quantity:
        if self._count(key | (sequence >> 2), (sequence & 3) << 6, lots, quantity):
            if mark == 0:
                self._marks[marks_slot] = marks | (COUNTED << offset)
            return
    self._marks[marks_slot] = marks | (CLOSED << offset)


@internal
def _count(slot: uint256, offset: uint256, lots: uint256, quantity: uint256) -> bool:
    """
    @dev Add to the lots filled. Returns whether the order can be filled further.
    """
    lanes: uint256 = self._lanes[slot]
    # both below 2**64: the sum cannot wrap, and at most `quantity` it fits the lane
    filled: uint256 = unsafe_add((lanes >> offset) & U64, lots)
    assert filled <= quantity, "order: overfilled"
    if filled == quantity:
        return False
    self._lanes[slot] = unsafe_add(lanes, lots << offset)
    return True
