"""A client of order entry at speed: a session on one connection, frames of orders and single orders over it.

    async with EntryClient("127.0.0.1", 8001, domain, wallet) as entry:            # its own port
    async with EntryClient.on_stream("http://127.0.0.1:8000", domain, wallet) as entry:     # the API's stream
        outcome = await entry.place_frame(orders)                 # signed as a whole; the answer says each order's fate
        early, outcome = await entry.place_frame_early(orders)    # with the session's MAC: durable first, matched then
        outcome = await entry.place_frame(moved, amends={0, 1})   # the first two take the places of open orders

Everything is pipelined. A frame that was not answered, because the connection was lost, may have been placed: send the
same orders again, and those that were taken are refused as `nonce_used`.

A receipt is of what was sent: of a frame with all its orders, of an order, of a cancel. Who says whose receipts it
believes (`receipts`) has them checked whole, and one with each ack; an order that is sent again gets none, it has it.

    EntryRefused    the exchange did not take a message; `retry_ms` says when it is worth trying again
    EntryLost       the connection has ended
    NoReceipt       what was acknowledged came without a receipt that holds; `ack` is what the exchange said
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol, Self

from coincurve import PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bizzan.client.errors import NoReceipt
from bizzan.client.receipts import ReceiptCheck
from bizzan.client.wallet import Wallet
from exchange.domain import entry as wire
from exchange.domain.bulk import bulk_digest
from exchange.domain.eip712 import Domain
from exchange.domain.errors import ErrorCode
from exchange.domain.frame import MAX_ORDERS, needs_mixed, pack_amends, unfold
from exchange.domain.frame_codes import ACCEPTED, code_of
from exchange.domain.order import Order
from exchange.domain.receipt import Receipt, ReceiptError, frame_subject

_Ack = wire.Journaled | wire.Outcome | wire.OrderOutcome | wire.Done


class EntryRefused(Exception):
    """The exchange did not take a message."""

    def __init__(self, code: ErrorCode | None, text: str, retry_ms: int) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.retry_ms = retry_ms


class EntryLost(Exception):
    """The connection has ended; what was under way may have been placed."""


class Channel(Protocol):
    """A way to order entry, message by message."""

    def write(self, data: bytes) -> None:
        """Send a whole message soon."""

    async def read(self) -> bytes:
        """The next message: its kind and its body. EntryLost at the end."""

    async def close(self) -> None:
        """End it."""


class TcpChannel:
    """Order entry's own port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect."""
        return cls(*await asyncio.open_connection(host, port))

    def write(self, data: bytes) -> None:
        """As `Channel`."""
        self._writer.write(data)

    async def read(self) -> bytes:
        """As `Channel`."""
        try:
            size = int.from_bytes(await self._reader.readexactly(wire.LENGTH.size))
            return await self._reader.readexactly(size)
        except (OSError, EOFError):
            raise EntryLost("the connection has ended") from None

    async def close(self) -> None:
        """As `Channel`."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class StreamChannel:
    """Binary messages on the API's stream."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._sending = asyncio.create_task(self._send())

    @classmethod
    async def open(cls, base_url: str) -> Self:
        """Connect."""
        return cls(await connect(base_url.replace("http", "ws", 1) + "/v1/stream", max_size=None))

    def write(self, data: bytes) -> None:
        """As `Channel`."""
        self._unsent.put_nowait(data)

    async def read(self) -> bytes:
        """As `Channel`."""
        try:
            data = await self._socket.recv(decode=False)
        except WebSocketException:
            raise EntryLost("the connection has ended") from None
        return data[wire.LENGTH.size :]

    async def close(self) -> None:
        """As `Channel`."""
        self._sending.cancel()
        await self._socket.close()

    async def _send(self) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await self._socket.send(await self._unsent.get())


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message under way: who waits for its journaling and its outcome, and what its receipts are of.

    `answers` are the kinds that may answer it: any other is of an exchange that evades the check of its receipts.
    """

    early: asyncio.Future[Any]
    outcome: asyncio.Future[Any]
    subjects: Sequence[bytes]
    answers: Sequence[wire.Kind]
    orders: int


class EntryClient:
    """One session. `wallet` signs: it is the account itself, or a key that trades for `account`."""

    def __init__(
        self,
        host: str,
        port: int,
        domain: Domain,
        wallet: Wallet,
        account: bytes | None = None,
        receipts: ReceiptCheck | None = None,
    ) -> None:
        self._connect: Callable[[], Awaitable[Channel]] = lambda: TcpChannel.open(host, port)
        self._domain = domain
        self._wallet = wallet
        self._account = account or wallet.address
        self._channel: Channel | None = None
        self._mac_key = b""
        self._number = 0
        self._last_brake = 0
        self._waiting: dict[int, _Sent] = {}
        self._receipts = receipts
        self._task: asyncio.Task[None] | None = None
        self.expires_ms = 0
        """When the session ends."""

    @classmethod
    def on_stream(
        cls,
        base_url: str,
        domain: Domain,
        wallet: Wallet,
        account: bytes | None = None,
        receipts: ReceiptCheck | None = None,
    ) -> Self:
        """A session over the stream of the API at `base_url`."""
        client = cls("", 0, domain, wallet, account, receipts)
        client._connect = lambda: StreamChannel.open(base_url)
        return client

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect and open the session. EntryRefused, or EntryLost, when it cannot be."""
        self._channel = await self._connect()
        try:
            await self._shake_hands(self._channel)
        except BaseException:
            await self.close()
            raise
        self._task = asyncio.create_task(self._receive())

    async def _shake_hands(self, channel: Channel) -> None:
        channel.write(wire.hello(self._account))
        challenge = wire.Challenge.unpack(await self._expect(wire.Kind.challenge))
        if challenge.separator != self._domain.separator:
            raise EntryLost("this is another exchange: its domain is not the one that you sign for")
        mine = PrivateKey()
        key = mine.public_key.format()
        signature = self._wallet.sign_digest(wire.session_digest(self._domain, self._account, challenge.challenge, key))
        channel.write(wire.message(wire.Kind.open, key + signature))
        theirs, self.expires_ms = wire.unpack_opened(await self._expect(wire.Kind.opened))
        self._mac_key = wire.shared_key(mine, theirs, challenge.challenge)

    async def close(self) -> None:
        """End the session."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._channel is not None:
            await self._channel.close()

    async def place_frame(self, orders: Sequence[Order], amends: Collection[int] = ()) -> wire.Outcome:
        """Sign the orders as a whole and wait until they are durable and matched.

        Those at the places in `amends`, counted from 0, each take the place of the open order on their nonce.
        """
        frame, subject = self._frame(orders, amends)
        sent = self._send(frame.pack(), self._number, [subject], [wire.Kind.outcome], len(orders))
        return await sent.outcome  # type: ignore[no-any-return]

    async def place_frame_early(
        self, orders: Sequence[Order], amends: Collection[int] = ()
    ) -> tuple[wire.Journaled, asyncio.Future[wire.Outcome]]:
        """The same with the session's MAC: returns when the frame is durable; its outcome follows."""
        frame, subject = self._frame(orders, amends)
        answers = [wire.Kind.journaled, wire.Kind.outcome]
        sent = self._send(frame.pack(self._mac_key), self._number, [subject], answers, len(orders))
        await asyncio.wait([sent.early, sent.outcome], return_when=asyncio.FIRST_COMPLETED)
        return (await sent.early if sent.early.done() else await sent.outcome), sent.outcome

    async def place_orders(self, orders: Sequence[Order]) -> list[wire.OrderOutcome]:
        """Place orders that are each signed by themselves. ValueError for more than one message holds."""
        if len(orders) > wire.MAX_SINGLE_ORDERS:
            raise ValueError(f"at most {wire.MAX_SINGLE_ORDERS} orders come in one message, not {len(orders)}")
        self._number += 1
        hashes = [self._domain.order_hash(order) for order in orders]
        signed = [o.pack() + self._wallet.sign_digest(hashed) for o, hashed in zip(orders, hashes, strict=True)]
        message = wire.pack_orders(self._number, signed)
        sent = self._send(message, self._number, hashes, [wire.Kind.orders_outcome], len(orders))
        return await sent.outcome  # type: ignore[no-any-return]

    async def cancel(self, nonce: int) -> wire.Done:
        """Cancel the open order on a nonce."""
        return await self._brake(wire.Kind.cancel, {"nonce": nonce})

    async def mass_cancel(self, market: int = 0, side: int = 2) -> wire.Done:
        """Cancel the open orders of one market or all (0), of one side or both (2)."""
        return await self._brake(wire.Kind.mass_cancel, {"market": market, "side": side, "nonce": self._brake_nonce()})

    async def countdown(self, seconds: int) -> wire.Done:
        """All open orders end so many seconds from now, unless this is called again before; 0 ends the countdown.

        The exchange counts, so it works however this client ends.
        """
        return await self._brake(wire.Kind.countdown, {"seconds": seconds, "nonce": self._brake_nonce()})

    async def cancel_all(self, min_nonce: int) -> wire.Done:
        """Cancel every order whose nonce is below `min_nonce`; such nonces are refused for ever."""
        return await self._brake(wire.Kind.cancel_all, {"min_nonce": min_nonce})

    async def stop_trading(self, stopped: bool = True) -> wire.Done:
        """Have every order of the account refused and the open ones cancelled, or orders taken again.

        Only the account's own key may: with a delegated one it is refused (`wrong_signature`).
        """
        fields = {"stopped": int(stopped), "nonce": self._brake_nonce()}
        return await self._brake(wire.Kind.trading_stop, fields)

    def _brake_nonce(self) -> int:
        """The time in milliseconds, and never the same twice."""
        self._last_brake = max(int(time.time() * 1_000), self._last_brake + 1)
        return self._last_brake

    async def _brake(self, kind: wire.Kind, fields: dict[str, int]) -> wire.Done:
        self._number += 1
        brake = wire.Brake(kind, self._number, fields)
        signature = self._wallet.sign_digest(brake.digest(self._domain, self._account))
        subjects = [brake.subject(self._account)]
        sent = self._send(replace(brake, signature=signature).pack(), self._number, subjects, [wire.Kind.done])
        return await sent.outcome  # type: ignore[no-any-return]

    def _frame(self, orders: Sequence[Order], amends: Collection[int] = ()) -> tuple[wire.FrameMessage, bytes]:
        """A frame, mixed where it must be, and what its receipt is of. ValueError for more orders than one holds."""
        if len(orders) > MAX_ORDERS:
            raise ValueError(f"a frame holds at most {MAX_ORDERS} orders, not {len(orders)}: send several")
        self._number += 1
        packed = b"".join(order.pack() for order in orders)
        unfolded = unfold(packed, self._domain.separator)
        digest = bulk_digest(self._domain.separator, unfolded.root, unfolded.height)
        bits = pack_amends(len(orders), amends) if amends or needs_mixed(orders) else None
        signature = self._wallet.sign_digest(digest)
        frame = wire.FrameMessage(self._number, unfolded.root, signature, packed, amends=bits or b"")
        return frame, frame_subject(digest, packed, bits)

    def _send(
        self, data: bytes, number: int, subjects: Sequence[bytes], answers: Sequence[wire.Kind], orders: int = 0
    ) -> _Sent:
        if self._channel is None or self._task is None or self._task.done():
            raise EntryLost("the session is not open")
        loop = asyncio.get_running_loop()
        sent = _Sent(loop.create_future(), loop.create_future(), subjects, answers, orders)
        self._waiting[number] = sent
        self._channel.write(data)
        return sent

    async def _read(self) -> tuple[int, bytes]:
        assert self._channel is not None
        data = await self._channel.read()
        return data[0], data[1:]

    async def _expect(self, kind: wire.Kind) -> bytes:
        found, body = await self._read()
        if found == wire.Kind.refused:
            raise _refused(wire.Refused.unpack(body))
        if found != kind:
            raise EntryLost(f"a message of kind {found} came instead of {kind.name}")
        return body

    async def _receive(self) -> None:
        lost: Exception = EntryLost("the connection has ended")
        try:
            while True:
                self._dispatch(*await self._read())
        except wire.ProtocolError as error:
            lost = EntryLost(f"what came cannot be read: {error}")
        except (EntryLost, EntryRefused) as error:
            lost = error
        finally:
            for sent in self._waiting.values():
                for future in (sent.early, sent.outcome):
                    if not future.done():
                        future.set_exception(lost)
                        future.exception()
            self._waiting.clear()

    def _dispatch(self, kind: int, body: bytes) -> None:
        if kind == wire.Kind.journaled:
            journaled = wire.Journaled.unpack(body)
            sent = self._answered(kind, journaled.number)
            _settle(sent.early, journaled, self._flaw([journaled], sent.subjects))
        elif kind == wire.Kind.outcome:
            outcome = wire.Outcome.unpack(body)
            sent = self._answered(kind, outcome.number)
            self._finish(outcome.number, outcome, self._flaw_of_outcome(outcome, sent))
        elif kind == wire.Kind.orders_outcome:
            number, outcomes = wire.unpack_orders_outcome(body)
            self._finish(number, outcomes, self._flaw(outcomes, self._answered(kind, number).subjects))
        elif kind == wire.Kind.done:
            done = wire.Done.unpack(body)
            self._finish(done.number, done, self._flaw([done], self._answered(kind, done.number).subjects))
        elif kind == wire.Kind.refused:
            refused = wire.Refused.unpack(body)
            if refused.number not in self._waiting:
                raise _refused(refused)
            future = self._waiting.pop(refused.number).outcome
            if not future.done():
                future.set_exception(_refused(refused))

    def _answered(self, kind: int, number: int) -> _Sent:
        """The message that an answer of this kind is to; EntryLost where there is none."""
        sent = self._waiting.get(number)
        if sent is None or kind not in sent.answers:
            raise EntryLost(f"{wire.Kind(kind).name} came for message {number}, which it does not answer")
        return sent

    def _finish(self, number: int, result: Any, flaw: str) -> None:
        _settle(self._waiting.pop(number).outcome, result, flaw)

    def _flaw_of_outcome(self, outcome: wire.Outcome, sent: _Sent) -> str:
        """What is wrong with a frame's outcome, which needs no receipt after an early ack with one that holds."""
        if len(outcome.codes) != sent.orders:
            return f"{len(outcome.codes)} answers to {sent.orders} orders"
        if not sent.early.done() or sent.early.exception() is not None:
            return self._flaw([outcome], sent.subjects)
        early: wire.Journaled = sent.early.result()
        if (early.seq, early.at_ms) != (outcome.seq, outcome.at_ms):
            return f"the frame is acknowledged at sequence {early.seq}, its outcome is of sequence {outcome.seq}"
        return ""

    def _flaw(self, acks: Sequence[_Ack], subjects: Sequence[bytes]) -> str:
        """What is wrong with the receipts of acks; nothing where they hold."""
        if len(acks) != len(subjects):
            return f"{len(acks)} answers to {len(subjects)} orders"
        return next(filter(None, map(self._flaw_of, acks, subjects)), "")

    def _flaw_of(self, ack: _Ack, subject: bytes) -> str:
        if isinstance(ack, wire.OrderOutcome) and ack.code != ACCEPTED:
            return ""
        there, check = ack.receipt, self._receipts
        if there is None:
            return f"the ack at sequence {ack.seq} has no receipt" if check else ""
        if there.subject != subject:
            return f"the receipt at sequence {ack.seq} is of something else than what was sent"
        if check is None:
            return ""
        fields = {name: getattr(there, name) for name in there.__slots__}
        try:
            check.check_receipt(Receipt(domain=check.bond, seq=ack.seq, at_ms=ack.at_ms, **fields), subject)
        except ReceiptError as error:
            return f"the receipt at sequence {ack.seq} shows nothing: {error}"
        return ""


def _settle(future: asyncio.Future[Any], result: Any, flaw: str) -> None:
    """Give what came to who waits for it; NoReceipt with it where its receipts have a flaw."""
    if future.done():
        return
    if flaw:
        future.set_exception(NoReceipt(flaw, result))
        future.exception()  # somebody may have given up waiting
    else:
        future.set_result(result)


def _refused(refused: wire.Refused) -> EntryRefused:
    return EntryRefused(code_of(refused.code), refused.text, refused.retry_ms)
