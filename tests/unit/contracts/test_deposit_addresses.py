"""DepositAddresses and DepositAddress: plain transfers to an address per account, swept into custody or recovered."""

import json
from typing import Any

import boa
import pytest
from eth.exceptions import Revert

from bizzan.contracts import artifact, vyper
from exchange.domain.deployment import ETH, address_bytes
from exchange.domain.deposit_address import (
    FACTORY_CODE,
    IMPLEMENTATION_CODE,
    CodeMark,
    created_address,
    deposit_address,
    known_code,
)
from exchange.domain.eip712 import keccak
from tests.utils.contracts import BTI, ETHER, REFUSING_CODE, UNITS, USDC, World, create, reverts
from tests.utils.signing import Signer

TRANSFER_GAS = 2_300  # what `transfer` and `send` leave the receiver
EVERY_TOKEN = pytest.mark.parametrize("token_id", range(4))


@pytest.fixture
def factory(world: World) -> Any:
    """The factory of deposit addresses."""
    return world.deploy_deposit_addresses()


@pytest.fixture
def account() -> Signer:
    """Whose address it is; nothing is deposited."""
    return Signer("account")


@pytest.fixture
def anyone() -> Signer:
    """Somebody without any role, who sweeps."""
    return Signer("anyone")


@pytest.fixture
def hostile(world: World, factory: Any, account: Signer) -> Any:
    """A hostile token, listed as the fifth, of which 1,000 lie at the account's address."""
    token, _ = world.list_mock("HostileToken")
    token.faucet(1_000, sender=account.address)
    token.transfer(factory.address_of(account.address), 1_000, sender=account.address)
    return token


def send(world: World, factory: Any, account: Signer, token_id: int, units: int) -> str:
    """A plain transfer of token units to the account's deposit address, which is returned."""
    address, sender = str(factory.address_of(account.address)), Signer("sender")
    world.fund(sender, token_id, -(-units // UNITS[token_id]))
    token = world.tokens[token_id]
    if token is None:
        boa.env.raw_call(address, sender=sender.address, value=units)
    else:
        token.transfer(address, units, sender=sender.address)
    return address


def events(factory: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """The factory's own events of the last call, in order."""
    logs = [log for log in factory.get_logs() if hasattr(log, "_asdict")]
    return [(type(log).__name__, tuple(log)[1:]) for log in logs if log.address == factory.address]


# the address


def test_address_is_known_before_and_after_deployment(world: World, factory: Any, account: Signer) -> None:
    address = send(world, factory, account, USDC, 5)
    assert boa.env.get_code(address) == b""
    factory.sweep(account.address, USDC, sender=account.address)
    assert boa.env.get_code(address) != b""
    assert factory.address_of(account.address) == address


def test_every_account_has_an_address_of_its_own(factory: Any) -> None:
    addresses = {str(factory.address_of(Signer(f"account {i}").address)) for i in range(20)}
    assert len(addresses) == 20


def test_addresses_are_those_that_are_computed_off_chain(world: World, factory: Any) -> None:
    raw = address_bytes(str(factory.address))
    assert address_bytes(str(factory.implementation())) == created_address(raw, 1)
    for name in ("account", "anyone", "somebody"):
        account = Signer(name)
        assert address_bytes(str(factory.address_of(account.address))) == deposit_address(raw, account.raw)


def test_codes_that_are_known_off_chain_are_the_compiled_ones() -> None:
    for name, mark in (("DepositAddresses", FACTORY_CODE), ("DepositAddress", IMPLEMENTATION_CODE)):
        code = bytes.fromhex(artifact(name).runtime.removeprefix("0x"))
        assert mark == CodeMark(len(code), keccak(code)), (
            f"{name} changed: put {len(code)} and {keccak(code).hex()} into exchange/domain/deposit_address.py and "
            "web/src/lib/chain/depositAddress.ts"
        )


def test_a_deployed_factory_is_known_and_nothing_near_it(world: World, factory: Any) -> None:
    custody, raw = address_bytes(str(world.custody.address)), address_bytes(str(factory.address))
    makes, runs = (bytes(boa.env.get_code(str(place))) for place in (factory.address, factory.implementation()))
    assert known_code(custody, raw, makes, runs)
    for code in (makes, runs):
        for at in range(0, len(code), 7):
            changed = code[:at] + bytes([code[at] ^ 1]) + code[at + 1 :]
            assert not known_code(custody, raw, *(changed if each is code else each for each in (makes, runs)))
    assert not known_code(custody, raw, makes + b"\0", runs)
    assert not known_code(custody, raw, makes, runs[:-1])
    assert not known_code(custody, raw, b"", b"")
    assert not known_code(custody, custody, makes, runs)
    assert not known_code(raw, raw, makes, runs)


def test_another_factory_gives_other_addresses(world: World, factory: Any, account: Signer) -> None:
    assert world.deploy_deposit_addresses().address_of(account.address) != factory.address_of(account.address)


def test_address_of_reverts_for_accounts_that_can_never_be_credited(world: World, factory: Any) -> None:
    for account in (ETH, str(world.custody.address), str(factory.address)):
        with reverts("deposit: bad account"):
            factory.address_of(account)
        with reverts("deposit: bad account"):
            factory.sweep(account, USDC)


def test_the_factory_names_custody_and_implementation(world: World, factory: Any) -> None:
    assert factory.custody() == world.custody.address
    assert boa.env.get_code(factory.implementation()) != b""


def test_deployment_reverts_when_custody_has_no_code(account: Signer) -> None:
    code = bytes.fromhex(artifact("DepositAddress").bytecode.removeprefix("0x"))
    with reverts("custody: no code"):
        create("DepositAddresses", ["address", "bytes"], [account.address, code], account.address)


def test_factory_and_deposit_addresses_have_no_storage() -> None:
    for name in ("DepositAddresses", "DepositAddress"):
        layout = json.loads(vyper("layout", f"{name}.vy"))
        assert "storage_layout" not in layout
        assert list(layout["transient_storage_layout"]) == ["$.nonreentrant_key"]


# sweep


@EVERY_TOKEN
def test_sweep_credits_the_accounts_trading_balance(
    world: World, factory: Any, account: Signer, anyone: Signer, token_id: int
) -> None:
    address = send(world, factory, account, token_id, 700 * UNITS[token_id])
    assert factory.sweep(account.address, token_id, sender=anyone.address) == 700
    assert events(factory) == [
        ("AddressDeployed", (account.address, address)),
        ("Swept", (account.address, token_id, 700)),
    ]
    assert world.trading(account, token_id) == 700
    assert (world.trading(anyone, token_id), world.wallet(address, token_id)) == (0, 0)
    world.check_solvent([account])


def test_custody_records_the_sweep_as_an_ordinary_deposit(world: World, factory: Any, account: Signer) -> None:
    address = send(world, factory, account, USDC, 700)
    factory.sweep(account.address, USDC)
    (deposited,) = [log for log in world.custody.get_logs(factory._computation) if type(log).__name__ == "Deposited"]
    assert (deposited.account, deposited.sender, deposited.amount) == (account.address, address, 700)


@EVERY_TOKEN
def test_sweep_again_takes_what_came_since(world: World, factory: Any, account: Signer, token_id: int) -> None:
    send(world, factory, account, token_id, 700 * UNITS[token_id])
    factory.sweep(account.address, token_id)
    send(world, factory, account, token_id, 30 * UNITS[token_id])
    assert factory.sweep(account.address, token_id) == 30
    assert events(factory) == [("Swept", (account.address, token_id, 30))]
    assert world.trading(account, token_id) == 730


@pytest.mark.parametrize("token_id", [ETHER, BTI])
def test_sweep_leaves_less_than_a_ledger_unit(world: World, factory: Any, account: Signer, token_id: int) -> None:
    address = send(world, factory, account, token_id, 3 * UNITS[token_id] + 1)
    assert factory.sweep(account.address, token_id) == 3
    assert world.wallet(address, token_id) == 1
    send(world, factory, account, token_id, UNITS[token_id] - 1)
    assert factory.sweep(account.address, token_id) == 1
    assert world.wallet(address, token_id) == 0


def test_sweep_leaves_no_allowance(world: World, factory: Any, account: Signer) -> None:
    address = send(world, factory, account, USDC, 5)
    factory.sweep(account.address, USDC)
    token = world.tokens[USDC]
    assert token is not None
    assert token.allowance(address, world.custody.address) == 0


@EVERY_TOKEN
def test_sweep_reverts_when_there_is_nothing(world: World, factory: Any, account: Signer, token_id: int) -> None:
    with reverts("sweep: nothing to sweep"):
        factory.sweep(account.address, token_id)
    send(world, factory, account, token_id, UNITS[token_id])
    factory.sweep(account.address, token_id)
    with reverts("sweep: nothing to sweep"):
        factory.sweep(account.address, token_id)


@pytest.mark.parametrize("token_id", [ETHER, BTI])
def test_sweep_reverts_when_there_is_only_dust(world: World, factory: Any, account: Signer, token_id: int) -> None:
    send(world, factory, account, token_id, UNITS[token_id] - 1)
    with reverts("sweep: nothing to sweep"):
        factory.sweep(account.address, token_id)


def test_sweep_reverts_for_a_token_that_is_not_listed(factory: Any, account: Signer) -> None:
    for token_id in (4, 2**256 - 1):
        with reverts("token: not listed"):
            factory.sweep(account.address, token_id)


@pytest.mark.parametrize("token_id", [USDC, ETHER])
def test_sweep_reverts_while_custody_takes_no_deposits(
    world: World, factory: Any, account: Signer, token_id: int
) -> None:
    send(world, factory, account, token_id, 5 * UNITS[token_id])
    world.scheduled("set_token_status", token_id, False)
    with reverts("token: deposits closed"):
        factory.sweep(account.address, token_id)
    world.custody.pause(30, sender=world.guardian.address)
    with reverts("custody: paused"):
        factory.sweep(account.address, token_id)
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    with reverts("custody: frozen"):
        factory.sweep(account.address, token_id)


def test_a_contract_wallet_is_swept_for_and_recovers(world: World, factory: Any, anyone: Signer) -> None:
    wallet = world.deploy_mock("BusyWallet")
    address = str(factory.address_of(wallet.address))
    token = world.tokens[USDC]
    assert token is not None
    token.faucet(9, sender=anyone.address)
    token.transfer(address, 5, sender=anyone.address)
    factory.sweep(wallet.address, USDC)
    assert world.custody.trading_balance(wallet.address, USDC) == 5
    token.transfer(address, 4, sender=anyone.address)
    call = bytes(factory.recover.prepare_calldata(token.address, wallet.address))
    wallet.execute(factory.address, call)
    assert token.balanceOf(wallet.address) == 4


# ETH


@pytest.mark.parametrize("deployed", [False, True])
def test_plain_eth_needs_no_more_gas_than_transfer_leaves(
    world: World, factory: Any, account: Signer, deployed: bool
) -> None:
    address = send(world, factory, account, USDC, 1)
    if deployed:
        factory.sweep(account.address, USDC)
    boa.env.set_balance(account.address, 10**10)
    call = boa.env.raw_call(address, sender=account.address, value=10**10, gas=TRANSFER_GAS)
    # so little that it cannot have looked at any other contract, whose first look costs 2,600
    assert call.get_gas_used() < 50
    factory.sweep(account.address, ETHER)
    assert world.trading(account, ETHER) == 1


def test_eth_that_was_forced_in_is_swept_like_any(world: World, factory: Any, account: Signer) -> None:
    boa.env.set_balance(factory.address_of(account.address), 7 * 10**10)
    assert factory.sweep(account.address, ETHER) == 7


def test_factory_and_implementation_take_no_eth(factory: Any, account: Signer) -> None:
    boa.env.set_balance(account.address, 2)
    for address in (factory.address, factory.implementation()):
        with pytest.raises(Revert):
            boa.env.raw_call(address, sender=account.address, value=1)


def test_eth_that_was_forced_into_the_factory_is_credited_to_nobody(
    world: World, factory: Any, account: Signer
) -> None:
    boa.env.set_balance(str(factory.address), 10**18)
    with reverts("sweep: nothing to sweep"):
        factory.sweep(account.address, ETHER)


# who may call


def implementation_at(factory: Any, address: str) -> Any:
    """The functions of the implementation, at some address."""
    return boa.loads_abi(json.dumps(artifact("DepositAddress").abi), name="DepositAddress").at(address)


def test_only_the_factory_calls_a_deposit_address(world: World, factory: Any, account: Signer) -> None:
    address = send(world, factory, account, USDC, 5)
    factory.sweep(account.address, USDC)
    send(world, factory, account, USDC, 5)
    for target in (address, str(factory.implementation())):
        proxy = implementation_at(factory, target)
        for caller in (account, world.owner, world.operator):
            with reverts("deposit address: not factory"):
                proxy.deposit(caller.address, USDC, sender=caller.address)
            with reverts("deposit address: not factory"):
                proxy.pay_out(world.token_address(USDC), caller.address, sender=caller.address)
    assert world.wallet(address, USDC) == 5


def test_a_deposit_address_has_no_other_function(factory: Any, world: World, account: Signer) -> None:
    address = send(world, factory, account, USDC, 5)
    factory.sweep(account.address, USDC)
    with pytest.raises(Revert):
        boa.env.raw_call(address, sender=account.address, data=bytes(4))


def test_sweeping_another_account_takes_nothing_of_this_one(
    world: World, factory: Any, account: Signer, anyone: Signer
) -> None:
    address = send(world, factory, account, USDC, 5)
    with reverts("sweep: nothing to sweep"):
        factory.sweep(anyone.address, USDC, sender=anyone.address)
    assert world.wallet(address, USDC) == 5


# recover


@EVERY_TOKEN
def test_recover_pays_everything_to_the_last_unit(
    world: World, factory: Any, account: Signer, anyone: Signer, token_id: int
) -> None:
    units = 5 * UNITS[token_id] + (token_id in (ETHER, BTI))
    address = send(world, factory, account, token_id, units)
    token = world.token_address(token_id)
    assert factory.recover(token, anyone.address, sender=account.address) == units
    assert events(factory) == [
        ("AddressDeployed", (account.address, address)),
        ("Recovered", (account.address, token, anyone.address, units)),
    ]
    assert (world.wallet(anyone.address, token_id), world.wallet(address, token_id)) == (units, 0)
    assert world.trading(account, token_id) == 0


@pytest.mark.parametrize("token_id", [USDC, ETHER])
def test_recover_works_when_custody_is_frozen(
    world: World, factory: Any, account: Signer, frozen_world: World, token_id: int
) -> None:
    send(frozen_world, factory, account, token_id, 5 * UNITS[token_id])
    factory.recover(world.token_address(token_id), account.address, sender=account.address)
    assert world.wallet(account.address, token_id) == 5 * UNITS[token_id]


def test_recover_pays_tokens_that_are_not_listed(world: World, factory: Any, account: Signer) -> None:
    token = world.deploy_mock("NoReturnToken")
    token.faucet(5, sender=account.address)
    token.transfer(factory.address_of(account.address), 5, sender=account.address)
    factory.recover(token.address, account.address, sender=account.address)
    assert token.balanceOf(account.address) == 5


def test_recover_takes_only_from_the_callers_own_address(
    world: World, factory: Any, account: Signer, anyone: Signer
) -> None:
    send(world, factory, account, USDC, 5)
    with reverts("recover: nothing to recover"):
        factory.recover(world.token_address(USDC), anyone.address, sender=anyone.address)


def test_recover_reverts_for_recipients_that_lose_it(world: World, factory: Any, account: Signer) -> None:
    address = send(world, factory, account, USDC, 5)
    for recipient in (ETH, address, str(factory.address), str(world.custody.address)):
        with reverts("recover: bad recipient"):
            factory.recover(world.token_address(USDC), recipient, sender=account.address)


def test_recover_reverts_when_the_recipient_refuses_eth(world: World, factory: Any, account: Signer) -> None:
    address = send(world, factory, account, ETHER, 5)
    boa.env.set_code(Signer("refuser").address, REFUSING_CODE)
    with reverts("recover: recipient refused"):
        factory.recover(ETH, Signer("refuser").address, sender=account.address)
    assert world.wallet(address, ETHER) == 5


def test_recover_reverts_when_there_is_nothing(world: World, factory: Any, account: Signer) -> None:
    for token_id in (USDC, ETHER):
        with reverts("recover: nothing to recover"):
            factory.recover(world.token_address(token_id), account.address, sender=account.address)


def test_recover_reverts_for_an_address_without_code(factory: Any, account: Signer) -> None:
    with reverts("token: no code"):
        factory.recover(account.address, account.address, sender=account.address)


def test_recover_reverts_for_custody_as_a_token(world: World, factory: Any, account: Signer) -> None:
    """Custody has no `balanceOf`; and a deposit address holds nothing in it."""
    with reverts("b''"):
        factory.recover(world.custody.address, account.address, sender=account.address)


# hostile tokens


def test_sweep_credits_what_arrives_of_a_token_with_a_fee(
    world: World, factory: Any, account: Signer, hostile: Any
) -> None:
    hostile.set_behaviour(100, True, ETH, b"", False)
    assert factory.sweep(account.address, 4) == 1_000
    assert world.trading(account, 4) == 990
    assert hostile.balanceOf(factory.address_of(account.address)) == 0


def test_sweep_reverts_when_nothing_arrives(factory: Any, account: Signer, hostile: Any) -> None:
    hostile.set_behaviour(10_000, True, ETH, b"", False)
    with reverts("ledger: zero amount"):
        factory.sweep(account.address, 4)


def test_sweep_and_recover_revert_when_the_token_answers_false(factory: Any, account: Signer, hostile: Any) -> None:
    hostile.set_behaviour(0, False, ETH, b"", False)
    with reverts("token: refused"):
        factory.sweep(account.address, 4)
    with reverts("token: refused"):
        factory.recover(hostile.address, account.address, sender=account.address)


def test_a_token_without_answers_is_swept(world: World, factory: Any, account: Signer) -> None:
    token, token_id = world.list_mock("NoReturnToken")
    token.faucet(5, sender=account.address)
    token.transfer(factory.address_of(account.address), 5, sender=account.address)
    factory.sweep(account.address, token_id)
    assert world.trading(account, token_id) == 5
    assert token.allowance(factory.address_of(account.address), world.custody.address) == 0


def test_a_token_that_never_uses_up_an_allowance_is_left_none(
    world: World, factory: Any, account: Signer, hostile: Any
) -> None:
    address = factory.address_of(account.address)
    factory.sweep(account.address, 4)
    assert hostile.allowance(address, world.custody.address) == 0
    hostile.faucet(5, sender=account.address)
    hostile.transfer(address, 5, sender=account.address)
    factory.sweep(account.address, 4)  # the token would refuse to replace an allowance
    assert world.trading(account, 4) == 1_005


@pytest.fixture(params=["sweep", "recover", "address_of"])
def callback(request: pytest.FixtureRequest, factory: Any, account: Signer, hostile: Any) -> bytes:
    """A call of the factory that the hostile token makes while it transfers, and that would do something."""
    boa.env.set_balance(factory.address_of(hostile.address), 10**10)
    arguments: dict[str, tuple[Any, ...]] = {
        "sweep": (hostile.address, ETHER),
        "recover": (ETH, account.address),
        "address_of": (account.address,),
    }
    payload = bytes(getattr(factory, request.param).prepare_calldata(*arguments[request.param]))
    hostile.set_behaviour(0, True, factory.address, payload, False)
    return payload


def test_a_token_that_calls_back_is_locked_out(
    world: World, factory: Any, account: Signer, hostile: Any, callback: bytes
) -> None:
    factory.sweep(account.address, 4)
    assert hostile.target_failed(), callback
    assert world.trading(account, 4) == 1_000
    assert boa.env.get_balance(factory.address_of(hostile.address)) == 10**10


def test_a_callback_would_work_outside_a_sweep(account: Signer, hostile: Any, callback: bytes) -> None:
    """Proves that the test above fails for the lock's sake."""
    hostile.transfer(account.address, 0, sender=account.address)
    assert not hostile.target_failed(), callback


def test_a_sweep_within_a_token_of_its_own_deposit_changes_nothing(
    world: World, factory: Any, account: Signer, hostile: Any
) -> None:
    """The token calls custody itself in the middle: custody's lock holds as for any depositor."""
    payload = bytes(world.custody.deposit_eth.prepare_calldata(account.address, False))
    hostile.set_behaviour(0, True, world.custody.address, payload, False)
    factory.sweep(account.address, 4)
    assert hostile.target_failed()
    assert (world.trading(account, 4), world.trading(account, ETHER)) == (1_000, 0)
