"""Tokens that keep a fee, answer false, nothing or nonsense, call back, lie about balances, block people, or vanish.

Whatever a token does, it does to those who hold it: every test ends with a bystander who leaves whole.
"""

from typing import Any

import boa
import pytest
from eth_abi.abi import encode

from bizzan.contracts import exported_abi
from exchange.domain.deployment import ETH
from tests.utils.contracts import ETHER, UNITS, USDC, World, revert_reason, reverts
from tests.utils.signing import Signer

HEIR, STRANGER = Signer("heir"), Signer("stranger")
TOKEN = 4  # the id of the token that a test lists
TRUE = (1).to_bytes(32)


@pytest.fixture
def bystander(world: World) -> Signer:
    """An account with 1,000 of USDC and of ETH in trading, and 500 of each in funding."""
    signer = Signer("bystander")
    for token_id in (USDC, ETHER):
        world.deposit(signer, token_id, 1_000)
        world.deposit(signer, token_id, 500, to_funding=True)
    return signer


def leaves_whole(world: World, bystander: Signer) -> None:
    """The bystander's balances are untouched, covered, and leave."""
    world.custody.request_exit(sender=bystander.address)
    world.pass_time(world.windows.delay)
    for token_id in (USDC, ETHER):
        assert (world.trading(bystander, token_id), world.funding(bystander, token_id)) == (1_000, 500)
        before = world.wallet(bystander.address, token_id)
        world.custody.claim_exit(bystander.address, world.token_address(token_id), sender=STRANGER.address)
        assert world.wallet(bystander.address, token_id) == before + 1_500 * UNITS[token_id]
        assert world.custody.liabilities(token_id) == 0


def held_by(world: World, token: Any, depositor: Signer, name: str) -> None:
    """Give the depositor a million of the token and deposit 1,000 into funding."""
    token.faucet(1_000_000, sender=depositor.address)
    world.custody.deposit(token.address, 1_000, depositor.address, True, sender=depositor.address)
    assert world.funding(depositor, TOKEN) == 1_000, name


@pytest.fixture
def hostile(world: World, depositor: Signer) -> Any:
    """A hostile token, listed, of which the depositor has a million and has deposited 1,000."""
    token, _ = world.list_mock("HostileToken")
    held_by(world, token, depositor, "HostileToken")
    return token


@pytest.fixture
def lying(world: World, depositor: Signer) -> Any:
    """A lying token, the same."""
    token, _ = world.list_mock("LyingToken")
    held_by(world, token, depositor, "LyingToken")
    return token


def set_behaviour(
    token: Any,
    fee_bps: int = 0,
    answer: bool = True,
    target: Any = ETH,
    payload: bytes = b"",
    calls_back_when_read: bool = False,
) -> None:
    token.set_behaviour(fee_bps, answer, target, payload, calls_back_when_read)


def deposit(world: World, token: Any, depositor: Signer, amount: int = 1_000) -> None:
    """Deposit into funding."""
    world.custody.deposit(token.address, amount, depositor.address, True, sender=depositor.address)


def withdraw(world: World, token: Any, depositor: Signer, amount: int = 1_000, to: Signer | None = None) -> None:
    """Withdraw from funding."""
    recipient = (to or depositor).address
    world.custody.withdraw_funding(token.address, amount, recipient, sender=depositor.address)


def check_unmoved(world: World, depositor: Signer) -> None:
    """The refused call left what the depositor had."""
    assert (world.funding(depositor, TOKEN), world.custody.liabilities(TOKEN)) == (1_000, 1_000)


# a fee on each transfer


def test_deposit_counts_what_arrived_of_a_token_with_a_fee(
    world: World, hostile: Any, depositor: Signer, bystander: Signer
) -> None:
    set_behaviour(hostile, fee_bps=100)
    deposit(world, hostile, depositor)
    assert world.funding(depositor, TOKEN) == 1_990
    assert hostile.balanceOf(world.custody.address) == 1_990
    leaves_whole(world, bystander)


def test_the_fee_of_a_withdrawal_is_the_recipients(
    world: World, hostile: Any, depositor: Signer, bystander: Signer
) -> None:
    set_behaviour(hostile, fee_bps=100)
    withdraw(world, hostile, depositor, to=HEIR)
    assert hostile.balanceOf(HEIR.address) == 990
    assert (world.funding(depositor, TOKEN), world.custody.liabilities(TOKEN)) == (0, 0)
    leaves_whole(world, bystander)


def test_deposit_reverts_when_nothing_arrives(world: World, hostile: Any, depositor: Signer, bystander: Signer) -> None:
    set_behaviour(hostile, fee_bps=10_000)
    with reverts("ledger: zero amount"):
        deposit(world, hostile, depositor)
    leaves_whole(world, bystander)


# answers


def test_deposit_reverts_when_the_token_answers_false(
    world: World, hostile: Any, depositor: Signer, bystander: Signer
) -> None:
    set_behaviour(hostile, answer=False)
    with reverts("token: refused"):
        deposit(world, hostile, depositor)
    leaves_whole(world, bystander)


def test_withdrawal_reverts_when_the_token_answers_false(
    world: World, hostile: Any, depositor: Signer, bystander: Signer
) -> None:
    set_behaviour(hostile, answer=False)
    with reverts("token: refused"):
        withdraw(world, hostile, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


def test_a_token_without_answers_works_both_ways(world: World, depositor: Signer, bystander: Signer) -> None:
    token, token_id = world.list_mock("NoReturnToken")
    token.faucet(50, sender=depositor.address)
    deposit(world, token, depositor, 50)
    withdraw(world, token, depositor, 20)
    assert (world.funding(depositor, token_id), token.balanceOf(depositor.address)) == (30, 20)
    leaves_whole(world, bystander)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((2).to_bytes(32), id="two"),
        pytest.param(b"\xff" * 32, id="all ones"),
        pytest.param(b"\x01" + bytes(31), id="true at the wrong end"),
        pytest.param(b"\x01", id="one byte"),
        pytest.param(bytes(30) + b"\x01", id="31 bytes"),
        pytest.param(b"\xff" * 8_192, id="long nonsense"),
    ],
)
def test_garbage_is_no_answer(world: World, lying: Any, depositor: Signer, bystander: Signer, answer: bytes) -> None:
    lying.set_answer(answer)
    for move in (deposit, withdraw):
        with reverts("b''"):
            move(world, lying, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


@pytest.mark.parametrize("more", [1, 32, 8_160])
def test_what_follows_a_true_answer_is_not_read(
    world: World, lying: Any, depositor: Signer, bystander: Signer, more: int
) -> None:
    lying.set_answer(TRUE + b"\xff" * more)
    deposit(world, lying, depositor)
    withdraw(world, lying, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


def test_a_long_false_answer_is_false(world: World, lying: Any, depositor: Signer, bystander: Signer) -> None:
    lying.set_answer(bytes(32) + TRUE * 8)
    for move in (deposit, withdraw):
        with reverts("token: refused"):
            move(world, lying, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


# calls back

FUNCTIONS = {str(entry["name"]): entry for entry in exported_abi("Custody") if entry["type"] == "function"}
VIEWS = [name for name, entry in FUNCTIONS.items() if entry["stateMutability"] in ("view", "pure")]


def calldata(world: World, name: str) -> bytes:
    """A call of a function with nothing in its arguments."""
    types = [abi_type(argument) for argument in inputs(name)]
    selector = bytes(getattr(world.custody, name).method_id)
    return selector + encode(types, [nothing(kind) for kind in types])


def inputs(name: str) -> list[dict[str, Any]]:
    """The arguments of a function, as its ABI describes them."""
    found: list[dict[str, Any]] = FUNCTIONS[name]["inputs"]  # type: ignore[assignment]
    return found


def abi_type(argument: dict[str, Any]) -> str:
    """The canonical type, tuples spelt out."""
    kind: str = argument["type"]
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(abi_type(part) for part in argument["components"]) + ")" + kind.removeprefix("tuple")


def nothing(kind: str) -> Any:
    """The zero of a type."""
    if kind.endswith("]"):
        return []
    if kind.startswith("("):
        return tuple(nothing(part) for part in kind[1:-1].split(","))
    return {"address": ETH, "bool": False, "string": ""}.get(kind, b"" if kind.startswith("bytes") else 0)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_token_that_calls_back_is_locked_out(world: World, hostile: Any, depositor: Signer, name: str) -> None:
    """On the way in and on the way out. The lock answers nothing; a refusal would give its reason."""
    set_behaviour(hostile, target=world.custody.address, payload=calldata(world, name))
    deposit(world, hostile, depositor, 100)
    assert (hostile.target_failed(), bytes(hostile.target_answer())) == (True, b"")
    withdraw(world, hostile, depositor, 500)
    assert (hostile.target_failed(), bytes(hostile.target_answer())) == (True, b"")
    assert (world.funding(depositor, TOKEN), world.custody.liabilities(TOKEN)) == (600, 600)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_callback_would_be_answered_outside_a_transfer(world: World, hostile: Any, name: str) -> None:
    """Proves that the test above fails for the lock's sake."""
    set_behaviour(hostile, target=world.custody.address, payload=calldata(world, name))
    hostile.transfer(HEIR.address, 0, sender=HEIR.address)
    assert bytes(hostile.target_answer()) != b"" or not hostile.target_failed()


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_a_token_that_calls_back_when_its_balance_is_read_is_locked_out(
    world: World, hostile: Any, depositor: Signer, name: str
) -> None:
    set_behaviour(hostile, target=world.custody.address, payload=calldata(world, name), calls_back_when_read=True)
    deposit(world, hostile, depositor, 100)
    assert world.funding(depositor, TOKEN) == 1_100
    if name not in ("trading_balance", "withdrawal_used"):
        with pytest.raises(boa.BoaError) as error:
            hostile.balanceOf(HEIR.address)
        assert revert_reason(bytes(error.value.call_trace.output)) == "token: let in"


# lies about balances


@pytest.mark.parametrize("lie", [(10**30, 0), (0, 900)], ids=["more", "less"])
def test_a_constant_lie_about_balances_changes_nothing(
    world: World, lying: Any, depositor: Signer, bystander: Signer, lie: tuple[int, int]
) -> None:
    lying.set_lies(*lie, False)
    deposit(world, lying, depositor, 200)
    assert world.funding(depositor, TOKEN) == 1_200
    withdraw(world, lying, depositor, 1_200)
    leaves_whole(world, bystander)


def test_a_balance_that_grows_in_passing_inflates_its_own_token_only(
    world: World, lying: Any, depositor: Signer, bystander: Signer
) -> None:
    """Nothing tells this lie from the truth. What is credited too much cannot leave: the token has not got it."""
    lying.set_steps(5_000, 0)
    deposit(world, lying, depositor)
    assert world.funding(depositor, TOKEN) == 7_000
    with reverts("b''"):
        withdraw(world, lying, depositor, 7_000)
    withdraw(world, lying, depositor, 2_000)
    assert (world.funding(depositor, TOKEN), world.custody.liabilities(TOKEN)) == (5_000, 5_000)
    leaves_whole(world, bystander)


@pytest.mark.parametrize("step", [2**63 - 1, 2**192, 2**255])
def test_no_lie_overflows_the_ledger(world: World, lying: Any, depositor: Signer, bystander: Signer, step: int) -> None:
    lying.set_steps(step, 0)
    with reverts("ledger: token is full"):
        deposit(world, lying, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


def test_deposit_reverts_when_the_balance_falls(world: World, lying: Any, depositor: Signer, bystander: Signer) -> None:
    lying.set_steps(0, 1_500)
    with reverts("b''"):
        deposit(world, lying, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


def test_a_token_that_says_no_balance_still_pays_out(
    world: World, lying: Any, depositor: Signer, bystander: Signer
) -> None:
    """Paying out reads no balance."""
    lying.set_lies(0, 0, True)
    with reverts("token: no comment"):
        deposit(world, lying, depositor)
    withdraw(world, lying, depositor, 400)
    assert (world.funding(depositor, TOKEN), world.custody.liabilities(TOKEN)) == (600, 600)
    leaves_whole(world, bystander)


def test_a_token_that_takes_back_what_it_gave_is_short_by_itself(
    world: World, lying: Any, depositor: Signer, bystander: Signer
) -> None:
    lying.seize(world.custody.address, 300)
    with reverts("b''"):
        withdraw(world, lying, depositor)
    withdraw(world, lying, depositor, 700)
    assert world.custody.liabilities(TOKEN) == 300
    leaves_whole(world, bystander)


# blocked people


def test_a_blocked_receiver_stops_nobody_but_itself(
    world: World, lying: Any, depositor: Signer, bystander: Signer
) -> None:
    deposit_of_heir = 250
    lying.faucet(deposit_of_heir, sender=HEIR.address)
    deposit(world, lying, HEIR, deposit_of_heir)
    lying.set_blocked(HEIR.address, True)
    with reverts("token: blocked"):
        withdraw(world, lying, HEIR, deposit_of_heir)
    with reverts("token: blocked"):
        withdraw(world, lying, depositor, 10, to=HEIR)
    assert world.funding(HEIR, TOKEN) == deposit_of_heir
    withdraw(world, lying, depositor)
    # the account still names another recipient
    withdraw(world, lying, HEIR, deposit_of_heir, to=STRANGER)
    assert (lying.balanceOf(STRANGER.address), world.custody.liabilities(TOKEN)) == (deposit_of_heir, 0)
    leaves_whole(world, bystander)


def test_a_forced_withdrawal_to_a_blocked_receiver_keeps_its_money(
    world: World, lying: Any, depositor: Signer, bystander: Signer
) -> None:
    world.custody.move_to_trading(lying.address, 1_000, sender=depositor.address)
    world.custody.request_withdraw(lying.address, 1_000, HEIR.address, sender=depositor.address)
    lying.set_blocked(HEIR.address, True)
    world.pass_time(world.windows.delay)
    with reverts("token: blocked"):
        world.custody.claim_withdraw(depositor.address, lying.address, sender=STRANGER.address)
    assert world.trading(depositor, TOKEN) == 1_000
    world.custody.cancel_withdraw_request(lying.address, sender=depositor.address)
    world.custody.request_withdraw(lying.address, 1_000, STRANGER.address, sender=depositor.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_withdraw(depositor.address, lying.address, sender=STRANGER.address)
    assert lying.balanceOf(STRANGER.address) == 1_000
    leaves_whole(world, bystander)


def test_an_issuer_that_blocks_the_contract_freezes_its_own_token(
    world: World, lying: Any, depositor: Signer, bystander: Signer
) -> None:
    lying.set_blocked(world.custody.address, True)
    for move in (deposit, withdraw):
        with reverts("token: blocked"):
            move(world, lying, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


# no code


def test_a_token_whose_code_is_gone_moves_nothing(
    world: World, lying: Any, depositor: Signer, bystander: Signer
) -> None:
    """A call of an address without code succeeds and answers nothing, as a token of the old kind does."""
    boa.env.set_code(lying.address, b"")
    for move in (deposit, withdraw):
        with reverts("b''"):
            move(world, lying, depositor)
    check_unmoved(world, depositor)
    leaves_whole(world, bystander)


# decimals


@pytest.mark.parametrize(("decimals", "unit"), [(0, 1), (2, 1), (24, 10**16), (36, 10**28)])
def test_tokens_of_few_and_many_decimals(
    world: World, depositor: Signer, bystander: Signer, decimals: int, unit: int
) -> None:
    token = world.deploy_mock("NoReturnToken")
    world.scheduled("list_token", str(token.address), unit, decimals)
    token.faucet(30 * unit, sender=depositor.address)
    deposit(world, token, depositor, 30 * unit)
    assert (world.funding(depositor, TOKEN), world.custody.tokens(TOKEN).decimals) == (30, decimals)
    for dust in (1, unit - 1, unit + 1) if unit > 1 else ():
        with reverts("amount: not whole ledger units"):
            deposit(world, token, depositor, dust)
        with reverts("amount: not whole ledger units"):
            withdraw(world, token, depositor, dust)
    withdraw(world, token, depositor, 30 * unit)
    assert (token.balanceOf(depositor.address), world.custody.liabilities(TOKEN)) == (30 * unit, 0)
    leaves_whole(world, bystander)
