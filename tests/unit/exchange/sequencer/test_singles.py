"""Single orders without objects: outcomes, journal and state are those of orders that come as commands."""

import asyncio
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.chain.signing import Key
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.instrument import MarketStatus
from exchange.domain.order import Order, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine.accounts import REMEMBERED
from exchange.engine.engine import Engine
from exchange.engine.events import Event
from exchange.engine.fast.core import pack_singles
from exchange.engine.fast.engine import FastEngine
from exchange.engine.telling import Telling, of_followed
from exchange.journal.codec import encode_command
from exchange.journal.errors import JournalFull
from exchange.journal.journal import Journal
from exchange.journal.plain import LAYOUT, PLAIN_SIZE, hash_of, join_plain, pack_plain, signer_of, unpack_plain
from exchange.journal.reader import Reader
from exchange.sequencer.committer import Committer
from exchange.sequencer.items import parse_item
from exchange.sequencer.notary import Notary
from exchange.sequencer.packing import packed_outcome
from exchange.sequencer.singles import commit_singles
from tests.unit.exchange.journal.test_recovery import COMMANDS, MAKER, NOW_MS, TAKER

SETUP = [*COMMANDS[:5], c.Credit(3, MAKER, 2, 10**12, "c"), c.Credit(4, TAKER, 0, 10**12, "d")]
DOMAIN = Domain("Bizzan", 31_337, b"\xbb" * 20)
KEY = Key(keccak(b"receipts"))
EXPIRY = NOW_MS // 1_000 + 3_600
STRANGER = b"\x09" * 20


@dataclass
class Two:
    """Two committers that get the same: one as orders by themselves, one as commands."""

    singles: Committer
    commands: Committer
    telling: Telling = Telling.nothing

    def setup(self, *commands: c.Command) -> None:
        """The same beginning for both."""
        for committer in (self.singles, self.commands):
            asyncio.run(committer.commit([(encode_command(command), command) for command in commands]))

    def place(self, payloads: list[bytes]) -> list[bytes]:
        """The outcomes, the same from both."""
        found = asyncio.run(commit_singles(self.singles, payloads, self.telling))
        result = asyncio.run(self.commands.commit([parse_item(payload) for payload in payloads]))
        assert found is not None
        assert found.outcomes == [packed_outcome(outcome) for outcome in result.outcomes]
        told, expected = (
            [done._replace(events=self.told(done.events)) for done in committed]
            for committed in (found.committed, result.committed)
        )
        assert told == expected
        assert self.singles.journal.head == self.commands.journal.head
        assert self.singles.engine.state_hash() == self.commands.engine.state_hash()
        return found.outcomes

    def finish_turns(self) -> None:
        """Let all that are due work: then orders by themselves are taken."""
        for committer in (self.singles, self.commands):
            while committer.engine.has_due:
                asyncio.run(committer.tick())

    def told(self, events: list[Event]) -> list[Event]:
        """What is told of a command."""
        return of_followed(events, self.singles.engine.followed) if self.telling else []


@contextmanager
def two(engine: type[Engine] = FastEngine, notary: bool = True) -> Iterator[Two]:
    """Both, over journals of their own."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        one, other = Path(folder) / "one", Path(folder) / "other"
        with Journal.open(one) as journal, Journal.open(other) as beside:
            keys = [
                Notary(Domain("Bizzan", 31_337, b"\xbb" * 20), KEY, path) if notary else None for path in (one, other)
            ]
            both = Two(
                Committer(engine(), journal, lambda: NOW_MS, executor, keys[0]),
                Committer(engine(), beside, lambda: NOW_MS, executor, keys[1]),
            )
            both.setup(*SETUP)
            yield both


def plain(order: Order, scheme: int = 0, signer: bytes | None = None) -> bytes:
    """The order as entry passes it on."""
    return pack_plain(order.pack(), keccak(order.pack()), scheme, b"\x07" * 65, signer or order.account)


def order(
    nonce: int, account: bytes = MAKER, side: int = 0, price: int = 600_000, lots: int = 2, terms: int = 0
) -> Order:
    return Order(account, 1, side, price, lots, nonce, EXPIRY, 0, 10, terms)


BIG = st.sampled_from([0, 1, 7, 600_000, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
GOOD = st.builds(
    order,
    st.integers(1, 30),
    st.sampled_from([MAKER, TAKER]),
    st.sampled_from([0, 1]),
    st.integers(59_990, 60_010).map(lambda ticks: 10 * ticks),
    st.integers(1, 4),
    st.sampled_from([0, 1, 2, 3, 4, 8, 16, 18, 24]),
)
ODD = st.builds(
    Order,
    st.sampled_from([MAKER, TAKER, STRANGER]),
    st.sampled_from([0, 1, 2, (1 << 32) - 1]),
    st.sampled_from([0, 1, 2, 3, 255]),
    st.sampled_from([600_000, 600_001]) | BIG,
    st.sampled_from([1, 2, 3]) | BIG,
    st.sampled_from([1, 31, 1 << 48, 1 << 63, (1 << 63) + 40]),
    st.sampled_from([EXPIRY, 0, NOW_MS // 1_000, (1 << 40) - 1, EXPIRY + 40 * 86_400]),
    st.sampled_from([0, 0, 1, 1 << 63]),
    st.sampled_from([10, 0, 4, 65_535]),
    st.sampled_from([0, 2, 6, 27, 31, 32, 1 << 16, 1 << 64, 1 << 127]),
)
PLACED = st.builds(plain, GOOD | ODD, st.sampled_from([0, 0, 0, 1, 2, 3, 4, 127]), st.sampled_from([None, STRANGER]))


def has_packed_form(payload: bytes) -> bool:
    """Whether the core takes such orders at all; others have terms or numbers that only commands have."""
    placed = unpack_plain(payload)
    assert placed is not None
    numbers = (placed.order.price, placed.order.quantity, placed.order.trigger_price)
    terms = placed.order.terms
    conflict = (terms & 4 and terms & 3 > 1) or (terms & 3 == 3 and terms >> 3 & 3 == 3)
    return terms < 32 and not conflict and max(numbers) < 1 << 63


STOP = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
TAKE = Terms(TimeInForce.gtc, trigger_type=TriggerType.take_profit).pack()


def waits(order: Order, trigger_price: int) -> c.PlaceOrder:
    """An order that waits for a price."""
    order = replace(order, trigger_price=trigger_price)
    return c.PlaceOrder(order, keccak(order.pack()), 0, b"\x07" * 65, order.account)


WAITING = st.builds(
    waits,
    st.builds(
        order,
        st.integers(40, 60),
        st.sampled_from([MAKER, TAKER]),
        st.sampled_from([0, 1]),
        st.sampled_from([590_000, 600_000, 610_000]),
        st.integers(1, 4),
        st.sampled_from([STOP, TAKE]),
    ),
    st.integers(59_995, 60_005).map(lambda ticks: 10 * ticks),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(PLACED, min_size=1, max_size=12, unique_by=hash_of), min_size=1, max_size=5),
    st.sampled_from([None, *map(frozenset, ((), (1,), (2,), (1, 2, 3)))]),
    st.lists(WAITING, max_size=6),
    st.sampled_from([1, 256]),
)
def test_orders_by_themselves_are_what_they_are_as_commands(
    groups: list[list[bytes]], followed: frozenset[int] | None, waiting: list[c.PlaceOrder], turns: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, two() as both:
        patch.setattr("exchange.sequencer.committer.MAX_TURNS", turns)
        both.setup(*waiting)
        if followed is not None:
            both.telling = Telling.followed
            for account in followed:
                both.singles.engine.follow(account)
        for group in groups:
            both.finish_turns()
            payloads = [payload for payload in group if has_packed_form(payload)]
            if payloads:
                both.place(payloads)


def test_what_was_taken_before_is_taken_once_more_and_what_is_refused_leaves_nothing() -> None:
    with two() as both:
        first, second = plain(order(1)), plain(order(2, side=1, account=TAKER))
        seq = both.singles.journal.seq
        assert [found[0] for found in both.place([first, second])] == [ACCEPTED, ACCEPTED]
        halted = c.SetMarketStatus(5, 1, MarketStatus.halted)
        both.setup(halted)
        again = both.place([second, plain(order(3)), first])
        assert [found[0] == ACCEPTED for found in again] == [True, False, True]
        assert [int.from_bytes(found[1:9]) for found in again] == [seq + 2, 0, seq + 1]
        assert both.singles.journal.seq == seq + 3
        assert [record.seq for record in Reader(both.singles.journal.folder).read()] == list(range(1, seq + 4))


def test_what_was_taken_before_is_known_whatever_its_group_brings_behind_it() -> None:
    with two() as both:
        first = both.singles.journal.seq + 1
        orders = [plain(order(nonce, terms=int(TimeInForce.ioc))) for nonce in range(1, 2 * REMEMBERED + 1)]
        both.place(orders[:REMEMBERED])
        again = both.place([orders[REMEMBERED - 1], *orders[REMEMBERED:]])
        assert (again[0][0], int.from_bytes(again[0][1:9])) == (ACCEPTED, first + REMEMBERED - 1)
        assert {found[0] for found in again} == {ACCEPTED}
        [gone] = both.place([orders[0]])
        assert gone[0] == number_of(ErrorCode.nonce_used), "another group has pushed it out"


def test_without_a_notary_and_behind_a_slow_disk_it_is_the_same() -> None:
    for notary in (False, True):
        with two(notary=notary) as both:
            both.singles._sync_seconds = 1.0
            payloads = [plain(order(nonce)) for nonce in range(1, 70)]
            assert {found[0] for found in both.place(payloads)} == {ACCEPTED}
            assert len(list(Reader(both.singles.journal.folder).read())) == len(SETUP) + 69


def test_what_orders_by_themselves_trigger_works_right_behind_them() -> None:
    with two() as both:
        both.setup(waits(order(40, TAKER, 1, 590_000, terms=STOP), 599_990))
        bids = [plain(order(price % 9, MAKER, 0, price)) for price in (600_000, 599_990, 599_980)]
        asks = [plain(order(nonce, TAKER, 1, 599_980)) for nonce in (2, 3, 4)]
        both.place([*bids, *asks])
        kinds = [type(record.command).__name__ for record in Reader(both.singles.journal.folder).read()]
        assert kinds[len(SETUP) + 1 :] == [*["PlaceOrder"] * 5, "Tick", "PlaceOrder"]


def test_what_came_before_is_known_while_more_is_triggered_than_a_group_has_turns_for() -> None:
    with pytest.MonkeyPatch.context() as patch, two() as both:
        patch.setattr("exchange.sequencer.committer.MAX_TURNS", 1)
        both.setup(*(waits(order(40 + n, TAKER, 1, 590_000, terms=STOP), 599_990) for n in range(3)))
        bid, ask = (
            plain(order(nonce, account, side, 599_990)) for nonce, account, side in ((1, MAKER, 0), (2, TAKER, 1))
        )
        found = both.place([bid])
        outcomes = both.place([ask, bid, plain(order(3, MAKER, 0))])
        assert [one[0] == ACCEPTED for one in outcomes] == [True, True, False]
        assert outcomes[1][1:9] == found[0][1:9]


def test_what_must_come_as_commands_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def untouched(committer: Committer, payloads: list[bytes], telling: Telling = Telling.nothing) -> None:
        before = committer.engine.state_hash(), committer.journal.seq
        assert asyncio.run(commit_singles(committer, payloads, telling)) is None
        assert (committer.engine.state_hash(), committer.journal.seq) == before

    good = plain(order(1))
    with two() as both:
        committer = both.singles
        untouched(committer, [])
        untouched(committer, [good, good])
        untouched(committer, [good], Telling.everything)
        untouched(committer, [good, good[:-1]])
        untouched(committer, [good, good[:-1] + b"\x01"])
        untouched(committer, [plain(order(1)), plain(replace(order(2, terms=STOP), trigger_price=590_000))])
        untouched(committer, [plain(order(1)), plain(order(2, price=1 << 63))])
        with monkeypatch.context() as patch:
            patch.setattr(committer.journal, "reserve", _no_room)
            untouched(committer, [good])
        full = committer.journal_full
        assert full
        both.place([plain(order(30))])
        assert not committer.journal_full, "there is room again"
        with monkeypatch.context() as patch:
            patch.setattr(FastEngine, "has_turn", lambda engine, at_ms: True)
            untouched(committer, [good])
    with two(Engine) as both:
        untouched(both.singles, [good])


def _no_room(payload_bytes: int, records: int, *, left: int = 0) -> None:
    raise JournalFull("no room")


def test_a_record_that_is_none_is_not_joined() -> None:
    good = plain(order(1), scheme=3, signer=STRANGER)
    assert join_plain([good, good]) == good + good
    assert (hash_of(good), signer_of(good)) == (keccak(order(1).pack()), STRANGER)
    for place in range(PLAIN_SIZE):
        changed = bytes(byte ^ 0x80 if at == place else byte for at, byte in enumerate(good))
        assert (join_plain([good, changed]) is None) == (unpack_plain(changed) is None), place
    assert join_plain([good, good + b"\0"]) is None
    assert join_plain([]) is None


def test_parts_beyond_their_record_are_no_layout() -> None:
    good = plain(order(1))
    for layout in (LAYOUT._replace(order=-1), LAYOUT._replace(signer=193), LAYOUT._replace(size=PLAIN_SIZE - 30)):
        with pytest.raises(ValueError, match="within its record"):
            pack_singles(good, layout.size, layout[1:])
    with pytest.raises(ValueError, match="not whole"):
        pack_singles(good + b"\0", LAYOUT.size, LAYOUT[1:])
