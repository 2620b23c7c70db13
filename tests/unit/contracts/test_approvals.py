"""set_approver, set_approval_threshold, approve_withdrawal: who lets a withdrawal above the limit go."""

from typing import Any

import boa
import pytest

from exchange.domain.deployment import ETH
from exchange.domain.eip712 import Domain
from tests.utils.contracts import BTC, CHAIN_ID, MOCKS, USDC, World, reverts
from tests.utils.signing import Signer

LIMIT = 1_000
LARGE = 5_000
APPROVERS = tuple(Signer(f"approver_{letter}") for letter in "abc")
FIRST, SECOND, THIRD = APPROVERS
KINDS = pytest.mark.parametrize("kind", ["Withdrawal", "FundingTransfer"])


@pytest.fixture
def trader(world: World) -> Signer:
    """An account with 10,000 USDC units in trading; above 1,000 two of three must approve."""
    signer = Signer("trader")
    world.deposit(signer, USDC, 10_000)
    for approver in APPROVERS:
        world.scheduled("set_approver", approver.address, True)
    world.scheduled("set_approval_threshold", 2)
    world.scheduled("set_outflow_limit", USDC, LIMIT)
    return signer


def approve(world: World, arguments: dict[str, Any], *approvers: Signer) -> None:
    """Approve by signatures that anybody posts."""
    for approver in approvers:
        words = world.approval_words(arguments, approver, approver)
        world.custody.approve_withdrawal(*words, sender=world.keeper.address)


def digest(world: World, arguments: dict[str, Any]) -> bytes:
    """What the account signed."""
    kind = "Withdrawal" if "recipient" in arguments else "FundingTransfer"
    return world.domain.hash(kind, {k: v for k, v in arguments.items() if k not in ("signature", "fee", "approval")})


@KINDS
def test_a_large_withdrawal_waits_for_the_threshold(world: World, trader: Signer, kind: str) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE, kind=kind)
    approve(world, arguments, FIRST)
    assert world.event("WithdrawalApproved") == {
        "withdrawal_hash": digest(world, arguments),
        "account": trader.address,
        "approver": FIRST.address,
    }
    with reverts("withdraw: needs approvals"):
        world.withdraw(arguments)
    approve(world, arguments, THIRD)
    assert world.custody.withdrawal_approvals(digest(world, arguments)) == [FIRST.address, THIRD.address]
    world.withdraw(arguments)
    assert world.trading(trader, USDC) == 5_000
    with reverts("withdraw: nonce used"):
        world.withdraw(arguments)


def test_what_was_approved_does_not_count_against_the_limit(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE)
    approve(world, arguments, FIRST, SECOND)
    world.withdraw(arguments)
    assert world.custody.outflow_state(USDC).level == 0
    world.withdraw(world.withdrawal(trader, USDC, LIMIT, nonce=2))


def test_an_approver_approves_by_calling(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE)
    words = world.approval_words(arguments, FIRST)
    with reverts("signature: missing"):
        world.custody.approve_withdrawal(*words, sender=SECOND.address)
    world.custody.approve_withdrawal(*words, sender=FIRST.address)
    assert world.custody.withdrawal_approvals(digest(world, arguments)) == [FIRST.address]


def test_a_contract_wallet_approves(world: World, trader: Signer) -> None:
    owner = Signer("wallet_owner")
    wallet = boa.load(str(MOCKS / "ContractWallet.vy"), owner.address)
    world.scheduled("set_approver", str(wallet.address), True)
    arguments = world.withdrawal(trader, USDC, LARGE)
    words = world.approval_words(arguments, FIRST, owner)
    words[7] = str(wallet.address)
    world.custody.approve_withdrawal(*words, sender=world.keeper.address)
    approve(world, arguments, SECOND)
    world.withdraw(arguments)


def test_an_approval_is_given_once(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE)
    approve(world, arguments, FIRST)
    with reverts("approval: given before"):
        approve(world, arguments, FIRST)
    with reverts("withdraw: needs approvals"):
        world.withdraw(arguments)


@pytest.mark.parametrize("name", ["trader", "operator", "co_signer", "guardian", "owner", "nobody"])
def test_nobody_else_approves(world: World, trader: Signer, name: str) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE)
    with reverts("approval: not an approver"):
        approve(world, arguments, Signer(name))


def test_nobody_signs_for_an_approver(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE)
    for signer in (SECOND, trader, world.owner):
        words = world.approval_words(arguments, FIRST, signer)
        with reverts("signature: wrong signer"):
            world.custody.approve_withdrawal(*words, sender=world.keeper.address)


def test_an_approval_is_for_one_chain_and_contract(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE)
    mine = world.domain
    for domain in (Domain(mine.name, CHAIN_ID + 1, mine.contract), Domain(mine.name, CHAIN_ID, bytes(20))):
        world.domain = domain
        words = world.approval_words(arguments, FIRST, FIRST)
        world.domain = mine
        with reverts("signature: wrong signer"):
            world.custody.approve_withdrawal(*words, sender=world.keeper.address)


@pytest.mark.parametrize(
    "change",
    [{"amount": LARGE + 1}, {"nonce": 2}, {"max_fee": 1}, {"deadline": 2**40}, {"recipient": Signer("other").raw}],
)
def test_an_approval_is_for_one_message(world: World, trader: Signer, change: dict[str, Any]) -> None:
    approve(world, world.withdrawal(trader, USDC, LARGE, **change), FIRST, SECOND)
    with reverts("withdraw: needs approvals"):
        world.withdraw(world.withdrawal(trader, USDC, LARGE))


def test_an_approved_transfer_is_no_approved_withdrawal(world: World, trader: Signer) -> None:
    approve(world, world.withdrawal(trader, USDC, LARGE, kind="FundingTransfer"), FIRST, SECOND)
    with reverts("withdraw: needs approvals"):
        world.withdraw(world.withdrawal(trader, USDC, LARGE))


def test_the_approvals_of_who_was_dismissed_count_no_more(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE, deadline=2**40)
    approve(world, arguments, FIRST, SECOND)
    world.scheduled("set_approver", FIRST.address, False)
    assert world.event("ApproverChanged") == {"approver": FIRST.address, "approved": False}
    assert world.custody.withdrawal_approvals(digest(world, arguments)) == [SECOND.address]
    with reverts("withdraw: needs approvals"):
        world.withdraw(arguments)
    with reverts("approval: not an approver"):
        approve(world, arguments, FIRST)
    approve(world, arguments, THIRD)
    world.withdraw(arguments)


def test_a_raised_threshold_binds_what_was_approved_before(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE, deadline=2**40)
    approve(world, arguments, FIRST, SECOND)
    world.scheduled("set_approval_threshold", 3)
    assert world.event("ApprovalThresholdChanged") == {"threshold": 3}
    with reverts("withdraw: needs approvals"):
        world.withdraw(arguments)


def test_approvals_do_not_replace_the_co_signer_or_the_account(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE, co_signer=world.operator)
    approve(world, arguments, *APPROVERS)
    with reverts("withdraw: not approved"):
        world.withdraw(arguments)
    thief = Signer("thief")
    arguments = world.withdrawal(thief, USDC, LARGE, account=trader.raw)
    approve(world, arguments, *APPROVERS)
    with reverts("signature: wrong signer"):
        world.withdraw(arguments)


def test_the_threshold_is_within_the_approvers(world: World, trader: Signer) -> None:
    with reverts("approval: fewer than threshold"):
        world.scheduled("set_approval_threshold", 4)
    world.scheduled("set_approver", FIRST.address, False)
    with reverts("approval: fewer than threshold"):
        world.scheduled("set_approver", SECOND.address, False)
    with reverts("approval: a limit is set"):
        world.scheduled("set_approval_threshold", 0)
    world.scheduled("set_outflow_limit", USDC, 0)
    world.scheduled("set_approval_threshold", 0)
    assert world.custody.approval_threshold() == 0


def test_the_last_limit_frees_the_threshold(world: World, trader: Signer) -> None:
    world.scheduled("set_outflow_limit", BTC, 1)
    world.scheduled("set_outflow_limit", BTC, 2)
    world.scheduled("set_outflow_limit", USDC, 0)
    with reverts("approval: a limit is set"):
        world.scheduled("set_approval_threshold", 0)
    world.scheduled("set_outflow_limit", BTC, 0)
    world.scheduled("set_outflow_limit", BTC, 0)
    world.scheduled("set_approval_threshold", 0)


def test_set_approver_reverts_for_bad_arguments(world: World, trader: Signer) -> None:
    with reverts("approval: zero address"):
        world.scheduled("set_approver", ETH, True)
    with reverts("approval: no change"):
        world.scheduled("set_approver", FIRST.address, True)
    with reverts("approval: no change"):
        world.scheduled("set_approver", trader.address, False)


def test_fifteen_approvers_are_the_most(world: World) -> None:
    many = [Signer(f"approver_{i}") for i in range(16)]
    for approver in many[:15]:
        world.scheduled("set_approver", approver.address, True)
    with reverts("approval: too many approvers"):
        world.scheduled("set_approver", many[15].address, True)
    world.scheduled("set_approval_threshold", 15)
    world.scheduled("set_outflow_limit", USDC, 1)
    trader = Signer("trader")
    world.deposit(trader, USDC, 10)
    arguments = world.withdrawal(trader, USDC, 10)
    approve(world, arguments, *many[1:15])
    with reverts("withdraw: needs approvals"):
        world.withdraw(arguments)
    approve(world, arguments, many[0])
    assert world.custody.withdrawal_approvals(digest(world, arguments)) == [a.address for a in many[:15]]
    assert world.custody.approvers() == [a.address for a in many[:15]]
    world.withdraw(arguments)


def test_whoever_is_dismissed_goes_alone_at_every_place_of_every_list() -> None:
    """All 120 of them: lists of one to fifteen, each without each of its members."""
    world, there = World(launch=False), list[str]()
    for number in range(15):
        there.append(Signer(f"approver_{number}").address)
        world.custody.set_approver(there[-1], True, sender=world.owner.address)
        for gone in there:
            with boa.env.anchor():
                world.custody.set_approver(gone, False, sender=world.owner.address)
                assert sorted(world.custody.approvers()) == sorted(set(there) - {gone})


def test_every_place_of_the_list_counts_once(world: World) -> None:
    """Of fifteen who may approve, every fourteen of them reach fourteen and not fifteen."""
    many = [Signer(f"approver_{i}") for i in range(15)]
    for approver in many:
        world.scheduled("set_approver", approver.address, True)
    world.scheduled("set_approval_threshold", 15)
    world.scheduled("set_outflow_limit", USDC, 1)
    trader = Signer("trader")
    world.deposit(trader, USDC, 10)
    arguments = world.withdrawal(trader, USDC, 10, deadline=world.now + 10 * world.windows.timelock)
    for missing in many:
        with boa.env.anchor():
            given = [approver for approver in many if approver is not missing]
            approve(world, arguments, *given)
            assert world.custody.withdrawal_approvals(digest(world, arguments)) == [a.address for a in given]
            with reverts("withdraw: needs approvals"):
                world.withdraw(arguments)
            world.scheduled("set_approval_threshold", 14)
            world.withdraw(arguments)


@pytest.mark.parametrize("function", [("set_approver", Signer("x").address, True), ("set_approval_threshold", 1)])
def test_only_the_owner_governs_after_the_timelock(world: World, trader: Signer, function: tuple[Any, ...]) -> None:
    name, *arguments = function
    for caller in (trader, FIRST, world.operator, world.guardian, world.co_signer):
        with reverts("owner: not the owner"):
            getattr(world.custody, name)(*arguments, sender=caller.address)
    with reverts("owner: not scheduled"):
        world.as_owner(name, *arguments)


def test_approving_works_while_paused_and_frozen(world: World, trader: Signer) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    arguments = world.withdrawal(trader, USDC, LARGE, deadline=2**40)
    approve(world, arguments, FIRST)
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    approve(world, arguments, SECOND)
    world.withdraw(arguments)


def test_no_approver_moves_a_balance(world: World, trader: Signer) -> None:
    arguments = world.withdrawal(trader, USDC, LARGE)
    approve(world, arguments, *APPROVERS)
    assert world.trading(trader, USDC) == 10_000
    world.check_solvent([trader])
