# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Settlement
@license Apache-2.0
@notice Batches of matched orders, bound to the journal: a batch must start at the stored head. It consists of sections,
        each of consecutive executions in one market. Each execution is checked against the order its owner signed:
        price, quantity, expiry, fee cap, replay state, signature, which is the account's or a delegate's, over the order
        alone or over a tree of orders. Then per section what was bought is what was sold, and what buyers paid is what
        sellers received and fees. No token moves and no other contract is called. The operator
        chooses among matches that users signed and can do nothing else.
@custom:invariant O1, O2, O4, B1, B2
@custom:kill The guardian calls `remove_operator` or `pause`.
"""

from ..interfaces import ICustody
from . import access
from . import bulk
from . import delegates
from . import eip712
from . import fees
from . import ledger
from . import order
from . import pausing
from . import registry
from . import replay
from . import timing

uses: access
uses: delegates
uses: eip712
uses: fees
uses: ledger
uses: pausing
uses: registry
uses: replay
uses: timing

# The compiler sets aside memory for as many of each, which every batch pays for.
MAX_EXECUTIONS: constant(uint256) = 448
MAX_PROOFS: constant(uint256) = 512
# The farthest expiry of an order, and of one that a delegate signed, in seconds from now.
MAX_ORDER_TIME: constant(uint256) = 30 * 86_400
MAX_DELEGATED_TIME: constant(uint256) = 86_400
BPS: constant(uint256) = 10_000
SELL: constant(uint256) = 1
BUY_QUOTE: constant(uint256) = 2
# An order by itself, signed by its account, has none of the tail's upper bits set.
PLAIN: constant(uint256) = 0
BY_DELEGATE: constant(uint256) = 1 << 248
IN_BULK: constant(uint256) = 2 << 248
SCHEMES: constant(uint256) = 3
U184: constant(uint256) = 2**184 - 1
SINGLE_FILL: constant(uint256) = 1 << 63
ACCOUNT_MASK: constant(uint256) = (2**160 - 1) << 96
U8: constant(uint256) = 2**8 - 1
U16: constant(uint256) = 2**16 - 1
U32: constant(uint256) = 2**32 - 1
U40: constant(uint256) = 2**40 - 1
U64: constant(uint256) = 2**64 - 1
U128: constant(uint256) = 2**128 - 1


# A section's sums in one word: lots bought less lots sold, quote paid less quote received, fees. A batch's sum of 64-bit
# numbers is below 2**73, so no part can reach the next, and the upper two are zero together or not at all.
LOTS_SHIFT: constant(uint256) = 160
QUOTE_SHIFT: constant(uint256) = 80
U80: constant(uint256) = 2**80 - 1


_journal_head: bytes32
_batch_seq: uint256


@external
@view
def journal_head() -> bytes32:
    """
    @notice The journal's head up to which everything is settled.
    """
    return self._journal_head


@external
@view
def batch_seq() -> uint256:
    """
    @notice The number of the last batch; 0 before the first.
    """
    return self._batch_seq


@external
def settle(
    seq: uint256,
    prev_head: bytes32,
    new_head: bytes32,
    executions: DynArray[ICustody.Execution, MAX_EXECUTIONS],
    proofs: DynArray[bytes32, MAX_PROOFS],
):
    """
    @notice The operator settles the trades between two heads of the journal. A batch without executions moves the head.
    @param seq One more than `batch_seq()`.
    @param prev_head Equal to `journal_head()`.
    @param new_head The journal's head after these trades, which the next batch must start at.
    @param executions In sections: a section ends where the market changes, and a market may have several.
    @param proofs The paths of orders that were signed in bulk, each from the order's neighbour upwards; the executions'
           tails say where theirs start.
    """
    access._check_operator()
    pausing._check_running()
    assert seq == self._batch_seq + 1, "settle: wrong seq"
    assert prev_head == self._journal_head, "settle: wrong head"
    self._batch_seq = seq
    self._journal_head = new_head
    pausing._last_seen = block.timestamp
    market_id: uint256 = 0
    market: uint256 = 0
    sums: uint256 = 0
    separator: bytes32 = eip712._separator()
    for execution: ICustody.Execution in executions:
        its_market: uint256 = (execution.head >> 64) & U32
        # the second half keeps market 0, which is never listed, from passing for the one that is open
        if its_market != market_id or market == 0:
            self._close_market(market_id, market, sums)
            market_id = its_market
            market = registry._live_market(market_id)
            sums = 0
        signed: bytes32 = empty(bytes32)
        if execution.tail & IN_BULK != 0:
            node: bytes32 = order._struct_hash(execution.head, execution.body, execution.fill >> 128)
            index: uint256 = 0
            height: uint256 = 0
            start: uint256 = 0
            index, height, start = bulk._place(execution.tail, len(proofs))
            for level: uint256 in range(height, bound=bulk.MAX_HEIGHT):
                node = bulk._parent(node, proofs[start + level], (index >> level) & 1 != 0)
            signed = bulk._digest(node, height, separator)
        sums = unsafe_add(sums, self._execute(execution, market_id, market, separator, signed))
    self._close_market(market_id, market, sums)
    log ICustody.BatchSettled(seq=seq, prev_head=prev_head, new_head=new_head, executions=len(executions))


@internal
def _close_market(market_id: uint256, market: uint256, sums: uint256):
    """
    @dev A section's sums must meet; its fees go to the fee account's trading balance.
    """
    assert sums <= U80, "settle: sums differ"
    if sums != 0:
        ledger._credit(access._fee_account, (market >> 32) & U32, sums, False)
        log ICustody.FeesCollected(market_id=market_id, fee_account=access._fee_account, amount=sums)


@internal
def _execute(
    execution: ICustody.Execution, market_id: uint256, market: uint256, separator: bytes32, in_bulk: bytes32
) -> uint256:
    """
    @dev Check one order against what its owner signed and what happened to it, and move its balances. `in_bulk` is what
         was signed if the order was signed in bulk, else empty. Returns what it adds to its section's sums. A call costs
         as much as a check, so it makes few.
    """
    side: uint256 = execution.head & U8
    lots: uint256 = (execution.fill >> 64) & U64
    quote: uint256 = execution.fill & U64
    fee: uint256 = execution.tail & U64
    self._check_terms(execution.head, execution.body, lots, quote, fee)
    struct_hash: bytes32 = order._struct_hash(execution.head, execution.body, execution.fill >> 128)
    digest: bytes32 = keccak256(concat(eip712.PREFIX, separator, struct_hash))
    signed: bytes32 = digest
    if in_bulk != empty(bytes32):
        signed = in_bulk
    signer: address = eip712._signer_of_compact(signed, execution.r, execution.vs)
    if convert(signer, uint256) != execution.head >> 96 or execution.tail >> 64 != PLAIN:
        self._check_scheme(execution.head, execution.tail, market_id, signer)
    nonce: uint256 = (execution.body >> 64) & U64
    measure: uint256 = lots
    if side == BUY_QUOTE:
        assert nonce & SINGLE_FILL != 0, "order: must be single fill"
        measure = quote
    key: uint256 = execution.head & ACCOUNT_MASK
    replay._use(key, nonce, measure, (execution.body >> 128) & U64)
    # the order's side decides the sign; every factor is below 2**64
    base: uint256 = unsafe_mul(lots, (market >> 64) & U64)
    sums: uint256 = (lots << LOTS_SHIFT) | (quote << QUOTE_SHIFT)
    limited: bool = False
    if side == SELL:
        limited = ledger._exchange(key, market & U32, base, (market >> 32) & U32, unsafe_sub(quote, fee))
        sums = unsafe_sub(fee, sums)
    else:
        limited = ledger._exchange(key, (market >> 32) & U32, unsafe_add(quote, fee), market & U32, base)
        sums = unsafe_add(fee, sums)
    if limited:
        replay._check_limits(convert(key >> 96, address), nonce)
    log ICustody.OrderExecuted(
        account=convert(key >> 96, address),
        order_hash=digest,
        amounts=(side << 224) | (market_id << 192) | ((execution.fill & U128) << 64) | fee,
    )
    return sums


@internal
@view
def _check_terms(head: uint256, body: uint256, lots: uint256, quote: uint256, fee: uint256):
    """
    @dev Price, fee cap and expiry, in exact multiplications; every factor is below 2**64, so none can wrap.
    """
    assert unsafe_mul(lots, quote) != 0, "order: nothing filled"
    worst: uint256 = unsafe_mul(body >> 192, lots)
    if head & U8 == SELL:
        assert quote >= worst, "order: price too low"
    else:
        assert head & U8 <= BUY_QUOTE, "order: unknown side"
        assert quote <= worst, "order: price too high"
    # the contract's own cap is at most the whole, so a fee is never more than its quote
    max_fee_bps: uint256 = min((head >> 8) & U16, fees.FEE_CAP_BPS)
    assert unsafe_mul(fee, BPS) <= unsafe_mul(quote, max_fee_bps), "order: fee over the cap"
    expiry: uint256 = (head >> 24) & U40
    # times have 40 bits, so no sum can wrap
    assert block.timestamp <= unsafe_add(expiry, timing.GRACE), "order: expired"
    assert expiry <= unsafe_add(block.timestamp, MAX_ORDER_TIME), "order: expiry too far"


@internal
@view
def _check_scheme(head: uint256, tail: uint256, market_id: uint256, signer: address):
    """
    @dev The signer is not the account, or the submitter names another scheme: the account in bulk, or a delegate.
    """
    assert tail >> 248 <= SCHEMES, "order: unknown scheme"
    assert tail & IN_BULK != 0 or (tail >> 64) & U184 == 0, "order: unknown scheme"
    account: address = convert(head >> 96, address)
    if tail & BY_DELEGATE == 0:
        assert signer == account, "order: wrong signer"
    else:
        expiry: uint256 = (head >> 24) & U40
        assert expiry <= unsafe_add(block.timestamp, MAX_DELEGATED_TIME), "order: expiry too far"
        delegates._check_order(account, signer, market_id, expiry)
