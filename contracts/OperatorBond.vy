# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Operator's bond
@license Apache-2.0
@notice ETH that the operator loses if its receipt key ever said two things about one place in the journal. Anyone who
        holds two signed statements that contradict each other takes a part of the bond, and the rest is burnt. The bond
        comes back only after it was retired, in public, and a delay within which every fraud before can still be shown.
        There is no owner: signer, bonder and delay are fixed at deployment, and nobody decides whether a contradiction
        is one. Custody does not know this contract, and no user's money depends on it.
@custom:invariant OB1, OB2, OB3, OB4
@custom:kill Nothing stops `report`. Retiring ends what the bond stands for; another key needs another contract.
"""

from .interfaces import IOperatorBond
from .modules import eip712

initializes: eip712

implements: IOperatorBond

exports: eip712.domain_separator

COMMIT_TYPE_HASH: constant(bytes32) = keccak256(
    "JournalCommit(uint64 first_seq,uint64 last_seq,bytes32 head,bytes32 root)"
)
RECORD_TYPE_HASH: constant(bytes32) = keccak256(
    "JournalRecord(uint64 seq,uint64 at_ms,bytes32 subject,bytes32 head)"
)
# Segments are published within minutes; whoever compares has a week at least.
MIN_DELAY: constant(uint256) = 7 * 86_400
MAX_DELAY: constant(uint256) = 90 * 86_400
# What the reporter gets: small, so that an operator who reports itself loses nearly all.
REWARD_BPS: constant(uint256) = 1_000
BPS: constant(uint256) = 10_000
BURNT: constant(address) = 0x000000000000000000000000000000000000dEaD

signer: public(immutable(address))
bonder: public(immutable(address))
delay: public(immutable(uint256))

# What a contradiction costs now, in wei; ETH that was forced upon the contract is no part of it.
bond: public(uint256)
# Seconds since 1970, 0 while it has not happened.
retired_at: public(uint256)
slashed_at: public(uint256)


@deploy
@payable
def __init__(name: String[32], receipt_signer: address, bond_owner: address, withdrawal_delay: uint256):
    """
    @notice The ETH sent along is the first part of the bond.
    @param name The name in the EIP-712 domain of the receipts.
    @param receipt_signer The key whose word the bond stands behind.
    @param bond_owner Who may retire the bond and take it back.
    @param withdrawal_delay Seconds between the two.
    """
    eip712.__init__(name)
    assert receipt_signer != empty(address), "bond: no signer"
    assert bond_owner not in [empty(address), self], "bond: bad bonder"
    assert withdrawal_delay >= MIN_DELAY and withdrawal_delay <= MAX_DELAY, "bond: delay out of range"
    signer = receipt_signer
    bonder = bond_owner
    delay = withdrawal_delay
    if msg.value != 0:
        self.bond = msg.value
        log IOperatorBond.BondAdded(sender=msg.sender, amount=msg.value, bond=msg.value)


@external
@payable
def add():
    """
    @notice Anyone adds the ETH sent along, in wei, to the bond, while it stands.
    """
    assert self.slashed_at == 0, "bond: slashed"
    assert self.retired_at == 0, "bond: retired"
    assert msg.value != 0, "bond: nothing sent"
    self.bond += msg.value
    log IOperatorBond.BondAdded(sender=msg.sender, amount=msg.value, bond=self.bond)


@external
def retire():
    """
    @notice The bonder ends what the bond stands for, for ever: from the delay on it may be withdrawn. Receipts that the
            key gives after the delay are backed by nothing: whoever relies on them looks at `retired_at`.
    """
    self._check_bonder()
    assert self.slashed_at == 0, "bond: slashed"
    assert self.retired_at == 0, "bond: retired"
    self.retired_at = block.timestamp
    log IOperatorBond.BondRetired(withdrawable_at=block.timestamp + delay)


@external
def withdraw(recipient: address) -> uint256:
    """
    @notice The bonder takes the bond back, the whole delay after it was retired. Pays all of it to `recipient`.
    @return The wei paid.
    """
    self._check_bonder()
    self._check_due()
    amount: uint256 = self.bond
    assert amount != 0, "bond: nothing left"
    self.bond = 0
    log IOperatorBond.BondWithdrawn(recipient=recipient, amount=amount)
    raw_call(recipient, b"", value=amount)
    return amount


@external
def report(one: IOperatorBond.Claim, other: IOperatorBond.Claim, recipient: address) -> uint256:
    """
    @notice Anyone shows two statements of the receipt key that contradict each other about one sequence number: another
            head of the journal after it, or another record in its place. Pays a tenth of the bond, rounded down, to
            `recipient`, and burns the rest.
    @param one What the key signed.
    @param other What it signed as well.
    @return The wei paid to `recipient`.
    """
    amount: uint256 = self.bond
    assert amount != 0, "bond: nothing left"
    assert one.seq == other.seq, "report: different sequences"
    assert self._contradict(one, other), "report: no contradiction"
    self.bond = 0
    self.slashed_at = block.timestamp
    reward: uint256 = amount * REWARD_BPS // BPS
    log IOperatorBond.BondSlashed(
        reporter=msg.sender, recipient=recipient, seq=one.seq, reward=reward, burnt=amount - reward
    )
    raw_call(recipient, b"", value=reward)
    raw_call(BURNT, b"", value=amount - reward)
    return reward


@internal
@view
def _contradict(one: IOperatorBond.Claim, other: IOperatorBond.Claim) -> bool:
    """
    @dev Two claims about one sequence number: one head, and where both show the record, one record.
    """
    head: bytes32 = empty(bytes32)
    record: bytes32 = empty(bytes32)
    head, record = self._said(one)
    other_head: bytes32 = empty(bytes32)
    other_record: bytes32 = empty(bytes32)
    other_head, other_record = self._said(other)
    return head != other_head or (one.is_record and other.is_record and record != other_record)


@internal
@view
def _said(claim: IOperatorBond.Claim) -> (bytes32, bytes32):
    """
    @dev What the key said of the claim's sequence number: the head after it, and the record's hash if it is shown.
    """
    assert claim.first_seq <= claim.seq and claim.seq <= claim.last_seq, "claim: sequence out of range"
    commit: bytes32 = keccak256(
        abi_encode(COMMIT_TYPE_HASH, claim.first_seq, claim.last_seq, claim.head, claim.root)
    )
    assert eip712._signer_of(eip712._digest(commit), claim.signature) == signer, "claim: wrong signer"
    if not claim.is_record:
        assert claim.seq == claim.last_seq, "claim: head of another sequence"
        return claim.head, empty(bytes32)
    record: bytes32 = keccak256(
        abi_encode(RECORD_TYPE_HASH, claim.seq, claim.at_ms, claim.subject, claim.record_head)
    )
    self._check_path(claim, record)
    return claim.record_head, record


@internal
@pure
def _check_path(claim: IOperatorBond.Claim, record: bytes32):
    """
    @dev The record stands in the tree at its own place: the tree is as high as its range of records needs.
    """
    node: bytes32 = record
    index: uint256 = convert(claim.seq - claim.first_seq, uint256)
    last: uint256 = convert(claim.last_seq - claim.first_seq, uint256)
    for sibling: bytes32 in claim.path:
        assert last != 0, "claim: path too long"
        node = keccak256(concat(sibling, node)) if index & 1 == 1 else keccak256(concat(node, sibling))
        index >>= 1
        last >>= 1
    assert last == 0, "claim: path too short"
    assert node == claim.root, "claim: record not in tree"


@internal
@view
def _check_bonder():
    assert msg.sender == bonder, "bond: only the bonder"


@internal
@view
def _check_due():
    assert self.retired_at != 0, "bond: not retired"
    assert block.timestamp >= self.retired_at + delay, "bond: too early"
