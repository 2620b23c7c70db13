"""Order entry without sockets: what is bounded when clients leave, hurry, dawdle or waste."""

import asyncio
from concurrent.futures import Executor
from typing import cast

import pytest
from coincurve import PrivateKey

from backend.entry import server
from backend.entry.bounds import Door
from backend.entry.judges import Judged
from backend.entry.link import EngineLink, FrameCall
from backend.entry.server import Connection, Exchange, Session
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.order import Order
from exchange.sequencer.protocol import Ack, FrameAck, Refused
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
        self.sent, self.reads, self.closed = b"", True, False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "10.0.0.1", 1

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        assert self.reads
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads
        self.reads = True


class Hall:
    """An exchange whose delegates are looked up only when `answer` is set."""

    def __init__(self, bounds: EntrySettings | None = None) -> None:
        self.clock, self.answer = Clock(), asyncio.Event()
        bounds = bounds or EntrySettings()
        self.door = Door(bounds, self.clock)
        link = EngineLink("/nowhere")
        self.exchange = Exchange(bounds, DOMAIN, link, self.door, cast(Executor, None), self.scope, lambda: False)

    async def scope(self, account: bytes, signer: bytes) -> tuple[int, int]:
        await self.answer.wait()
        return 1 << 1, 10_000

    def connect(self) -> tuple[Connection, Transport]:
        connection, transport = Connection(self.exchange), Transport()
        connection.connection_made(cast(asyncio.Transport, transport))
        return connection, transport


async def turns() -> None:
    for _ in range(5):
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
        assert transport.reads is (sent * len(ping) + 103 <= server.MAX_QUEUED), sent
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
        door.waste(b"a", 150)
    with pytest.raises(Refusal) as caught:
        door.check_waste(b"a")
    assert caught.value.code == ErrorCode.too_many_requests
    assert caught.value.params == {"retry_after_ms": 501}
    door.check_waste(b"b")
    clock.now += 0.6
    door.check_waste(b"a")


async def test_bad_signature_ends_every_session_of_its_key() -> None:
    hall = Hall()
    connection, _ = hall.connect()
    connection._session = Session(OWNER.raw, KEY.raw, bytes(32), 1e18)
    await connection._live_session()
    hall.door.penalize(KEY.raw)
    with pytest.raises(Refusal, match="bad signature was journaled"):
        await connection._live_session()


async def test_orders_are_of_the_session_and_nobody_else_is_looked_up() -> None:
    hall = Hall()
    connection, _ = hall.connect()
    session = Session(OWNER.raw, KEY.raw, bytes(32), 1e18, scope=(1 << 1, 10_000))

    def code(signer: bytes | None, account: Signer = OWNER, market: int = 1, expiry: int = 10_000) -> int:
        order = Order(account.raw, market, 0, 100, 1, 1, expiry, 0, 10, 0)
        judged: Judged = None if signer is None else (b"", signer, market, expiry)
        return connection._flaw_of_order(session, order.pack(), judged)

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
