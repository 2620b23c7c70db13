"""Exits: an account that stays after all trades again only when nothing it claimed is still in the engine's books."""

from __future__ import annotations

from exchange.domain.deployment import checksum
from exchange.engine import events as e
from exchange.engine.accounts import Account
from exchange.sequencer.inbox import to_command
from tests.integration.indexer.conftest import DEPTHS, OpenMirror
from tests.integration.indexer.helpers import catch_up, check_inbox, compare, query
from tests.utils.engine import USDC, EngineHarness, only
from tests.utils.traffic import Traffic

_STOPS = "select kind, payload from engine_inbox where kind in ('set_exiting', 'set_frozen') order by id"


def mine(traffic: Traffic, count: int = 1, seconds: int = 1) -> None:
    """Blocks without random actions, `seconds` apart."""
    for _ in range(count):
        traffic.node.rpc("evm_increaseTime", seconds)
        traffic.node.rpc("evm_mine")


class Obeying:
    """An engine that obeys the inbox."""

    def __init__(self, database_url: str, address: bytes) -> None:
        self.x = EngineHarness()
        self.url = database_url
        self.address = address
        self.last = 0

    async def obey(self) -> list[e.Event]:
        """Obey what is new; the events."""
        rows = await query(self.url, f"select id, kind, payload from engine_inbox where id > {self.last} order by id")
        events: list[e.Event] = []
        for row in rows:
            self.last = row.id
            events += self.x.apply(to_command(next(self.x.inbox_ids), row.kind, row.payload))
        return events

    @property
    def account(self) -> Account:
        """The account under test."""
        found = self.x.engine.account(self.address)
        assert found is not None
        return found


async def test_exit_claimed_then_cancelled_leaves_nothing_to_trade(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    user = traffic.users[1]
    me = checksum(user.address)
    engine = Obeying(database_url, user.address)
    async with open_mirror() as mirror:
        mine(traffic, DEPTHS.final + 1)
        await catch_up(mirror)
        await engine.obey()
        assert engine.account.balance(USDC).available > 0
        traffic._send(user, "request_exit")
        mine(traffic)
        mine(traffic, 1, traffic.deployment.windows.delay + 1)
        mine(traffic, DEPTHS.final + 1)
        await catch_up(mirror)
        traffic._send(user, "claim_exit", me, traffic.deployment.token(USDC).address)
        mine(traffic)
        traffic._send(user, "cancel_exit")
        mine(traffic)
        await catch_up(mirror)
        await engine.obey()
        assert traffic.view("trading_balance", me, USDC) == 0
        assert engine.account.status == "exiting"
        await check_inbox(traffic, database_url, DEPTHS.credit)
        mine(traffic, DEPTHS.final + 1)
        await catch_up(mirror)
    events = await engine.obey()
    order = [type(event) for event in events if isinstance(event, e.Debited | e.AccountChanged)]
    assert order == [e.Debited, e.AccountChanged]
    assert (engine.account.status, engine.account.balance(USDC).total) == ("active", 0)
    assert not only(events, e.TradeReversed)
    assert engine.x.engine.violations() == []
    await check_inbox(traffic, database_url, DEPTHS.credit)
    assert await compare(traffic, database_url) == []


async def test_request_claim_and_cancel_read_at_once_stop_the_account_until_they_are_final(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    user = traffic.users[1]
    engine = Obeying(database_url, user.address)
    async with open_mirror() as mirror:
        mine(traffic, DEPTHS.final + 1)
        await catch_up(mirror)
        await engine.obey()
        traffic._send(user, "request_exit")
        mine(traffic)
        mine(traffic, 1, traffic.deployment.windows.delay + 1)
        traffic._send(user, "claim_exit", checksum(user.address), traffic.deployment.token(USDC).address)
        traffic.block(0)
        traffic._send(user, "cancel_exit")
        traffic.block(0)
        await catch_up(mirror)
        await engine.obey()
        assert engine.account.status == "exiting"
        traffic.go_back(1)
        mine(traffic, 2)
        await catch_up(mirror)
        await engine.obey()
        assert engine.account.status == "exiting"
        traffic._send(user, "cancel_exit")
        mine(traffic, DEPTHS.final)
        await catch_up(mirror)
        await engine.obey()
    assert (engine.account.status, engine.account.balance(USDC).total) == ("active", 0)
    await check_inbox(traffic, database_url, DEPTHS.credit)


async def test_account_that_its_owner_froze_is_stopped_until_it_has_thawed(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    user, delay = traffic.users[1], traffic.deployment.windows.delay
    engine = Obeying(database_url, user.address)

    async def see(blocks: int = DEPTHS.final + 1) -> str:
        mine(traffic, blocks)
        await catch_up(mirror)
        await engine.obey()
        return engine.account.status

    async with open_mirror() as mirror:
        assert await see() == "active"
        traffic._send(user, "freeze_account")
        assert await see(1) == "frozen"  # at the first block
        traffic._send(user, "request_exit")
        assert await see(1) == "exiting"
        traffic._send(user, "cancel_exit")
        assert await see() == "frozen"
        traffic._send(user, "unfreeze_account")
        assert await see() == "frozen"  # not before the thaw takes effect
        traffic._send(user, "freeze_account")
        mine(traffic)
        mine(traffic, 1, delay + 1)
        assert await see() == "frozen"  # taken back
        traffic._send(user, "unfreeze_account")
        mine(traffic)
        mine(traffic, 1, delay + 1)
        assert await see() == "active"
    await check_inbox(traffic, database_url, DEPTHS.credit)


async def test_account_stopped_as_leaving_for_a_freeze_is_taken_for_frozen(
    traffic: Traffic, database_url: str, open_mirror: OpenMirror
) -> None:
    """So a version of the indexer did that had one word for both."""
    user, delay = traffic.users[1], traffic.deployment.windows.delay
    account = "0x" + user.address.hex()
    async with open_mirror() as mirror:
        traffic._send(user, "freeze_account")
        mine(traffic, DEPTHS.final + 1)
        await catch_up(mirror)
        one = f"update chain_effect set key = 'exiting:{account}' where key = 'frozen:{account}'"
        await query(database_url, one)
        payload = f"jsonb_build_object('account', '{account}', 'exiting', true)"
        name = "dedup_key = replace(dedup_key, 'frozen', 'exiting')"
        other = f"update engine_inbox set kind = 'set_exiting', {name}, payload = {payload} where kind = 'set_frozen'"
        await query(database_url, other)
        traffic._send(user, "unfreeze_account")
        mine(traffic)
        await catch_up(mirror)
        kinds = [row.kind for row in await query(database_url, _STOPS)]
        assert kinds == ["set_exiting", "set_frozen", "set_exiting"]
        mine(traffic, 1, delay + 1)
        mine(traffic, DEPTHS.final + 1)
        await catch_up(mirror)
    last = (await query(database_url, _STOPS))[-1]
    assert (last.kind, last.payload["frozen"]) == ("set_frozen", False)
    await check_inbox(traffic, database_url, DEPTHS.credit)
