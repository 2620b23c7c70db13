"""The withdraw duty and the co-signer against the real contract."""

import asyncio
import time

import pytest
from sqlalchemy import insert, select

from bizzan.approvals import Refused, Waiting, find_waiting
from bizzan.client.wallet import Wallet
from exchange.chain.rpc import Rpc
from exchange.chain.signing import Key, recover
from exchange.chain.wallets import WALLET_GAS
from exchange.database import approvals, payouts
from exchange.database.engine import create_engine
from exchange.database.jobs import WALLET_KEYS
from exchange.database.tables import account, job
from exchange.domain.deployment import address_bytes, checksum
from keeper.co_signer import CoSigner, Declined, Unsigned
from keeper.custody import Custody
from keeper.main import DatabaseOutflows
from tests.integration.keeper.world import World, call_data, running_keeper, until
from tests.utils.contract_wallet import contract_wallet, hand_over

RECIPIENT = b"\x77" * 20
USDC = 0
DEPOSITED = 1_000_000_000_000
PRICE = 6_000_000


def in_an_hour() -> int:
    return int(time.time()) + 3_600


def co_signer_of(world: World, key: Key | None = None) -> CoSigner:
    """The co-signer, on the test's own connections."""
    own = key or Key(world.settings.key("co_signer"))
    return CoSigner(own, world.deployment, Custody(world.rpc, world.custody), DatabaseOutflows(world.engine))


async def test_held_withdrawal_is_paid_to_its_recipient(world: World) -> None:
    owner = await world.add_trader()
    await world.hold(owner, USDC, 250_000, RECIPIENT, in_an_hour())

    async def paid() -> bool:
        return await world.token_balance(RECIPIENT, USDC) == 250_000

    async with running_keeper(world):
        await until(paid, "the payment")
    assert await world.balance(owner, USDC) == DEPOSITED - 250_000


async def test_held_transfer_moves_to_the_funding_balance(world: World) -> None:
    owner = await world.add_trader()
    await world.hold(owner, USDC, 250_000, None, in_an_hour())

    async def moved() -> bool:
        return await world.balance(owner, USDC) == DEPOSITED - 250_000

    async with running_keeper(world):
        await until(moved, "the transfer")


async def test_a_large_withdrawal_waits_for_its_approvals_and_is_paid(world: World) -> None:
    owner = await world.add_trader()
    deadline, large = in_an_hour(), 600_000_000_000
    digest = await world.hold(owner, USDC, large, RECIPIENT, deadline)

    async def waits() -> bool:
        async with world.engine.connect() as conn:
            return [row.withdrawal_hash for row in await approvals.waiting(conn)] == [digest]

    async def paid() -> bool:
        return await world.token_balance(RECIPIENT, USDC) == large

    async with running_keeper(world):
        await until(waits, "the wait for approvals")
        await world.approve(owner, USDC, large, RECIPIENT, deadline, "approver_1")
        await asyncio.sleep(0)
        assert not await paid()
        await world.approve(owner, USDC, large, RECIPIENT, deadline, "approver_3")
        await until(paid, "the payment")


async def test_several_withdrawals_of_an_account_are_all_paid(world: World) -> None:
    owner = await world.add_trader()
    for amount in (1_000, 2_000, 3_000):
        await world.hold(owner, USDC, amount, RECIPIENT, in_an_hour())

    async def paid() -> bool:
        return await world.token_balance(RECIPIENT, USDC) == 6_000

    async with running_keeper(world):
        await until(paid, "the payments")


# waits until it has burnt nearly all the gas that it was given, and says yes, whatever it is asked
BURNING_CODE = bytes.fromhex("5b5a614e2010600057" + "7f1626ba7e" + "00" * 28 + "5f5260205ff3")


def give_wallets_gas(world: World, gas: int) -> None:
    """Another budget for each contract wallet."""
    keeper = world.settings.keeper.model_copy(update={"wallet_gas_per_day": gas})
    world.settings = world.settings.model_copy(update={"keeper": keeper})


class OwnedWallet(Key):
    """The key of a contract wallet's owner; the address is the wallet's."""

    def __init__(self, owner: Wallet, address: str) -> None:
        super().__init__(owner.key)
        self.owner = owner
        self.address = address_bytes(address)


async def add_wallet(world: World) -> OwnedWallet:
    """A contract wallet with money, deposited by somebody else."""
    owner = Wallet.create()
    wallet = OwnedWallet(owner, await asyncio.to_thread(contract_wallet, world.node.url, owner))
    payer, token = await world.add_trader({}), address_bytes(world.deployment.token(USDC).address)
    await world.send(payer, token, call_data("faucet(uint256)", DEPOSITED))
    await world.send(payer, token, call_data("approve(address,uint256)", world.custody, DEPOSITED))
    deposit = call_data("deposit(address,uint256,address,bool)", token, DEPOSITED, wallet.address, 0)
    await world.send(payer, world.custody, deposit)
    world.traders.append(wallet)
    async with world.engine.begin() as conn:
        row = {"account_id": len(world.traders), "address": wallet.address, "status": "active", "min_nonce": 0}
        await conn.execute(insert(account).values(row))
    return wallet


async def test_a_contract_wallets_withdrawal_is_paid(world: World) -> None:
    wallet = await add_wallet(world)
    await world.hold(wallet, USDC, 250_000, RECIPIENT, in_an_hour())

    async def paid() -> bool:
        return await world.token_balance(RECIPIENT, USDC) == 250_000

    async with running_keeper(world):
        await until(paid, "the payment")
    assert await world.balance(wallet, USDC) == DEPOSITED - 250_000


async def test_a_wallet_that_burns_gas_uses_up_its_own_budget_and_nobody_elses(world: World) -> None:
    wallet, other = await add_wallet(world), await world.add_trader()
    await world.rpc.call("anvil_setCode", checksum(wallet.address), "0x" + BURNING_CODE.hex())
    first, second = [await world.hold(wallet, USDC, amount, RECIPIENT, in_an_hour()) for amount in (1_000, 20_000)]

    async def rests() -> bool:
        async with world.engine.connect() as conn:
            noted = await payouts.rests(conn, [first, second])
        return {digest: rest.because for digest, rest in noted.items()} == {second: "gas_budget"}

    async def paid() -> bool:
        return await world.token_balance(RECIPIENT, USDC) == 1_000 + 300_000

    give_wallets_gas(world, 1_000_000)
    async with running_keeper(world):
        await until(rests, "the end of the wallet's gas")
        await world.hold(other, USDC, 300_000, RECIPIENT, in_an_hour())
        await until(paid, "the payments of the first and of somebody else's")
    async with world.engine.connect() as conn:
        spent = await conn.scalar(select(job.c.payload["gas"].as_integer()).where(job.c.key.startswith(WALLET_KEYS)))
    assert spent is not None
    assert WALLET_GAS < spent < 1_000_000


async def test_co_signer_declines_what_a_contract_wallet_has_taken_back(world: World) -> None:
    wallet = await add_wallet(world)
    digest = await world.hold(wallet, USDC, 250_000, RECIPIENT, in_an_hour())
    approval = await co_signer_of(world).approve(digest, 0)
    assert approval.withdrawal.account == wallet.address
    heir = Wallet.create().text_address
    await asyncio.to_thread(hand_over, world.node.url, checksum(wallet.address), wallet.owner, heir)
    with pytest.raises(Unsigned, match="neither its key, nor does its code take the signature now"):
        await co_signer_of(world).approve(digest, 0)


async def test_approvers_are_shown_what_a_contract_wallet_stands_by(world: World) -> None:
    wallet = await add_wallet(world)
    digest = await world.hold(wallet, USDC, 600_000_000_000, RECIPIENT, in_an_hour())
    async with world.engine.begin() as conn:
        await approvals.note(conn, [digest])
    (shown,) = await find_waiting(world.engine, world.rpc, world.deployment)
    assert isinstance(shown, Waiting)
    assert (shown.withdrawal_hash, shown.by_code, shown.signed.account) == (digest, True, wallet.address)
    heir = Wallet.create().text_address
    await asyncio.to_thread(hand_over, world.node.url, checksum(wallet.address), wallet.owner, heir)
    (refused,) = await find_waiting(world.engine, world.rpc, world.deployment)
    assert isinstance(refused, Refused)
    assert "did not sign it" in refused.reason


async def test_co_signer_declines_what_another_key_signed(world: World) -> None:
    owner = await world.add_trader()
    thief = OwnedWallet(Wallet.create(), checksum(owner.address))
    world.traders[0] = thief
    digest = await world.hold(thief, USDC, 250_000, RECIPIENT, in_an_hour())
    with pytest.raises(Unsigned):
        await co_signer_of(world).approve(digest, 0)


async def test_co_signer_signs_what_the_settled_balance_covers(world: World) -> None:
    owner = await world.add_trader()
    digest = await world.hold(owner, USDC, DEPOSITED, RECIPIENT, in_an_hour())
    approval = await co_signer_of(world).approve(digest, 0)
    signed = world.deployment.domain.hash("Approval", {"withdrawal": digest, "fee": 0})
    assert recover(signed, approval.signature) == Key(world.settings.key("co_signer")).address


async def test_co_signer_declines_what_nobody_holds(world: World) -> None:
    with pytest.raises(Declined, match="the engine holds nothing for it"):
        await co_signer_of(world).approve(b"\x01" * 32, 0)


async def test_co_signer_declines_more_than_is_settled(world: World) -> None:
    owner = await world.add_trader()
    digest = await world.hold(owner, USDC, DEPOSITED + 1, RECIPIENT, in_an_hour())
    with pytest.raises(Declined, match=f"it asks for {DEPOSITED + 1} of {DEPOSITED} ledger units settled"):
        await co_signer_of(world).approve(digest, 0)


async def test_co_signer_declines_what_unsettled_trades_still_have_to_pay(world: World) -> None:
    seller, owner = await world.add_trader(), await world.add_trader()
    await world.match(seller, owner, PRICE, 10)
    pays = 10 * PRICE + 10 * PRICE * 5 // 10_000
    digest = await world.hold(owner, USDC, DEPOSITED - pays + 1, RECIPIENT, in_an_hour())
    with pytest.raises(Declined, match=f"of which {pays} are spoken for"):
        await co_signer_of(world).approve(digest, 0)
    fitting = await world.hold(seller, USDC, DEPOSITED, RECIPIENT, in_an_hour())
    await co_signer_of(world).approve(fitting, 0)


async def test_co_signer_declines_what_earlier_withdrawals_take(world: World) -> None:
    owner = await world.add_trader()
    await world.hold(owner, USDC, 600_000_000_000, RECIPIENT, in_an_hour())
    digest = await world.hold(owner, USDC, 600_000_000_000, RECIPIENT, in_an_hour())
    with pytest.raises(Declined, match="of which 600000000000 are spoken for"):
        await co_signer_of(world).approve(digest, 0)


async def test_co_signer_declines_a_fee_above_the_cap(world: World) -> None:
    owner = await world.add_trader()
    digest = await world.hold(owner, USDC, 10, RECIPIENT, in_an_hour())
    with pytest.raises(Declined, match="the fee 1 is above the signed cap 0"):
        await co_signer_of(world).approve(digest, 1)


async def test_co_signer_works_on_connections_of_its_own(world: World, database_url: str) -> None:
    owner = await world.add_trader()
    digest = await world.hold(owner, USDC, 10, RECIPIENT, in_an_hour())
    engine = create_engine(database_url, pool_size=1)
    async with Rpc(world.node.url) as rpc:
        signer = CoSigner(
            Key(world.settings.key("co_signer")),
            world.deployment,
            Custody(rpc, world.custody),
            DatabaseOutflows(engine),
        )
        assert (await signer.approve(digest, 0)).fee == 0
    await engine.dispose()


async def test_withdrawal_near_its_deadline_is_left_alone(world: World) -> None:
    owner = await world.add_trader()
    await world.hold(owner, USDC, 10, RECIPIENT, int(time.time()) + 20)
    await world.hold(owner, USDC, 7, RECIPIENT, in_an_hour())

    async def paid() -> bool:
        return await world.token_balance(RECIPIENT, USDC) == 7

    async with running_keeper(world):
        await until(paid, "the other payment")
        await asyncio.sleep(1.5)
        assert await paid()
