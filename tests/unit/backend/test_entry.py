"""Order entry without sockets: what is bounded when clients leave, hurry, dawdle or waste."""

import asyncio
import socket
from dataclasses import replace
from typing import cast

import pytest
from coincurve import PrivateKey

from backend.addresses import counted_as
from backend.entry import desk, judges, server
from backend.entry.bounds import Door, Room
from backend.entry.client import Session
from backend.entry.court import Court
from backend.entry.exchange import Exchange
from backend.entry.link import EngineLink, FrameCall
from backend.entry.main import Known
from backend.entry.proxied import binary_header
from backend.entry.server import Connection
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import SLOW_WEIGHT
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.order import Order
from exchange.domain.recovery import recover
from exchange.engine.commands import PlaceFrame, PlaceMixedFrame
from exchange.journal.codec import decode_command
from exchange.sequencer.protocol import Ack, FrameAck, Frames, Refused, decode_from_client
from exchange.settings import EntrySettings
from tests.utils.frames import DOMAIN
from tests.utils.signing import Signer

OWNER, KEY, OTHER = Signer("owner"), Signer("key"), Signer("other")


class Clock:
    """Seconds, set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Transport:
    """Remembers what was done to it."""

    def __init__(self) -> None:
        self.sent, self.reads, self.closed, self.aborted = b"", True, False, False

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return ("10.0.0.1", 1) if name == "peername" else None

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        assert self.reads
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads
        self.reads = True


class Judges:
    """A court whose verdicts on frames come when `frame` is set, and on all else at once."""

    def __init__(self) -> None:
        self.frame: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.signer: bytes | None = None

    def judge_frame(self, *_: object) -> "asyncio.Future[bytes]":
        return self.frame

    def judge_orders(self, party: object, separator: bytes, signed: bytes) -> "list[asyncio.Future[bytes]]":
        return [done(judges.judge_orders(separator, signed))]

    def find_signer(self, party: object, digest: bytes, signature: bytes) -> "asyncio.Future[bytes]":
        return done(self.signer or recover(digest, signature) or b"")


def done(verdict: bytes) -> "asyncio.Future[bytes]":
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    future.set_result(verdict)
    return future


class Hall:
    """An exchange whose delegates are looked up only when `answer` is set."""

    def __init__(self, bounds: EntrySettings | None = None) -> None:
        self.clock, self.answer = Clock(), asyncio.Event()
        bounds = bounds or EntrySettings()
        self.door = Door(bounds, self.clock)
        link = EngineLink("/nowhere")
        court = cast(Court, Judges())
        self.known, self.lookups = {OWNER.raw}, 0
        self.exchange = Exchange(bounds, DOMAIN, link, self.door, court, self.scope, self.is_known, lambda: False)

    async def scope(self, account: bytes, signer: bytes) -> tuple[int, int]:
        await self.answer.wait()
        return 1 << 1, 10_000

    async def is_known(self, account: bytes) -> bool:
        self.lookups += 1
        return account in self.known

    def connect(self) -> tuple[Connection, Transport]:
        connection, transport = Connection(self.exchange), Transport()
        connection.connection_made(cast(asyncio.Transport, transport))
        return connection, transport


async def turns() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


def opening(challenge: bytes, signer: Signer) -> bytes:
    key = PrivateKey().public_key.format()
    return wire.message(wire.Kind.open, key + signer.key.sign(wire.session_digest(DOMAIN, OWNER.raw, challenge, key)))


async def test_client_that_leaves_while_it_opens_is_not_counted_for_ever() -> None:
    hall = Hall(EntrySettings(sessions_per_account=1))
    connection, transport = hall.connect()
    connection.data_received(wire.hello(OWNER.raw))
    await turns()
    challenge = wire.Challenge.unpack(transport.sent[5:]).challenge
    connection.data_received(opening(challenge, KEY))
    await turns()
    connection.connection_lost(None)
    hall.answer.set()
    await turns()
    hall.door.enter(OWNER.raw, KEY.raw)


async def test_who_sends_more_than_is_worked_off_is_not_read_from() -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.data_received(wire.hello(OWNER.raw))
    await turns()
    challenge = wire.Challenge.unpack(transport.sent[5:]).challenge
    connection.data_received(opening(challenge, KEY))
    await turns()
    ping = wire.message(wire.Kind.ping, bytes(100_000))
    for sent in range(1, 20):
        connection.data_received(ping)
        assert transport.reads is (sent * (len(ping) - 4) + server.MIN_WEIGHT <= server.MAX_QUEUED), sent
    hall.answer.set()
    await turns()
    assert transport.reads, "all is worked off"
    connection.pause_writing()
    reads = [transport.reads]
    connection.resume_writing()
    assert [*reads, transport.reads] == [False, True]


async def test_connection_that_opens_no_session_is_ended() -> None:
    hall = Hall(EntrySettings(opening_seconds=1))
    _, transport = hall.connect()
    await asyncio.sleep(1.1)
    assert transport.closed
    assert b"no session was opened in time" in transport.sent


def test_waste_slows_one_account_down_and_is_forgotten() -> None:
    clock = Clock()
    door = Door(EntrySettings(wasted_at_once=1_000, wasted_per_second=100), clock)
    for _ in range(7):
        door.check_waste(b"a")
        door.waste(b"a", 160, accepted=10)
    with pytest.raises(Refusal) as caught:
        door.check_waste(b"a")
    assert caught.value.code == ErrorCode.too_many_requests
    assert caught.value.params == {"retry_after_ms": 501}
    door.check_waste(b"b")
    door.waste(b"a", 0, accepted=51)
    door.check_waste(b"a")
    door.waste(b"a", 100, accepted=0)
    clock.now += 1.1
    door.check_waste(b"a")


def test_room_is_shared_among_accounts_and_addresses() -> None:
    room = Room(1_000)

    def taken(account: bytes, address: str, of: int = 10) -> int:
        count = 0
        try:
            while True:
                room.take(account, address, of)
                count += of
        except Refusal as refusal:
            codes.add((refusal.code, refusal.params["retry_after_ms"]))
        return count

    codes: set[tuple[ErrorCode, str | int]] = set()
    assert taken(b"a", "x") == 500, "half"
    assert taken(b"b", "x") == 170, "of one address two thirds in all"
    assert taken(b"c", "y") == 170, "half of what is left"
    assert codes == {(ErrorCode.too_many_requests, 20)}
    assert taken(b"d", "z", of=171) == 0
    assert codes == {(ErrorCode.too_many_requests, 20), (ErrorCode.unavailable, 20)}
    for account, address, orders in ((b"a", "x", 500), (b"b", "x", 170), (b"c", "y", 170)):
        room.give(account, address, orders)
    assert room.held == 0
    assert taken(b"b", "x") == 500


async def test_proxied_connection_counts_for_its_own_address() -> None:
    hall = Hall(EntrySettings(proxies=("10.0.0.0/8",), connections_per_address=1))
    first, _ = hall.connect()
    first.data_received(binary_header("203.0.113.7") + wire.hello(OWNER.raw))
    await turns()
    assert first.desk.client.address == "203.0.113.7"
    second, transport = hall.connect()
    second.data_received(binary_header("203.0.113.7"))
    assert transport.closed
    assert b"too many connections" in transport.sent
    third, transport = hall.connect()
    third.data_received(binary_header("203.0.113.8")[:20])
    third.data_received(binary_header("203.0.113.8")[20:] + wire.hello(OWNER.raw))
    await turns()
    assert wire.Challenge.unpack(transport.sent[5:]), "it goes on behind the header"
    bare, transport = hall.connect()
    bare.data_received(wire.hello(OWNER.raw))
    assert transport.closed, "a trusted proxy that does not say for whom it speaks"


async def test_header_of_a_stranger_is_believed_by_nobody() -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.data_received(binary_header("203.0.113.7"))
    assert transport.closed
    assert connection.desk.client.address == "10.0.0.1"


async def test_bad_signature_ends_every_session_of_its_key() -> None:
    hall = Hall()
    connection, _ = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, KEY.raw, bytes(32), 1e18)
    await connection.desk.client.live_session()
    hall.door.penalize(KEY.raw)
    with pytest.raises(Refusal, match="bad signature was journaled"):
        await connection.desk.client.live_session()


async def test_orders_are_of_the_session_and_nobody_else_is_looked_up() -> None:
    hall = Hall()
    connection, _ = hall.connect()
    session = Session(OWNER.raw, KEY.raw, bytes(32), 1e18, scope=(1 << 1, 10_000))

    def code(signer: bytes | None, account: Signer = OWNER, market: int = 1, expiry: int = 10_000) -> int:
        order = Order(account.raw, market, 0, 100, 1, 1, expiry, 0, 10, 0)
        return connection.desk._orders.flaw_of_order(session, order.pack(), signer)

    assert code(OWNER.raw) == code(OWNER.raw, market=2) == code(KEY.raw) == ACCEPTED
    assert code(KEY.raw, market=2) == number_of(ErrorCode.delegate_out_of_scope)
    assert code(KEY.raw, expiry=10_001) == number_of(ErrorCode.delegate_expired)
    assert code(None) == code(OTHER.raw) == number_of(ErrorCode.wrong_signature)
    assert code(OTHER.raw, OTHER) == number_of(ErrorCode.forbidden)


async def test_frames_not_sent_yet_are_lost_with_the_engine_and_counted_once() -> None:
    link, told = EngineLink("/nowhere"), cast(list[FrameAck | Refused], [])
    link.connection_made(cast(asyncio.Transport, Transport()))

    def ignore(ack: Ack | Refused) -> None: ...

    link.place_frame(FrameCall(b"", 64, True, ignore, told.append))
    link.connection_lost(None)
    await turns()
    assert [type(one) for one in told] == [Refused]
    assert link.pending == 0


@pytest.mark.parametrize("with_mac", [False, True])
async def test_mixed_frame_reaches_the_engine_with_its_bits_and_a_plain_one_as_ever(with_mac: bool) -> None:
    hall, engine = Hall(), Transport()
    hall.exchange.link.connection_made(cast(asyncio.Transport, engine))
    connection, transport = hall.connect()
    key = bytes(32)
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, key, 1e18)
    cast(Judges, hall.exchange.court).frame.set_result(b"")
    packed = b"".join(Order(OWNER.raw, 1, 0, 1_000, 10, n, 1, 0, 100, 0).pack() for n in (1, 2))
    messages = [
        wire.FrameMessage(n + 1, bytes(32), bytes(65), packed, amends=bits) for n, bits in enumerate((b"", b"\x02"))
    ]
    for message in messages:
        connection.data_received(message.pack(key if with_mac else None))
        await turns()
    size, commands, data = 4, [], engine.sent
    while data:
        size = int.from_bytes(data[:4])
        frames = decode_from_client(data[4 : 4 + size])
        assert isinstance(frames, Frames)
        commands += [decode_command(frame) for frame in frames.frames]
        data = data[4 + size :]
    signed = (OWNER.raw, 2, DOMAIN.separator, bytes(32), bytes(65), packed)
    assert commands == [PlaceFrame(*signed), PlaceMixedFrame(*signed, b"\x02")]
    flipped = bytearray(replace(messages[1], number=9).pack(key))
    flipped[-17] ^= 3
    connection.data_received(bytes(flipped))
    await turns()
    assert b"the MAC is not the session's" in transport.sent


async def test_frame_without_a_number_is_told_from_where_numbers_count() -> None:
    hall = Hall()
    hall.exchange.link.connection_made(cast(asyncio.Transport, Transport()))
    connection, transport = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    packed = b"".join(Order(OWNER.raw, 1, 0, 1_000, 10, n, 1, 0, 100, 0).pack() for n in (1, 2))
    answers = []
    for number in (0, 2, 1):
        connection.data_received(wire.FrameMessage(number, bytes(32), bytes(65), packed).pack())
        await turns()
        refused = wire.Refused.unpack(transport.sent[5:]) if transport.sent else None
        answers.append((refused.code, refused.text) if refused else None)
        transport.sent = b""
    malformed = number_of(ErrorCode.malformed)
    assert answers == [
        (malformed, "frames are numbered from 1 on: 0 stands for no message"),
        None,
        (malformed, "the number must rise: the last one was 2"),
    ]


async def test_amends_take_the_room_of_more_orders_until_they_are_answered() -> None:
    hall = Hall()
    hall.exchange.link.connection_made(cast(asyncio.Transport, Transport()))
    connection, _ = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    packed = b"".join(Order(OWNER.raw, 1, 0, 1_000, 10, n, 1, 0, 100, 0).pack() for n in range(4))
    connection.data_received(wire.FrameMessage(1, bytes(32), bytes(65), packed, amends=b"\x03").pack())
    await turns()
    assert hall.exchange.room.held == 2 + 2 * SLOW_WEIGHT
    cast(Judges, hall.exchange.court).frame.set_result(b"it is not signed")
    await turns()
    assert hall.exchange.room.held == 0


def pipelined(mac_key: bytes, kinds: str) -> bytes:
    """Messages of one session: f a frame, m a frame with a MAC, c a mass cancel."""
    packed = [Order(OWNER.raw, 1, 0, 1_000, 10, n, 1, 0, 100, 0).pack() for n in (1, 2)]
    messages = []
    for number, kind in enumerate(kinds, 1):
        if kind in "fm":
            frame = wire.FrameMessage(number, bytes(32), bytes(65), b"".join(packed))
            messages.append(frame.pack(mac_key) if kind == "m" else frame.pack())
        else:
            fields = {"market": 0, "side": 2, "nonce": number}
            messages.append(wire.Brake(wire.Kind.mass_cancel, number, fields, bytes(65)).pack())
    return b"".join(messages)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [("fc", "FS"), ("mc", "ES"), ("fm", "FE"), ("mfmc", "EFES"), ("ffmmfc", "FEFS")],
)
async def test_connection_reaches_the_engine_in_its_own_order(kinds: str, expected: str) -> None:
    hall, engine = Hall(), Transport()
    court = cast(Judges, hall.exchange.court)
    court.signer = OWNER.raw
    hall.exchange.link.connection_made(cast(asyncio.Transport, engine))
    connection, _ = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    connection.data_received(pipelined(bytes(32), kinds))
    await turns()
    court.frame.set_result(b"")
    await turns()
    assert sent_to_engine(engine.sent) == expected


def sent_to_engine(data: bytes) -> str:
    """Its messages: F frames, E frames acknowledged early, S a command."""
    found = ""
    while data:
        size = int.from_bytes(data[:4])
        message = decode_from_client(data[4 : 4 + size])
        found += ("E" if message.early else "F") if isinstance(message, Frames) else "S"
        data = data[4 + size :]
    return found


async def test_message_that_fails_gives_back_its_room_and_holds_up_no_other() -> None:
    hall, engine = Hall(), Transport()
    court = cast(Judges, hall.exchange.court)
    court.signer = OWNER.raw
    hall.exchange.link.connection_made(cast(asyncio.Transport, engine))
    connection, transport = hall.connect()
    session = connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    connection.data_received(pipelined(bytes(32), "fc"))
    await turns()
    assert (hall.exchange.room.held, session.in_flight, session.brakes) == (2, 1, 1)
    court.frame.set_exception(ValueError("a defect"))
    await turns()
    assert transport.closed
    assert (hall.exchange.room.held, session.in_flight) == (0, 0)
    assert sent_to_engine(engine.sent) == "S", "the cancel behind it"


async def asked(hall: Hall, connection: Connection, transport: Transport, signer: Signer, account: Signer) -> bytes:
    """Ask for a session; the answer."""
    before = len(transport.sent)
    connection.data_received(wire.hello(account.raw))
    await turns()
    challenge = wire.Challenge.unpack(transport.sent[before + 5 :]).challenge
    before = len(transport.sent)
    key = PrivateKey().public_key.format()
    digest = wire.session_digest(DOMAIN, account.raw, challenge, key)
    connection.data_received(wire.message(wire.Kind.open, key + signer.key.sign(digest)))
    await turns()
    return transport.sent[before:]


async def test_stranger_holds_nobody_up_and_is_sent_away() -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.data_received(wire.message(wire.Kind.ping, bytes(8)) * 20_000)
    await turns()
    assert transport.closed
    assert b"no session: connect again" in transport.sent
    assert transport.sent.count(wire.message(wire.Kind.pong, bytes(8))) == desk.MAX_UNOPENED


async def test_others_have_their_turn_while_one_connection_is_worked_off() -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    pong = wire.message(wire.Kind.pong, bytes(8))
    connection.data_received(wire.message(wire.Kind.ping, bytes(8)) * 1_000)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(transport.sent) <= 2 * desk.YIELD_EVERY * len(pong)
    for _ in range(20):
        await asyncio.sleep(0)
    assert transport.sent == pong * 1_000


async def test_who_sends_only_malformed_messages_is_sent_away() -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    for _ in range(200):
        connection.data_received(wire.message(wire.Kind.ping, bytes(8)) + b"\0\0\0\1\x63")
        await turns()
    closed = [transport.closed]
    connection.data_received(b"\0\0\0\1\x63" * 200)
    await turns()
    assert [*closed, transport.closed] == [False, True], "only when not as many are taken"
    assert b"were malformed" in transport.sent


@pytest.mark.parametrize(("size", "code"), [(0, ErrorCode.malformed), (wire.MAX_MESSAGE + 1, ErrorCode.body_too_large)])
async def test_length_that_no_message_has_ends_the_connection(size: int, code: ErrorCode) -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.data_received(wire.LENGTH.pack(size))
    refused = wire.Refused.unpack(transport.sent[5:])
    assert (refused.number, refused.code, transport.closed) == (0, number_of(code), True)
    assert f"not {size}" in refused.text


@pytest.mark.parametrize("size", [0, 7, 9])
async def test_ping_of_another_size_is_malformed(size: int) -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    connection.data_received(wire.message(wire.Kind.ping, bytes(size)))
    await turns()
    assert transport.sent[4] == wire.Kind.refused
    assert f"ping has 8 bytes, here are {size}".encode() in transport.sent


async def test_address_asks_for_so_many_sessions_a_second_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.entry.opening.MIRROR_PAUSES", (0.0,))
    hall = Hall(EntrySettings(opens_at_once=3, opens_per_second=1))
    answers = []
    for _ in range(6):
        connection, transport = hall.connect()
        answers.append(await asked(hall, connection, transport, OTHER, OTHER))
    assert [b"no deposit" in answer for answer in answers] == [True] * 4 + [False] * 2
    assert b"too many sessions" in answers[-1]
    assert hall.lookups == 4, "what is refused reads nothing in the database"
    hall.clock.now += 1.1
    connection, transport = hall.connect()
    assert (await asked(hall, connection, transport, OWNER, OWNER))[4] == wire.Kind.opened


async def test_account_whose_deposit_is_mirrored_a_moment_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.entry.opening.MIRROR_PAUSES", (0.0, 0.0))
    hall = Hall()
    is_known = hall.is_known

    async def is_known_at_the_second_look(account: bytes) -> bool:
        found = await is_known(account)
        hall.known.add(OTHER.raw)
        return found

    hall.exchange.is_known = is_known_at_the_second_look
    connection, transport = hall.connect()
    assert (await asked(hall, connection, transport, OTHER, OTHER))[4] == wire.Kind.opened
    assert hall.lookups == 2


async def test_known_account_does_not_wait_for_unknown_ones_to_be_looked_for() -> None:
    hall = Hall()
    hall.exchange.knows = hall.known.__contains__
    connection, transport = hall.connect()
    async with hall.exchange.opening:
        assert (await asked(hall, connection, transport, OWNER, OWNER))[4] == wire.Kind.opened
    assert not hall.lookups


async def test_unknown_accounts_are_looked_for_again_only_while_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.entry.opening.MIRROR_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr("backend.entry.opening.MAX_LOOKING", 2)
    hall = Hall()
    desks = [hall.connect()[0].desk for _ in range(10)]
    found = await asyncio.gather(*(one._opening._wait_until_known(OTHER.raw) for one in desks), return_exceptions=True)
    assert {type(refusal) for refusal in found} == {Refusal}
    assert hall.lookups == 2 * 3 + 8
    assert not hall.exchange.looking


async def test_account_that_was_found_is_known_without_another_look() -> None:
    async def is_account(account: bytes) -> bool:
        return account == OWNER.raw

    known = Known(is_account)
    assert not known.knows(OWNER.raw)
    assert (await known.has(OWNER.raw), await known.has(OTHER.raw)) == (True, False)
    assert (known.knows(OWNER.raw), known.knows(OTHER.raw)) == (True, False)


async def test_account_without_a_deposit_has_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.entry.opening.MIRROR_PAUSES", (0.0,))
    hall = Hall()
    connection, transport = hall.connect()
    answer = await asked(hall, connection, transport, OTHER, OTHER)
    assert (answer[4], b"no deposit" in answer) == (wire.Kind.refused, True)
    assert connection.desk.client.session is None
    hall.known.add(OTHER.raw)
    assert (await asked(hall, connection, transport, OTHER, OTHER))[4] == wire.Kind.opened


async def test_refused_single_orders_are_waste_too() -> None:
    hall = Hall(EntrySettings(wasted_at_once=100, wasted_per_second=1))
    hall.exchange.link.connection_made(cast(asyncio.Transport, Transport()))
    connection, transport = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    unsigned = Order(OWNER.raw, 1, 0, 1_000, 10, 1, 1, 0, 100, 0).pack() + bytes(65)
    for number in range(1, 4):
        connection.data_received(wire.pack_orders(number, [unsigned] * 60))
        await turns()
    assert transport.sent.count(b"too many orders were refused") == 1
    assert not connection.desk.client.session.in_flight


async def test_connection_that_does_not_close_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CLOSE_SECONDS", 0.05)
    hall = Hall(EntrySettings(connections_per_address=1))
    connection, transport = hall.connect()
    connection.close()
    states = [transport.aborted]
    await asyncio.sleep(0.1)
    assert [*states, transport.aborted] == [False, True]
    connection.connection_lost(None)
    _, second = hall.connect()
    assert not second.closed, "its place is free"


async def test_connection_ends_with_its_session() -> None:
    hall = Hall(EntrySettings(session_seconds=1))
    connection, transport = hall.connect()
    assert (await asked(hall, connection, transport, OWNER, OWNER))[4] == wire.Kind.opened
    await asyncio.sleep(1.1)
    assert transport.closed
    assert b"the session has ended" in transport.sent


async def test_connections_are_bounded_in_all() -> None:
    hall = Hall(EntrySettings(connections=2))
    (first, _), (_, kept), (_, refused) = hall.connect(), hall.connect(), hall.connect()
    assert (kept.closed, refused.closed) == (False, True)
    first.connection_lost(None)
    assert not hall.connect()[1].closed


def test_network_of_version_6_counts_as_one_address() -> None:
    assert counted_as("2001:db8:1:2:3:4:5:6") == counted_as("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert counted_as("2001:db8:1:3::9") != "2001:db8:1:2::/64"
    assert counted_as("::ffff:203.0.113.7") == counted_as("203.0.113.7") == "203.0.113.7"
    assert counted_as("fe80::1%eth0") == "fe80::/64"
    assert counted_as("") == ""


def test_system_asks_whether_a_silent_client_is_there() -> None:
    with socket.socket() as connection:
        server.keep_alive(connection)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


async def test_small_messages_wait_unread_and_all_are_worked_off() -> None:
    hall = Hall()
    connection, transport = hall.connect()
    connection.desk.client.session = Session(OWNER.raw, OWNER.raw, bytes(32), 1e18)
    pings = [wire.message(wire.Kind.ping, number.to_bytes(8)) for number in range(20_000)]
    connection.data_received(b"".join(pings))
    assert (transport.reads, len(connection.desk._queue)) == (False, server.MAX_QUEUED // server.MIN_WEIGHT + 1)
    for _ in range(20_000 // desk.YIELD_EVERY + 20):
        await asyncio.sleep(0)
    assert transport.sent == b"".join(wire.message(wire.Kind.pong, ping[5:]) for ping in pings)
    assert transport.reads
