# pragma version 0.4.3
"""
@title Contract wallet
@license Apache-2.0
@notice A wallet that is a contract, with one key as its owner: it signs by EIP-1271 and does what its owner calls.
"""

MAGIC: constant(bytes4) = 0x1626ba7e

owner: public(immutable(address))


@deploy
def __init__(wallet_owner: address):
    owner = wallet_owner


@external
@payable
def __default__():
    pass


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    """
    @notice The magic value when the owner's key made this signature of the digest.
    """
    assert len(signature) == 65
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    key: address = ecrecover(
        digest, v, extract32(signature, 0, output_type=uint256), extract32(signature, 32, output_type=uint256)
    )
    return MAGIC if key == owner else 0xffffffff


@external
@payable
def execute(target: address, payload: Bytes[2048]):
    """
    @notice The owner lets the wallet call another contract.
    """
    assert msg.sender == owner
    raw_call(target, payload, value=msg.value)
