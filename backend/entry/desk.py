"""What is done with a client's messages: hello, challenge, session, then frames, single orders, and cancels.

Messages with orders are judged at once, side by side, and stand in a line until the engine gets them in the order in
which they came. A message that is malformed is refused with what is wrong.
"""

import asyncio
import hmac
import os
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, perf_counter, time
from typing import Protocol

import structlog
from coincurve import PrivateKey

from backend.entry.bounds import RETRY_MS, Door, Room
from backend.entry.court import Court, JudgesLost
from backend.entry.judges import JUDGED_SIZE
from backend.entry.link import CommandCall, EngineLink, FrameCall, OrdersCall
from backend.entry.metrics import EntryMetrics
from exchange.domain import entry as wire
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import flaw_of_shape
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.order import PACKED_SIZE
from exchange.domain.recovery import SIGNATURE_SIZE
from exchange.engine.commands import CancelOrder, Command, MassCancel, PlaceFrame, SetCountdown
from exchange.journal.codec import encode_command
from exchange.journal.plain import signer_of
from exchange.sequencer.packing import packed_receipt
from exchange.sequencer.protocol import Ack, FrameAck, Refused
from exchange.settings import EntrySettings

CHECKED_SECONDS = 0.5
MAX_PENDING = 40_000
BRAKES_IN_FLIGHT = 16
ORDERS_AT_ONCE = 128
"""More orders of a message go to the engine in several groups, the first while others are judged."""

YIELD_EVERY = 64
"""So many messages of one connection are worked off before the others have their turn."""
MIRROR_PAUSES = (0.0, 0.1, 0.4, 1.5)
"""Seconds between looks for an account of which the database may hear a moment later than the engine."""
MAX_LOOKING = 16
"""So many accounts at once are looked for more than once."""
MAX_UNOPENED = 16
"""Messages before there is a session; one needs two."""
MAX_MALFORMED = 64
"""Malformed messages beyond those that were taken."""

_log = structlog.get_logger("entry")


@dataclass(slots=True)
class Session:
    """Who trades here: `account`, by the key of `signer`, until `expires_at` (monotonic)."""

    account: bytes
    signer: bytes
    mac_key: bytes
    expires_at: float
    last_number: int = 0
    in_flight: int = 0
    brakes: int = 0
    """Messages under way that take orders back; they have room of their own."""
    checked_at: float = 0.0
    scope: tuple[int, int] | None = None
    """Markets (bit by number) and last expiry of a delegated key; None for the account's own."""

    @property
    def scheme(self) -> int:
        """How its frames are signed."""
        return int(Scheme.bulk if self.signer == self.account else Scheme.bulk | Scheme.delegate)


class Closing(Protocol):
    """A connection that can be ended."""

    def close(self) -> None:
        """End it."""


@dataclass(slots=True)
class Exchange:
    """What all connections share.

    `scope_of` gives a delegated key's markets and expiry, or refuses it. `is_known` tells whether an account has
    ever had a deposit: no other gets a session.
    """

    settings: EntrySettings
    domain: Domain
    link: EngineLink
    door: Door
    court: Court
    scope_of: Callable[[bytes, bytes], Awaitable[tuple[int, int]]]
    is_known: Callable[[bytes], Awaitable[bool]]
    is_silent: Callable[[], bool]
    room: Room = field(default_factory=lambda: Room(MAX_PENDING))
    metrics: EntryMetrics = field(default_factory=EntryMetrics)
    connections: set[Closing] = field(default_factory=set)
    knows: Callable[[bytes], bool] = lambda account: False
    """Whether an account is known without a look in the database."""
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """What sessions that are asked for read in the database they read one after another: the rest is for the others."""
    looking: int = 0
    """Sessions that are asked for and wait for their account to be known."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    is_broken: bool = False
    """Whether a judge has died: nothing can be checked any more."""

    def break_off(self) -> None:
        """A judge has died: the process ends, and is started again."""
        self.is_broken = True
        self.stopped.set()


End = Callable[[ErrorCode, str], None]


class Once:
    """What is done when it is first called, and never again: giving back what a message holds."""

    __slots__ = ("_do",)

    def __init__(self, do: Callable[[], None]) -> None:
        self._do: Callable[[], None] | None = do

    def __call__(self) -> None:
        """Do it, unless it is done."""
        do, self._do = self._do, None
        if do is not None:
            do()


@dataclass(frozen=True, slots=True)
class Step:
    """What remains to be done with a message; `give_back` what it holds meanwhile."""

    work: Callable[[], Coroutine[None, None, None]]
    give_back: Once


class Desk:
    """One client's. `send` and `end` are its connection's.

    `worked_off` is told a message's size when it is done, `opened` how many seconds a session lasts that was opened.
    """

    def __init__(
        self,
        exchange: Exchange,
        send: Callable[[bytes], None],
        end: End,
        worked_off: Callable[[int], None],
        opened: Callable[[int], None],
    ) -> None:
        self._exchange = exchange
        self._send = send
        self._tell_end = end
        self._worked_off = worked_off
        self._opened = opened
        self._challenge = b""
        self._asked_for = b""
        self._has_left = False
        self._is_ended = False
        self._unopened = 0
        self._malformed = 0
        self._queue: deque[tuple[int, bytes, float]] = deque()
        self._line: deque[tuple[Step, int]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._placing: asyncio.Task[None] | None = None
        self.address = ""
        self.session: Session | None = None

    def leave(self) -> None:
        """The client is gone; what came whole is placed all the same."""
        self._has_left = True
        if self.session is not None:
            self._exchange.door.leave(self.session.account)
            self._exchange.metrics.sessions.dec()
            self.session = None

    def take(self, kind: int, body: bytes) -> None:
        """A whole message."""
        if self._is_ended:
            return
        self._queue.append((kind, body, perf_counter()))
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())

    def refuse(self, number: int, code: ErrorCode, text: str, retry_ms: int = 0) -> None:
        """Say why a message was not taken."""
        self._exchange.metrics.refusals.labels(code.value).inc()
        self._send(wire.pack_refused(number, number_of(code), retry_ms, text))

    # messages

    async def _read(self) -> None:
        """Take the queue's messages until there are none; after some of them the other connections have their turn."""
        taken = 0
        try:
            while self._queue:
                kind, body, since = self._queue.popleft()
                step = await self._take(kind, body, since)
                if step is None:
                    self._worked_off(len(body))
                else:
                    self._stand_in_line(step, len(body))
                taken += 1
                if not taken % YIELD_EVERY:
                    await asyncio.sleep(0)
        except JudgesLost:
            self._exchange.break_off()
        except Exception:
            self._fail()
        finally:
            self._reading = None

    async def _take(self, kind: int, body: bytes, since: float) -> Step | None:
        """Do what a message asks for, or say why not; who brings nothing but refused ones is sent away."""
        if self.session is None:
            self._unopened += 1
            if self._unopened > MAX_UNOPENED:
                self._end(ErrorCode.too_many_requests, f"{MAX_UNOPENED} messages and no session: connect again")
                return None
        try:
            step = await self._handle(kind, body, since)
        except wire.ProtocolError as error:
            self.refuse(wire.number_in(kind, body), ErrorCode.malformed, str(error))
            self._malformed += 1
            if self._malformed > MAX_MALFORMED:
                self._end(ErrorCode.malformed, f"{MAX_MALFORMED} messages were malformed: this ends")
            return None
        except Refusal as refusal:
            self.refuse(wire.number_in(kind, body), refusal.code, refusal.message, _retry_of(refusal))
            return None
        self._malformed = max(0, self._malformed - 1)
        return step

    def _end(self, code: ErrorCode, text: str) -> None:
        """End the connection. What is in line is placed all the same, what was not looked at is not."""
        self._is_ended = True
        self._queue.clear()
        self._tell_end(code, text)

    def _stand_in_line(self, step: Step, size: int) -> None:
        self._line.append((step, size))
        if self._placing is None:
            self._placing = asyncio.get_running_loop().create_task(self._place_in_order())

    async def _place_in_order(self) -> None:
        """Work off the line: each message when it is judged, and after those before it."""
        try:
            while self._line:
                step, size = self._line.popleft()
                await self._work_off(step)
                self._worked_off(size)
        finally:
            self._placing = None

    async def _work_off(self, step: Step) -> None:
        """Do what remains; what fails gives back what it holds, and those behind it have their turn all the same."""
        try:
            await step.work()
        except JudgesLost:
            step.give_back()
            self._exchange.break_off()
        except Exception:
            step.give_back()
            self._fail()

    def _fail(self) -> None:
        _log.exception("message failed", address=self.address)
        self._end(ErrorCode.internal, "this message could not be worked off: what it held may have been placed")

    async def _handle(self, kind: int, body: bytes, since: float) -> Step | None:
        """What a message asks for; of one with orders, what remains to be done when it is judged."""
        if kind == wire.Kind.frame:
            return await self._frame(body, since)
        if kind == wire.Kind.orders:
            return await self._orders(body, since)
        if wire.Kind.cancel <= kind <= wire.Kind.countdown:
            return await self._brake(kind, body, since)
        if kind == wire.Kind.ping:
            self._send(wire.message(wire.Kind.pong, body[:8]))
        elif kind == wire.Kind.hello:
            self._hello(body)
        elif kind == wire.Kind.open:
            await self._open(body)
        else:
            raise wire.ProtocolError(f"no message of kind {kind}: 1 to 8 are taken")
        return None

    def _hello(self, body: bytes) -> None:
        settings = self._exchange.settings
        self._asked_for = wire.unpack_hello(body)
        self._challenge = os.urandom(32)
        challenge = wire.Challenge(
            self._challenge,
            self._exchange.domain.separator,
            1 << 10,
            settings.frames_in_flight,
            settings.session_seconds,
        )
        self._send(wire.message(wire.Kind.challenge, challenge.pack()))

    async def _open(self, body: bytes) -> None:
        challenge, self._challenge = self._challenge, b""
        if self.session is not None or not challenge:
            raise wire.ProtocolError("a session is opened once, after a hello and with its challenge")
        if len(body) != wire.KEY_SIZE + SIGNATURE_SIZE:
            raise wire.ProtocolError(f"open has {wire.KEY_SIZE + SIGNATURE_SIZE} bytes, here are {len(body)}")
        key, signature, account = body[: wire.KEY_SIZE], body[wire.KEY_SIZE :], self._asked_for
        self._exchange.door.begin_opening(self.address)
        digest = wire.session_digest(self._exchange.domain, account, challenge, key)
        signer = await self._exchange.court.find_signer((self.address, account), digest, signature)
        if not signer:
            raise Refusal(ErrorCode.wrong_signature, "the signature is nobody's", "signature")
        self._exchange.door.check(signer)
        if not self._exchange.knows(account):
            await self._wait_until_known(account)
        scope = None
        if signer != account:
            async with self._exchange.opening:
                scope = await self._scope(account, signer)
        if self._has_left or self._is_ended:  # it went away meanwhile, and is not counted any more
            return
        mine = PrivateKey()
        try:
            mac_key = wire.shared_key(mine, key, challenge)
        except ValueError:
            raise wire.ProtocolError("the session's public key is no point of the curve") from None
        self._exchange.door.enter(account, signer)
        self._exchange.metrics.sessions.inc()
        seconds = self._exchange.settings.session_seconds
        now = monotonic()
        self.session = Session(account, signer, mac_key, now + seconds, checked_at=now, scope=scope)
        self._opened(seconds)
        expires_ms = int(_now_ms() + 1_000 * seconds)
        self._send(wire.pack_opened(mine.public_key.format(), expires_ms))

    async def _wait_until_known(self, account: bytes) -> None:
        """Refusal of an account without a deposit; one that was credited just now may take a moment to be mirrored.

        It is looked for again only while few wait: a look more for each of a crowd would delay everybody's first.
        """
        exchange = self._exchange
        exchange.looking += 1
        try:
            for pause in MIRROR_PAUSES if exchange.looking <= MAX_LOOKING else MIRROR_PAUSES[:1]:
                await asyncio.sleep(pause)
                async with exchange.opening:
                    if self._has_left or exchange.knows(account) or await exchange.is_known(account):
                        return
        finally:
            exchange.looking -= 1
        raise Refusal(ErrorCode.unknown_account, "the account has no deposit that was credited", "account")

    async def _scope(self, account: bytes, signer: bytes) -> tuple[int, int]:
        return await self._exchange.scope_of(account, signer)

    async def live_session(self) -> Session:
        """The session, if it may go on."""
        session = self.session
        if session is None:
            raise Refusal(ErrorCode.unauthenticated, "say hello and open a session first")
        now = monotonic()
        if now >= session.expires_at:
            raise Refusal(ErrorCode.unauthenticated, "the session has ended: connect again")
        self._exchange.door.check(session.signer)
        if session.scope is not None and now - session.checked_at > CHECKED_SECONDS:
            session.scope = await self._scope(session.account, session.signer)
            session.checked_at = now
        return session

    def _begin(self, session: Session, orders: int) -> Once:
        """Count a message under way until what comes back is called. Refusal where there is no room for it."""
        limit = self._exchange.settings.frames_in_flight
        if session.in_flight >= limit:
            params: dict[str, str | int] = {"retry_after_ms": RETRY_MS}
            raise Refusal(ErrorCode.too_many_requests, f"at most {limit} messages are under way", None, params)
        if not self._exchange.link.connected:
            raise Refusal(ErrorCode.unavailable, "the engine is away", None, {"retry_after_ms": RETRY_MS})
        self._exchange.room.take(session.account, self.address, orders)
        session.in_flight += 1
        return Once(partial(self._finish, session, orders))

    def _finish(self, session: Session, orders: int) -> None:
        """A message is answered."""
        session.in_flight -= 1
        self._exchange.room.give(session.account, self.address, orders)

    def _observe(self, kind: str, since: float) -> None:
        self._exchange.metrics.ack_seconds.labels(kind).observe(perf_counter() - since)

    # frames

    async def _frame(self, body: bytes, since: float) -> Step:
        """Have a frame judged; one with a MAC is judged when it is durable."""
        session = await self.live_session()
        frame = wire.FrameMessage.unpack(body)
        self._check_frame(session, frame, body)
        give_back = self._begin(session, len(frame.orders) // PACKED_SIZE)
        self._exchange.metrics.messages.labels(_kind_of(frame)).inc()
        if frame.mac:
            return Step(partial(self._place_when_judged, session, frame, since, give_back, None), give_back)
        domain, court = self._exchange.domain, self._exchange.court
        verdict = court.judge_frame(
            (self.address, session.account),
            domain.separator,
            session.scheme,
            session.signer,
            frame.root,
            frame.signature,
            frame.orders,
        )
        return Step(partial(self._place_when_judged, session, frame, since, give_back, verdict), give_back)

    def _check_frame(self, session: Session, frame: wire.FrameMessage, body: bytes) -> None:
        """Refusal of a frame that may not be sent on, its signature apart."""
        if frame.number <= session.last_number:
            raise wire.ProtocolError(f"the number must rise: the last one was {session.last_number}")
        if frame.mac:
            expected = wire.mac(session.mac_key, bytes((wire.Kind.frame,)) + body[: -wire.MAC_SIZE])
            if not hmac.compare_digest(expected, frame.mac):
                raise Refusal(ErrorCode.wrong_signature, "the MAC is not the session's over this frame", "mac")
        session.last_number = frame.number
        self._exchange.door.check_waste(session.account)
        if flaw := flaw_of_shape(frame.orders):
            raise wire.ProtocolError(flaw)
        if frame.orders[:20] != session.account:
            raise Refusal(ErrorCode.forbidden, "the orders of a frame are of the session's account", "account")
        self._check_scope(session, frame.orders)

    def _check_scope(self, session: Session, orders: bytes) -> None:
        """A delegated key's markets and time, and the silence of the chain."""
        if session.scope is not None:
            markets, expiry = session.scope
            for at in range(0, len(orders), PACKED_SIZE):
                if not markets >> int.from_bytes(orders[at + 20 : at + 24]) & 1:
                    raise Refusal(ErrorCode.delegate_out_of_scope, "the delegated key may not trade one of the markets")
                if int.from_bytes(orders[at + 24 : at + 29]) > expiry:
                    raise Refusal(ErrorCode.delegate_expired, "an order lives longer than the delegated key")
        if self._exchange.is_silent() and any(not orders[at + 79] & 4 for at in range(0, len(orders), PACKED_SIZE)):
            raise Refusal(ErrorCode.settlement_backlog, "the chain is not heard: only post_only orders are taken")

    async def _place_when_judged(
        self,
        session: Session,
        frame: wire.FrameMessage,
        since: float,
        give_back: Once,
        verdict: "asyncio.Future[bytes] | None",
    ) -> None:
        flaw = b"" if verdict is None else await verdict
        if flaw:
            give_back()
            self._exchange.door.waste(session.account, len(frame.orders) // PACKED_SIZE, 0)
            self.refuse(frame.number, ErrorCode.wrong_signature, flaw.decode())
        else:
            self._place(session, frame, since, give_back)

    def _place(self, session: Session, frame: wire.FrameMessage, since: float, give_back: Once) -> None:
        command = PlaceFrame(
            session.signer,
            session.scheme,
            self._exchange.domain.separator,
            frame.root,
            frame.signature,
            frame.orders,
        )
        number, early, kind = frame.number, bool(frame.mac), _kind_of(frame)

        def journaled(ack: Ack | Refused) -> None:
            if isinstance(ack, Ack):
                self._send(wire.pack_journaled(number, ack.seq, ack.at_ms, packed_receipt(ack.receipt)))
                self._observe(kind, since)

        def outcome(ack: FrameAck | Refused) -> None:
            give_back()
            if isinstance(ack, Refused):
                refusal = ack.refusal()
                self.refuse(number, refusal.code, refusal.message, _retry_of(refusal))
            elif ack.flaw:
                self._penalize(session, number, ack.flaw)
            else:
                self._answer_frame(session, number, kind, ack, early)
                if not early:
                    self._observe(kind, since)

        call = FrameCall(encode_command(command), command.count, early, journaled, outcome)
        self._exchange.link.place_frame(call)

    def _answer_frame(self, session: Session, number: int, kind: str, ack: FrameAck, early: bool) -> None:
        self._count_waste(session, ack.codes)
        self._exchange.metrics.count_codes(kind, ack.codes)
        receipt = wire.NO_RECEIPT if early else packed_receipt(ack.receipt)
        self._send(wire.pack_outcome(number, ack.seq, ack.at_ms, ack.codes, receipt))

    def _count_waste(self, session: Session, codes: bytes) -> None:
        """Orders of these codes were looked at; that the engine was away is not the account's doing."""
        accepted = codes.count(ACCEPTED)
        refused = len(codes) - accepted - codes.count(number_of(ErrorCode.unavailable))
        self._exchange.door.waste(session.account, refused, accepted)

    def _penalize(self, session: Session, number: int, flaw: str) -> None:
        """What this session had journaled was not signed: it ends, and its key is kept out for a while."""
        _log.warning("bad signature journaled", account=session.account.hex(), signer=session.signer.hex(), flaw=flaw)
        self._exchange.door.penalize(session.signer)
        self.refuse(number, ErrorCode.wrong_signature, f"{flaw}; none of its orders was placed, and the session ends")
        self._end(ErrorCode.wrong_signature, "")

    # single orders

    async def _orders(self, body: bytes, since: float) -> Step:
        """Have single orders judged, by several judges at once."""
        session = await self.live_session()
        number, signed = wire.unpack_orders(body)
        self._exchange.door.check_waste(session.account)
        give_back = self._begin(session, len(signed) // wire.SIGNED_ORDER_SIZE)
        self._exchange.metrics.messages.labels("orders").inc()
        party = (self.address, session.account)
        verdicts = self._exchange.court.judge_orders(party, self._exchange.domain.separator, signed)
        return Step(partial(self._place_orders, session, number, signed, verdicts, since, give_back), give_back)

    async def _place_orders(
        self,
        session: Session,
        number: int,
        signed: bytes,
        verdicts: "list[asyncio.Future[bytes]]",
        since: float,
        give_back: Once,
    ) -> None:
        """What is judged goes to the engine, as one group if it is not many; the message is answered when all are."""
        count = len(signed) // wire.SIGNED_ORDER_SIZE
        answers: list[bytes] = [b""] * count
        left = count

        def answer(places: list[int], found: list[bytes]) -> None:
            nonlocal left
            for place, packed in zip(places, found, strict=True):
                answers[place] = packed
            left -= len(places)
            if not left:
                give_back()
                self._send(wire.pack_orders_outcome(number, answers))
                codes = bytes(packed[0] for packed in answers)
                self._count_waste(session, codes)
                self._exchange.metrics.count_codes("orders", codes)
                self._observe("orders", since)

        first, waiting = 0, list[tuple[int, bytes]]()
        for verdict in verdicts:
            judged = await verdict
            taken, refused = self._sort(session, signed, judged, first)
            first += len(judged) // JUDGED_SIZE
            waiting += taken
            if refused:
                answer(*_apart(refused))
            if len(waiting) >= ORDERS_AT_ONCE or (waiting and first == count):
                places, payloads = _apart(waiting)
                self._exchange.link.place_orders(OrdersCall(payloads, partial(answer, places)))
                waiting = []

    def _sort(
        self, session: Session, signed: bytes, judged: bytes, first: int
    ) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
        """By their places: the records of orders that the engine is to see, and the answers to the others."""
        size, taken, refused = wire.SIGNED_ORDER_SIZE, [], []
        for place in range(first, first + len(judged) // JUDGED_SIZE):
            at = JUDGED_SIZE * (place - first)
            order = signed[size * place : size * place + PACKED_SIZE]
            payload = judged[at + 1 : at + JUDGED_SIZE]
            code = self.flaw_of_order(session, order, signer_of(payload) if judged[at] else None)
            if code:
                refused.append((place, wire.pack_order_outcome(code, 0, 0, wire.NO_RECEIPT)))
            else:
                taken.append((place, payload))
        return taken, refused

    def flaw_of_order(self, session: Session, order: bytes, signer: bytes | None) -> int:
        """The number of the refusal of an order before the engine sees it, 0 for none.

        Orders are of the session's account and signed by it or by the session's key: whoever else has signed is not
        looked up, because every signature is somebody's.
        """
        if order[:20] != session.account:
            return number_of(ErrorCode.forbidden)
        if signer is None or signer not in (session.account, session.signer):
            return number_of(ErrorCode.wrong_signature)
        if self._exchange.is_silent() and not order[79] & 4:
            return number_of(ErrorCode.settlement_backlog)
        if signer == session.account or session.scope is None:
            return ACCEPTED
        markets, until = session.scope
        if not markets >> int.from_bytes(order[20:24]) & 1:
            return number_of(ErrorCode.delegate_out_of_scope)
        return number_of(ErrorCode.delegate_expired) if int.from_bytes(order[24:29]) > until else ACCEPTED

    # what takes orders back

    async def _brake(self, kind: int, body: bytes, since: float) -> Step:
        """Find who signed it. It needs no share of the queue: who has too much under way may still take it back."""
        session = await self.live_session()
        brake = wire.Brake.unpack(kind, body)
        if session.brakes >= BRAKES_IN_FLIGHT:
            params: dict[str, str | int] = {"retry_after_ms": RETRY_MS}
            raise Refusal(ErrorCode.too_many_requests, f"at most {BRAKES_IN_FLIGHT} are under way", None, params)
        session.brakes += 1
        give_back = Once(partial(_end_brake, session))
        self._exchange.metrics.messages.labels("brake").inc()
        digest = brake.digest(self._exchange.domain, session.account)
        signer = self._exchange.court.find_signer((self.address, session.account), digest, brake.signature)
        return Step(partial(self._give_brake, session, brake, since, give_back, signer), give_back)

    async def _give_brake(
        self, session: Session, brake: wire.Brake, since: float, give_back: Once, finding: "asyncio.Future[bytes]"
    ) -> None:
        signer = await finding
        if signer not in (session.account, session.signer):
            give_back()
            self.refuse(brake.number, ErrorCode.wrong_signature, "the signature is not the account's or the session's")
            return

        def outcome(ack: Ack | Refused) -> None:
            give_back()
            if isinstance(ack, Refused):
                refusal = ack.refusal()
                self.refuse(brake.number, refusal.code, refusal.message, _retry_of(refusal))
            else:
                self._send(wire.pack_done(brake.number, ack.seq, ack.at_ms, packed_receipt(ack.receipt)))
                self._observe("brake", since)

        command = _command_of(brake, session.account, signer)
        self._exchange.link.give(CommandCall(encode_command(command), outcome))


def _end_brake(session: Session) -> None:
    session.brakes -= 1


def _command_of(brake: wire.Brake, account: bytes, signer: bytes) -> Command:
    fields = brake.fields
    if brake.kind == wire.Kind.cancel:
        return CancelOrder(account, fields["nonce"], brake.signature, signer)
    if brake.kind == wire.Kind.countdown:
        return SetCountdown(account, fields["seconds"], fields["nonce"], brake.signature, signer)
    return MassCancel(account, fields["market"], fields["side"], fields["nonce"], brake.signature, signer)


def _apart(pairs: list[tuple[int, bytes]]) -> tuple[list[int], list[bytes]]:
    """Firsts and seconds."""
    return [place for place, _ in pairs], [data for _, data in pairs]


def _kind_of(frame: wire.FrameMessage) -> str:
    return "mac_frame" if frame.mac else "frame"


def _retry_of(refusal: Refusal) -> int:
    value = refusal.params.get("retry_after_ms", 0)
    return value if isinstance(value, int) else 0


def _now_ms() -> float:
    return time() * 1_000
