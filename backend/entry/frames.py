"""Frames: orders of one account under one signature, one record of the journal."""

import asyncio
import hmac
from functools import partial

import structlog

from backend.entry.client import Client, Once, Session, Step, retry_of
from backend.entry.link import FrameCall
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import flaw_of_shape, weight_of
from exchange.domain.order import PACKED_SIZE
from exchange.engine.commands import PlaceFrame, PlaceMixedFrame
from exchange.journal.codec import encode_command
from exchange.sequencer.packing import packed_receipt
from exchange.sequencer.protocol import Ack, FrameAck, Refused

_log = structlog.get_logger("entry")


class Frames:
    """One client's."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._exchange = client.exchange

    async def judge(self, body: bytes, since: float) -> Step:
        """Have a frame judged; one with a MAC is judged when it is durable."""
        session = await self._client.live_session()
        frame = wire.FrameMessage.unpack(body)
        self._check_frame(session, frame, body)
        give_back = self._client.begin(session, weight_of(frame.orders, frame.amends))
        self._exchange.metrics.messages.labels(_kind_of(frame)).inc()
        if frame.mac:
            return Step(partial(self._place_when_judged, session, frame, since, give_back, None), give_back)
        domain, court = self._exchange.domain, self._exchange.court
        verdict = court.judge_frame(
            (self._client.address, session.account),
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
        if frame.number == 0:
            raise wire.ProtocolError("frames are numbered from 1 on: 0 stands for no message")
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
            self._client.refuse(frame.number, ErrorCode.wrong_signature, flaw.decode())
        else:
            self._place(session, frame, since, give_back)

    def _place(self, session: Session, frame: wire.FrameMessage, since: float, give_back: Once) -> None:
        command = _command(session, self._exchange.domain.separator, frame)
        number, early, kind = frame.number, bool(frame.mac), _kind_of(frame)

        def journaled(ack: Ack | Refused) -> None:
            if isinstance(ack, Ack):
                self._client.send(wire.pack_journaled(number, ack.seq, ack.at_ms, packed_receipt(ack.receipt)))
                self._client.observe(kind, since)

        def outcome(ack: FrameAck | Refused) -> None:
            give_back()
            if isinstance(ack, Refused):
                refusal = ack.refusal()
                self._client.refuse(number, refusal.code, refusal.message, retry_of(refusal))
            elif ack.flaw:
                self._penalize(session, number, ack.flaw)
            else:
                self._answer_frame(session, number, kind, ack, early)
                if not early:
                    self._client.observe(kind, since)

        call = FrameCall(encode_command(command), command.count, early, journaled, outcome)
        self._exchange.link.place_frame(call)

    def _answer_frame(self, session: Session, number: int, kind: str, ack: FrameAck, early: bool) -> None:
        self._client.count_waste(session, ack.codes)
        self._exchange.metrics.count_codes(kind, ack.codes)
        receipt = wire.NO_RECEIPT if early else packed_receipt(ack.receipt)
        self._client.send(wire.pack_outcome(number, ack.seq, ack.at_ms, ack.codes, receipt))

    def _penalize(self, session: Session, number: int, flaw: str) -> None:
        """What this session had journaled was not signed: it ends, and its key is kept out for a while."""
        _log.warning("bad signature journaled", account=session.account.hex(), signer=session.signer.hex(), flaw=flaw)
        self._exchange.door.penalize(session.signer)
        self._client.refuse(
            number, ErrorCode.wrong_signature, f"{flaw}; none of its orders was placed, and the session ends"
        )
        self._client.end(ErrorCode.wrong_signature, "")


def _command(session: Session, separator: bytes, frame: wire.FrameMessage) -> PlaceFrame:
    signed = (session.signer, session.scheme, separator, frame.root, frame.signature, frame.orders)
    return PlaceMixedFrame(*signed, frame.amends) if frame.amends else PlaceFrame(*signed)


def _kind_of(frame: wire.FrameMessage) -> str:
    return "mac_frame" if frame.mac else "frame"
