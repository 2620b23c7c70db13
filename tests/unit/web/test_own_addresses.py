"""Deposit addresses as the page works them out are the contract's own, and it knows no code but the contract's.

The page's own code is asked about a factory that is deployed on a chain in memory.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boa
import pytest

from bizzan.contracts import ROOT
from tests.utils.contracts import CHAIN_ID, World
from tests.utils.signing import Signer

ACCOUNTS = 50
EVERY_BYTES = 61


class Asked:
    """A factory with what stands on chain, and what the page says of it."""

    def __init__(self, world: World) -> None:
        factory = world.deploy_deposit_addresses()
        self.factory, self.implementation = str(factory.address), str(factory.implementation())
        self.custody = str(world.custody.address)
        self.accounts = [Signer(f"account {i}").address for i in range(ACCOUNTS)]
        self.addresses = [str(factory.address_of(account)) for account in self.accounts]
        self.codes = {place: bytes(boa.env.get_code(place)) for place in (self.factory, self.implementation)}

    def told(self, folder: Path, chains: list[dict[str, Any]], **places: str) -> dict[str, Any]:
        """The addresses of the accounts, and whether the factory is known, chain by chain."""
        named = {"chainId": CHAIN_ID, "custody": self.custody, "factory": self.factory} | places
        content = {"places": named, "accounts": self.accounts, "chains": chains}
        asked, answered = folder / "asked.json", folder / "answered.json"
        asked.write_text(json.dumps(content))
        command = ["node", "scripts/check_addresses.mjs", str(asked), str(answered)]
        done = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(answered.read_text())
        return answer

    def chain(self, changed: Mapping[str, bytes] | None = None, chain_id: int = CHAIN_ID) -> dict[str, Any]:
        """What a node says, with other codes at some places."""
        codes = self.codes | dict(changed or {})
        return {"chainId": chain_id, "codes": {place.lower(): "0x" + code.hex() for place, code in codes.items()}}

    def changes(self) -> list[dict[str, Any]]:
        """Nodes that say something else than the chain."""
        found = [self.chain(dict.fromkeys(places, b"")) for places in ([*self.codes], *([p] for p in self.codes))]
        for place, code in self.codes.items():
            found += [self.chain({place: code + b"\0"}), self.chain({place: code[:-1]})]
            for at in {*range(0, len(code), EVERY_BYTES), *range(len(code) - 96, len(code), 11), len(code) - 1}:
                found.append(self.chain({place: code[:at] + bytes([code[at] ^ 1]) + code[at + 1 :]}))
        return found


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """A factory of a whole exchange."""
    with boa.env.anchor():
        yield Asked(World())


def test_addresses_are_those_of_the_contract(asked: Asked, tmp_path: Path) -> None:
    assert asked.told(tmp_path, [])["addresses"] == asked.addresses


def test_the_contract_s_code_is_known_and_no_other(asked: Asked, tmp_path: Path) -> None:
    changes = asked.changes()
    known = asked.told(tmp_path, [asked.chain(), *changes])["known"]
    assert known == [True] + [False] * len(changes)


def test_a_factory_for_another_custody_contract_is_not_known(asked: Asked, tmp_path: Path) -> None:
    assert asked.told(tmp_path, [asked.chain()], custody=Signer("another").address)["known"] == [False]


def test_a_node_of_another_chain_says_nothing(asked: Asked, tmp_path: Path) -> None:
    (said,) = asked.told(tmp_path, [asked.chain(chain_id=CHAIN_ID + 1)])["known"]
    assert "another chain" in said
