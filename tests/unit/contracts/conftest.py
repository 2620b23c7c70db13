"""One exchange on an in-memory chain per session, rolled back after each test."""

from collections.abc import Iterator

import boa
import pytest

from tests.utils.contracts import BTC, USDC, World
from tests.utils.signing import Signer


@pytest.fixture(scope="session")
def launched_world() -> World:
    """The exchange, launched, with nobody in it."""
    return World()


@pytest.fixture
def world(launched_world: World) -> Iterator[World]:
    """The exchange for one test."""
    # boa remembers which slots were written at an address after a rollback too, and reads them as another contract's
    boa.env.sstore_trace.clear()
    with boa.env.anchor():
        yield launched_world


@pytest.fixture
def buyer(world: World) -> Signer:
    """A trader with 10,000 USDC trading."""
    signer = Signer("buyer")
    world.deposit(signer, USDC, 10_000_000_000)
    return signer


@pytest.fixture
def seller(world: World) -> Signer:
    """A trader with 1 BTC and 100 USDC trading."""
    signer = Signer("seller")
    world.deposit(signer, BTC, 100_000_000)
    world.deposit(signer, USDC, 100_000_000)
    return signer


@pytest.fixture
def depositor(world: World) -> Signer:
    """A wallet with a little of every token, nothing deposited."""
    signer = Signer("depositor")
    for token_id in range(4):
        world.fund(signer, token_id, 1_000)
    return signer


@pytest.fixture
def frozen_world(world: World) -> World:
    """The exchange after the operator's silence and `freeze`. Ask for funded wallets before it."""
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    return world
