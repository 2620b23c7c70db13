"""The client believes an ack of a signed message only with a receipt that holds."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from bizzan.client import api
from bizzan.client.api import BizzanClient
from bizzan.client.errors import ApiError, NoReceipt
from bizzan.client.receipts import HALF_ORDER, ReceiptCheck, recover
from bizzan.client.schemas import Ack, GroupAck, ReceiptRow
from bizzan.client.wallet import Wallet
from exchange.chain.signing import CURVE_ORDER
from exchange.chain.signing import recover as recover_in_chain
from exchange.domain.eip712 import Domain
from exchange.domain.order import Order, Terms
from exchange.domain.receipt import group_subject
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


@pytest.mark.parametrize("both", [True, False])
async def test_legs_that_come_together_need_the_receipt_of_both(monkeypatch: pytest.MonkeyPatch, both: bool) -> None:
    client = BizzanClient("http://127.0.0.1:1", Wallet.create(), receipts=CHECK)
    monkeypatch.setattr(BizzanClient, "exchange", SimpleNamespace(domain=DOMAIN, chain_id=31_337, custody=""))
    order = Order(client.account, 1, 1, 10, 2, 1, 2_000_000_000, 0, 10, Terms(group=7).pack())
    first, second = client.sign_all([order, replace(order, nonce=2)])
    subject = group_subject(first.order_hash, second.order_hash) if both else first.order_hash
    receipt = JOURNAL.with_line(3, subject=subject).receipt(3, 2, 6)
    row = msgspec.convert(receipt.to_json(), ReceiptRow)
    sent: list[Any] = []

    async def post(kind: type, path: str, body: Any) -> GroupAck:
        sent.append((path, sorted(body), body["first"]["signature"] == body["second"]["signature"]))
        return GroupAck(ack(row), ack(row))

    monkeypatch.setattr(client.transport, "post", post)
    if both:
        acks = await client.place_group(first, second)
        assert (acks.first.seq, acks.second.receipt) == (3, row)
    else:
        with pytest.raises(NoReceipt, match="it is for"):
            await client.place_group(first, second)
    assert sent == [("/v1/orders/group", ["first", "second"], True)]


async def test_a_leg_that_was_refused_is_no_duplicate_when_it_is_sent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    client = BizzanClient("http://127.0.0.1:1", Wallet.create(), receipts=CHECK)
    monkeypatch.setattr(BizzanClient, "exchange", SimpleNamespace(domain=DOMAIN, chain_id=31_337, custody=""))
    order = Order(client.account, 1, 1, 10, 2, 1, 2_000_000_000, 0, 10, Terms(group=7).pack())
    first, second = client.sign_all([order, replace(order, nonce=2)])
    answers: list[Any] = [ApiError(409, "insufficient_balance", "too little"), ack(None, duplicate=True)]

    async def post(kind: type, path: str, body: Any) -> Ack:
        answer = answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return cast(Ack, answer)

    monkeypatch.setattr(client.transport, "post", post)
    with pytest.raises(ApiError):
        await client.place_group(first, second)
    with pytest.raises(NoReceipt):
        await client.place_signed(first)
