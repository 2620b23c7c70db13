"""A group commit: time, order, duplicates, and what happens when there is no room."""

import errno
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import number_of
from exchange.domain.instrument import Asset
from exchange.domain.order import Order, Side, Terms, TimeInForce, TriggerType
from exchange.domain.order_id import order_id
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.fast.engine import FastEngine
from exchange.engine.telling import Telling
from exchange.journal.codec import encode_command
from exchange.journal.errors import JournalFull
from exchange.journal.journal import KEPT_BYTES, OPERATOR_BYTES, Journal
from exchange.journal.reader import Reader
from exchange.journal.record import MAX_PAYLOAD
from exchange.sequencer.committer import IN_PLACE_RECORDS, Committer, _may_wait
from exchange.sequencer.frames import commit_frames
from exchange.sequencer.items import Item, parse_frame, parse_item
from exchange.sequencer.protocol import Ack, FrameAck, Refused
from exchange.sequencer.shares import Shares
from tests.unit.exchange.journal.test_recovery import COMMANDS, MAKER, NOW_MS, TAKER, _place
from tests.utils.frames import frame_of, mixed_frame_of
from tests.utils.signing import Signer


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def committer(tmp_path: Path, clock: Clock) -> Iterator[Committer]:
    with Journal.open(tmp_path) as journal, ThreadPoolExecutor(1) as executor:
        yield Committer(Engine(), journal, clock, executor)


def _items(*commands: c.Command) -> list[Item]:
    return [(encode_command(command), command) for command in commands]


async def test_accepted_commands_are_durable_and_in_order(committer: Committer) -> None:
    result = await committer.commit(_items(*COMMANDS))
    assert [outcome.seq for outcome in result.outcomes if isinstance(outcome, Ack)] == list(range(1, len(COMMANDS) + 1))
    records = list(Reader(committer.journal.folder).read())
    assert [record.command for record in records] == COMMANDS
    assert [done.head for done in result.committed] == [record.head for record in records]
    assert {record.at_ms for record in records} == {NOW_MS}


class Counting(ThreadPoolExecutor):
    """Counts what it is asked for."""

    asked = 0

    def submit(self, *args: Any, **more: Any) -> Any:
        self.asked += 1
        return super().submit(*args, **more)


@pytest.mark.parametrize("took", [0.0, 1.0], ids=["quick", "slow"])
@pytest.mark.parametrize("count", [1, IN_PLACE_RECORDS, IN_PLACE_RECORDS + 1])
async def test_small_groups_need_no_thread_while_the_disk_is_quick(tmp_path: Path, count: int, took: float) -> None:
    with Journal.open(tmp_path) as journal, Counting(1) as executor:
        committer = Committer(Engine(), journal, lambda: NOW_MS, executor)
        committer._sync_seconds = took
        assets = [c.ListAsset(Asset(number, f"A{number}", 6)) for number in range(count)]
        result = await committer.commit(_items(*assets))
        assert [outcome.seq for outcome in result.outcomes if isinstance(outcome, Ack)] == list(range(1, count + 1))
        assert executor.asked == (took > 0 or count > IN_PLACE_RECORDS)
        assert len(list(Reader(tmp_path).read())) == count
        assert 0 < committer._sync_seconds != took, "the next group goes by how long this one took"


async def test_a_disk_that_fails_acknowledges_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(journal: Journal) -> None:
        raise OSError("gone")

    with Counting(1) as executor, Journal.open(tmp_path) as journal:
        for took in (0.0, 1.0):
            committer = Committer(Engine(), journal, lambda: NOW_MS, executor)
            committer._sync_seconds = took
            with monkeypatch.context() as failing:
                failing.setattr(Journal, "sync", fails)
                with pytest.raises(OSError, match="gone"):
                    await committer.commit(_items(c.ListAsset(Asset(0, "USDC", 6))))


async def test_refused_command_takes_no_sequence(committer: Committer) -> None:
    asset = c.ListAsset(Asset(0, "USDC", 6))
    result = await committer.commit(_items(asset, asset, c.ListAsset(Asset(1, "ETH", 8))))
    first, second, third = result.outcomes
    assert (first, third) == (Ack(1, NOW_MS), Ack(2, NOW_MS))
    assert isinstance(second, Refused)
    assert second.code == ErrorCode.asset_exists


async def test_order_twice_in_a_group_is_acked_once_more(committer: Committer) -> None:
    await committer.commit(_items(*COMMANDS[:5]))
    order = _place(MAKER, 1, Side.buy)
    result = await committer.commit(_items(order, order))
    assert result.outcomes == [Ack(6, NOW_MS, 6), Ack(6, NOW_MS, 6, duplicate=True)]
    assert committer.journal.seq == 6


def group_of(placed: c.PlaceOrder) -> c.PlaceGroup:
    """An order as a leg, and a stop beside it."""
    order, stop = placed.order, Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=7).pack()
    trigger = order.price * 2 if order.side == Side.buy else 10
    legs = (
        replace(order, terms=Terms(group=7).pack()),
        replace(order, nonce=order.nonce + 1_000, terms=stop, trigger_price=trigger),
    )
    first, second = (replace(placed, order=leg, order_hash=keccak(leg.pack())) for leg in legs)
    return c.PlaceGroup(first, second)


async def test_two_legs_are_one_record_and_once_more_the_same_one(committer: Committer) -> None:
    await committer.commit(_items(*COMMANDS[:5]))
    group = group_of(_place(MAKER, 1, Side.buy))
    other = c.PlaceGroup(group.first, replace(group.second, order_hash=b"\x09" * 32))
    result = await committer.commit(_items(group, group, other))
    assert result.outcomes[:2] == [Ack(6, NOW_MS, 6), Ack(6, NOW_MS, 6, duplicate=True)]
    refused = result.outcomes[2]
    assert isinstance(refused, Refused)
    assert refused.code == ErrorCode.nonce_used
    assert committer.journal.seq == 6
    assert [record.command for record in Reader(committer.journal.folder).read()][-1] == group
    assert [order.order_id for order in committer.engine.open_orders(MAKER)] == [6, order_id(6, 1)]
    assert parse_item(encode_command(group)) == (encode_command(group), group)


async def test_room_is_kept_for_the_turns_of_both_legs(committer: Committer) -> None:
    group = group_of(_place(MAKER, 1, Side.buy))
    assert [_may_wait(item) for item in _items(group, c.PlaceGroup(group.second, group.second))] == [1, 2]


async def test_time_never_goes_back(committer: Committer, clock: Clock) -> None:
    await committer.commit(_items(*COMMANDS[:1]))
    clock.now_ms -= 60_000
    result = await committer.commit(_items(*COMMANDS[1:2]))
    assert result.outcomes == [Ack(2, NOW_MS)]


async def test_tick_is_due_at_the_next_expiry_and_at_most_once_a_second(committer: Committer, clock: Clock) -> None:
    assert committer.tick_due_in_ms() is None
    await committer.commit(_items(*COMMANDS[:6]))
    assert committer.tick_due_in_ms() == 3_600_000
    clock.now_ms += 3_600_500
    assert committer.tick_due_in_ms() == -500
    await committer.tick()
    assert committer.tick_due_in_ms() is None
    assert committer.engine.open_orders(MAKER) == []


async def test_what_time_ends_is_ended_before_anybody_comes_in_that_second(committer: Committer, clock: Clock) -> None:
    expiry = NOW_MS // 1_000 + 60
    orders = [replace(_buy(nonce).order, expiry=expiry + nonce - 50) for nonce in (50, 51)]
    await committer.commit(_items(*COMMANDS[:5], *(replace(_buy(order.nonce), order=order) for order in orders)))
    clock.now_ms = expiry * 1_000 + 900
    await committer.tick()
    assert committer.tick_due_in_ms() == 100
    clock.now_ms += 100
    assert committer.tick_due_in_ms() == 0


async def test_no_room_refuses_the_whole_group_and_changes_nothing(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await committer.commit(_items(*COMMANDS[:5]))
    before = committer.engine.state_hash()

    def no_room(payload_bytes: int, records: int, *, left: int = KEPT_BYTES) -> None:
        raise JournalFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(committer.journal, "reserve", no_room)
        result = await committer.commit([*_items(*COMMANDS[5:7]), Refused("malformed", "not a command", None, {})])
    assert [outcome.code for outcome in result.outcomes if isinstance(outcome, Refused)] == [
        ErrorCode.unavailable,
        ErrorCode.unavailable,
        ErrorCode.malformed,
    ]
    assert committer.journal_full
    assert committer.engine.state_hash() == before
    assert isinstance((await committer.commit(_items(COMMANDS[5]))).outcomes[0], Ack)
    assert not committer.journal_full


async def test_without_room_only_what_reduces_risk_is_taken(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await committer.commit(_items(*COMMANDS[:6]))
    reserve = committer.journal.reserve

    def full(payload_bytes: int, records: int, *, left: int = KEPT_BYTES) -> None:
        if left == KEPT_BYTES:
            raise JournalFull("no room")
        reserve(payload_bytes, records, left=left)

    monkeypatch.setattr(committer.journal, "reserve", full)
    account = COMMANDS[5].order.account  # type: ignore[union-attr]
    signed = (b"\1" * 65, account)
    commands = {
        c.CancelOrder(account, COMMANDS[5].order.nonce, *signed): True,  # type: ignore[union-attr]
        COMMANDS[6]: False,
        c.MassCancel(account, 0, 2, NOW_MS, *signed): True,
        c.SetCountdown(account, 60, NOW_MS + 1, *signed): True,
        c.SetCountdown(account, 0, NOW_MS + 2, *signed): False,
        c.StopTrading(account, True, NOW_MS + 3, b"\1" * 65): True,
        c.StopTrading(account, False, NOW_MS + 4, b"\1" * 65): False,
        c.HoldWithdrawal(account, 0, 1, b"\7" * 32, 3, NOW_MS // 1_000 + 900, "{}", b"\1" * 65): False,
        c.SetMarketStatus(91, 1, "halted"): True,
        c.SetMarketStatus(92, 1, "open"): False,
        c.CancelAll(account, 900, *signed): True,
    }
    before = committer.journal.seq
    malformed = Refused("malformed", "not a command", None, {})
    result = await committer.commit([malformed, *_items(*commands)])
    assert result.outcomes[0] == malformed
    assert [isinstance(outcome, Ack) for outcome in result.outcomes[1:]] == list(commands.values()), result.outcomes
    refused = [outcome for outcome in result.outcomes[1:] if isinstance(outcome, Refused)]
    assert {outcome.code for outcome in refused} == {ErrorCode.unavailable}
    assert committer.journal_full
    assert committer.journal.seq == before + sum(commands.values())
    assert [done.seq for done in result.committed] == list(range(before + 1, committer.journal.seq + 1))


def _fill_disk(patch: pytest.MonkeyPatch) -> None:
    """From now on no file can grow."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    for name in ("allocate", "write_atomically"):
        patch.setattr(f"exchange.journal.journal.{name}", full)


async def _cancel_until_refused(committer: Committer, nonces: Iterator[int]) -> int:
    """What one user can do at will, as often as it is taken; how often that was."""
    signed = (b"\1" * 65, MAKER)
    taken = 0
    while True:
        cancels = [c.CancelAll(MAKER, next(nonces), *signed) for _ in range(200)]
        outcomes = (await committer.commit(_items(*cancels))).outcomes
        if not isinstance(outcomes[0], Ack):
            return taken
        taken += len(outcomes)


async def test_users_cannot_take_the_room_of_the_operators_halts(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is kept comes back when there is room again, by whatever is asked next."""
    await committer.commit(_items(*COMMANDS[:6]))
    nonces, inbox_ids = itertools.count(1_000), itertools.count(1_000)
    taken = []
    for _ in range(2):
        with monkeypatch.context() as patch:
            _fill_disk(patch)
            taken.append(await _cancel_until_refused(committer, nonces))
            room = committer.journal._room_end - committer.journal._end
            assert OPERATOR_BYTES <= room < OPERATOR_BYTES + (1 << 16)
            for _ in range(500):
                halts = (
                    c.SetMarketStatus(next(inbox_ids), 1, "halted"),
                    c.SetTradingStop(next(inbox_ids), MAKER, True),
                )
                outcomes = (await committer.commit(_items(*halts))).outcomes
                assert all(isinstance(outcome, Ack) for outcome in outcomes), outcomes
        assert isinstance(
            (await committer.commit(_items(c.CancelAll(MAKER, next(nonces), b"\1" * 65, MAKER)))).outcomes[0], Ack
        )
        assert committer.journal._room_end - committer.journal._end >= KEPT_BYTES
        assert not committer.journal_full
    assert min(taken) > 1_000


def _available(committer: Committer) -> int:
    account = committer.engine.account(MAKER)
    assert account is not None
    return account.balances[0].available


async def test_a_halt_on_a_full_disk_passes_over_no_deposit(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inbox keeps its order: a deposit before a halt goes with it, and what comes after waits."""
    await committer.commit(_items(*COMMANDS[:6]))
    _fill_disk(monkeypatch)
    await _cancel_until_refused(committer, itertools.count(1_000))
    deposit = c.Credit(1_000, MAKER, 0, 5, "credit:0x" + "ab" * 32 + ":0:0")
    opened = c.SetMarketStatus(1_001, 1, "open")
    alone = (await committer.commit(_items(deposit, opened))).outcomes
    assert [isinstance(outcome, Refused) for outcome in alone] == [True, True]
    assert committer.engine.inbox_id < 1_000
    halt, late = c.SetMarketStatus(1_002, 1, "halted"), c.SetMarketStatus(1_003, 1, "open")
    before = _available(committer)
    outcomes = (await committer.commit(_items(deposit, opened, COMMANDS[6], halt, late))).outcomes
    assert [isinstance(outcome, Ack) for outcome in outcomes] == [True, True, False, True, False], outcomes
    assert _available(committer) == before + 5
    assert committer.engine.inbox_id == 1_002


async def test_without_room_orders_still_expire(committer: Committer, monkeypatch: pytest.MonkeyPatch) -> None:
    await committer.commit(_items(*COMMANDS[:6]))
    account = COMMANDS[5].order.account  # type: ignore[union-attr]
    await committer.commit(_items(c.SetCountdown(account, 1, NOW_MS, b"\1" * 65, account)))
    reserve = committer.journal.reserve

    def full(payload_bytes: int, records: int, *, left: int = KEPT_BYTES) -> None:
        if left == KEPT_BYTES:
            raise JournalFull("no room")
        reserve(payload_bytes, records, left=left)

    monkeypatch.setattr(committer.journal, "reserve", full)
    monkeypatch.setattr(committer, "_clock", lambda: NOW_MS + 3_000)
    assert len(committer.engine.open_orders(account)) == 1
    assert isinstance((await committer.tick()).outcomes[0], Ack)
    assert len(committer.engine.open_orders(account)) == 0
    monkeypatch.setattr(Engine, "has_turn", lambda engine, at_ms: True)
    assert isinstance((await committer.tick()).outcomes[0], Refused), "an order would work"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", ErrorCode.malformed),
        (b"\0\1\0\1\x90", ErrorCode.malformed),
        (bytes(MAX_PAYLOAD + 1), ErrorCode.body_too_large),
        (encode_command(c.Tick()), ErrorCode.forbidden),
        (encode_command(c.MassCancel(MAKER, 1, 256, NOW_MS, b"\7" * 65, MAKER)), ErrorCode.malformed),
        (encode_command(c.MassCancel(MAKER, 2**32, 2, NOW_MS, b"\7" * 65, MAKER)), ErrorCode.malformed),
        (encode_command(c.SetCountdown(MAKER, 2**32, NOW_MS, b"\7" * 65, MAKER)), ErrorCode.malformed),
    ],
)
def test_bytes_that_are_no_clients_command_are_refused(payload: bytes, code: ErrorCode) -> None:
    item = parse_item(payload)
    assert isinstance(item, Refused)
    assert item.code == code


SELLER, STRANGER = Signer("seller"), Signer("stranger")


def _frame(signer: Signer, price: int, first: int = 1) -> tuple[bytes, c.PlaceFrame]:
    expiry = NOW_MS // 1_000 + 3_600
    frame = frame_of(signer, [Order(signer.raw, 1, 1, price, 2, first + n, expiry, 0, 10, 0) for n in range(2)])
    return encode_command(frame), frame


def _stop(nonce: int) -> c.PlaceOrder:
    terms = Terms(trigger_type=TriggerType.stop_loss).pack()
    order = Order(TAKER, 1, 1, 580_000, 2, nonce, NOW_MS // 1_000 + 3_600, 595_000, 10, terms)
    return c.PlaceOrder(order, bytes([nonce, 9]) * 16, 0, b"\1" * 65, TAKER)


def _buy(nonce: int) -> c.PlaceOrder:
    order = Order(MAKER, 1, 0, 590_000, 2, nonce, NOW_MS // 1_000 + 3_600, 0, 10, 0)
    return c.PlaceOrder(order, bytes([nonce, 8]) * 16, 0, b"\1" * 65, MAKER)


async def test_frame_of_a_stranger_is_refused_and_not_journaled(committer: Committer) -> None:
    await committer.commit(_items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c")))
    told: list[Ack | Refused] = []
    result = await commit_frames(
        committer, [_frame(STRANGER, 600_000), _frame(SELLER, 600_000)], told.extend, Telling.everything
    )
    stranger, seller = result.outcomes
    assert isinstance(stranger, Refused)
    assert stranger.code == ErrorCode.unknown_account
    assert isinstance(seller, FrameAck)
    assert (told[0], committer.journal.seq) == (stranger, 7)


async def test_who_has_used_up_a_share_waits_and_nobody_else_does(tmp_path: Path, clock: Clock) -> None:
    seconds = 0.0
    with Journal.open(tmp_path) as journal, ThreadPoolExecutor(1) as executor:
        shares = Shares(20, lambda: seconds)
        committer = Committer(Engine(), journal, clock, executor, shares=shares)
        await committer.commit(_items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c")))
        shares.charge(SELLER.raw, 0.6)
        shares.charge(MAKER, 0.6)

        async def frame(first: int) -> FrameAck | Refused:
            return (
                await commit_frames(committer, [_frame(SELLER, 600_000, first)], lambda _: None, Telling.nothing)
            ).outcomes[0]

        seq = committer.journal.seq
        refused = await frame(1)
        result = await committer.commit(_items(_buy(1), COMMANDS[6], c.CancelOrder(MAKER, 1, b"\1" * 65, MAKER)))
        buy, others, cancel = result.outcomes
        for outcome in (refused, buy):
            assert isinstance(outcome, Refused)
            assert (outcome.code, outcome.params["retry_after_ms"]) == (ErrorCode.too_many_requests, 501)
        assert isinstance(others, Ack)
        assert isinstance(cancel, Refused)
        assert cancel.code == ErrorCode.unknown_order, "a cancel is looked at"
        assert committer.journal.seq == seq + 1
        seconds = 0.502
        assert isinstance(await frame(1), FrameAck)
        assert isinstance((await committer.commit(_items(_buy(1)))).outcomes[0], Ack)


async def test_orders_are_charged_with_the_time_that_they_take(tmp_path: Path, clock: Clock) -> None:
    charged: dict[bytes, float] = {}

    class Noted(Shares):
        def charge(self, account: bytes, seconds: float) -> None:
            charged[account] = charged.get(account, 0.0) + seconds

    with Journal.open(tmp_path) as journal, ThreadPoolExecutor(1) as executor:
        committer = Committer(Engine(), journal, clock, executor, shares=Noted(20))
        await committer.commit(_items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c")))
        assert charged == {}, "credits are nobody's orders"
        await commit_frames(committer, [_frame(SELLER, 600_000)], lambda _: None, Telling.nothing)
        await committer.commit(_items(_stop(90), c.CancelAll(MAKER, 1, b"\1" * 65, MAKER)))
    assert charged.keys() == {SELLER.raw, TAKER}
    assert min(charged.values()) > 0


async def test_frame_of_who_may_not_trade_is_refused_and_not_journaled(committer: Committer) -> None:
    await committer.commit(_items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c")))
    expiry = NOW_MS // 1_000 + 3_600
    delegated = frame_of(
        STRANGER, [Order(SELLER.raw, 1, 1, 600_000, 2, n + 1, expiry, 0, 10, 0) for n in range(2)], account=SELLER.raw
    )

    async def code(frame: c.PlaceFrame) -> str | None:
        seq = committer.journal.seq
        (outcome,) = (
            await commit_frames(committer, [(encode_command(frame), frame)], lambda _: None, Telling.everything)
        ).outcomes
        assert (committer.journal.seq == seq) is isinstance(outcome, Refused)
        return outcome.code if isinstance(outcome, Refused) else None

    assert await code(delegated) is None
    await committer.commit(_items(c.ObeyRevocation(4, SELLER.raw, STRANGER.raw)))
    assert await code(delegated) == ErrorCode.unknown_delegate, "from the next record on"
    own = _frame(SELLER, 600_000, first=10)[1]
    assert await code(own) is None
    for inbox_id, command, refused in (
        (5, c.SetTradingStop(5, SELLER.raw, True), ErrorCode.trading_stopped),
        (6, c.SetTradingStop(6, SELLER.raw, False), None),
        (7, c.SetFrozen(7, SELLER.raw, True), ErrorCode.account_frozen),
    ):
        await committer.commit(_items(command))
        assert await code(_frame(SELLER, 600_000, first=10 * inbox_id)[1]) == refused


async def test_frames_on_a_full_disk_leave_room_for_what_they_trigger(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await committer.commit(
        _items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c"), _buy(50), _stop(51), _stop(52))
    )
    room, reserve = [0], committer.journal.reserve

    def bounded(payload_bytes: int, records: int, *, left: int = KEPT_BYTES) -> None:
        if payload_bytes + records > room[0]:
            raise JournalFull("no room")
        reserve(payload_bytes, records)

    monkeypatch.setattr(committer.journal, "reserve", bounded)
    frames = [_frame(SELLER, 590_000), _frame(SELLER, 590_000, 10)]
    room[0] = len(frames[0][0]) + 1  # enough for a frame, not for the stops that it triggers
    before = committer.journal.seq
    result = await commit_frames(committer, frames, lambda acks: None, Telling.everything)
    assert [isinstance(outcome, Refused) for outcome in result.outcomes] == [True, True]
    assert (committer.journal.seq, committer.engine.has_due) == (before, False)
    room[0] = 10**6
    result = await commit_frames(committer, frames, lambda acks: None, Telling.everything)
    assert [isinstance(outcome, FrameAck) for outcome in result.outcomes] == [True, True]
    assert committer.journal.seq == before + 4, "each frame, and a tick for each stop"


async def test_frames_while_orders_wait_cost_one_sync_and_what_they_trigger_works_right_behind_them(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bids = [replace(_buy(50 + n), order=replace(_buy(50 + n).order, price=600_000 - 10_000 * n)) for n in range(2)]
    await committer.commit(_items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c"), *bids, _stop(60)))
    told: list[Ack | Refused] = []
    syncs, sync = [0], committer.journal.sync

    def counted() -> None:
        assert not told
        syncs[0] += 1
        sync()

    monkeypatch.setattr(committer.journal, "sync", counted)
    before = committer.journal.seq
    frames = [_frame(SELLER, price, 1 + 10 * n) for n, price in enumerate((600_000, 590_000, 640_000, 650_000))]
    stranger = _frame(STRANGER, 600_000)
    result = await commit_frames(committer, [frames[0], stranger, *frames[1:]], told.extend, Telling.everything)
    assert syncs == [1]
    assert [type(one) for one in told] == [Ack, Refused, Ack, Ack, Ack]
    assert [one.codes for one in result.outcomes if isinstance(one, FrameAck)] == [b"\0\0"] * 4
    assert [one.seq for one in result.outcomes if isinstance(one, FrameAck)] == [before + n for n in (1, 2, 4, 5)]
    assert committer.engine.waiting == 0
    records = list(Reader(committer.journal.folder).read())[before:]
    assert [type(record.command).__name__ for record in records] == [*["PlaceFrame"] * 2, "Tick", *["PlaceFrame"] * 2]
    assert [(done.seq, done.head) for done in result.committed] == [(record.seq, record.head) for record in records]


def _stops(signer: Signer, first: int) -> tuple[bytes, c.PlaceFrame]:
    """A mixed frame of two stops."""
    terms, expiry = Terms(trigger_type=TriggerType.stop_loss).pack(), NOW_MS // 1_000 + 3_600
    orders = [Order(signer.raw, 1, 1, 580_000, 2, first + n, expiry, 595_000, 10, terms) for n in range(2)]
    frame = mixed_frame_of(signer, orders)
    return encode_command(frame), frame


async def test_frames_leave_room_for_their_own_stops_and_are_taken_one_by_one(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waited before the first came; the second triggers what that brought, which works before the third."""
    await committer.commit(_items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c"), _buy(50)))
    room, reserve = [0], committer.journal.reserve

    def bounded(payload_bytes: int, records: int, *, left: int = KEPT_BYTES) -> None:
        if payload_bytes + records > room[0]:
            raise JournalFull("no room")
        reserve(payload_bytes, records, left=left)

    monkeypatch.setattr(committer.journal, "reserve", bounded)
    frames = [_stops(SELLER, 1), _frame(SELLER, 590_000, 10), _frame(SELLER, 600_000, 20)]
    room[0] = len(_stops(SELLER, 1)[0]) + 1  # enough for the frame, not for the stops in it
    before = committer.journal.seq
    refused = await commit_frames(committer, frames[:1], lambda acks: None, Telling.everything)
    assert [isinstance(outcome, Refused) for outcome in refused.outcomes] == [True]
    assert committer.journal.seq == before
    room[0] = 10**6
    result = await commit_frames(committer, frames, lambda acks: None, Telling.everything)
    assert [outcome.codes for outcome in result.outcomes if isinstance(outcome, FrameAck)] == [b"\0\0"] * 3
    kinds = [type(record.command).__name__ for record in Reader(committer.journal.folder).read()][-5:]
    assert kinds == ["PlaceMixedFrame", "PlaceFrame", "Tick", "Tick", "PlaceFrame"]


@pytest.mark.parametrize("amends", [b"", b"\x04", b"\0\0"])
def test_frame_whose_bits_are_none_is_not_journaled(amends: bytes) -> None:
    frame = mixed_frame_of(SELLER, [Order(SELLER.raw, 1, 1, 580_000, 2, n, 1, 0, 10, 0) for n in range(2)])
    item = parse_frame(encode_command(replace(frame, amends=amends)), frame.separator)
    assert isinstance(item, Refused)
    assert (item.code, item.field) == (ErrorCode.malformed, "amends")


def _ask(nonce: int) -> c.PlaceOrder:
    order = Order(TAKER, 1, 1, 580_000, 2, nonce, NOW_MS // 1_000 + 3_600, 0, 10, 0)
    return c.PlaceOrder(order, bytes([nonce, 7]) * 16, 0, b"\1" * 65, TAKER)


async def test_an_auction_trades_behind_what_opens_the_market_and_before_what_comes_then(committer: Committer) -> None:
    orders = [_buy(50), _ask(51), _buy(52), _ask(53)]
    await committer.commit(_items(*COMMANDS[:5], c.SetLimits(0, 100, 1), c.StartAuction(11, 1, 0), *orders))
    result = await committer.commit(_items(c.SetMarketStatus(12, 1, "open"), _buy(54)))
    assert all(isinstance(outcome, Ack) for outcome in result.outcomes)
    kinds = [type(record.command).__name__ for record in Reader(committer.journal.folder).read()][-4:]
    assert kinds == ["SetMarketStatus", "Tick", "Tick", "PlaceOrder"]


async def test_an_auction_ends_at_its_time_before_the_order_that_comes_then(committer: Committer, clock: Clock) -> None:
    ends_at = NOW_MS // 1_000 + 30
    await committer.commit(_items(*COMMANDS[:5], c.StartAuction(11, 1, ends_at), _buy(50), _ask(51)))
    assert committer.tick_due_in_ms() == 30_000
    clock.now_ms += 30_000
    result = await committer.commit(_items(_ask(52)))
    assert isinstance(result.outcomes[0], Ack)
    kinds = [type(record.command).__name__ for record in Reader(committer.journal.folder).read()][-2:]
    assert kinds == ["Tick", "PlaceOrder"]
    assert committer.engine.state.last_trade == 1


async def test_an_auction_ends_at_its_time_before_the_frame_that_comes_then(committer: Committer, clock: Clock) -> None:
    ends_at = NOW_MS // 1_000 + 30
    credit = c.Credit(3, SELLER.raw, 2, 10**10, "c")
    await committer.commit(_items(*COMMANDS[:5], credit, c.StartAuction(11, 1, ends_at), _buy(50), _ask(51)))
    clock.now_ms += 30_000
    result = await commit_frames(committer, [_frame(SELLER, 600_000)], lambda acks: None, Telling.everything)
    assert [outcome.codes for outcome in result.outcomes if isinstance(outcome, FrameAck)] == [b"\0\0"]
    kinds = [type(record.command).__name__ for record in Reader(committer.journal.folder).read()][-2:]
    assert kinds == ["Tick", "PlaceFrame"]


async def test_a_long_cascade_is_taken_in_groups_and_cancels_come_in_between(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.sequencer.committer.MAX_TURNS", 3)
    await committer.commit(
        _items(*COMMANDS[:5], c.Credit(3, SELLER.raw, 2, 10**10, "c"), _buy(50), *(_stop(51 + i) for i in range(8)))
    )
    before = committer.journal.seq
    await commit_frames(committer, [_frame(SELLER, 590_000)], lambda acks: None, Telling.everything)
    assert committer.journal.seq == before + 1
    assert committer.tick_due_in_ms() == 0
    await committer.tick()
    assert committer.journal.seq == before + 1 + 4
    refused, cancelled = (await committer.commit(_items(_buy(70), c.CancelOrder(TAKER, 58, b"", TAKER)))).outcomes
    assert (refused.code, type(cancelled)) == ("unavailable", Ack)  # type: ignore[union-attr]
    while committer.engine.has_due:
        await committer.tick()
    assert committer.engine.waiting == 0
    assert committer.journal.seq == before + 1 + 7 + 1, "the frame, a tick for each stop but one, and a cancel"
    assert isinstance((await committer.commit(_items(_buy(70)))).outcomes[0], Ack)


async def test_who_is_due_while_settlement_is_behind_waits_and_no_tick_comes_for_it(
    committer: Committer, clock: Clock
) -> None:
    """Neither does the engine tick for ever, nor does it forget those who wait when the backlog is gone."""
    credit = c.Credit(3, SELLER.raw, 2, 10**10, "c")
    await committer.commit(_items(*COMMANDS[:5], credit, c.SetLimits(60_000, 100, 20), _buy(50), _stop(51), _stop(52)))
    await commit_frames(committer, [_frame(SELLER, 590_000)], lambda acks: None, Telling.everything)
    assert committer.tick_due_in_ms() == 0
    clock.now_ms += 60_001
    due_in = committer.tick_due_in_ms()
    assert due_in is not None
    assert due_in > 3_000_000, "only then does an order expire"
    before = committer.journal.seq
    brake, taking = (await committer.commit(_items(c.CancelOrder(TAKER, 52, b"", TAKER), _buy(53)))).outcomes
    assert (type(brake), taking.code) == (Ack, "settlement_backlog")  # type: ignore[union-attr]
    result = await commit_frames(committer, [_frame(SELLER, 700_000, 10)], lambda acks: None, Telling.everything)
    assert [set(outcome.codes) for outcome in result.outcomes if isinstance(outcome, FrameAck)] == [
        {number_of(ErrorCode.settlement_backlog)}
    ]
    await committer.commit(_items(c.CutBatch(11, 1, committer.journal.seq), c.FinalizeBatch(12, 1), _buy(54)))
    kinds = [type(record.command).__name__ for record in Reader(committer.journal.folder).read()][before:]
    assert kinds == ["CancelOrder", "PlaceFrame", "CutBatch", "FinalizeBatch", "Tick", "PlaceOrder"]
    assert not committer.engine.has_due


async def test_an_auction_that_waits_for_settlement_needs_no_tick_before(committer: Committer, clock: Clock) -> None:
    ends_at = NOW_MS // 1_000 + 30
    await committer.commit(_items(*COMMANDS[:5], c.SetLimits(20_000, 100, 20), _buy(40), _ask(41)))
    await committer.commit(_items(c.StartAuction(11, 1, ends_at), _buy(50), _ask(51)))
    assert committer.tick_due_in_ms() == 30_000
    clock.now_ms += 30_000
    due_in = committer.tick_due_in_ms()
    assert due_in is not None
    assert due_in > 3_000_000
    await committer.commit(_items(c.CutBatch(12, 1, committer.journal.seq), c.FinalizeBatch(13, 1)))
    kinds = [type(record.command).__name__ for record in Reader(committer.journal.folder).read()][-3:]
    assert kinds == ["CutBatch", "FinalizeBatch", "Tick"]
    assert committer.engine.state.last_trade == 2


async def test_after_a_restart_who_waits_for_settlement_waits_on(committer: Committer, clock: Clock) -> None:
    credit = c.Credit(3, SELLER.raw, 2, 10**10, "c")
    await committer.commit(_items(*COMMANDS[:5], credit, c.SetLimits(60_000, 100, 20), _buy(50), _stop(51)))
    await commit_frames(committer, [_frame(SELLER, 590_000)], lambda acks: None, Telling.everything)
    clock.now_ms += 60_001
    await committer.commit(_items(c.CutBatch(11, 1, committer.journal.seq)))
    again = Committer(FastEngine.load(committer.engine.dump()), committer.journal, clock, committer._executor)
    assert (again.engine.has_due, again.engine.has_turn(clock.now_ms)) == (True, False)
    final = c.FinalizeBatch(12, 1)
    again.engine.apply(again.engine.seq + 1, clock.now_ms, final)
    assert again.tick_due_in_ms() == 0, "as after a crash between the batch and the tick behind it"
