"""Roles, and the timelock on everything that the owner does."""

from typing import Any

import pytest

from exchange.domain.deployment import ETH
from tests.utils.contracts import World, reverts
from tests.utils.signing import Signer

NEXT = Signer("next").address
OPERATIONS: list[tuple[str, tuple[Any, ...]]] = [
    ("set_operator", (NEXT,)),
    ("set_standby_operator", (NEXT,)),
    ("set_co_signer", (NEXT,)),
    ("set_guardian", (NEXT,)),
    ("set_fee_account", (NEXT,)),
    ("propose_owner", (NEXT,)),
    ("set_token_status", (0, False)),
    ("set_market_status", (1, True)),
    ("list_market", (3, 0, 1_000)),
]
EVENTS = {
    "set_operator": "OperatorChanged",
    "set_standby_operator": "StandbyOperatorChanged",
    "set_co_signer": "CoSignerChanged",
    "set_guardian": "GuardianChanged",
    "set_fee_account": "FeeAccountChanged",
}
EVERY = pytest.mark.parametrize(("function", "arguments"), OPERATIONS, ids=[name for name, _ in OPERATIONS])


@EVERY
def test_an_operation_works_once_after_the_timelock(world: World, function: str, arguments: tuple[Any, ...]) -> None:
    operation = world.operation_hash(function, *arguments)
    with reverts("owner: not scheduled"):
        world.as_owner(function, *arguments)
    world.as_owner("schedule", operation)
    ready_at = world.now + world.windows.timelock
    assert world.event("OperationScheduled") == {"operation_hash": operation, "ready_at": ready_at}
    assert world.custody.operation_ready_at(operation) == ready_at
    world.pass_time(world.windows.timelock - 1)
    with reverts("owner: too early"):
        world.as_owner(function, *arguments)
    world.pass_time(1)
    with reverts("owner: not the owner"):
        getattr(world.custody, function)(*arguments, sender=world.operator.address)
    world.as_owner(function, *arguments)
    with reverts("owner: not scheduled"):
        world.as_owner(function, *arguments)


@EVERY
def test_only_the_owner_calls(world: World, function: str, arguments: tuple[Any, ...]) -> None:
    for signer in (world.operator, world.co_signer, world.guardian, world.keeper):
        with reverts("owner: not the owner"):
            getattr(world.custody, function)(*arguments, sender=signer.address)


def test_a_scheduled_operation_lapses(world: World) -> None:
    world.as_owner("schedule", world.operation_hash("set_guardian", NEXT))
    world.pass_time(world.windows.timelock + 14 * 86_400 + 1)
    with reverts("owner: lapsed"):
        world.as_owner("set_guardian", NEXT)


def test_an_operation_is_scheduled_with_its_arguments(world: World) -> None:
    world.as_owner("schedule", world.operation_hash("set_operator", NEXT))
    world.pass_time(world.windows.timelock)
    with reverts("owner: not scheduled"):
        world.as_owner("set_operator", Signer("other").address)
    with reverts("owner: not scheduled"):
        world.as_owner("set_guardian", NEXT)


def test_unschedule_withdraws_the_announcement(world: World) -> None:
    operation = world.operation_hash("set_operator", NEXT)
    world.as_owner("schedule", operation)
    world.as_owner("unschedule", operation)
    assert world.event("OperationUnscheduled") == {"operation_hash": operation}
    world.pass_time(world.windows.timelock)
    with reverts("owner: not scheduled"):
        world.as_owner("set_operator", NEXT)


def test_only_the_owner_schedules(world: World) -> None:
    for function in ("schedule", "unschedule"):
        with reverts("owner: not the owner"):
            getattr(world.custody, function)(bytes(32), sender=world.operator.address)


@pytest.mark.parametrize("function", list(EVENTS))
def test_setters_set_and_log(world: World, function: str) -> None:
    world.scheduled(function, NEXT)
    name = function.removeprefix("set_")
    assert world.event(EVENTS[function]) == {name: NEXT}
    assert getattr(world.custody.roles(), name) == NEXT


def test_configuration_is_immediate_before_launch() -> None:
    unlaunched = World(launch=False)
    for function in EVENTS:
        unlaunched.as_owner(function, Signer(function).address)
    assert not unlaunched.custody.launched()


def test_the_co_signer_never_operates(world: World) -> None:
    for function, account in (
        ("set_operator", world.co_signer),
        ("set_standby_operator", world.co_signer),
        ("set_co_signer", world.operator),
        ("set_co_signer", world.standby_operator),
    ):
        with reverts("roles: co-signer operates"):
            world.scheduled(function, account.address)


def test_who_operates_never_approves(world: World) -> None:
    for holder in (world.operator, world.standby_operator, world.co_signer):
        with reverts("approval: holds a role"):
            world.scheduled("set_approver", holder.address, True)
    world.scheduled("set_approver", NEXT, True)
    for function in ("set_operator", "set_standby_operator", "set_co_signer"):
        with reverts("roles: approver operates"):
            world.scheduled(function, NEXT)
    world.scheduled("set_guardian", NEXT)  # who pauses only may approve
    world.scheduled("set_approver", NEXT, False)
    world.scheduled("set_operator", NEXT)


def test_who_operated_before_may_approve(world: World) -> None:
    world.scheduled("set_co_signer", NEXT)
    world.scheduled("set_approver", world.co_signer.address, True)
    with reverts("roles: approver operates"):
        world.scheduled("set_co_signer", world.co_signer.address)


def test_roles_can_be_left_empty_but_the_fee_account(world: World) -> None:
    for function in ("set_operator", "set_standby_operator", "set_co_signer", "set_guardian"):
        world.scheduled(function, ETH)
    with reverts("roles: zero address"):
        world.scheduled("set_fee_account", ETH)


def test_ownership_moves_in_two_steps(world: World) -> None:
    world.scheduled("propose_owner", NEXT)
    assert world.event("OwnerProposed") == {"owner": NEXT}
    assert world.custody.pending_owner() == NEXT
    with reverts("owner: not proposed"):
        world.custody.accept_owner(sender=world.owner.address)
    world.custody.accept_owner(sender=NEXT)
    assert world.event("OwnerChanged") == {"owner": NEXT}
    assert world.custody.roles().owner == NEXT
    with reverts("owner: not the owner"):
        world.as_owner("schedule", bytes(32))


def test_nobody_accepts_what_was_not_proposed(world: World) -> None:
    with reverts("owner: not proposed"):
        world.custody.accept_owner(sender=world.keeper.address)


def test_the_guardian_replaces_the_operator_by_the_standby(world: World) -> None:
    world.custody.remove_operator(sender=world.guardian.address)
    assert world.event("OperatorRemoved") == {
        "operator": world.operator.address,
        "successor": world.standby_operator.address,
    }
    with reverts("operator: not the operator"):
        world.custody.heartbeat(sender=world.operator.address)
    world.custody.heartbeat(sender=world.standby_operator.address)
    world.custody.remove_operator(sender=world.guardian.address)
    assert world.custody.roles().operator == ETH
    with reverts("operator: not the operator"):
        world.custody.heartbeat(sender=world.standby_operator.address)


def test_only_the_guardian_removes_the_operator(world: World) -> None:
    for signer in (world.owner, world.operator, world.keeper):
        with reverts("guardian: not the guardian"):
            world.custody.remove_operator(sender=signer.address)
