"""The client believes an ack of a signed message only with a receipt that holds."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bizzan.client import api
from bizzan.client.api import BizzanClient
from bizzan.client.errors import ApiError, NoReceipt, WrongAck
from bizzan.client.receipts import HALF_ORDER, ReceiptCheck, recover
from bizzan.client.schemas import Ack, GroupAck, ReceiptAnswer, ReceiptRow
from bizzan.client.wallet import SignedOrder, Wallet
from exchange.chain.signing import CURVE_ORDER
from exchange.chain.signing import recover as recover_in_chain
from exchange.domain.eip712 import Domain
from exchange.domain.order import Order, Terms
from exchange.domain.order_id import order_id
from exchange.domain.receipt import Receipt, group_subject
from tests.utils.receipts import SignedJournal
from tests.utils.signing import Signer

DOMAIN = Domain("Bizzan", 31_337, b"\x0b" * 20)
SIGNER = Signer("receipts")
JOURNAL = SignedJournal.of(DOMAIN, SIGNER, [f"order {i}" for i in range(1, 9)])
RECEIPT = JOURNAL.receipt(3, 2, 6)
ROW = msgspec.convert(RECEIPT.to_json(), ReceiptRow)
CHECK = ReceiptCheck(SIGNER.raw, DOMAIN)


def ack(row: ReceiptRow | None, *, seq: int = 3, at: int = RECEIPT.at_ms, duplicate: bool = False) -> Ack:
    """An ack as the API gives it."""
    return Ack(seq, at, seq, None, duplicate, row)


def test_a_receipt_that_holds_passes() -> None:
    CHECK.check(ack(ROW), RECEIPT.subject)


def test_a_duplicate_of_what_was_sent_again_needs_none() -> None:
    CHECK.check(ack(None, duplicate=True), RECEIPT.subject, sent_again=True)


def test_what_was_sent_once_is_no_duplicate() -> None:
    with pytest.raises(NoReceipt, match="has no receipt"):
        CHECK.check(ack(None, duplicate=True), RECEIPT.subject)


def test_a_client_knows_what_it_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SENT_REMEMBERED", 2)
    client = BizzanClient("http://127.0.0.1:1", Wallet.create(), receipts=CHECK)
    duplicate = ack(None, duplicate=True)
    first, *others = (bytes([n]) * 32 for n in range(4))
    client._note_sent(first)
    with pytest.raises(NoReceipt):
        client.checked(duplicate, first)
    client._note_sent(first)
    assert client.checked(duplicate, first) is duplicate
    for other in others:
        client._note_sent(other)
    with pytest.raises(NoReceipt):
        client.checked(duplicate, first)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ack(None), "has no receipt"),
        (ack(ROW, seq=4), "its receipt for 3"),
        (ack(ROW, at=1), "its receipt for 3"),
        (ack(msgspec.structs.replace(ROW, signature="0x" + "11" * 65)), "signed by"),
        (ack(msgspec.structs.replace(ROW, head="0x12")), "head must be 32 bytes"),
        (ack(msgspec.structs.replace(ROW, chain_id=1)), "another chain or another bond"),
        (ack(msgspec.structs.replace(ROW, bond="0x" + "22" * 20)), "another chain or another bond"),
    ],
)
def test_what_shows_nothing_is_refused_with_the_ack(given: Ack, message: str) -> None:
    with pytest.raises(NoReceipt, match=message) as refused:
        CHECK.check(given, RECEIPT.subject)
    assert refused.value.ack is given


def test_a_receipt_for_another_message_is_refused() -> None:
    with pytest.raises(NoReceipt, match="is for 0x"):
        CHECK.check(ack(ROW), bytes(32))


def test_a_signature_that_the_bond_refuses_is_nobodys() -> None:
    digest, signature = RECEIPT.digest, RECEIPT.signature
    s = int.from_bytes(signature[32:64])
    high = signature[:32] + (CURVE_ORDER - s).to_bytes(32) + bytes((55 - signature[64],))
    assert recover(digest, signature) == recover_in_chain(digest, signature) == SIGNER.raw
    assert s <= HALF_ORDER
    for wrong in (high, signature[:64], signature[:64] + b"\x05", bytes(65)):
        assert recover(digest, wrong) is None
        assert recover_in_chain(digest, wrong) is None


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> BizzanClient:
    """A client that believes receipts only, and knows the exchange without having asked."""
    monkeypatch.setattr(BizzanClient, "exchange", SimpleNamespace(domain=DOMAIN, chain_id=31_337, custody=""))
    return BizzanClient("http://127.0.0.1:1", Wallet.create(), receipts=CHECK)


@pytest.fixture
def legs(client: BizzanClient) -> list[SignedOrder]:
    """Two legs of one group, under one signature."""
    order = Order(client.account, 1, 1, 10, 2, 1, 2_000_000_000, 0, 10, Terms(group=7).pack())
    return client.sign_all([order, replace(order, nonce=2)])


def row_of(subject: bytes) -> ReceiptRow:
    """A receipt that holds, at sequence 3."""
    return msgspec.convert(JOURNAL.with_line(3, subject=subject).receipt(3, 2, 6).to_json(), ReceiptRow)


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def acks_of(legs: list[SignedOrder], subject: bytes, **second: Any) -> GroupAck:
    """What the exchange says of two legs at sequence 3; `second` changes what it says of that one."""
    row = row_of(subject)
    one, two = (
        Ack(3, row.at_ms, order_id(3, place), hexed(leg.order_hash), False, row) for place, leg in enumerate(legs)
    )
    return GroupAck(one, msgspec.structs.replace(two, **second))


def answers(monkeypatch: pytest.MonkeyPatch, client: BizzanClient, *given: Any) -> list[Any]:
    """Have the exchange answer so, one after the other; what was sent comes into the list."""
    sent: list[Any] = []
    left = list(given)

    async def post(kind: type, path: str, body: Any) -> Any:
        sent.append((path, body))
        answer = left.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    monkeypatch.setattr(client.transport, "post", post)
    return sent


async def test_legs_that_come_together_are_sent_and_acknowledged_as_one(
    monkeypatch: pytest.MonkeyPatch, client: BizzanClient, legs: list[SignedOrder]
) -> None:
    subject = group_subject(legs[0].order_hash, legs[1].order_hash)
    sent = answers(monkeypatch, client, acks_of(legs, subject))
    acks = await client.place_group(*legs, client_order_ids=("profit", "loss"))
    assert (acks.first.seq, acks.second.receipt) == (3, row_of(subject))
    ((path, body),) = sent
    assert path == "/v1/orders/group"
    assert {name: body[name]["client_order_id"] for name in body} == {"first": "profit", "second": "loss"}
    assert body["first"]["signature"] == body["second"]["signature"]


async def test_legs_that_come_together_need_the_receipt_of_both(
    monkeypatch: pytest.MonkeyPatch, client: BizzanClient, legs: list[SignedOrder]
) -> None:
    answers(monkeypatch, client, acks_of(legs, legs[0].order_hash))
    with pytest.raises(NoReceipt, match="it is for"):
        await client.place_group(*legs)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"order_hash": "0x" + "11" * 32}, "is acknowledged"),
        ({"order_hash": None}, "None is acknowledged"),
        ({"order_id": 3}, "the ack of leg 1 of the group at 3 is for 3"),
        ({"order_id": order_id(4, 1)}, "acknowledged at sequence 3, and as order"),
        ({"order_id": None}, "acknowledged at sequence 3, and as order None"),
        ({"seq": 99, "order_id": order_id(99, 1)}, "the ack of leg 1 of the group at 3 is for"),
    ],
)
async def test_the_ack_of_another_leg_is_refused(
    monkeypatch: pytest.MonkeyPatch, client: BizzanClient, legs: list[SignedOrder], said: dict[str, Any], words: str
) -> None:
    given = acks_of(legs, group_subject(legs[0].order_hash, legs[1].order_hash), **said)
    answers(monkeypatch, client, given)
    with pytest.raises(WrongAck, match=words) as refused:
        await client.place_group(*legs)
    assert refused.value.ack in (given, given.second)


async def test_the_ack_of_another_order_is_refused(
    monkeypatch: pytest.MonkeyPatch, client: BizzanClient, legs: list[SignedOrder]
) -> None:
    given = acks_of(legs, legs[0].order_hash)
    elsewhere = msgspec.structs.replace(given.first, order_id=77)
    answers(monkeypatch, client, given.first, given.second, elsewhere)
    assert await client.place_signed(legs[0]) is given.first
    with pytest.raises(WrongAck, match="is acknowledged"):
        await client.amend_signed(legs[0])
    with pytest.raises(WrongAck, match="at sequence 3, and as order 77"):
        await client.place_signed(legs[0])


async def test_a_leg_that_was_refused_is_no_duplicate_when_it_is_sent_alone(
    monkeypatch: pytest.MonkeyPatch, client: BizzanClient, legs: list[SignedOrder]
) -> None:
    duplicate = Ack(3, RECEIPT.at_ms, 3, hexed(legs[0].order_hash), True)
    answers(monkeypatch, client, ApiError(409, "insufficient_balance", "too little"), duplicate)
    with pytest.raises(ApiError):
        await client.place_group(*legs)
    with pytest.raises(NoReceipt):
        await client.place_signed(legs[0])


A, B, C = (bytes([n]) * 32 for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("order", "order_hash", "subject", "names"),
    [
        (hexed(A), None, A, []),
        (3, A, A, []),
        (3, None, C, []),
        ("3", None, C, []),
        ("client:mine", None, C, []),
        (hexed(A), None, group_subject(A, B), [A, B]),
        (hexed(B), None, group_subject(A, B), [A, B]),
        ("client:mine", B, group_subject(A, B), [A, B]),
    ],
)
def test_the_receipt_of_an_order_is_taken_of_it_alone_or_with_its_groups_other_leg(
    order: str | int, order_hash: bytes | None, subject: bytes, names: list[bytes]
) -> None:
    assert asked(order, order_hash, subject, names).subject == subject


@pytest.mark.parametrize(
    ("order", "order_hash", "subject", "names", "words"),
    [
        (hexed(A), None, B, [], "it is for"),
        (hexed(A), None, group_subject(A, B), [], "it is for"),
        (hexed(A), None, group_subject(B, C), [B, C], "and of no order 0x0101"),
        (3, A, group_subject(B, C), [B, C], "and of no order 0x0101"),
        (hexed(A), None, group_subject(A, B), [B, A], "it is for"),
        (3, None, A, [A, B], "it is for"),
        (hexed(A), None, A, [A], "a group has two legs, it names 1"),
        (hexed(A), None, group_subject(A, A), [A, A], "a group has two legs"),
        (hexed(A), None, group_subject(A, B), [A, B, C], "a group has two legs, it names 3"),
        (hexed(A), None, group_subject(A, B[1:]), [A, B[1:]], "a group has two legs"),
        (4, None, A, [], "it is of order 3, and for sequence 3"),
        ("4", None, A, [], "it is of order 3, and for sequence 3"),
    ],
)
def test_the_receipt_of_another_order_is_refused(
    order: str | int, order_hash: bytes | None, subject: bytes, names: list[bytes], words: str
) -> None:
    with pytest.raises(NoReceipt, match=words):
        asked(order, order_hash, subject, names)


@pytest.mark.parametrize(
    ("index", "order_hash", "words"),
    [(1, A, "and of no order 0x0101"), (0, B, "and of no order 0x0202"), (5, A, "would be neither")],
)
def test_the_receipt_of_a_leg_is_of_its_place(index: int, order_hash: bytes, words: str) -> None:
    answer = ReceiptAnswer(order_id(3, index), row_of(group_subject(A, B)), (hexed(A), hexed(B)))
    with pytest.raises(NoReceipt, match=words):
        CHECK.check_answer(answer, "client:mine", order_hash)


def test_a_receipt_of_another_place_is_refused() -> None:
    with pytest.raises(NoReceipt, match="it is of order 4, and for sequence 3"):
        CHECK.check_answer(ReceiptAnswer(4, row_of(A)), "client:mine", None)


def asked(order: str | int, order_hash: bytes | None, subject: bytes, names: list[bytes]) -> Receipt:
    """What `receipt` makes of an answer for `order`, at sequence 3."""
    client = BizzanClient("http://127.0.0.1:1", Wallet.create(), receipts=CHECK)

    async def get(kind: type, path: str) -> ReceiptAnswer:
        assert path == f"/v1/orders/{order}/receipt"
        place = next((place for place, name in enumerate(names) if order_hash == name or order == hexed(name)), 0)
        return ReceiptAnswer(order_id(3, place), row_of(subject), tuple(map(hexed, names)))

    client.transport.get = get  # type: ignore[assignment]
    return asyncio.run(client.receipt(order, order_hash))
