"""The demo traffic uses all of custody: each test finds its feature in the API's answers and in the chain's data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from web3 import HTTPProvider, Web3

from bizzan.client.api import BizzanClient
from bizzan.client.schemas import Deposit, Fill, Withdrawal
from bizzan.client.wallet import Owner, Wallet
from bizzan.contracts import exported_abi
from bizzan.demo import actors
from bizzan.demo.owners import contract_wallet
from bizzan.demo.withdrawer import LARGE
from exchange.domain.deployment import address_bytes
from exchange.domain.deposit_address import deposit_address
from exchange.domain.eip712 import Scheme
from tests.utils.program import Program
from tests.utils.waiting import wait_for

SECONDS = 240
SEED = "demo"

T = TypeVar("T")


def wallet(number: int) -> Wallet:
    """A wallet of the demo."""
    return Wallet.from_seed(SEED, number)


class Chain:
    """The chain's own data."""

    def __init__(self, program: Program, custody: str) -> None:
        web3: Any = Web3(HTTPProvider(program.rpc_url))
        self._web3 = web3
        self.custody = web3.eth.contract(address=custody, abi=exported_abi("Custody"))

    def code(self, address: str) -> bytes:
        """The code at an address."""
        return bytes(self._web3.eth.get_code(address))

    def transaction(self, tx_hash: str) -> Any:
        """A transaction."""
        return self._web3.eth.get_transaction(tx_hash)

    def settled(self, tx_hash: str, account: bytes) -> tuple[set[Scheme], list[bytes]]:
        """By which schemes a batch executed orders of the account, and the paths of bulk orders that it brought."""
        _, arguments = self.custody.decode_function_input(self.transaction(tx_hash)["input"])
        executions, proofs = list(arguments.values())[-2:]
        words = [tuple(each.values()) if isinstance(each, dict) else each for each in executions]
        own = {Scheme(int(tail) >> 248) for head, _, _, tail, *_ in words if int(head) >> 96 == int.from_bytes(account)}
        return own, proofs


async def soon(what: str, find: Callable[[], Awaitable[T | None]]) -> T:
    """What is found, once it is."""
    for _ in range(SECONDS * 2):
        found = await find()
        if found is not None:
            return found
        await asyncio.sleep(0.5)
    raise AssertionError(f"{what}: not within {SECONDS} s")


async def settled_fill(program: Program, owner: Owner) -> Fill:
    """A settled fill of an account of the demo."""
    async with BizzanClient(program.api_url, Wallet.create(), owner=owner) as client:

        async def signed_in() -> bool | None:
            return await client.login() is not None if chain_knows(program, client, owner) else None

        await soon("the account", signed_in)

        async def find() -> Fill | None:
            fills = await client.fills(limit=500)  # the latest are not settled yet
            return next((fill for fill in fills if fill.status in ("settled", "final") and fill.tx_hash), None)

        return await soon("a settled fill", find)


def chain_knows(program: Program, client: BizzanClient, owner: Owner) -> bool:
    """Whether the account can sign in: a contract wallet once it stands."""
    return isinstance(owner, Wallet) or bool(Chain(program, client.exchange.custody).code(owner.text_address))


@pytest.fixture(scope="module")
def chain(program: Program) -> Chain:
    deployment = json.loads(next((program.state_dir / "deployments").glob("*.json")).read_text())
    return Chain(program, deployment["custody"])


def schemes(program: Program, chain: Chain, owner: Owner) -> tuple[set[Scheme], list[bytes]]:
    """How a settled batch executed orders of the account, as its transaction says."""
    fill = asyncio.run(settled_fill(program, owner))
    assert fill.tx_hash is not None
    return chain.settled(fill.tx_hash, owner.address)


def test_a_delegated_key_trades(program: Program, chain: Chain) -> None:
    owner = wallet(actors.KEY_OWNER)
    assert not chain.code(owner.text_address)
    assert schemes(program, chain, owner)[0] == {Scheme.delegate}


def test_a_contract_wallet_trades_through_its_delegate(program: Program, chain: Chain) -> None:
    owner = contract_wallet(wallet(actors.WALLET_OWNER))
    assert schemes(program, chain, owner)[0] == {Scheme.delegate}
    assert chain.code(owner.text_address)


def test_a_bulk_root_settles(program: Program, chain: Chain) -> None:
    used, proofs = schemes(program, chain, wallet(actors.FIRST_MAKER))
    assert Scheme.bulk in used
    assert proofs


def test_a_deposit_address_is_swept(program: Program, chain: Chain) -> None:
    taker = wallet(actors.FIRST_TAKER)

    async def credited() -> tuple[str, Deposit]:
        async with BizzanClient(program.api_url, taker) as client:
            await client.login()

            async def find() -> Deposit | None:
                return next((one for one in await client.deposits() if one.status == "credited"), None)

            return client.exchange.deposit_addresses, await soon("a credited deposit", find)

    factory, deposit = asyncio.run(credited())
    swept = chain.transaction(deposit.tx_hash)
    assert swept["to"] == factory
    assert swept["from"] != taker.text_address
    assert chain.code(Web3.to_checksum_address(deposit_address(address_bytes(factory), taker.address)))


def test_a_large_withdrawal_waits_for_its_approvals_and_is_paid(program: Program, chain: Chain) -> None:
    async def paid() -> Withdrawal:
        async with BizzanClient(program.api_url, wallet(actors.WITHDRAWER)) as client:
            await client.login()

            async def find() -> Withdrawal | None:
                return next((one for one in await client.withdrawals() if one.tx_hash is not None), None)

            return await soon("a payment", find)

    withdrawal = asyncio.run(paid())
    functions = chain.custody.functions
    digest = bytes.fromhex(withdrawal.withdrawal_hash[2:])
    assert withdrawal.amount == LARGE > functions.outflow_state(0).call()[0]
    approvers = functions.withdrawal_approvals(digest).call()
    assert len(approvers) == withdrawal.approvals.given == functions.approval_threshold().call() == 2
    given = chain.custody.events.WithdrawalApproved.get_logs(from_block=0, argument_filters={"withdrawal_hash": digest})
    assert len(given) == 2
    assert all(event["blockNumber"] <= int(withdrawal.block_number or 0) for event in given)


def test_a_contract_wallet_withdraws(program: Program, chain: Chain) -> None:
    owner = contract_wallet(wallet(actors.WALLET_OWNER))

    async def paid() -> Withdrawal:
        async with BizzanClient(program.api_url, Wallet.create(), owner=owner) as client:
            await client.login()

            async def find() -> Withdrawal | None:
                return next((one for one in await client.withdrawals() if one.tx_hash is not None), None)

            return await soon("a payment", find)

    tx_hash = asyncio.run(paid()).tx_hash or ""
    function, arguments = chain.custody.decode_function_input(chain.transaction(tx_hash)["input"])
    assert function.fn_name == "withdraw"
    assert arguments["account"] == owner.text_address
    assert chain.code(owner.text_address)


def test_a_person_sees_it_counted(program: Program) -> None:
    used = {"by_delegated_keys", "of_contract_wallets", "signed_in_bulk", "sweeps", "withdrawals_with_approvals"}
    used |= {"withdrawals_of_contract_wallets"}

    def unused() -> set[str]:
        counts = json.loads(program.succeed("features", "--json").splitlines()[-1])
        return {name for name in used if not counts[name]}

    wait_for(lambda: not unused(), "all that the demo uses", SECONDS)
    assert "of contract wallets" in program.succeed("features")


def test_the_audit_is_clean_after_it(program: Program) -> None:
    program.succeed("audit")
