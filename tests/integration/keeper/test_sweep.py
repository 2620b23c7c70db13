"""The sweep duty against the real contracts: plain transfers to addresses at which nothing stands yet."""

from sqlalchemy import select

from exchange.chain.signing import Key
from exchange.database import deposit_addresses
from exchange.database.tables import job
from exchange.domain.deployment import address_bytes
from exchange.domain.deposit_address import deposit_address
from tests.integration.keeper.world import CHAIN_ID, World, call_data, running_keeper, until

USDC, ETHER = 0, 1
UNIT = 10**10  # wei in one ledger unit of ETH
FUNDS = 10**12
# pays what its call data say, (receiver, wei), leaving 2,300 gas as `transfer` and `send` do, and fails if that fails
PAYER, PAYER_CODE = b"\x99" * 20, "0x5f5f5f5f6020355f355ff16011575f5ffd5b00"


def address_of(world: World, key: Key) -> bytes:
    """The deposit address of a trader."""
    return deposit_address(address_bytes(world.deployment.deposit_addresses), key.address)


async def ask(world: World, key: Key) -> bytes:
    """The trader asks for its deposit address."""
    async with world.engine.begin() as conn:
        await deposit_addresses.watch(conn, CHAIN_ID, key.address)
    return address_of(world, key)


async def transfer(world: World, sender: Key, receiver: bytes, amount: int) -> None:
    """A plain transfer of USDC, minted by the sender."""
    token = address_bytes(world.deployment.token(USDC).address)
    await world.send(sender, token, call_data("faucet(uint256)", amount))
    await world.send(sender, token, call_data("transfer(address,uint256)", receiver, amount))


async def sweeps(world: World) -> list[tuple[str, bool | None]]:
    """The sweeps so far: state, and whether they did anything."""
    async with world.engine.connect() as conn:
        rows = await conn.execute(select(job.c.state, job.c.succeeded).where(job.c.duty == "sweep"))
        return [(row.state, row.succeeded) for row in rows]


async def test_plain_transfers_are_swept_once_and_again_when_more_comes(world: World) -> None:
    sender, first, second = [await world.add_trader({}) for _ in range(3)]
    stranger = await world.add_trader({})
    addresses = [await ask(world, key) for key in (first, second)]
    for address in (*addresses, address_of(world, stranger)):  # the stranger has not asked
        await transfer(world, sender, address, 5_000_000)
        await world.send(sender, address, value=10**18 + 1)
    world.node.rpc("anvil_setCode", "0x" + PAYER.hex(), PAYER_CODE)
    world.node.rpc("anvil_setBalance", "0x" + PAYER.hex(), hex(10**18))

    async def swept(usdc: int, ether: int) -> bool:
        found = [(await world.balance(key, USDC), await world.balance(key, ETHER)) for key in (first, second)]
        return found == [(usdc, ether)] * 2

    async with running_keeper(world):
        await until(lambda: swept(5_000_000, 10**8), "the sweeps")
        for address in addresses:
            await world.send(sender, PAYER, call_data("", address, 3 * 10**17)[4:])
        await until(lambda: swept(5_000_000, 13 * 10**7), "the second sweeps")

        async def final() -> bool:
            return all(state == "final" for state, _ in await sweeps(world))

        await until(final, "finality")
    assert await sweeps(world) == [("final", True)] * 6
    for address in addresses:
        assert (await world.token_balance(address, USDC), await world.rpc.balance(address)) == (0, 1)
    assert await world.balance(stranger, USDC) == 0
    assert await world.token_balance(address_of(world, stranger), USDC) == 5_000_000
