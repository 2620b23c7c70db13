# pragma version 0.4.3
"""
@title Hostile wallet
@license Apache-2.0
@notice A contract wallet that answers the question of EIP-1271 in every wrong way, chosen by the signature's first byte.
"""

MAGIC: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000
LOW: constant(bytes32) = 0x000000000000000000000000000000000000000000000000000000001626ba7e
DIRTY: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000001

asked: public(uint256)


@external
@raw_return
def __default__() -> Bytes[4096]:
    kind: uint256 = convert(slice(msg.data, 100, 1), uint256)
    if kind == 1:
        raise "no"
    if kind == 2:
        for i: uint256 in range(10**9):
            assert msg.gas > 0
    if kind == 3:
        return slice(abi_encode(MAGIC), 0, 4)
    if kind == 4:
        return abi_encode(LOW)
    if kind == 5:
        return abi_encode(DIRTY)
    if kind == 6:
        self.asked += 1
    if kind == 7:
        return b""
    if kind == 9:
        for i: uint256 in range(10**9):
            if msg.gas < 10_000:
                break
    if kind == 8:
        return concat(MAGIC, MAGIC)
    return abi_encode(MAGIC)
