"""Settlement of batches."""

from tests.utils.contracts import BTC, USDC, World, reverts
from tests.utils.signing import Signer


def test_settle_moves_both_sides_and_the_fees(world: World, buyer: Signer, seller: Signer) -> None:
    world.settle(world.match(buyer, seller, 10, fee=30_000))
    assert world.trading(buyer, BTC) == 100_000
    assert world.trading(buyer, USDC) == 10_000_000_000 - 60_030_000
    assert world.trading(seller, BTC) == 100_000_000 - 100_000
    assert world.trading(seller, USDC) == 100_000_000 + 60_000_000 - 30_000
    assert world.trading(world.fee_account, USDC) == 60_000
    world.check_solvent([buyer, seller, world.fee_account])


def test_settle_reverts_when_the_sums_differ(world: World, buyer: Signer, seller: Signer) -> None:
    executions = world.match(buyer, seller)[:1]
    with reverts("settle: sums differ"):
        world.settle(executions)
