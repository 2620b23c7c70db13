"""Who is what for the exchange: the contract's roles as they are now, and the operators in the settings.

Roles are read from the contract once for all who ask, at most every two seconds: a role that was taken away is gone
here that much later, whatever session its holder has.
"""

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum
from time import monotonic

from exchange.chain.rpc import ChainError, Rpc
from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal

PERIOD_SECONDS = 2.0
_WORD = 32
_ROLES = keccak(b"roles()")[:4]
_APPROVERS = keccak(b"approvers()")[:4]
_NOBODY = bytes(20)


class Role(StrEnum):
    """What somebody is for the exchange.

    operator   tells the engine and everybody: named in the settings, or the contract's operator
    owner      configures the contract, behind the timelock
    guardian   pauses, and removes the contract's operator
    approver   lets withdrawals go above the limit
    """

    operator = "operator"
    owner = "owner"
    guardian = "guardian"
    approver = "approver"


_PLACES = {0: Role.owner, 1: Role.operator, 4: Role.guardian}
"""The words of the contract's answer to `roles()` that are people here."""

Held = Mapping[bytes, frozenset[Role]]


class Powers:
    """Asks the contract at `custody` through the chain's node; `operators` are those that the settings name."""

    def __init__(self, rpc: Rpc, custody: bytes, operators: Iterable[bytes]) -> None:
        self._rpc = rpc
        self._custody = custody
        self._named = frozenset(operators)
        self._lock = asyncio.Lock()
        self._kept: Held | None = None
        self._until = 0.0

    async def of(self, address: bytes) -> frozenset[Role]:
        """The roles of an address now.

        While the chain is away the settings' operators are operators all the same, and nobody else is known: refuses.
        """
        named = frozenset({Role.operator}) if address in self._named else frozenset[Role]()
        held = await self._on_chain()
        if held is None:
            if named:
                return named
            raise Refusal(ErrorCode.unavailable, "the chain's node is away, which knows the roles: try again")
        return named | held.get(address, frozenset())

    async def _on_chain(self) -> Held | None:
        """Who holds which role in the contract; None while the chain is away, without asking it each time."""
        async with self._lock:
            if monotonic() >= self._until:
                self._kept = await self._ask()
                self._until = monotonic() + PERIOD_SECONDS
            return self._kept

    async def _ask(self) -> Held | None:
        try:
            roles = _addresses(await self._rpc.eth_call(self._custody, _ROLES))
            approvers = _addresses(await self._rpc.eth_call(self._custody, _APPROVERS))[2:]
        except ChainError:
            return None
        held: dict[bytes, frozenset[Role]] = {}
        found = [(roles[place], role) for place, role in _PLACES.items() if place < len(roles)]
        for address, role in found + [(approver, Role.approver) for approver in approvers]:
            if address != _NOBODY:
                held[address] = held.get(address, frozenset()) | {role}
        return held


def _addresses(answer: bytes) -> list[bytes]:
    """The low 20 bytes of each word of an answer; nothing where no contract stands."""
    return [answer[at + 12 : at + _WORD] for at in range(0, len(answer), _WORD)]
