"""The constructor's refusals, the windows, the size, and the promise that several pieces of code are one contract."""

import json
from dataclasses import replace

import pytest

from bizzan.contracts import PARTS, SOURCES, artifact, vyper
from exchange.domain.deployment import ETH
from scripts.export_abis import exported, promised_abi
from tests.utils.contracts import FEE_CAP_BPS, WINDOWS, World, at, reverts

SIZE_LIMIT = 24_576  # EIP-170


def test_windows_and_roles_are_as_deployed(world: World) -> None:
    assert tuple(world.custody.windows()) == tuple(WINDOWS_IN_ORDER)
    assert list(world.custody.roles()) == world.roles
    assert (world.custody.journal_head(), world.custody.batch_seq()) == (bytes(32), 0)


WINDOWS_IN_ORDER = (
    WINDOWS.delay,
    WINDOWS.grace,
    WINDOWS.claim_window,
    WINDOWS.timelock,
    WINDOWS.pause_max,
    WINDOWS.silence,
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"delay": 0}, "windows: delay out of range"),
        ({"delay": 30 * 86_400 + 1}, "windows: delay out of range"),
        ({"pause_max": WINDOWS.grace}, "windows: pause too long"),
        ({"pause_max": WINDOWS.delay}, "windows: pause too long"),
        ({"claim_window": 0}, "windows: claim out of range"),
        ({"timelock": WINDOWS.delay + WINDOWS.claim_window}, "windows: timelock too short"),
        ({"silence": WINDOWS.timelock}, "windows: silence too short"),
    ],
)
def test_deployment_reverts_for_bad_windows(world: World, change: dict[str, int], reason: str) -> None:
    with reverts(reason):
        world.deploy_custody(world.roles, replace(WINDOWS, **change))


@pytest.mark.parametrize("index", [0, 1, 3, 4, 5])
def test_deployment_reverts_without_a_role(world: World, index: int) -> None:
    roles = list(world.roles)
    roles[index] = ETH
    with reverts("roles: zero address"):
        world.deploy_custody(roles, WINDOWS)


@pytest.mark.parametrize("index", [1, 2])
def test_deployment_reverts_when_the_co_signer_operates(world: World, index: int) -> None:
    roles = list(world.roles)
    roles[index] = roles[3]
    with reverts("roles: co-signer operates"):
        world.deploy_custody(roles, WINDOWS)


def test_deployment_reverts_when_the_extension_has_other_windows(world: World) -> None:
    with reverts("windows: extension differs"):
        world.deploy_custody(world.roles, WINDOWS, extension_windows=replace(WINDOWS, grace=101))


def test_the_fee_cap_is_as_deployed_and_at_most_the_whole(world: World) -> None:
    assert world.custody.fee_cap_bps() == FEE_CAP_BPS
    with reverts("fees: cap out of range"):
        world.deploy_custody(world.roles, WINDOWS, fee_cap_bps=10_001)
    assert at("Custody", world.deploy_custody(world.roles, WINDOWS, fee_cap_bps=10_000)).fee_cap_bps() == 10_000


def test_deployment_reverts_when_the_extension_has_another_fee_cap(world: World) -> None:
    with reverts("fees: extension differs"):
        world.deploy_custody(world.roles, WINDOWS, extension_fee_cap_bps=FEE_CAP_BPS + 1)


def test_deployment_reverts_when_the_governance_part_has_other_windows(world: World) -> None:
    with reverts("windows: extension differs"):
        world.deploy_custody(world.roles, WINDOWS, governance_windows=replace(WINDOWS, grace=101))


@pytest.mark.parametrize("name", PARTS)
def test_each_part_fits_the_chain(name: str) -> None:
    assert artifact(name).runtime_size <= SIZE_LIMIT


def test_all_parts_have_one_storage_layout() -> None:
    """V1: the other parts run on the contract's storage, so every slot must mean the same."""
    first, *others = (json.loads(vyper("layout", f"{name}.vy")) for name in PARTS)
    for layout in ("storage_layout", "transient_storage_layout"):
        assert all(first.get(layout) == other.get(layout) for other in others)
    assert first["storage_layout"]


def test_every_exported_interface_is_what_its_contract_offers() -> None:
    """All parts of custody together; `exported` refuses otherwise."""
    assert all(exported().values())
    with pytest.raises(ValueError, match="ICustody.vyi and the contract differ in: "):
        promised_abi("ICustody", "Custody")


def test_parts_share_no_function_but_those_that_compare_them() -> None:
    custody, extension, governance = (
        {e["name"] for e in artifact(part).abi if e["type"] == "function"} for part in PARTS
    )
    assert not custody & (extension | governance)
    assert extension & governance == {"windows", "fee_cap_bps", "domain_separator"}


def test_no_module_can_be_forgotten() -> None:
    """All parts initialize every module that has state or a constructor."""
    modules = {path.stem for path in (SOURCES / "modules").glob("*.vy")}
    for name in PARTS:
        text = (SOURCES / f"{name}.vy").read_text()
        assert modules == {module for module in modules if f"initializes: {module}" in text}
