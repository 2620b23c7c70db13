# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Order
@license Apache-2.0
@notice The packed order and its EIP-712 hash. `head` is account 160 | market 32 | expiry 40 | max_fee_bps 16 | side 8,
        `body` is price 64 | quantity 64 | nonce 64 | trigger_price 64, and `terms` has 128 bits.
@custom:invariant S2
@custom:kill Nothing to stop: there is no state.
"""

from . import eip712

uses: eip712

ORDER_TYPE: constant(String[177]) = "Order(address account,uint32 market,uint8 side,uint64 price,uint64 quantity,uint64 nonce,uint64 expiry,uint64 trigger_price,uint16 max_fee_bps,uint128 terms)"
ORDER_TYPE_HASH: constant(bytes32) = keccak256(ORDER_TYPE)
U8: constant(uint256) = 2**8 - 1
U16: constant(uint256) = 2**16 - 1
U32: constant(uint256) = 2**32 - 1
U40: constant(uint256) = 2**40 - 1
U64: constant(uint256) = 2**64 - 1
U128: constant(uint256) = 2**128 - 1


@external
@view
def order_hash(head: uint256, body: uint256, terms: uint256) -> bytes32:
    """
    @notice The EIP-712 digest of a packed order: its identity everywhere. `head`, `body` and `terms` are packed as this
            module's docstring says.
    """
    return eip712._digest(self._struct_hash(head, body, terms & U128))


@internal
@pure
def _struct_hash(head: uint256, body: uint256, terms: uint256) -> bytes32:
    return keccak256(
        abi_encode(
            ORDER_TYPE_HASH,
            head >> 96,
            (head >> 64) & U32,
            head & U8,
            body >> 192,
            (body >> 128) & U64,
            (body >> 64) & U64,
            (head >> 24) & U40,
            body & U64,
            (head >> 8) & U16,
            terms,
        )
    )
