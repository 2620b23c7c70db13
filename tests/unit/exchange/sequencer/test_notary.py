"""Receipts in acks: each holds by itself, says what the journal says, and never contradicts another."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from exchange.chain.signing import Key, recover
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.order import Order, Side
from exchange.domain.receipt import Receipt, cancel_all_subject, cancel_subject, frame_subject, group_subject
from exchange.engine import commands as c
from exchange.journal.codec import encode_command
from exchange.journal.errors import CorruptJournal
from exchange.journal.journal import Journal
from exchange.journal.reader import Reader
from exchange.journal.receipts import RecordFinder, leaf_of
from exchange.journal.record import SEGMENT_HEADER_SIZE, RawRecord, list_segments, open_segment, scan
from exchange.journal.recovery import recover as recover_engine
from exchange.sequencer.committer import Committer
from exchange.sequencer.items import Item
from exchange.sequencer.notary import Notary, notary_of
from exchange.sequencer.protocol import Ack, Refused
from exchange.sequencer.seed import SeedError
from exchange.settings import load_settings
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.unit.exchange.journal.test_recovery import COMMANDS, MAKER, NOW_MS, _place
from tests.unit.exchange.sequencer.test_committer import group_of

DOMAIN = Domain("Bizzan", 31_337, b"\xbb" * 20)
KEY = Key(keccak(b"receipts"))
SETUP = 5  # commands before the first that a user signed
ORDERS = [_place(MAKER, nonce, Side.buy) for nonce in range(1, 8)]


@dataclass
class Engine:
    """A committer over one folder, and all receipts that were given."""

    committer: Committer
    receipts: list[Receipt] = field(default_factory=list)

    async def commit(self, *commands: c.Command) -> list[Ack | Refused]:
        """Commit one group, and keep its receipts."""
        items: list[Item] = [(encode_command(command), command) for command in commands]
        outcomes = (await self.committer.commit(items)).outcomes
        self.receipts += [receipt_of(each) for each in outcomes if isinstance(each, Ack) and each.receipt]
        return outcomes


def receipt_of(ack: Ack) -> Receipt:
    """The receipt in an ack."""
    there = ack.receipt
    assert there is not None
    return Receipt(
        DOMAIN,
        there.first_seq,
        there.last_seq,
        there.head,
        ack.seq,
        ack.at_ms,
        there.subject,
        there.record_head,
        tuple(there.path),
        there.signature,
    )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Journal.open(tmp_path) as journal, ThreadPoolExecutor(1) as executor:
        recovered = recover_engine(tmp_path)
        yield Engine(Committer(recovered.engine, journal, lambda: NOW_MS, executor, Notary(DOMAIN, KEY, tmp_path)))


async def test_each_ack_of_a_group_carries_a_receipt_of_its_own(engine: Engine) -> None:
    await engine.commit(*COMMANDS[:SETUP])
    outcomes = await engine.commit(*ORDERS)
    receipts = [receipt_of(outcome) for outcome in outcomes if isinstance(outcome, Ack)]
    assert len(receipts) == len(ORDERS)
    for number, (order, receipt) in enumerate(zip(ORDERS, receipts, strict=True)):
        receipt.check(KEY.address, recover, order.order_hash)
        assert (receipt.seq, receipt.at_ms) == (SETUP + 1 + number, NOW_MS)
        assert (receipt.first_seq, receipt.last_seq) == (SETUP + 1, SETUP + len(ORDERS))
    assert len({receipt.signature for receipt in receipts}) == 1


async def test_receipts_are_what_the_journal_says(engine: Engine) -> None:
    await engine.commit(*COMMANDS[:SETUP])
    await engine.commit(*ORDERS[:3])
    await engine.commit(*ORDERS[3:])
    records = {record.seq: record for record in Reader(engine.committer.journal.folder).read()}
    assert len(engine.receipts) == len(ORDERS)
    for receipt in engine.receipts:
        assert receipt.record_hash == leaf_of(records[receipt.seq])
        assert receipt.head == records[receipt.last_seq].head


async def test_what_is_refused_placed_before_or_nobodys_has_no_receipt(engine: Engine) -> None:
    outcomes = await engine.commit(*COMMANDS[:SETUP], COMMANDS[0])
    assert all(outcome.receipt is None for outcome in outcomes if isinstance(outcome, Ack))
    assert isinstance(outcomes[-1], Refused)
    first, again = await engine.commit(ORDERS[0], ORDERS[0])
    assert isinstance(first, Ack)
    assert first.receipt is not None
    assert again == Ack(first.seq, NOW_MS, first.seq, duplicate=True)


async def test_cancels_and_holds_have_receipts_for_what_was_signed(engine: Engine) -> None:
    await engine.commit(*COMMANDS[:SETUP], ORDERS[0])
    account = ORDERS[0].order.account
    hold = c.HoldWithdrawal(account, 0, 1, b"\x07" * 32, 3, NOW_MS // 1_000 + 900, "{}", b"\1" * 65)
    commands = (
        c.CancelOrder(account, ORDERS[0].order.nonce, b"\1" * 65, account),
        c.CancelAll(account, 2, b"\1" * 65, account),
        hold,
    )
    outcomes = await engine.commit(*commands)
    subjects = [receipt_of(outcome).subject for outcome in outcomes if isinstance(outcome, Ack)]
    assert subjects == [
        cancel_subject(account, ORDERS[0].order.nonce),
        cancel_all_subject(account, 2),
        b"\x07" * 32,
    ]


async def test_two_legs_that_come_together_have_one_receipt_for_both(engine: Engine) -> None:
    await engine.commit(*COMMANDS[:SETUP])
    (ack,) = await engine.commit(group := group_of(ORDERS[0]))
    assert isinstance(ack, Ack)
    subject = group_subject(group.first.order_hash, group.second.order_hash)
    assert (ack.order_id, receipt_of(ack).subject) == (ack.seq, subject)
    again = await asyncio.to_thread(engine.committer.notary.again, ack.seq, MAKER) if engine.committer.notary else None
    assert again is not None
    assert (again.order_id, receipt_of(again).subject) == (ack.seq, subject)


async def test_a_receipt_given_again_says_the_same(engine: Engine) -> None:
    await engine.commit(*COMMANDS[:SETUP])
    await engine.commit(*ORDERS)
    notary = engine.committer.notary
    assert notary is not None
    for given in engine.receipts:
        ack = notary.again(given.seq, MAKER)
        assert ack is not None
        again = receipt_of(ack)
        again.check(KEY.address, recover, given.subject)
        assert again.record_hash == given.record_hash
        assert notary.again(given.seq, b"\x0f" * 20) is None
    for nothing in (0, 1, SETUP + len(ORDERS) + 1):
        assert notary.again(nothing, MAKER) is None
        assert notary.again(nothing, b"") is None


async def test_a_receipt_is_given_again_of_whatever_the_account_signed(engine: Engine) -> None:
    await engine.commit(*COMMANDS[:SETUP], *ORDERS[:3])
    signed = (MAKER, 1, b"\1" * 65, MAKER)
    legs = group_of(ORDERS[4])
    commands = (
        c.CancelOrder(*signed),
        c.MassCancel(MAKER, 0, 2, NOW_MS, b"\1" * 65, MAKER),
        c.SetCountdown(MAKER, 60, NOW_MS + 1, b"\1" * 65, MAKER),
        legs,
        c.CancelAll(MAKER, 9, b"\1" * 65, MAKER),
        c.HoldWithdrawal(MAKER, 0, 1, b"\x07" * 32, 3, NOW_MS // 1_000 + 900, "{}", b"\1" * 65),
        c.StopTrading(MAKER, True, NOW_MS + 2, b"\1" * 65),
    )
    outcomes = await engine.commit(*commands)
    notary = engine.committer.notary
    assert notary is not None
    for command, outcome in zip(commands, outcomes, strict=True):
        assert isinstance(outcome, Ack), (command, outcome)
        again = notary.again(outcome.seq, MAKER)
        assert again is not None
        assert receipt_of(again).subject == receipt_of(outcome).subject
        assert notary.again(outcome.seq, b"\x0f" * 20) is None


async def test_a_receipt_of_a_frame_is_given_again_to_the_account_of_its_orders(tmp_path: Path) -> None:
    orders = [signed.order for signed in ORDERS[:3]]
    frame = c.PlaceFrame(b"\x0e" * 20, 3, b"\2" * 32, b"\3" * 32, b"\1" * 65, b"".join(map(Order.pack, orders)))
    with Journal.open(tmp_path) as journal:
        journal.append([(NOW_MS, frame)])
        journal.sync()
    notary = Notary(DOMAIN, KEY, tmp_path)
    again = notary.again(1, MAKER)
    assert again is not None
    assert receipt_of(again).subject == frame_subject(frame.digest, frame.orders)
    assert notary.again(1, b"\x0f" * 20) is None


async def test_after_a_crash_at_any_point_no_receipt_contradicts_one_given_before(tmp_path: Path) -> None:
    """Each round ends as a kill would end it; groups differ between rounds, and orders come again."""
    given: list[Receipt] = []
    for size in (1, 3, 2, 5):
        journal = Journal.open(tmp_path)
        with ThreadPoolExecutor(1) as executor:
            recovered = recover_engine(tmp_path)
            assert (recovered.seq, recovered.head) == (journal.seq, journal.head)
            notary = Notary(DOMAIN, KEY, tmp_path)
            engine = Engine(Committer(recovered.engine, journal, lambda: NOW_MS, executor, notary))
            if not journal.seq:
                await engine.commit(*COMMANDS[:SETUP])
            for start in range(0, len(ORDERS) - 2, size):
                await engine.commit(*ORDERS[start : start + size])
            for seq in range(1, journal.seq + 1):
                if ack := notary.again(seq, MAKER):
                    engine.receipts.append(receipt_of(ack))
            journal.append([(NOW_MS, ORDERS[-1])])  # written, never synced, never signed
        journal.abandon()
        _cut_power(tmp_path)
        given += engine.receipts
    for one in given:
        one.check(KEY.address, recover)
        assert not any(one.contradicts(other) for other in given)
    assert len(given) > len(ORDERS)


def _cut_power(folder: Path) -> None:
    """Leave what a power cut leaves at worst: the durable records."""
    last = Reader(folder).durable().seq
    path = list_segments(folder)[-1]
    segment = open_segment(path)
    end = SEGMENT_HEADER_SIZE
    for record in scan(path, end, segment.first_seq, segment.prev_head, last):
        assert isinstance(record, RawRecord)
        end = record.end
    with path.open("r+b") as file:
        file.truncate(end)


async def test_nothing_is_signed_that_is_not_durable(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    await engine.commit(*COMMANDS[:SETUP])

    def fail() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(engine.committer.journal, "sync", fail)
    signed: list[bytes] = []

    def sign(self: Key, digest: bytes) -> bytes:
        signed.append(digest)
        return bytes(65)

    monkeypatch.setattr(Key, "sign", sign)
    with pytest.raises(OSError, match="the disk is gone"):
        await engine.commit(ORDERS[0])
    assert signed == []


def test_records_are_found_in_every_segment(tmp_path: Path) -> None:
    ticks = [(NOW_MS + number, c.Tick()) for number in range(700)]
    with Journal.open(tmp_path, segment_bytes=20_000) as journal:
        for start in range(0, len(ticks), 50):
            journal.append(ticks[start : start + 50])
        journal.sync()
    assert len(list(tmp_path.glob("*.segment"))) > 1
    records = list(Reader(tmp_path).read())
    finder = RecordFinder(tmp_path)
    for seq in (700, 1, 2, 300, 299, 257, 256, 255, 512, 513, 699, 700):
        assert finder.find(seq) == records[seq - 1]
    for seq in (0, 701):
        with pytest.raises(LookupError):
            finder.find(seq)


def test_a_changed_record_is_not_found(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.append([(NOW_MS, c.Tick()) for _ in range(3)])
        journal.sync()
    path = next(tmp_path.glob("*.segment"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    finder = RecordFinder(tmp_path)
    assert finder.find(2).seq == 2
    with pytest.raises(CorruptJournal):
        finder.find(3)


def test_the_engine_refuses_a_key_that_is_not_the_bonds(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert notary_of(settings, DEPLOYMENT) is not None
    monkeypatch.setenv("BIZZAN_KEYS__RECEIPT_SIGNER", "0x" + "11" * 32)
    with pytest.raises(SeedError, match=checksum(Key("11" * 32).address)):
        notary_of(load_settings(), DEPLOYMENT)
