"""pause, unpause, heartbeat, freeze, launch."""

import pytest

from tests.utils.contracts import World, reverts


def test_pause_lasts_for_its_duration(world: World) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    assert world.event("Paused") == {"until": world.now + 30}
    assert world.custody.paused_until() == world.now + 30
    world.pass_time(29)
    with reverts("custody: paused"):
        world.settle([])
    world.pass_time(1)
    world.settle([])


def test_pauses_cannot_be_chained(world: World) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    ready_at = world.now + 30 + world.windows.delay + world.windows.grace
    assert world.custody.pause_ready_at() == ready_at
    world.custody.unpause(sender=world.guardian.address)
    world.pass_time(ready_at - world.now - 1)
    with reverts("pause: too soon after another"):
        world.custody.pause(1, sender=world.guardian.address)
    world.pass_time(1)
    world.custody.pause(1, sender=world.guardian.address)


@pytest.mark.parametrize("duration", [0, 31, 2**255])
def test_pause_reverts_when_the_duration_is_out_of_range(world: World, duration: int) -> None:
    with reverts("pause: duration out of range"):
        world.custody.pause(duration, sender=world.guardian.address)


def test_unpause_ends_a_pause(world: World) -> None:
    with reverts("pause: not paused"):
        world.custody.unpause(sender=world.guardian.address)
    world.custody.pause(30, sender=world.guardian.address)
    world.custody.unpause(sender=world.guardian.address)
    assert world.event("Unpaused") == {}
    world.settle([])


def test_only_the_guardian_pauses(world: World) -> None:
    for signer in (world.owner, world.operator, world.keeper):
        with reverts("guardian: not the guardian"):
            world.custody.pause(1, sender=signer.address)
        with reverts("guardian: not the guardian"):
            world.custody.unpause(sender=signer.address)


def test_heartbeat_shows_that_the_operator_lives(world: World) -> None:
    world.pass_time(1_000)
    world.custody.heartbeat(sender=world.operator.address)
    assert world.event("OperatorSeen") == {"operator": world.operator.address}
    assert world.custody.last_seen() == world.now
    with reverts("operator: not the operator"):
        world.custody.heartbeat(sender=world.keeper.address)


def test_anyone_freezes_after_the_silence(world: World) -> None:
    world.custody.heartbeat(sender=world.operator.address)
    world.pass_time(world.windows.silence)
    with reverts("freeze: operator was seen"):
        world.custody.freeze(sender=world.keeper.address)
    world.pass_time(1)
    world.custody.freeze(sender=world.keeper.address)
    assert world.event("Frozen") == {}
    assert world.custody.frozen()


def test_frozen_is_for_ever(frozen_world: World) -> None:
    world = frozen_world
    with reverts("freeze: done before"):
        world.custody.freeze(sender=world.keeper.address)
    with reverts("custody: frozen"):
        world.custody.heartbeat(sender=world.operator.address)
    with reverts("pause: frozen"):
        world.custody.pause(1, sender=world.guardian.address)
    with reverts("pause: frozen"):
        world.custody.unpause(sender=world.guardian.address)


def test_freeze_reverts_before_launch() -> None:
    unlaunched = World(launch=False)
    unlaunched.pass_time(unlaunched.windows.silence * 2)
    with reverts("freeze: not launched"):
        unlaunched.custody.freeze(sender=unlaunched.keeper.address)


def test_launch_happens_once(world: World) -> None:
    with reverts("launch: done before"):
        world.as_owner("launch")
    with reverts("owner: not the owner"):
        world.custody.launch(sender=world.keeper.address)
