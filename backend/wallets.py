"""Signatures of contract wallets (EIP-1271): the wallet itself says, on chain, whether one is valid.

A key's signature is recovered plainly first, as the contract does, so an account under EIP-7702 that signed plainly is
never asked. Only reading and sign-in ask; orders are signed by keys alone.
"""

from exchange.chain.rpc import ChainError, ExecutionReverted, Rpc
from exchange.domain.errors import ErrorCode, Refusal

MAX_SIGNATURE = 1_024
"""Bytes, as in the contract."""
_ASK = bytes.fromhex("1626ba7e")  # isValidSignature(bytes32,bytes), and the answer as well
_GAS = 500_000
_WORD = 32


class Wallets:
    """Asks wallets through the chain's node."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def signed(self, account: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether the contract at `account` says that the signature is valid. Refuses while the chain is away."""
        padded = signature.ljust(-(-len(signature) // _WORD) * _WORD, b"\0")
        data = _ASK + digest + (2 * _WORD).to_bytes(_WORD) + len(signature).to_bytes(_WORD) + padded
        try:
            answer = await self._rpc.eth_call(account, data, gas=_GAS)
        except ExecutionReverted:
            return False
        except ChainError:
            raise Refusal(ErrorCode.unavailable, "the chain's node is away: try again in a second") from None
        return answer[:_WORD] == _ASK.ljust(_WORD, b"\0")
