"""Signatures of accounts, as the custody contract checks them outside a batch: by key, or by the account's code.

A key's signature is recovered plainly first, so an account under EIP-7702 that signed plainly is never asked. Otherwise
the account, when it is a contract, says on chain whether a signature is valid (EIP-1271). It is asked as the contract
asks: with as much gas, with no right to change state, and only for the magic value. The question is put by code that
exists for one `eth_call` alone, so nothing that a wallet does there is more than an answer, yes or no.

Sources: https://eips.ethereum.org/EIPS/eip-1271 and https://eips.ethereum.org/EIPS/eip-7702.
"""

from exchange.chain.rpc import Rpc
from exchange.chain.signing import recover

MAX_SIGNATURE = 1_024
"""Bytes, as in the contract."""
WALLET_GAS = 500_000
"""What a wallet may spend on the question, as in the contract."""

_ASK = bytes.fromhex("1626ba7e")  # isValidSignature(bytes32,bytes), and the answer as well
_CALL_GAS = 700_000
_WORD = 32


async def signed(rpc: Rpc, account: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether the account's key signed, or its code says that the signature is valid now. Raises ChainError.

    An empty signature never counts: to the contract it means that the account itself calls.
    """
    if not 0 < len(signature) <= MAX_SIGNATURE:
        return False
    return recover(digest, signature) == account or await wallet_signed(rpc, account, digest, signature)


async def wallet_signed(rpc: Rpc, account: bytes, digest: bytes, signature: bytes, block: int | str = "latest") -> bool:
    """Whether the code at `account` says so, as of a block; False where there is none. Raises ChainError."""
    answer = await rpc.eth_call(None, question(account, digest, signature), gas=_CALL_GAS, block=block)
    return int.from_bytes(answer) == 1


def question(account: bytes, digest: bytes, signature: bytes) -> bytes:
    """Code that asks the account by a static call and returns one word: 1 for the magic value in a whole word."""
    padded = signature.ljust(-(-len(signature) // _WORD) * _WORD, b"\0")
    data = _ASK + digest + (2 * _WORD).to_bytes(_WORD) + len(signature).to_bytes(_WORD) + padded
    size = b"\x61" + len(data).to_bytes(2)  # PUSH2
    parts = [
        b"\x5f\x39",  # CODECOPY to 0 of the data, whose size and place were pushed
        b"\x60\x20\x5f" + size + b"\x5f\x73" + account,  # the word of the answer overwrites the question
        b"\x62" + WALLET_GAS.to_bytes(3) + b"\xfa",  # PUSH3, STATICCALL
        b"\x3d\x60\x1f\x10\x16",  # RETURNDATASIZE, PUSH1 31, LT, AND: it succeeded, with a whole word
        b"\x5f\x51\x63" + _ASK + b"\x60\xe0\x1b\x14\x16",  # MLOAD 0, PUSH4, PUSH1 224, SHL, EQ, AND: the magic value
        b"\x5f\x52\x60\x20\x5f\xf3",  # MSTORE 0, RETURN 32 bytes
    ]
    code = b"".join(parts)
    place = len(size) + 2 + len(code)
    return size + b"\x60" + bytes((place,)) + code + data
