"""docs/powers.md is read out of the contracts' text; here the contract itself says the same, function by function."""

from __future__ import annotations

import re
from typing import Any

import boa
import pytest
from boa import BoaError

from bizzan.contracts import exported_abi
from scripts.print_powers import COMMITTED
from tests.utils.contracts import USDC, World, revert_reason
from tests.utils.signing import Signer

ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|", re.MULTILINE)
TABLE = {
    name: (who, stops)
    for name, who, _, stops in ROW.findall(COMMITTED.read_text().partition("## Custody")[2].partition("\n## ")[0])
}
CALLS: dict[str, Any] = {
    str(entry["name"]): entry
    for entry in exported_abi("Custody")
    if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
}
REFUSALS = {
    "owner": "owner: not the owner",
    "guardian": "guardian: not the guardian",
    "operator": "operator: not the operator",
    "the proposed owner": "owner: not proposed",
}
PAUSED = "custody: paused"
STRANGER = Signer("stranger")


@pytest.fixture(scope="module")
def world() -> World:
    """A launched exchange, and a stranger who has allowed it tokens: without them a permit is looked at first."""
    made = World()
    made.fund(STRANGER, USDC, 1_000)
    return made


def argument(kind: str, world: World, stranger: Signer) -> Any:
    """Something of a type: a token's address where an address is asked for first."""
    if kind.endswith("]"):
        return []
    if kind == "address":
        return world.token_address(USDC)
    if kind.startswith("bytes"):
        return bytes(int(kind.removeprefix("bytes") or 0))
    return True if kind == "bool" else 1


def refusal(world: World, name: str, caller: Signer) -> str:
    """Why the contract refuses a call; empty when it does not."""
    arguments = [argument(item["type"], world, caller) for item in CALLS[name]["inputs"]]
    with boa.env.anchor():
        try:
            getattr(world.custody, name)(*arguments, sender=caller.address)
        except BoaError as error:
            return revert_reason(bytes(error.call_trace.output))
    return ""


def test_the_table_has_every_function() -> None:
    assert list(TABLE) == list(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_only_who_the_table_names_may_call(world: World, name: str) -> None:
    who, _ = TABLE[name]
    reason = refusal(world, name, STRANGER)
    if who in REFUSALS:
        assert reason == REFUSALS[who]
    else:
        assert reason not in REFUSALS.values()


@pytest.mark.parametrize("name", CALLS)
def test_a_pause_stops_what_the_table_says(world: World, name: str) -> None:
    who, stops = TABLE[name]
    callers = {"operator": world.operator, "guardian": world.guardian, "owner": world.owner}
    with boa.env.anchor():
        world.custody.pause(world.windows.pause_max, sender=world.guardian.address)
        assert (refusal(world, name, callers.get(who, STRANGER)) == PAUSED) == (stops == "stops it")
