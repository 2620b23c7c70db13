# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Test wallet
@license Apache-2.0
@notice An account that is a contract, for development chains: it signs by EIP-1271 what its owner's key signs. It holds
        nothing itself, and cannot pay out what is sent to it.
@custom:kill Nothing to stop: nobody depends on it.
"""


event OwnerChanged:
    owner: indexed(address)


# The magic value of EIP-1271, `isValidSignature(bytes32,bytes)`.
VALID: constant(bytes4) = 0x1626ba7e
INVALID: constant(bytes4) = 0xffffffff
MAX_SIGNATURE: constant(uint256) = 1024

owner: public(address)


@deploy
def __init__(owner: address):
    self.owner = owner
    log OwnerChanged(owner=owner)


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> bytes4:
    """
    @notice The magic value when the owner's key signed the `digest`; bytes of the signature after 65 are not read.
    """
    if len(signature) < 65:
        return INVALID
    key: address = ecrecover(
        digest,
        convert(slice(signature, 64, 1), uint256),
        extract32(signature, 0, output_type=uint256),
        extract32(signature, 32, output_type=uint256),
    )
    return VALID if key != empty(address) and key == self.owner else INVALID


@external
def change_owner(owner: address):
    """
    @notice The owner hands the wallet over: from now on only the new owner's signatures are valid.
    """
    assert msg.sender == self.owner, "wallet: only the owner"
    self.owner = owner
    log OwnerChanged(owner=owner)
