"""What takes orders back: cancels of one, of some and of all, countdowns, and the stop of an account's trading."""

import asyncio
from functools import partial

from backend.entry.bounds import RETRY_MS
from backend.entry.client import Client, Once, Session, Step, retry_of
from backend.entry.link import CommandCall
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.commands import CancelAll, CancelOrder, Command, MassCancel, SetCountdown, StopTrading
from exchange.journal.codec import encode_command
from exchange.sequencer.packing import packed_receipt
from exchange.sequencer.protocol import Ack, Refused

BRAKES_IN_FLIGHT = 16


class Brakes:
    """One client's."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._exchange = client.exchange

    async def judge(self, kind: int, body: bytes, since: float) -> Step:
        """Find who signed it. It needs no share of the queue: who has too much under way may still take it back."""
        session = await self._client.live_session()
        brake = wire.Brake.unpack(kind, body)
        if session.brakes >= BRAKES_IN_FLIGHT:
            params: dict[str, str | int] = {"retry_after_ms": RETRY_MS}
            raise Refusal(ErrorCode.too_many_requests, f"at most {BRAKES_IN_FLIGHT} are under way", None, params)
        session.brakes += 1
        give_back = Once(partial(_end_brake, session))
        self._exchange.metrics.messages.labels("brake").inc()
        digest = brake.digest(self._exchange.domain, session.account)
        signer = self._exchange.court.find_signer((self._client.address, session.account), digest, brake.signature)
        return Step(partial(self._give, session, brake, since, give_back, signer), give_back)

    async def _give(
        self, session: Session, brake: wire.Brake, since: float, give_back: Once, finding: "asyncio.Future[bytes]"
    ) -> None:
        signer = await finding
        if flaw := _flaw_of(brake, signer, session):
            give_back()
            self._client.refuse(brake.number, ErrorCode.wrong_signature, flaw)
            return

        def outcome(ack: Ack | Refused) -> None:
            give_back()
            if isinstance(ack, Refused):
                refusal = ack.refusal()
                self._client.refuse(brake.number, refusal.code, refusal.message, retry_of(refusal))
            else:
                self._client.send(wire.pack_done(brake.number, ack.seq, ack.at_ms, packed_receipt(ack.receipt)))
                self._client.observe("brake", since)

        command = _command_of(brake, session.account, signer)
        self._exchange.link.give(CommandCall(encode_command(command), outcome))


def _end_brake(session: Session) -> None:
    session.brakes -= 1


def _flaw_of(brake: wire.Brake, signer: bytes, session: Session) -> str:
    """What is wrong with who signed. A delegated key neither stops its owner's trading nor starts it again."""
    if signer == session.account:
        return ""
    if brake.kind == wire.Kind.trading_stop:
        return "the signature is not the account's own, which alone stops and starts its trading"
    return "" if signer == session.signer else "the signature is not the account's or the session's"


def _command_of(brake: wire.Brake, account: bytes, signer: bytes) -> Command:
    fields, signature = brake.fields, brake.signature
    match brake.kind:
        case wire.Kind.cancel:
            return CancelOrder(account, fields["nonce"], signature, signer)
        case wire.Kind.cancel_all:
            return CancelAll(account, fields["min_nonce"], signature, signer)
        case wire.Kind.countdown:
            return SetCountdown(account, fields["seconds"], fields["nonce"], signature, signer)
        case wire.Kind.trading_stop:
            return StopTrading(account, bool(fields["stopped"]), fields["nonce"], signature)
        case _:
            return MassCancel(account, fields["market"], fields["side"], fields["nonce"], signature, signer)
