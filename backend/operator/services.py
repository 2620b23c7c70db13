"""How the other processes are, as each says of itself on its port for machines."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import aiohttp

TIMEOUT_SECONDS = 2
TEXT_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Health:
    """What a process says. `reason` is its own word, or why it could not be asked."""

    name: str
    state: Literal["ok", "not_ready", "away"]
    reason: str | None


class Services:
    """Asks the processes at these addresses, by name."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)

    async def ask(self) -> list[Health]:
        """All of them at once; who does not answer in time is away."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await asyncio.gather(*(_ask(session, *each) for each in self._addresses.items()))


async def _ask(session: aiohttp.ClientSession, name: str, address: str) -> Health:
    try:
        async with session.get(f"{address}/readyz") as answer:
            said = await answer.json()
            reason = str(said["reason"])[:TEXT_LENGTH] if said.get("reason") else None
            return Health(name, "ok" if answer.status == 200 else "not_ready", reason)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, AttributeError):
        return Health(name, "away", f"nobody answers at {address}")
