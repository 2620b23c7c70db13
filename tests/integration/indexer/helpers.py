"""What the indexer's tests ask of the database and the chain."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from exchange.chain.rpc import Rpc
from exchange.database.engine import create_engine
from exchange.domain.deployment import address_bytes, checksum
from indexer.check import Difference, compare_with_fresh_index
from indexer.main import contract_of
from indexer.mirror import Mirror
from tests.utils.traffic import DELEGATES, Traffic

_FINALLY_CANCELLED = """
with last as (
  select distinct on (account) chain_id, account, kind, block_number from exit_request
  order by account, block_number desc, log_index desc)
select account from last join cursor c on c.chain_id = last.chain_id
where kind = 'cancelled' and block_number <= c.finalized_number
"""


async def catch_up(mirror: Mirror) -> None:
    """Step until there is nothing to do."""
    while await mirror.step():
        pass


async def compare(traffic: Traffic, url: str) -> list[Difference]:
    """The live tables beside a fresh index."""
    async with Rpc(traffic.node.url) as rpc:
        return await compare_with_fresh_index(rpc, url, contract_of(traffic.deployment))


async def query(url: str, sql: str) -> list[Any]:
    """Rows of a query."""
    engine = create_engine(url, pool_size=1)
    try:
        async with engine.begin() as conn:
            result = await conn.execute(text(sql))
            return list(result.all()) if result.returns_rows else []
    finally:
        await engine.dispose()


async def check_balances(traffic: Traffic, url: str) -> None:
    """Every balance row must be what the contract says, and every token's rows must sum to its liabilities."""
    sums: dict[int, int] = {}
    for row in await query(url, "select * from chain_balance"):
        account = checksum(row.account)
        assert row.trading == traffic.view("trading_balance", account, row.token_id)
        assert row.funding == traffic.view("funding_balance", account, row.token_id)
        sums[row.token_id] = sums.get(row.token_id, 0) + row.trading + row.funding
    for token_id, total in sums.items():
        assert total == traffic.view("liabilities", token_id)


class Told:
    """What an engine believes that obeyed every command of its inbox in order, each once."""

    def __init__(self) -> None:
        self.credits: dict[str, tuple[bytes, int, int]] = {}
        self.debits: dict[str, int] = {}
        self.reserves: dict[str, tuple[bytes, int, int]] = {}
        self.exiting: set[bytes] = set()
        self.frozen: set[bytes] = set()
        self.refused: set[tuple[bytes, bytes]] = set()
        self.batches: list[int] = []

    def obey(self, kind: str, payload: dict[str, Any]) -> None:
        """Apply one command; a credit twice, or the undoing of what was not done, is an error."""
        match kind:
            case "credit":
                cause = payload["cause"]
                if cause.startswith("debit"):
                    del self.debits[cause.removesuffix(":undo")]
                    return
                assert cause not in self.credits
                self.credits[cause] = _money(payload)
            case "uncredit":
                assert self.credits.pop(payload["cause"].removesuffix(":undo")) == _money(payload)
            case "reserve_forced":
                assert payload["request"] not in self.reserves
                self.reserves[payload["request"]] = _money(payload)
            case "release_forced":
                del self.reserves[payload["request"]]
            case "debit":
                self.debits[payload["cause"]] = payload["amount"]
                if payload["request"]:
                    del self.reserves[payload["request"]]
            case "set_exiting":
                account = bytes.fromhex(payload["account"][2:])
                assert (account in self.exiting) != payload["exiting"]
                self.exiting ^= {account}
            case "set_frozen":
                account = bytes.fromhex(payload["account"][2:])
                assert (account in self.frozen) != payload["frozen"]
                self.frozen ^= {account}
            case "obey_revocation" | "allow_delegate":
                pair = (address_bytes(payload["account"]), address_bytes(payload["delegate"]))
                assert (pair in self.refused) == (kind == "allow_delegate")
                self.refused ^= {pair}
            case "finalize_batch":
                self.batches.append(payload["batch"])


async def told(url: str) -> Told:
    """Fold the inbox."""
    twin = Told()
    for row in await query(url, "select kind, payload from engine_inbox order by id"):
        twin.obey(row.kind, row.payload)
    return twin


async def check_inbox(traffic: Traffic, url: str, credit_confirmations: int) -> None:
    """What the engine was told must be what the chain says, at the depths it is to be told."""
    twin = await told(url)
    rows = await query(
        url,
        "select d.* from deposit d join cursor c on c.chain_id = d.chain_id "
        f"where not to_funding and block_number <= c.number - {credit_confirmations - 1}",
    )
    assert sorted(twin.credits.values()) == sorted((row.account, row.token_id, row.amount) for row in rows)
    staying = {row.account for row in await query(url, _FINALLY_CANCELLED)}
    exits = {row.account for row in await query(url, "select account from exit_request")}
    assert twin.exiting == exits - staying
    for user in traffic.users:
        if traffic.view("account_state", checksum(user.address))[3]:
            assert user.address in twin.exiting
        for delegate in DELEGATES:
            _, expiry, revoked_at = traffic.view("delegate_state", checksum(user.address), checksum(delegate))
            if expiry:
                assert ((user.address, delegate) in twin.refused) == (revoked_at > 0)
        for token in traffic.deployment.tokens:
            _, amount, _, lapses_at = traffic.view("withdrawal_request", checksum(user.address), token.token_id)
            held = [r for r in twin.reserves.values() if r[:2] == (user.address, token.token_id)]
            if amount and lapses_at > traffic.time:
                assert (user.address, token.token_id, amount) in held
    assert twin.batches == sorted(set(twin.batches))


def _money(payload: dict[str, Any]) -> tuple[bytes, int, int]:
    return address_bytes(payload["account"]), payload["asset"], payload["amount"]
