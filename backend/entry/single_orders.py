"""Single orders, each with its own signature, many to a message."""

import asyncio
from functools import partial

from backend.entry.client import Client, Once, Session, Step
from backend.entry.judges import JUDGED_SIZE
from backend.entry.link import OrdersCall
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.domain.order import PACKED_SIZE
from exchange.journal.plain import signer_of

ORDERS_AT_ONCE = 128
"""More orders of a message go to the engine in several groups, the first while others are judged."""


class SingleOrders:
    """One client's."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._exchange = client.exchange

    async def judge(self, body: bytes, since: float) -> Step:
        """Have single orders judged, by several judges at once."""
        session = await self._client.live_session()
        number, signed = wire.unpack_orders(body)
        self._exchange.door.check_waste(session.account)
        give_back = self._client.begin(session, len(signed) // wire.SIGNED_ORDER_SIZE)
        self._exchange.metrics.messages.labels("orders").inc()
        party = (self._client.address, session.account)
        verdicts = self._exchange.court.judge_orders(party, self._exchange.domain.separator, signed)
        return Step(partial(self._place, session, number, signed, verdicts, since, give_back), give_back)

    async def _place(
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
                self._client.send(wire.pack_orders_outcome(number, answers))
                codes = bytes(packed[0] for packed in answers)
                self._client.count_waste(session, codes)
                self._exchange.metrics.count_codes("orders", codes)
                self._client.observe("orders", since)

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


def _apart(pairs: list[tuple[int, bytes]]) -> tuple[list[int], list[bytes]]:
    """Firsts and seconds."""
    return [place for place, _ in pairs], [data for _, data in pairs]
