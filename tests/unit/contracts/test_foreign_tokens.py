"""The whole life of money on tokens that others wrote: OpenZeppelin's and Solady's, as npm has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boa
import pytest
from eth_abi.abi import encode

from exchange.domain.eip712 import keccak
from tests.utils import foreign
from tests.utils.contracts import BTI, UNITS, USDC, World
from tests.utils.signing import Signer

TOKENS = ("PermitToken", "FlashToken", "PausableToken", "SoladyToken", "WrappedEther")
MARKET, LOT = 3, 1_000
START = 1_000_000
HEIR, STRANGER = Signer("heir"), Signer("stranger")


class ForeignWorld(World):
    """The exchange with one foreign token as USDC and another, of 18 decimals, as BTI; they form market 3."""

    def __init__(self, name: str) -> None:
        self.foreign = name
        super().__init__(launch=False)
        self.as_owner("list_market", BTI, USDC, LOT)
        self.as_owner("launch")

    def deploy_token(self, index: int) -> Any:
        """The foreign ones, and our own for the rest."""
        if index == USDC:
            return foreign.deploy("PlainToken")
        return foreign.deploy(self.foreign) if index == BTI else super().deploy_token(index)

    def fund(self, signer: Signer, token_id: int, amount: int) -> None:
        """Ether must be wrapped; other tokens have a faucet."""
        if token_id != BTI or self.foreign != "WrappedEther":
            return super().fund(signer, token_id, amount)
        units = amount * UNITS[BTI]
        boa.env.set_balance(signer.address, units)
        self.token.deposit(value=units, sender=signer.address)
        self.token.approve(self.custody.address, 2**256 - 1, sender=signer.address)
        return None

    @property
    def token(self) -> Any:
        """The foreign token under test."""
        return self.tokens[BTI]


@pytest.fixture(scope="module")
def launched(request: pytest.FixtureRequest) -> ForeignWorld:
    """The exchange with the token that the test asks for."""
    return ForeignWorld(request.param)


@pytest.fixture
def world(launched: ForeignWorld) -> Iterator[ForeignWorld]:
    """The exchange for one test."""
    with boa.env.anchor():
        yield launched


@pytest.fixture
def buyer(world: ForeignWorld) -> Signer:
    """Has a lot of the quote token in trading."""
    signer = Signer("buyer")
    world.deposit(signer, USDC, START * 1_000)
    return signer


@pytest.fixture
def seller(world: ForeignWorld) -> Signer:
    """Has a million ledger units of the token in trading and as many in funding."""
    signer = Signer("seller")
    world.deposit(signer, BTI, START)
    world.deposit(signer, BTI, START, to_funding=True)
    return signer


def check_whole(world: ForeignWorld, accounts: list[Signer]) -> None:
    """The ledger is covered to the unit, and the token's supply is where the ledger and the wallets say."""
    world.check_solvent(accounts)
    units = world.custody.liabilities(BTI) * UNITS[BTI]
    assert world.token.balanceOf(world.custody.address) == units
    outside = sum(world.wallet(signer.address, BTI) for signer in (*accounts, HEIR, world.keeper))
    assert world.token.totalSupply() == units + outside


def on(*tokens: str) -> pytest.MarkDecorator:
    """Run the test with each of these tokens."""
    return pytest.mark.parametrize("launched", tokens, indirect=True, scope="module")


@on(*TOKENS)
def test_money_comes_in_trades_and_leaves_in_every_way(world: ForeignWorld, buyer: Signer, seller: Signer) -> None:
    everyone = [buyer, seller, world.fee_account]
    check_whole(world, everyone)

    world.settle(world.match(buyer, seller, 10, market=MARKET, price=600, fee=6))
    assert (world.trading(buyer, BTI), world.trading(seller, BTI)) == (10 * LOT, START - 10 * LOT)
    assert world.trading(seller, USDC) == 6_000 - 6
    check_whole(world, everyone)

    token, unit = world.token_address(BTI), UNITS[BTI]
    world.withdraw(world.withdrawal(buyer, BTI, 4_000, recipient=HEIR.raw, max_fee=30, fee=20))
    assert (world.wallet(HEIR.address, BTI), world.wallet(world.keeper.address, BTI)) == (3_980 * unit, 20 * unit)
    check_whole(world, everyone)

    world.custody.request_withdraw(token, 5_000 * unit, buyer.address, sender=buyer.address)
    world.custody.request_exit(sender=seller.address)
    world.pass_time(world.windows.delay)
    world.custody.claim_withdraw(buyer.address, token, sender=STRANGER.address)
    assert world.wallet(buyer.address, BTI) == 5_000 * unit
    for token_id in (BTI, USDC):
        world.custody.claim_exit(seller.address, world.token_address(token_id), sender=STRANGER.address)
    assert world.wallet(seller.address, BTI) == (2 * START - 10 * LOT) * unit
    assert world.wallet(seller.address, USDC) == 6_000 - 6
    assert world.custody.liabilities(BTI) == 1_000
    check_whole(world, everyone)


@on(*TOKENS)
def test_funding_moves_at_once_and_leaves_when_frozen(world: ForeignWorld, seller: Signer) -> None:
    token, unit = world.token_address(BTI), UNITS[BTI]
    world.custody.move_to_trading(token, 7 * unit, sender=seller.address)
    world.custody.withdraw_funding(token, 3 * unit, HEIR.address, sender=seller.address)
    assert (world.trading(seller, BTI), world.funding(seller, BTI)) == (START + 7, START - 10)
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=STRANGER.address)
    world.custody.claim_exit(seller.address, token, sender=seller.address)
    assert (world.wallet(seller.address, BTI), world.custody.liabilities(BTI)) == ((2 * START - 3) * unit, 0)
    check_whole(world, [seller])


@on(*TOKENS)
def test_plain_transfers_to_a_deposit_address_are_swept_or_recovered(world: ForeignWorld, seller: Signer) -> None:
    factory, unit = world.deploy_deposit_addresses(), UNITS[BTI]
    address = str(factory.address_of(seller.address))
    world.fund(HEIR, BTI, 12)
    world.token.transfer(address, 7 * unit + 1, sender=HEIR.address)
    factory.sweep(seller.address, BTI, sender=STRANGER.address)
    assert (world.trading(seller, BTI), world.wallet(address, BTI)) == (START + 7, 1)
    assert world.token.allowance(address, world.custody.address) == 0
    world.token.transfer(address, 2 * unit, sender=HEIR.address)
    factory.recover(world.token_address(BTI), seller.address, sender=seller.address)
    assert (world.wallet(seller.address, BTI), world.wallet(address, BTI)) == (2 * unit + 1, 0)
    check_whole(world, [seller])


@contextmanager
def refuses_with(*signatures: str) -> Iterator[None]:
    """Expect one of these custom errors of the token."""
    with pytest.raises(boa.BoaError) as error:
        yield
    output = bytes(error.value.call_trace.output)
    assert output[:4] in {keccak(signature.encode())[:4] for signature in signatures}, output.hex()


@on(*TOKENS)
def test_deposit_reverts_without_allowance(world: ForeignWorld, seller: Signer) -> None:
    world.fund(STRANGER, BTI, 5)
    world.token.approve(world.custody.address, 0, sender=STRANGER.address)
    with refuses_with("InsufficientAllowance()", "ERC20InsufficientAllowance(address,uint256,uint256)"):
        world.custody.deposit(world.token_address(BTI), UNITS[BTI], STRANGER.address, False, sender=STRANGER.address)
    assert world.custody.liabilities(BTI) == 2 * START
    check_whole(world, [seller, STRANGER])


def permit(token: Any, owner: Signer, spender: str, value: int, deadline: int) -> tuple[Any, ...]:
    """The arguments of an ERC-2612 permit, signed by the owner."""
    types = ["bytes32", "address", "address", "uint256", "uint256", "uint256"]
    kind = keccak(b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")
    message = encode(types, [kind, owner.address, spender, value, token.nonces(owner.address), deadline])
    signature = owner.key.sign(keccak(b"\x19\x01" + bytes(token.DOMAIN_SEPARATOR()) + keccak(message)))
    return owner.address, spender, value, deadline, signature[64], signature[:32], signature[32:64]


@on("PermitToken", "SoladyToken", "WrappedEther")
def test_a_permit_allows_one_deposit(world: ForeignWorld, seller: Signer) -> None:
    custody, units = str(world.custody.address), 500 * UNITS[BTI]
    world.fund(HEIR, BTI, 900)
    world.token.approve(custody, 0, sender=HEIR.address)
    arguments = permit(world.token, HEIR, custody, units, world.now + 60)
    world.token.permit(*arguments, sender=STRANGER.address)
    world.custody.deposit(world.token_address(BTI), units, HEIR.address, False, sender=HEIR.address)
    assert (world.trading(HEIR, BTI), world.wallet(HEIR.address, BTI)) == (500, 400 * UNITS[BTI])
    assert world.token.allowance(HEIR.address, custody) == 0
    world.check_solvent([seller, HEIR])
    with pytest.raises(boa.BoaError):
        world.token.permit(*arguments, sender=STRANGER.address)


@on("FlashToken")
@pytest.mark.parametrize("honest", [True, False])
def test_tokens_that_exist_for_one_call_leave_no_balance(world: ForeignWorld, seller: Signer, honest: bool) -> None:
    """Only what stays can be credited, however much was there for a moment."""
    borrower = foreign.deploy("FlashBorrower", ["address", "bool"], [world.custody.address, honest])
    units = 10**12 * UNITS[BTI]
    if honest:
        borrower.borrow(world.token.address, units, sender=STRANGER.address)
    else:
        with refuses_with("ERC20InsufficientBalance(address,uint256,uint256)"):
            borrower.borrow(world.token.address, units, sender=STRANGER.address)
    assert world.custody.funding_balance(borrower.address, BTI) == 0
    assert world.custody.liabilities(BTI) == 2 * START
    check_whole(world, [seller])


@on("FlashToken")
@pytest.mark.parametrize("function", ["transferAndCall", "approveAndCall"])
def test_a_token_that_calls_its_receiver_is_not_taken_by_surprise(
    world: ForeignWorld, seller: Signer, function: str
) -> None:
    """The contract answers no such call, so nothing is sent to it that it would not credit."""
    world.fund(HEIR, BTI, 5)
    with pytest.raises(boa.BoaError):
        getattr(world.token, function)(world.custody.address, UNITS[BTI], sender=HEIR.address)
    assert world.wallet(HEIR.address, BTI) == 5 * UNITS[BTI]
    check_whole(world, [seller])


@on("PausableToken")
def test_a_token_that_its_issuer_paused_stops_itself_only(world: ForeignWorld, buyer: Signer, seller: Signer) -> None:
    for trader in (buyer, seller):
        world.custody.request_exit(sender=trader.address)
    world.pass_time(world.windows.delay)
    world.token.setPaused(True)
    before = world.trading(seller, BTI), world.funding(seller, BTI)
    for claim in range(2):
        with refuses_with("EnforcedPause()"):
            world.custody.claim_exit(seller.address, world.token_address(BTI), sender=seller.address)
        assert (world.trading(seller, BTI), world.funding(seller, BTI)) == before, claim
    world.custody.claim_exit(buyer.address, world.token_address(USDC), sender=STRANGER.address)
    assert world.wallet(buyer.address, USDC) == START * 1_000
    world.token.setPaused(False)
    world.custody.claim_exit(seller.address, world.token_address(BTI), sender=STRANGER.address)
    check_whole(world, [seller, buyer])
