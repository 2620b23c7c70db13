"""The deposit addresses as the sweep duty uses them: what lies there, and the call that sweeps it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from exchange.chain.rpc import Call as Request
from exchange.chain.rpc import ExecutionReverted, Rpc
from exchange.chain.submission import Call
from exchange.domain.deployment import ETH, Deployment, address_bytes
from exchange.domain.deposit_address import deposit_address
from exchange.domain.eip712 import keccak
from exchange.domain.instrument import Token

_BALANCE_OF = keccak(b"balanceOf(address)")[:4]
_SWEEP = keccak(b"sweep(address,uint256)")[:4]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lying:
    """What lies at an account's deposit address at some block: ledger units of one token, rounded down."""

    account: bytes
    token_id: int
    amount: int
    block_number: int

    def data(self) -> bytes:
        """The call data of its sweep."""
        return _SWEEP + self.account.rjust(32, b"\0") + self.token_id.to_bytes(32)


class DepositAddresses:
    """The factory of one deployment behind one node. Methods raise ChainError."""

    def __init__(self, rpc: Rpc, deployment: Deployment) -> None:
        self._rpc = rpc
        self._tokens = deployment.tokens
        self.address = address_bytes(deployment.deposit_addresses)

    async def lying(self, accounts: Sequence[bytes]) -> list[Lying]:
        """What lies at the addresses of these accounts, all of it at the same block; nothing is left out."""
        if not accounts:
            return []
        number = await self._rpc.block_number()
        found: list[Lying] = []
        for token in self._tokens:
            found += [
                Lying(account, token.token_id, units // token.unit, number)
                for account, units in await self._balances(token, accounts, number)
                if units >= token.unit
            ]
        return found

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        """Gas that a call of the factory needs now. ExecutionReverted if it would fail."""
        return await self._rpc.estimate_gas(self.address, data, sender=sender)

    def call(self, data: bytes, gas: int) -> Call:
        """A call of the factory for the submitter."""
        return Call(self.address, data, gas)

    async def _balances(self, token: Token, accounts: Sequence[bytes], number: int) -> Iterator[tuple[bytes, int]]:
        """Token units by account; a token that does not tell them stops no other."""
        addresses = [deposit_address(self.address, account) for account in accounts]
        requests = [_balance_request(token, address, number) for address in addresses]
        try:
            answers = await self._rpc.batch(requests, str)
        except ExecutionReverted as error:
            log.warning("token_tells_no_balance", token_id=token.token_id, reason=error.reason)
            return iter(())
        return ((account, int(answer, 16)) for account, answer in zip(accounts, answers, strict=True))


def _balance_request(token: Token, holder: bytes, number: int) -> Request:
    if token.address == ETH:
        return "eth_getBalance", ("0x" + holder.hex(), hex(number))
    data = "0x" + (_BALANCE_OF + holder.rjust(32, b"\0")).hex()
    return "eth_call", ({"to": token.address, "data": data}, hex(number))
