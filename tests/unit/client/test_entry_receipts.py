"""A client of order entry believes an ack whose receipt is of what was sent; whole, where it knows whose it is."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from coincurve import PrivateKey

from bizzan.client.entry import EntryClient, EntryLost
from bizzan.client.errors import NoReceipt
from bizzan.client.receipts import ReceiptCheck
from bizzan.client.wallet import Wallet
from exchange.domain import entry as wire
from exchange.domain.bulk import bulk_digest
from exchange.domain.eip712 import Domain
from exchange.domain.frame import unfold
from exchange.domain.frame_codes import ACCEPTED
from exchange.domain.order import Order
from exchange.domain.receipt import RecordTree, cancel_subject, commit_digest, frame_subject, record_hash
from tests.utils.frames import DOMAIN
from tests.utils.signing import Signer

WALLET = Wallet.create()
BOND = Domain("Bizzan", 31_337, b"\x0b" * 20)
OPERATOR, STRANGER = Signer("receipts"), Signer("stranger")
SEQ, AT_MS = 7, 1_700_000_000_000
CHECK = ReceiptCheck(OPERATOR.raw, BOND)
ORDERS = [Order(WALLET.address, 1, 0, 600_000, 2, n + 1, 2_000_000_000, 0, 10, 0) for n in range(3)]

Answer = Callable[[int, bytes], list[bytes]]
"""What an exchange says to a message's number and its body."""


def receipt(subject: bytes, by: Signer = OPERATOR) -> wire.EntryReceipt:
    """Of the one record of its group."""
    head = b"\x07" * 32
    root = RecordTree([record_hash(SEQ, AT_MS, subject, head)]).root
    signature = by.key.sign(commit_digest(BOND, SEQ, SEQ, head, root))
    return wire.EntryReceipt(SEQ, SEQ, head, subject, head, (), signature)


class Exchange:
    """The other end of a session, which answers as it is told."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._said: asyncio.Queue[bytes] = asyncio.Queue()

    def write(self, data: bytes) -> None:
        kind, body = data[4], data[5:]
        if kind == wire.Kind.hello:
            self._say([wire.message(wire.Kind.challenge, wire.Challenge(b"c" * 32, DOMAIN.separator, 1, 1, 1).pack())])
        elif kind == wire.Kind.open:
            self._say([wire.pack_opened(PrivateKey().public_key.format(), 0)])
        else:
            self._say(self._answer(int.from_bytes(body[:8]), body))

    def _say(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self._said.put_nowait(message[wire.LENGTH.size :])

    async def read(self) -> bytes:
        return await self._said.get()

    async def close(self) -> None:
        pass


def session(answer: Answer, receipts: ReceiptCheck | None = None) -> EntryClient:
    client = EntryClient("", 0, DOMAIN, WALLET, receipts=receipts)

    async def connect() -> Exchange:
        return Exchange(answer)

    client._connect = connect
    return client


def subject_of(orders: Sequence[Order], amends: bytes | None = None) -> bytes:
    packed = b"".join(order.pack() for order in orders)
    tree = unfold(packed, DOMAIN.separator)
    return frame_subject(bulk_digest(DOMAIN.separator, tree.root, tree.height), packed, amends)


def packed_or_none(there: wire.EntryReceipt | None) -> bytes:
    return wire.NO_RECEIPT if there is None else there.pack()


def outcome(number: int, there: wire.EntryReceipt | None) -> bytes:
    return wire.pack_outcome(number, SEQ, AT_MS, bytes(len(ORDERS)), packed_or_none(there))


OTHERS = [ORDERS[0], replace(ORDERS[1], quantity=3), ORDERS[2]]


async def test_a_frames_receipt_must_be_of_its_very_orders() -> None:
    there = receipt(subject_of(ORDERS))
    async with session(lambda number, _: [outcome(number, there)]) as client:
        assert (await client.place_frame(ORDERS)).receipt == there
        with pytest.raises(NoReceipt, match="something else") as raised:
            await client.place_frame(OTHERS)
        assert isinstance(raised.value.ack, wire.Outcome)
        assert (await client.place_frame(ORDERS)).seq == SEQ, "the session goes on"


@pytest.mark.parametrize("journaled", [None, b"\0", b"\x01", b"\x06"])
async def test_a_mixed_frames_receipt_binds_which_of_its_orders_amend(journaled: bytes | None) -> None:
    """An operator that takes an amend for a placement, or the other way round, has acknowledged something else."""
    there = receipt(subject_of(ORDERS, journaled))
    async with session(lambda number, _: [outcome(number, there)]) as client:
        with pytest.raises(NoReceipt, match="something else"):
            await client.place_frame(ORDERS, amends=(1,))
    there = receipt(subject_of(ORDERS, b"\x02"))
    async with session(lambda number, _: [outcome(number, there)]) as client:
        assert (await client.place_frame(ORDERS, amends=(1,))).receipt == there


@pytest.mark.parametrize(
    ("terms", "amends", "bits"), [(0, (), b""), (31, (), b""), (10 << 16, (), b"\0"), (0, (0, 2), b"\x05")]
)
async def test_a_frame_is_mixed_where_it_must_be(terms: int, amends: tuple[int, ...], bits: bytes) -> None:
    sent: list[wire.FrameMessage] = []

    def answer(number: int, body: bytes) -> list[bytes]:
        sent.append(wire.FrameMessage.unpack(body))
        return [outcome(number, None)]

    async with session(answer) as client:
        await client.place_frame([*ORDERS[:2], replace(ORDERS[2], terms=terms)], amends)
    assert [frame.amends for frame in sent] == [bits]


async def test_more_orders_than_a_message_holds_are_refused_before_they_are_sent() -> None:
    sent: list[int] = []

    def answer(number: int, _: bytes) -> list[bytes]:
        sent.append(number)
        return [outcome(number, None)]

    async with session(answer) as client:
        with pytest.raises(ValueError, match="at most 1024 orders, not 1025"):
            await client.place_frame(ORDERS[:1] * 1_025)
        with pytest.raises(ValueError, match="at most 512 orders"):
            await client.place_orders(ORDERS[:1] * 513)
        assert (await client.place_frame(ORDERS)).seq == SEQ
    assert sent == [1]


async def test_the_early_ack_of_a_frame_is_checked_as_well() -> None:
    def answer(number: int, body: bytes) -> list[bytes]:
        return [wire.pack_journaled(number, SEQ, AT_MS, receipt(subject_of(ORDERS)).pack()), outcome(number, None)]

    async with session(answer, CHECK) as client:
        journaled, matched = await client.place_frame_early(ORDERS)
        assert journaled.seq == (await matched).seq == SEQ
        with pytest.raises(NoReceipt, match="something else"):
            await client.place_frame_early(OTHERS)


async def test_single_orders_and_cancels_have_receipts_of_themselves() -> None:
    def answer(number: int, body: bytes) -> list[bytes]:
        if len(body) < 100:
            return [wire.pack_done(number, SEQ, AT_MS, receipt(cancel_subject(WALLET.address, 5)).pack())]
        accepted = wire.pack_order_outcome(ACCEPTED, SEQ, AT_MS, receipt(DOMAIN.order_hash(ORDERS[0])).pack())
        refused = wire.pack_order_outcome(1, 0, 0, wire.NO_RECEIPT)
        return [wire.pack_orders_outcome(number, [accepted, refused])]

    async with session(answer, CHECK) as client:
        assert [o.code for o in await client.place_orders(ORDERS[:2])] == [ACCEPTED, 1]
        with pytest.raises(NoReceipt, match="something else"):
            await client.place_orders(ORDERS[1:])
        assert (await client.cancel(5)).seq == SEQ
        with pytest.raises(NoReceipt, match="something else"):
            await client.cancel(6)


@pytest.mark.parametrize(
    ("there", "flaw"),
    [
        (None, "has no receipt"),
        (receipt(subject_of(ORDERS), STRANGER), "shows nothing"),
        (replace(receipt(subject_of(ORDERS)), first_seq=SEQ + 1, last_seq=SEQ + 1), "shows nothing"),
    ],
)
async def test_who_knows_the_operators_key_has_receipts_checked_whole(there: Any, flaw: str) -> None:
    def answer(number: int, _: bytes) -> list[bytes]:
        return [outcome(number, there)]

    async with session(answer, CHECK) as client:
        with pytest.raises(NoReceipt, match=flaw):
            await client.place_frame(ORDERS)
    async with session(answer) as client:
        assert (await client.place_frame(ORDERS)).seq == SEQ, "who knows no key can check the subject only"


async def test_an_early_ack_that_nobody_asked_for_does_not_stand_in_for_the_receipt() -> None:
    def answer(number: int, body: bytes) -> list[bytes]:
        return [wire.pack_journaled(number, SEQ, AT_MS, wire.NO_RECEIPT), outcome(number, None)]

    async with session(answer, CHECK) as client:
        with pytest.raises(EntryLost, match="journaled came for message 1"):
            await client.place_frame(ORDERS)
    async with session(answer, CHECK) as client:
        with pytest.raises(EntryLost, match="journaled came for message 1"):
            await client.cancel(5)


@pytest.mark.parametrize(
    "answer",
    [
        wire.pack_outcome(1, SEQ, AT_MS, b"", wire.NO_RECEIPT),
        wire.pack_orders_outcome(1, []),
        wire.pack_done(2, SEQ, AT_MS, receipt(cancel_subject(WALLET.address, 5)).pack()),
    ],
)
async def test_an_answer_to_something_else_ends_the_session(answer: bytes) -> None:
    async with session(lambda *_: [answer], CHECK) as client:
        with pytest.raises(EntryLost, match="which it does not answer"):
            await client.cancel(5)


async def test_an_early_ack_without_a_receipt_spares_the_outcome_none() -> None:
    def answer(number: int, body: bytes) -> list[bytes]:
        return [wire.pack_journaled(number, SEQ, AT_MS, wire.NO_RECEIPT), outcome(number, None)]

    async with session(answer, CHECK) as client:
        await_outcome = asyncio.create_task(client.place_frame_early(ORDERS))
        await asyncio.sleep(0)
        matched = client._waiting[1].outcome
        with pytest.raises(NoReceipt, match="has no receipt"):
            await await_outcome
        with pytest.raises(NoReceipt, match="has no receipt"):
            await matched


async def test_an_outcome_is_at_the_place_of_its_early_ack() -> None:
    def answer(number: int, body: bytes) -> list[bytes]:
        there = receipt(subject_of(ORDERS)).pack()
        later = wire.pack_outcome(number, SEQ + 1, AT_MS, bytes(len(ORDERS)), wire.NO_RECEIPT)
        return [wire.pack_journaled(number, SEQ, AT_MS, there), later]

    async with session(answer, CHECK) as client:
        _, matched = await client.place_frame_early(ORDERS)
        with pytest.raises(NoReceipt, match="sequence 7, its outcome is of sequence 8"):
            await matched


async def test_a_message_that_cannot_be_read_ends_the_session() -> None:
    async with session(lambda number, _: [wire.message(wire.Kind.done, b"short")], CHECK) as client:
        with pytest.raises(EntryLost, match="cannot be read"):
            await client.cancel(5)


@pytest.mark.parametrize("answered", [0, 1, 2])
async def test_every_order_of_a_message_has_an_answer(answered: int) -> None:
    def answer(number: int, body: bytes) -> list[bytes]:
        if body[8:10] != len(ORDERS).to_bytes(2):
            return [wire.pack_outcome(number, SEQ, AT_MS, bytes(answered), receipt(subject_of(ORDERS)).pack())]
        subjects = [DOMAIN.order_hash(order) for order in ORDERS[:answered]]
        accepted = [wire.pack_order_outcome(ACCEPTED, SEQ, AT_MS, receipt(each).pack()) for each in subjects]
        return [wire.pack_orders_outcome(number, accepted)]

    async with session(answer, CHECK) as client:
        for place in (client.place_orders, client.place_frame):
            with pytest.raises(NoReceipt, match=f"{answered} answers to 3 orders"):
                await place(ORDERS)
