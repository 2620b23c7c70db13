"""What the engine must know of the chain, posted to its inbox in the transaction that mirrors it.

At the first block: cancels, revocations, exits, freezes of accounts, halts, closed tokens, the end of trading and
forced withdrawals, because they can only make the engine more careful. After `credit_confirmations`: credits. When
final: whatever cannot be taken back.

Forced withdrawals, exits, freezes, halts and revocations are compared with what the engine was told last, so that a
reorg, a restart or a run of blocks read at once all end in the same state. The same holds after a loss of the
database: a new index tells nothing before it has reached the node's head, and then only what is not as the engine
was told, according to the inbox that came back from the journal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database import chain_effects, chain_events, engine_inbox, recall
from exchange.database.chain_effects import HALTED, NAME, UNDO, Effect, Wish
from exchange.database.chain_events import Blocks, Row

T = TypeVar("T")
Said = tuple[str, Mapping[str, object]]
"""A command's kind and payload."""

log = structlog.get_logger(__name__)

FOREVER = 2**62
PAGE = 1_000
STRETCH = 10_000
"""Blocks of a whole chain that are looked at together."""
FINAL_KINDS = ("consume", "finalize")
"""Effects that no command takes back: a reorg past finality that removes their log needs an operator."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Heights before and after one step: indexed, confirmed (deposits are credited), final."""

    indexed: tuple[int, int]
    confirmed: tuple[int, int]
    final: tuple[int, int]
    final_timestamp: int


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whose last word a run of blocks may have changed."""

    requests: Sequence[Row]
    accounts: Sequence[Row]
    markets: Sequence[Row]
    delegates: Sequence[Row]


class Effects:
    """Keeps the engine informed about one chain. `asset_of_token` maps the contract's ids to the engine's."""

    def __init__(self, chain_id: int, asset_of_token: Mapping[int, int]) -> None:
        self._chain_id = chain_id
        self._assets = asset_of_token
        self.irreversible = 0
        """How often a reorg removed what the engine had been told was final."""

    async def advance(self, conn: AsyncConnection, step: Advance) -> None:
        """Post what follows from blocks that are new, newly confirmed or newly final."""
        new = self._blocks(step.indexed)
        await self._cancels(conn, new)
        await self._reconcile(conn, await self.subjects(conn, new), step.final[0], step.final_timestamp)
        await self._repeat_halts(conn)
        await self._credits(conn, self._blocks(step.confirmed))
        if step.final[1] > step.final[0]:
            await self._finalize(conn, self._blocks(step.final))
            held = await chain_events.standing_requests(conn, self._chain_id)
            await self._reconcile_requests(conn, held, step.final[1], step.final_timestamp)
            touched = await chain_events.touched_accounts(conn, self._blocks(step.final))
            thawed = await chain_events.thawed(conn, self._chain_id, step.final_timestamp)
            for account in sorted({row.account for row in (*touched, *thawed)}):
                await self._reconcile_account(conn, account, step.final[1], step.final_timestamp)
            await self._release_overdue(conn, step.final_timestamp)

    async def restate(self, conn: AsyncConnection, whole: Advance) -> None:
        """Post what the whole chain says, where it is not what the engine was told before this index was made.

        `whole` is the step from nothing. Deposits that a reorg removed meanwhile are taken back last, so that those
        that were mined again pay for them.
        """
        await recall.remember(conn, self._chain_id)
        lost = await recall.without_log(conn, self._chain_id)
        for effect in lost:
            if not effect.key.startswith("credit:"):
                await self._take_back(conn, effect)
        for row in await recall.untold_cancels(conn, self._chain_id):
            await self._cancel(conn, row)
        for stretch in _stretches(whole.confirmed):
            await self._credits(conn, self._blocks(stretch))
        for stretch in _stretches(whole.final):
            await self._finalize(conn, self._blocks(stretch))
        subjects = await self._all_subjects(conn, self._blocks(whole.indexed))
        for row in subjects.markets:
            await self._recall_halt(conn, row.market_id)
        await self._reconcile(conn, subjects, whole.final[1], whole.final_timestamp)
        for effect in lost:
            if effect.key.startswith("credit:"):
                await self._take_back(conn, effect)
        await self._release_overdue(conn, whole.final_timestamp)

    async def _all_subjects(self, conn: AsyncConnection, blocks: Blocks) -> Subjects:
        """Whom anything on chain, or anything the engine was told of it, concerns."""
        found = await self.subjects(conn, blocks)
        return Subjects(
            sorted({*found.requests, *await chain_events.standing_requests(conn, self._chain_id)}),
            sorted({*found.accounts, *await recall.stopped(conn, self._chain_id)}),
            found.markets,
            sorted({*found.delegates, *await recall.delegates(conn, self._chain_id)}),
        )

    async def _recall_halt(self, conn: AsyncConnection, market_id: int) -> None:
        """A market that is halted on chain and in the engine was halted by the chain, as far as can be told.

        Halted in the engine only, it was by an operator, who alone opens it again.
        """
        halting = await chain_events.halting(conn, self._chain_id, market_id)
        if halting is not None:
            await recall.halt(conn, self._chain_id, market_id, _cause(halting))

    async def subjects(self, conn: AsyncConnection, blocks: Blocks) -> Subjects:
        """Whom the events in a range of blocks concern."""
        return Subjects(
            await chain_events.touched_requests(conn, blocks),
            await chain_events.touched_accounts(conn, blocks),
            await chain_events.touched_markets(conn, blocks),
            await chain_events.touched_delegates(conn, blocks),
        )

    async def withdraw(self, conn: AsyncConnection, above: int) -> Subjects:
        """Take back what stands because of the blocks above a height, before they go.

        Returns the subjects to pass to `restore` once they are gone.
        """
        subjects = await self.subjects(conn, Blocks(self._chain_id, above, FOREVER))
        for effect in await chain_effects.standing_in_blocks_above(conn, self._chain_id, above):
            await self._take_back(conn, effect)
        return subjects

    async def restore(
        self, conn: AsyncConnection, subjects: Subjects, removed_tip: str, final_number: int, final_timestamp: int
    ) -> None:
        """Post what the remaining chain says of these subjects, where it is not what the engine was told."""
        await self._reconcile(conn, subjects, final_number, final_timestamp, removed_tip)

    def _asset(self, token_id: int) -> int:
        """The engine's asset; a token listed after the deployment was written has the same id."""
        return self._assets.get(token_id, token_id)

    def _blocks(self, heights: tuple[int, int]) -> Blocks:
        return Blocks(self._chain_id, *heights)

    async def _cancels(self, conn: AsyncConnection, blocks: Blocks) -> None:
        for row in await chain_events.cancels(conn, blocks):
            await self._cancel(conn, row)

    async def _cancel(self, conn: AsyncConnection, row: Row) -> None:
        payload = {"account": row.account, "nonce": int(row.nonce), "min_nonce": int(row.min_nonce)}
        await engine_inbox.post(conn, "obey_cancel", payload, f"cancel:{_place(row)}")

    async def _credits(self, conn: AsyncConnection, blocks: Blocks) -> None:
        for page in _pages(await chain_events.creditable(conn, blocks)):
            wishes = [
                Wish(
                    f"credit:{_place(row)}",
                    row.block_hash,
                    row.log_index,
                    "credit",
                    {"account": row.account, "asset": self._asset(row.token_id), "amount": row.amount, "cause": NAME},
                )
                for row in page
            ]
            for row, inbox_id in zip(page, await chain_effects.do(conn, self._chain_id, wishes), strict=True):
                if inbox_id:
                    await chain_events.set_credited(conn, (row.block_hash, row.log_index), inbox_id)

    async def _take_back(self, conn: AsyncConnection, effect: Effect) -> None:
        kind = effect.key.partition(":")[0]
        if kind == "reserve":
            await chain_effects.undo(conn, self._chain_id, effect, "release_forced", {"request": effect.name})
        elif kind in ("credit", "debit"):
            done = await chain_events.payload(conn, effect.name)
            opposite = "uncredit" if kind == "credit" else "credit"
            payload = {name: done[name] for name in ("account", "asset", "amount")} | {"cause": effect.name + UNDO}
            await chain_effects.undo(conn, self._chain_id, effect, opposite, payload)
        elif kind in FINAL_KINDS:
            self.irreversible += 1
            log.error("a reorg removed what was final", effect=effect.name)

    async def _reconcile(
        self,
        conn: AsyncConnection,
        subjects: Subjects,
        final_number: int,
        final_timestamp: int,
        removed_tip: str = "",
    ) -> None:
        await self._reconcile_requests(conn, subjects.requests, final_number, final_timestamp)
        for row in subjects.accounts:
            await self._reconcile_account(conn, row.account, final_number, final_timestamp)
        for row in subjects.markets:
            await self._reconcile_market(conn, row.market_id)
        for row in subjects.delegates:
            await self._reconcile_delegate(conn, row.account, row.delegate, removed_tip)

    async def _reconcile_requests(
        self, conn: AsyncConnection, subjects: Iterable[Row], final_number: int, final_timestamp: int
    ) -> None:
        for subject in subjects:
            events = await chain_events.requests(conn, self._chain_id, subject.account, subject.token_id)
            wanted = wanted_reserves(events, final_number, final_timestamp)
            made = [row for row in events if row.kind == "requested"]
            keys = [f"reserve:{_place(row)}" for row in made]
            stands = await chain_effects.standing(conn, self._chain_id, keys)
            for row, key in zip(made, keys, strict=True):
                if key in stands and row not in wanted:
                    request = {"request": stands[key].name}
                    await chain_effects.undo(conn, self._chain_id, stands[key], "release_forced", request)
                elif key not in stands and row in wanted:
                    await self._reserve(conn, subject, row)

    async def _reserve(self, conn: AsyncConnection, subject: Row, row: Row) -> None:
        payload = {
            "account": subject.account,
            "asset": self._asset(subject.token_id),
            "amount": row.amount,
            "request": NAME,
        }
        wish = Wish(f"reserve:{_place(row)}", row.block_hash, row.log_index, "reserve_forced", payload)
        await chain_effects.do(conn, self._chain_id, [wish])

    async def _reconcile_account(
        self, conn: AsyncConnection, account: bytes, final_number: int, final_timestamp: int
    ) -> None:
        """An account is leaving until the cancellation of its exit is final, and so is every claim before that.

        Otherwise it could trade what a claim has paid already, until the claim's debit arrives. One that its owner
        froze is stopped in the same way, until a thaw that took effect is final. What stops it is told first.
        """
        leave = await chain_events.last_exit(conn, self._chain_id, account)
        exiting = leave is not None and (leave.kind == "requested" or leave.block_number > final_number)
        freeze = await chain_events.last_freeze(conn, self._chain_id, account)
        frozen = freeze is not None and (freeze.kind == "frozen" or freeze.effective_at > final_timestamp)
        states = [("exiting", leave, exiting), ("frozen", freeze, frozen)]
        for name, last, stands in sorted(states, key=lambda state: not state[2]):
            on, off = ((f"set_{name}", {"account": account, name: value}) for value in (True, False))
            await self._switch(conn, f"{name}:0x{account.hex()}", _cause(last) if stands else None, on, off)

    async def _reconcile_market(self, conn: AsyncConnection, market_id: int) -> None:
        """A market is halted while it is so on chain, or a token of it takes no deposits there.

        One that an operator halted as well stays so until an operator opens it.
        """
        halting = await chain_events.halting(conn, self._chain_id, market_id)
        if halting is None and (by_operator := await chain_effects.operator_halt(conn, market_id)) is not None:
            for effect in (await chain_effects.standing(conn, self._chain_id, [f"{HALTED}{market_id}"])).values():
                await chain_effects.close(conn, self._chain_id, effect, by_operator)
            return
        on, off = (("set_market_status", {"market": market_id, "status": value}) for value in ("halted", "open"))
        await self._switch(conn, f"{HALTED}{market_id}", None if halting is None else _cause(halting), on, off)

    async def _repeat_halts(self, conn: AsyncConnection) -> None:
        """What was halted before the engine listed it is halted once it does."""
        for market_id, refused, effect in await chain_effects.unheard_halts(conn, self._chain_id):
            await chain_effects.close(conn, self._chain_id, effect, refused)
            await self._reconcile_market(conn, market_id)

    async def _reconcile_delegate(
        self, conn: AsyncConnection, account: bytes, delegate: bytes, removed_tip: str
    ) -> None:
        """A key is refused from its revocation, or from the reorg that removed its grant, until it is granted."""
        last = await chain_events.last_delegate(conn, self._chain_id, account, delegate)
        because: tuple[bytes, int] | None = None
        if last is None:
            because = bytes.fromhex(removed_tip.removeprefix("0x")), 0
        elif last.kind == "revoked":
            because = _cause(last)
        payload = {"account": account, "delegate": delegate}
        key = f"revocation:0x{account.hex()}:0x{delegate.hex()}"
        await self._switch(conn, key, because, ("obey_revocation", payload), ("allow_delegate", payload))

    async def _switch(
        self, conn: AsyncConnection, key: str, because: tuple[bytes, int] | None, on: Said, off: Said
    ) -> None:
        """Make an effect stand (because of the log at a block's hash and index) or not, posting only what is news."""
        stands = await chain_effects.standing(conn, self._chain_id, [key])
        if because is not None and key not in stands:
            await chain_effects.do(conn, self._chain_id, [Wish(key, *because, *on)])
        elif because is None and key in stands:
            await chain_effects.undo(conn, self._chain_id, stands[key], *off)

    async def _finalize(self, conn: AsyncConnection, blocks: Blocks) -> None:
        wishes = [
            Wish(f"finalize:{row.seq}", row.block_hash, row.log_index, "finalize_batch", {"batch": row.seq})
            for row in await chain_events.batches(conn, blocks)
        ]
        for page in _pages(wishes):
            await chain_effects.do(conn, self._chain_id, page)
        for row in await chain_events.outflows(conn, blocks):
            if row.withdrawal_hash is None:
                await self._debit(conn, row)
            else:
                payload = {"withdrawal_hash": row.withdrawal_hash, "cause": _place(row)}
                key = f"consume:0x{row.withdrawal_hash.hex()}"
                wish = Wish(key, row.block_hash, row.log_index, "consume_withdrawal", payload)
                await chain_effects.do(conn, self._chain_id, [wish])

    async def _debit(self, conn: AsyncConnection, row: Row) -> None:
        """A claim is final: consume the reserve of the request it answers, if that stands."""
        reserve = await self._answered(conn, row) if row.kind == "claimed" else None
        payload = {
            "account": row.account,
            "asset": self._asset(row.token_id),
            "amount": row.amount,
            "request": reserve.name if reserve else "",
            "cause": NAME,
        }
        wish = Wish(f"debit:{_place(row)}", row.block_hash, row.log_index, "debit", payload)
        ids = await chain_effects.do(conn, self._chain_id, [wish])
        if reserve and ids[0]:
            await chain_effects.close(conn, self._chain_id, reserve, ids[0])

    async def _answered(self, conn: AsyncConnection, claim: Row) -> Effect | None:
        events = await chain_events.requests(conn, self._chain_id, claim.account, claim.token_id)
        before = [row for row in events if (row.block_number, row.log_index) < (claim.block_number, claim.log_index)]
        made = [row for row in before if row.kind == "requested"]
        if not made:
            return None
        key = f"reserve:{_place(made[-1])}"
        return (await chain_effects.standing(conn, self._chain_id, [key])).get(key)

    async def _release_overdue(self, conn: AsyncConnection, final_timestamp: int) -> None:
        for withdrawal_hash in await chain_events.overdue_withdrawals(conn, self._chain_id, final_timestamp):
            cause = f"deadline passed at {final_timestamp}"
            payload = {"withdrawal_hash": withdrawal_hash, "cause": cause}
            key = f"release_withdrawal:0x{withdrawal_hash.hex()}"
            await engine_inbox.post(conn, "release_withdrawal", payload, key)


def wanted_reserves(events: Sequence[Row], final_number: int, final_timestamp: int) -> list[Row]:
    """The requests among an account's events (in order, one token) that the engine must hold money for.

    A request counts until its cancellation or the claim that pays it is final, until it is replaced (which needs it to
    have lapsed), or until it has lapsed for good.
    """
    wanted: list[Row] = []
    for place, row in enumerate(events):
        if row.kind != "requested":
            continue
        end = events[place + 1] if place + 1 < len(events) else None
        if end is None:
            stands = row.lapses_at >= final_timestamp
        else:
            stands = end.kind in ("claimed", "cancelled") and end.block_number > final_number
        if stands:
            wanted.append(row)
    return wanted


def _pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]


def _stretches(heights: tuple[int, int]) -> Iterator[tuple[int, int]]:
    above, up_to = heights
    for start in range(above, up_to, STRETCH):
        yield start, min(start + STRETCH, up_to)


def _cause(row: Row) -> tuple[bytes, int]:
    return row.block_hash, row.log_index


def _place(row: Row) -> str:
    """Names a log: block hash and position in the block."""
    return f"0x{row.block_hash.hex()}:{row.log_index}"
