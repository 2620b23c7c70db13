"""Connections of order entry: hello, challenge, session, then frames and single orders, each bounded.

A message that is malformed is refused with what is wrong; one whose length cannot be believed ends the connection,
because nothing after it can be. Who does not read is not read from, and is cut off before its answers fill the memory.
"""

import asyncio
import hmac
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass, field
from time import monotonic, time
from typing import cast

import structlog
from coincurve import PrivateKey

from backend.entry.bounds import Door
from backend.entry.judges import FrameParts, Judged, judge_frames, judge_orders
from backend.entry.link import EngineLink, FrameCall, OrdersCall
from exchange.domain import entry as wire
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import flaw_of_shape
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.order import PACKED_SIZE
from exchange.domain.recovery import SIGNATURE_SIZE, recover
from exchange.engine.commands import PlaceFrame
from exchange.journal.codec import encode_command
from exchange.sequencer.protocol import Ack, FrameAck, Refused, WireReceipt
from exchange.settings import EntrySettings

CHECKED_SECONDS = 0.5
MAX_UNREAD = 4 << 20
MAX_PENDING = 40_000
MAX_QUEUED = 1 << 20
_RETRY_MS = 20
_HEAD = wire.LENGTH.size

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
    checked_at: float = 0.0
    scope: tuple[int, int] | None = None
    """Markets (bit by number) and last expiry of a delegated key; None for the account's own."""

    @property
    def scheme(self) -> int:
        """How its frames are signed."""
        return int(Scheme.bulk if self.signer == self.account else Scheme.bulk | Scheme.delegate)


@dataclass(slots=True)
class Exchange:
    """What all connections share. `scope_of` gives a delegated key's markets and expiry, or refuses it."""

    settings: EntrySettings
    domain: Domain
    link: EngineLink
    door: Door
    pool: Executor
    scope_of: Callable[[bytes, bytes], Awaitable[tuple[int, int]]]
    is_silent: Callable[[], bool]
    workers: int = 1
    connections: set["Connection"] = field(default_factory=set)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    is_broken: bool = False
    """Whether the processes of the pool have died: nothing can be checked any more."""


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._transport: asyncio.Transport | None = None
        self._address = ""
        self._counted = False
        self._buffer = bytearray()
        self._challenge = b""
        self._asked_for = b""
        self._session: Session | None = None
        self._busy: asyncio.Task[None] | None = None
        self._queue: list[tuple[int, bytes]] = []
        self._queued = 0
        self._is_deaf = False
        self._is_paused = False
        self._late: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, or end it."""
        self._transport = cast(asyncio.Transport, transport)
        self._address = str((self._transport.get_extra_info("peername") or ("",))[0])
        self._counted = self._exchange.door.connect(self._address)
        if not self._counted:
            self.refuse(0, ErrorCode.too_many_requests, "too many connections from this address", 1_000)
            self._transport.close()
            return
        self._exchange.connections.add(self)
        seconds = self._exchange.settings.opening_seconds
        self._late = asyncio.get_running_loop().call_later(seconds, self._end_unopened)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._transport = None
        if self._late is not None:
            self._late.cancel()
        self._exchange.connections.discard(self)
        if self._counted:
            self._exchange.door.disconnect(self._address)
        if self._session is not None:
            self._exchange.door.leave(self._session.account)
            self._session = None

    def pause_writing(self) -> None:
        """It does not read: nothing more is taken from it."""
        self._is_deaf = True
        self._steer()

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_deaf = False
        self._steer()

    def _steer(self) -> None:
        """Read from it unless it does not read, or has sent more than is worked off."""
        transport, pause = self._transport, self._is_deaf or self._queued > MAX_QUEUED
        if transport is None or transport.is_closing() or pause is self._is_paused:
            return
        self._is_paused = pause
        if pause:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Whole messages are taken, in order."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _HEAD:
            size = int.from_bytes(buffer[at : at + _HEAD])
            if not 0 < size <= wire.MAX_MESSAGE:
                limit = wire.MAX_MESSAGE
                text = f"a message has 1 to {limit} bytes, not {size}: nothing after it can be read, so this ends"
                self._end(ErrorCode.body_too_large, text)
                return
            if len(buffer) - at < _HEAD + size:
                break
            self._queue.append((buffer[at + _HEAD], bytes(buffer[at + _HEAD + 1 : at + _HEAD + size])))
            at += _HEAD + size
        del buffer[:at]
        self._queued += at
        self._steer()
        if self._queue and self._busy is None:
            self._busy = asyncio.get_running_loop().create_task(self._work())

    def close(self) -> None:
        """End it: the process stops."""
        if self._transport is not None:
            self._transport.close()

    # answers

    def send(self, data: bytes) -> None:
        """Send, or cut off who has left too much unread."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNREAD:
            _log.warning("slow reader", address=self._address)
            transport.abort()
            return
        transport.write(data)

    def refuse(self, number: int, code: ErrorCode, text: str, retry_ms: int = 0) -> None:
        """Say why a message was not taken."""
        self.send(wire.pack_refused(number, number_of(code), retry_ms, text))

    def _end(self, code: ErrorCode, text: str) -> None:
        self.refuse(0, code, text)
        if self._transport is not None:
            self._transport.close()

    def _end_unopened(self) -> None:
        if self._session is None:
            self._end(ErrorCode.unauthenticated, "no session was opened in time")

    # messages

    async def _work(self) -> None:
        """Take the queue's messages until there are none; frames in a row are judged together."""
        try:
            while self._queue:
                messages, self._queue = self._queue, []
                await self._take(messages)
                self._queued -= sum(_HEAD + 1 + len(body) for _, body in messages)
                self._steer()
        except BrokenExecutor:
            self._exchange.is_broken = True
            self._exchange.stopped.set()
        except Exception:
            _log.exception("message failed", address=self._address)
            self._end(ErrorCode.internal, "this message could not be worked off: what it held may have been placed")
        finally:
            self._busy = None

    async def _take(self, messages: Sequence[tuple[int, bytes]]) -> None:
        frames: list[tuple[Session, wire.FrameMessage]] = []
        for kind, body in messages:
            try:
                if kind == wire.Kind.frame:
                    session, frame = await self._checked_frame(body)
                    if frame.mac:
                        self._place(session, frame)
                    else:
                        frames.append((session, frame))
                    continue
                await self._flush(frames)
                await self._handle(kind, body)
            except wire.ProtocolError as error:
                self.refuse(wire.number_in(kind, body), ErrorCode.malformed, str(error))
            except Refusal as refusal:
                self.refuse(wire.number_in(kind, body), refusal.code, refusal.message, _retry_of(refusal))
        await self._flush(frames)

    async def _handle(self, kind: int, body: bytes) -> None:
        if kind == wire.Kind.orders:
            await self._orders(body)
        elif kind == wire.Kind.ping:
            self.send(wire.message(wire.Kind.pong, body[:8]))
        elif kind == wire.Kind.hello:
            self._hello(body)
        elif kind == wire.Kind.open:
            await self._open(body)
        else:
            raise wire.ProtocolError(f"no message of kind {kind}: hello, open, frame, orders and ping are taken")

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
        self.send(wire.message(wire.Kind.challenge, challenge.pack()))

    async def _open(self, body: bytes) -> None:
        challenge, self._challenge = self._challenge, b""
        if self._session is not None or not challenge:
            raise wire.ProtocolError("a session is opened once, after a hello and with its challenge")
        if len(body) != wire.KEY_SIZE + SIGNATURE_SIZE:
            raise wire.ProtocolError(f"open has {wire.KEY_SIZE + SIGNATURE_SIZE} bytes, here are {len(body)}")
        key, signature, account = body[: wire.KEY_SIZE], body[wire.KEY_SIZE :], self._asked_for
        signer = recover(wire.session_digest(self._exchange.domain, account, challenge, key), signature)
        if signer is None:
            raise Refusal(ErrorCode.wrong_signature, "the signature is nobody's", "signature")
        scope = None if signer == account else await self._scope(account, signer)
        if self._transport is None:  # it went away meanwhile, and is not counted any more
            return
        mine = PrivateKey()
        try:
            mac_key = wire.shared_key(mine, key, challenge)
        except ValueError:
            raise wire.ProtocolError("the session's public key is no point of the curve") from None
        self._exchange.door.enter(account, signer)
        seconds = self._exchange.settings.session_seconds
        now = monotonic()
        self._session = Session(account, signer, mac_key, now + seconds, checked_at=now, scope=scope)
        expires_ms = int(_now_ms() + 1_000 * seconds)
        self.send(wire.pack_opened(mine.public_key.format(), expires_ms))

    async def _scope(self, account: bytes, signer: bytes) -> tuple[int, int]:
        return await self._exchange.scope_of(account, signer)

    async def _live_session(self) -> Session:
        session = self._session
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

    # frames

    async def _checked_frame(self, body: bytes) -> tuple[Session, wire.FrameMessage]:
        """A frame that may be sent on, its signature apart."""
        session = await self._live_session()
        frame = wire.FrameMessage.unpack(body)
        if frame.number <= session.last_number:
            raise wire.ProtocolError(f"the number must rise: the last one was {session.last_number}")
        if frame.mac:
            expected = wire.mac(session.mac_key, bytes((wire.Kind.frame,)) + body[: -wire.MAC_SIZE])
            if not hmac.compare_digest(expected, frame.mac):
                raise Refusal(ErrorCode.wrong_signature, "the MAC is not the session's over this frame", "mac")
        session.last_number = frame.number
        self._exchange.door.check_waste(session.account)
        self._check_room(session, len(frame.orders) // PACKED_SIZE)
        if flaw := flaw_of_shape(frame.orders):
            raise wire.ProtocolError(flaw)
        if frame.orders[:20] != session.account:
            raise Refusal(ErrorCode.forbidden, "the orders of a frame are of the session's account", "account")
        self._check_scope(session, frame.orders)
        session.in_flight += 1
        return session, frame

    def _check_room(self, session: Session, orders: int) -> None:
        limit = self._exchange.settings.frames_in_flight
        if session.in_flight >= limit:
            params: dict[str, str | int] = {"retry_after_ms": _RETRY_MS}
            raise Refusal(ErrorCode.too_many_requests, f"at most {limit} messages are under way", None, params)
        if not self._exchange.link.connected or self._exchange.link.pending + orders > MAX_PENDING:
            params = {"retry_after_ms": _RETRY_MS}
            raise Refusal(ErrorCode.unavailable, "the queue to the engine is full, or the engine away", None, params)

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

    async def _flush(self, frames: list[tuple[Session, wire.FrameMessage]]) -> None:
        """Send frames without a MAC on when their signatures are checked."""
        plain = frames[:]
        frames.clear()
        if not plain:
            return
        parts: list[FrameParts] = [
            (self._exchange.domain.separator, s.scheme, s.signer, f.root, f.signature, f.orders) for s, f in plain
        ]
        flaws = await _in_pool(self._exchange, judge_frames, parts)
        for (session, frame), flaw in zip(plain, flaws, strict=True):
            if flaw:
                session.in_flight -= 1
                self.refuse(frame.number, ErrorCode.wrong_signature, flaw)
            else:
                self._place(session, frame)

    def _place(self, session: Session, frame: wire.FrameMessage) -> None:
        command = PlaceFrame(
            session.signer,
            session.scheme,
            self._exchange.domain.separator,
            frame.root,
            frame.signature,
            frame.orders,
        )
        number, early = frame.number, bool(frame.mac)

        def journaled(ack: Ack | Refused) -> None:
            if isinstance(ack, Ack):
                self.send(wire.pack_journaled(number, ack.seq, ack.at_ms, _receipt(ack.receipt)))

        def outcome(ack: FrameAck | Refused) -> None:
            session.in_flight -= 1
            if isinstance(ack, Refused):
                refusal = ack.refusal()
                self.refuse(number, refusal.code, refusal.message, _retry_of(refusal))
            elif ack.flaw:
                self._penalize(session, number, ack.flaw)
            else:
                if wasted := len(ack.codes) - ack.codes.count(ACCEPTED):
                    self._exchange.door.waste(session.account, wasted)
                receipt = wire.NO_RECEIPT if early else _receipt(ack.receipt)
                self.send(wire.pack_outcome(number, ack.seq, ack.at_ms, ack.codes, receipt))

        call = FrameCall(encode_command(command), command.count, early, journaled, outcome)
        self._exchange.link.place_frame(call)

    def _penalize(self, session: Session, number: int, flaw: str) -> None:
        """What this session had journaled was not signed: it ends, and its key is kept out for a while."""
        _log.warning("bad signature journaled", account=session.account.hex(), signer=session.signer.hex(), flaw=flaw)
        self._exchange.door.penalize(session.signer)
        self.refuse(number, ErrorCode.wrong_signature, f"{flaw}; none of its orders was placed, and the session ends")
        if self._transport is not None:
            self._transport.close()

    # single orders

    async def _orders(self, body: bytes) -> None:
        session = await self._live_session()
        number, signed = wire.unpack_orders(body)
        count = len(signed) // wire.SIGNED_ORDER_SIZE
        self._check_room(session, count)
        session.in_flight += 1
        try:
            separator = self._exchange.domain.separator
            judged = await asyncio.get_running_loop().run_in_executor(
                self._exchange.pool, judge_orders, separator, signed
            )
            size = wire.SIGNED_ORDER_SIZE
            refused = [
                self._flaw_of_order(session, signed[size * i : size * i + PACKED_SIZE], one)
                for i, one in enumerate(judged)
            ]
        except BaseException:
            session.in_flight -= 1
            raise

        def outcomes(found: list[Ack | Refused]) -> None:
            session.in_flight -= 1
            following = iter(found)
            packed = [
                wire.pack_order_outcome(code, 0, 0, wire.NO_RECEIPT) if code else _order_outcome(next(following))
                for code in refused
            ]
            self.send(wire.pack_orders_outcome(number, packed))

        payloads = [item[0] for item, code in zip(judged, refused, strict=True) if item is not None and not code]
        if payloads:
            self._exchange.link.place_orders(OrdersCall(payloads, outcomes))
        else:
            outcomes([])

    def _flaw_of_order(self, session: Session, order: bytes, judged: Judged) -> int:
        """The number of the refusal of an order before the engine sees it, 0 for none.

        Orders are of the session's account and signed by it or by the session's key: whoever else has signed is not
        looked up, because every signature is somebody's.
        """
        if order[:20] != session.account:
            return number_of(ErrorCode.forbidden)
        if judged is None or judged[1] not in (session.account, session.signer):
            return number_of(ErrorCode.wrong_signature)
        _, signer, market, expiry = judged
        if self._exchange.is_silent() and not order[79] & 4:
            return number_of(ErrorCode.settlement_backlog)
        if signer == session.account or session.scope is None:
            return ACCEPTED
        markets, until = session.scope
        if not markets >> market & 1:
            return number_of(ErrorCode.delegate_out_of_scope)
        return number_of(ErrorCode.delegate_expired) if expiry > until else ACCEPTED


async def _in_pool(
    exchange: Exchange, work: Callable[[Sequence[FrameParts]], list[str]], items: list[FrameParts]
) -> list[str]:
    """The results of work that is shared out among the processes, in order."""
    loop, share = asyncio.get_running_loop(), -(-len(items) // exchange.workers)
    parts = [items[at : at + share] for at in range(0, len(items), share)]
    found = await asyncio.gather(*(loop.run_in_executor(exchange.pool, work, part) for part in parts))
    return [flaw for part in found for flaw in part]


def _order_outcome(outcome: Ack | Refused) -> bytes:
    if isinstance(outcome, Ack):
        return wire.pack_order_outcome(ACCEPTED, outcome.seq, outcome.at_ms, _receipt(outcome.receipt))
    return wire.pack_order_outcome(number_of(ErrorCode(outcome.code)), 0, 0, wire.NO_RECEIPT)


def _receipt(receipt: WireReceipt | None) -> bytes:
    if receipt is None:
        return wire.NO_RECEIPT
    return wire.EntryReceipt(
        receipt.first_seq,
        receipt.last_seq,
        receipt.head,
        receipt.subject,
        receipt.record_head,
        tuple(receipt.path),
        receipt.signature,
    ).pack()


def _retry_of(refusal: Refusal) -> int:
    value = refusal.params.get("retry_after_ms", 0)
    return value if isinstance(value, int) else 0


def _now_ms() -> float:
    return time() * 1_000
