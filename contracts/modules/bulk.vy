# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Bulk orders
@license Apache-2.0
@notice One signature over a tree of 2 to 1,024 orders. What is signed is the EIP-712 struct
        `BulkOrder(Order[2]...[2] tree)Order(...)` with as many dimensions as the tree is high, so that a wallet shows
        every order. EIP-712 hashes nested arrays of structs as a Merkle tree over the structs' hashes, left before right,
        so an execution proves its order by the hashes beside its path. Unused places hold orders whose fields are all
        zero, which nobody can have signed. The height is part of the type that is signed, so a hash inside the tree
        cannot pass for an order.
@custom:invariant S4
@custom:kill Nothing to stop: there is no state.
"""

from . import eip712
from . import order

MAX_HEIGHT: constant(uint256) = 10
# In an execution's tail: scheme 8 | zero 144 | start 16 | height 8 | index 16 | fee 64
INDEX_SHIFT: constant(uint256) = 64
HEIGHT_SHIFT: constant(uint256) = 80
START_SHIFT: constant(uint256) = 88
ZERO_SHIFT: constant(uint256) = 104
U8: constant(uint256) = 2**8 - 1
U16: constant(uint256) = 2**16 - 1
U144: constant(uint256) = 2**144 - 1


@internal
@pure
def _place(tail: uint256, proof_length: uint256) -> (uint256, uint256, uint256):
    """
    @dev Where an execution's order stands: its index in the tree, the tree's height, and where in the proofs its path
         starts.
    """
    index: uint256 = (tail >> INDEX_SHIFT) & U16
    height: uint256 = (tail >> HEIGHT_SHIFT) & U8
    start: uint256 = (tail >> START_SHIFT) & U16
    assert (tail >> ZERO_SHIFT) & U144 == 0, "order: unknown scheme"
    assert height != 0 and height <= MAX_HEIGHT, "bulk: height out of range"
    assert index >> height == 0, "bulk: index out of range"
    assert start + height <= proof_length, "bulk: path out of range"
    return index, height, start


@internal
@pure
def _parent(node: bytes32, sibling: bytes32, is_right: bool) -> bytes32:
    if is_right:
        return keccak256(concat(sibling, node))
    return keccak256(concat(node, sibling))


@internal
@pure
def _digest(root: bytes32, height: uint256, separator: bytes32) -> bytes32:
    """
    @dev What was signed for a tree.
    """
    dimensions: String[30] = slice("[2][2][2][2][2][2][2][2][2][2]", 0, 3 * height)
    type_hash: bytes32 = keccak256(concat("BulkOrder(Order", dimensions, " tree)", order.ORDER_TYPE))
    return keccak256(concat(eip712.PREFIX, separator, keccak256(concat(type_hash, root))))
