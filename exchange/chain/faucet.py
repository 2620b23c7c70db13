"""Play money on the local chain: what one call of a faucet hands out, and a faucet that sends it.

The tokens of the local chain mint for whoever calls their `faucet`; the coins come from a funded development account.

    FaucetEmpty   the chain did not take a gift, or did not mine it in time
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exchange.chain.rpc import ChainError, Rpc, RpcRefused
from exchange.chain.signing import Key, Transaction
from exchange.domain.deployment import ETH, address_bytes
from exchange.domain.eip712 import keccak
from exchange.domain.instrument import Token

WHOLE_COINS: Mapping[str, int] = {"ETH": 10, "USDC": 100_000, "BTC": 10}
OTHER_WHOLE_COINS = 1_000
"""What one call hands out, in whole coins."""

GAS = 120_000
PRIORITY_FEE = 1_000_000_000
MAX_FEE = 10**12
"""Wei per gas that everybody offers who pays with the faucet's key. The local node lets a transaction that offers one
wei more take the place of another on its nonce, so what several processes send must offer the same."""

NONCE_TRIES = 40
MINED_SECONDS = 45.0
POLL_SECONDS = 0.1
NONCE_TAKEN = ("nonce too low", "replacement transaction underpriced", "already known", "already imported")
"""What a node says when another transaction of the sender has the nonce."""

_FAUCET, _TRANSFER = keccak(b"faucet(uint256)")[:4], keccak(b"transfer(address,uint256)")[:4]


class FaucetEmpty(Exception):
    """Nothing came, or not all of it."""


@dataclass(frozen=True, slots=True)
class Gift:
    """What is sent of one token, in token units, and the transaction that brings it."""

    symbol: str
    amount: int
    decimals: int
    tx_hash: str


@dataclass(frozen=True, slots=True)
class _Call:
    to: bytes
    value: int = 0
    data: bytes = b""


def gift_of(symbol: str, token: Token) -> int:
    """How much of a token one call hands out, in token units."""
    amount: int = WHOLE_COINS.get(symbol, OTHER_WHOLE_COINS) * 10**token.decimals
    return amount


class Faucet:
    """Sends gifts from one key, one recipient after another. `tokens` are by symbol."""

    def __init__(self, rpc: Rpc, chain_id: int, key: Key, tokens: Mapping[str, Token]) -> None:
        self._rpc = rpc
        self._chain_id = chain_id
        self._key = key
        self._tokens = tokens
        self._sending = asyncio.Lock()

    async def give(self, recipient: bytes) -> list[Gift]:
        """Send every token to `recipient`, and wait until all of it is mined. Raises FaucetEmpty."""
        async with self._sending:
            try:
                gifts = [await self._give(symbol, token, recipient) for symbol, token in self._tokens.items()]
            except ChainError as error:
                raise FaucetEmpty(f"the chain's node did not take the gift: {error}") from error
        await self._wait([bytes.fromhex(gift.tx_hash[2:]) for gift in gifts])
        return gifts

    async def _give(self, symbol: str, token: Token, recipient: bytes) -> Gift:
        amount = gift_of(symbol, token)
        tx_hash = b""
        for call in _calls(token, amount, recipient):
            tx_hash = await self._send(call)
        return Gift(symbol, amount, token.decimals, "0x" + tx_hash.hex())

    async def _send(self, call: _Call) -> bytes:
        """Send one call with the next nonce that is free; another sender may use the same key."""
        for left in reversed(range(NONCE_TRIES)):
            nonce = await self._rpc.transaction_count(self._key.address, "pending")
            transaction = Transaction(self._chain_id, nonce, PRIORITY_FEE, MAX_FEE, GAS, call.to, call.value, call.data)
            try:
                return await self._rpc.send_raw_transaction(transaction.sign(self._key).raw)
            except RpcRefused as error:
                if not left or not any(text in str(error).lower() for text in NONCE_TAKEN):
                    raise
            await asyncio.sleep(POLL_SECONDS)  # for the node to count what the other sent
        raise AssertionError("the last try returns or raises")

    async def _wait(self, tx_hashes: Sequence[bytes]) -> None:
        try:
            async with asyncio.timeout(MINED_SECONDS):
                for tx_hash in tx_hashes:
                    await self._mined(tx_hash)
        except (TimeoutError, ChainError) as error:
            raise FaucetEmpty(f"the gift was not mined within {MINED_SECONDS:g} s") from error

    async def _mined(self, tx_hash: bytes) -> None:
        while True:
            receipt = await self._rpc.receipt(tx_hash)
            if receipt is not None:
                break
            await asyncio.sleep(POLL_SECONDS)
        if not receipt.succeeded:
            raise FaucetEmpty(f"the gift failed on chain: 0x{tx_hash.hex()}")


def _calls(token: Token, amount: int, recipient: bytes) -> list[_Call]:
    """A transfer of ETH; or a mint to the sender, since test tokens mint to whoever asks, and then a transfer."""
    if token.address == ETH:
        return [_Call(recipient, amount)]
    contract, word = address_bytes(token.address), amount.to_bytes(32)
    return [
        _Call(contract, data=_FAUCET + word),
        _Call(contract, data=_TRANSFER + recipient.rjust(32, b"\0") + word),
    ]
