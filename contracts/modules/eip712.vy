# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title EIP-712
@license Apache-2.0
@notice The domain of every signed message, and the one place where a signature is checked. A key's signature is recovered
        plainly first, also for an account that delegates its code under EIP-7702; only when it is not the account's, and
        the account has code, the account is asked (EIP-1271), with bounded gas and without any right to change state.
        Orders are signed by keys alone: nothing in a batch calls a user's code. Of a key's signature only the low half
        of `s` is accepted, so it has one form.
@custom:invariant S1, S3
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
# Bytes of the longest signature that a contract wallet is asked about.
MAX_SIGNATURE: constant(uint256) = 1024
# What a contract wallet may spend on the question: enough to verify a passkey's curve in code.
WALLET_GAS: constant(uint256) = 500_000
# `isValidSignature(bytes32,bytes)`, which is the answer as well, padded to a word.
ASK: constant(bytes4) = 0x1626ba7e
VALID: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000

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
def _signer_of(digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> address:
    """
    @dev A key's signature, or the reason why it is none.
    """
    assert len(signature) == 65, "signature: not 65 bytes"
    assert extract32(signature, 32, output_type=uint256) <= HALF_ORDER, "signature: high s"
    key: address = self._key_of(digest, signature)
    assert key != empty(address), "signature: invalid"
    return key


@internal
@pure
def _key_of(digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> address:
    """
    @dev The key behind a signature; the zero address when the signature is no key's.
    """
    if len(signature) != 65 or extract32(signature, 32, output_type=uint256) > HALF_ORDER:
        return empty(address)
    return ecrecover(
        digest,
        convert(slice(signature, 64, 1), uint256),
        extract32(signature, 0, output_type=uint256),
        extract32(signature, 32, output_type=uint256),
    )


@internal
@view
def _check_account(account: address, digest: bytes32, signature: Bytes[MAX_SIGNATURE]):
    """
    @dev The account calls itself (empty signature), or signed.
    """
    if len(signature) == 0:
        assert msg.sender == account, "signature: missing"
    else:
        key: address = self._key_of(digest, signature)
        if key == empty(address) or key != account:
            self._ask(account, digest, signature)


@internal
@view
def _ask(account: address, digest: bytes32, signature: Bytes[MAX_SIGNATURE]):
    """
    @dev The signature is not the account's own key's: only a contract wallet can still say that it is valid.
    """
    if not account.is_contract:
        assert self._signer_of(digest, signature) == account, "signature: wrong signer"
    else:
        success: bool = False
        answer: Bytes[32] = b""
        success, answer = raw_call(
            account,
            abi_encode(digest, signature, method_id=ASK),
            max_outsize=32,
            gas=WALLET_GAS,
            is_static_call=True,
            revert_on_failure=False,
        )
        assert success and len(answer) == 32, "signature: wallet refused"
        assert extract32(answer, 0) == VALID, "signature: wallet refused"
