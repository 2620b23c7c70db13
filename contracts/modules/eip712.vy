# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title EIP-712
@license Apache-2.0
@notice The domain of every signed message, and the one place where a signature is checked. A signature is a key's, never
        a contract's: accounts that delegate their code under EIP-7702 still sign plainly, and contract wallets call
        directly instead. Only the low half of `s` is accepted, so a signature has one form.
@custom:invariant S1
@custom:kill Nothing to stop: there is no state.
"""

DOMAIN_TYPE_HASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
# What EIP-191 puts before every typed message.
PREFIX: constant(bytes2) = 0x1901
VERSION_HASH: constant(bytes32) = keccak256("1")
# Half of the curve's order, rounded down.
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
S_MASK: constant(uint256) = 2**255 - 1

NAME_HASH: immutable(bytes32)
CHAIN_ID: immutable(uint256)
CONTRACT: immutable(address)
SEPARATOR: immutable(bytes32)


@deploy
def __init__(name: String[32]):
    NAME_HASH = keccak256(name)
    CHAIN_ID = chain.id
    CONTRACT = self
    SEPARATOR = keccak256(abi_encode(DOMAIN_TYPE_HASH, keccak256(name), VERSION_HASH, chain.id, self))


@external
@view
def domain_separator() -> bytes32:
    """
    @notice The EIP-712 domain separator for this contract on this chain.
    """
    return self._separator()


@internal
@view
def _separator() -> bytes32:
    """
    @dev Computed again when the chain has split since deployment, and in code that runs on another contract's storage.
    """
    if chain.id == CHAIN_ID and self == CONTRACT:
        return SEPARATOR
    return keccak256(abi_encode(DOMAIN_TYPE_HASH, NAME_HASH, VERSION_HASH, chain.id, self))


@internal
@view
def _digest(struct_hash: bytes32) -> bytes32:
    return keccak256(concat(PREFIX, self._separator(), struct_hash))


@internal
@pure
def _signer(digest: bytes32, v: uint256, r: uint256, s: uint256) -> address:
    assert s <= HALF_ORDER, "signature: high s"
    signer: address = ecrecover(digest, v, r, s)
    assert signer != empty(address), "signature: invalid"
    return signer


@internal
@pure
def _signer_of_compact(digest: bytes32, r: bytes32, vs: bytes32) -> address:
    """
    @dev EIP-2098: the top bit of `vs` is the parity.
    """
    s: uint256 = convert(vs, uint256) & S_MASK
    assert s <= HALF_ORDER, "signature: high s"
    signer: address = ecrecover(digest, unsafe_add(27, convert(vs, uint256) >> 255), convert(r, uint256), s)
    assert signer != empty(address), "signature: invalid"
    return signer


@internal
@pure
def _signer_of(digest: bytes32, signature: Bytes[65]) -> address:
    assert len(signature) == 65, "signature: not 65 bytes"
    return self._signer(
        digest,
        convert(slice(signature, 64, 1), uint256),
        extract32(signature, 0, output_type=uint256),
        extract32(signature, 32, output_type=uint256),
    )


@internal
@view
def _check_account(account: address, digest: bytes32, signature: Bytes[65]):
    """
    @dev The account calls itself (empty signature), or signed.
    """
    if len(signature) == 0:
        assert msg.sender == account, "signature: missing"
    else:
        assert self._signer_of(digest, signature) == account, "signature: wrong signer"
