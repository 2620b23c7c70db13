"""Checking receipts: an ack of a signed message must carry the operator's signed word for its place in the journal."""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PublicKey

from bizzan.client.errors import NoReceipt
from bizzan.client.schemas import Ack, ReceiptAnswer, SignedReceipt, WithdrawalAck
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.order_id import index_of, seq_of
from exchange.domain.receipt import Receipt, ReceiptError, group_subject

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """The address that signed a digest; None when nobody did, or in a form that the bond's contract refuses."""
    if len(signature) != 65 or signature[64] not in (27, 28) or int.from_bytes(signature[32:64]) > HALF_ORDER:
        return None
    recoverable = signature[:64] + bytes((signature[64] - 27,))
    try:
        public = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # coincurve raises a bare Exception where r belongs to no point of the curve
        return None
    return keccak(public.format(compressed=False)[1:])[12:]


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """Whose receipts a client believes: the key's address (20 bytes), and the domain of the bond behind it."""

    signer: bytes
    bond: Domain

    def check(self, ack: Ack | WithdrawalAck, subject: bytes, *, sent_again: bool = False) -> None:
        """Raise NoReceipt unless the ack has a receipt for `subject` at its own place.

        Only of an order that was `sent_again` is it believed that it is a duplicate, whose receipt was given before.
        """
        if sent_again and isinstance(ack, Ack) and ack.duplicate and ack.receipt is None:
            return
        if ack.receipt is None:
            raise NoReceipt(f"the ack at sequence {ack.seq} has no receipt", ack)
        try:
            receipt = ack.receipt.receipt()
            self.check_receipt(receipt, subject)
        except ReceiptError as error:
            raise NoReceipt(f"the receipt at sequence {ack.seq} shows nothing: {error}", ack) from None
        if (receipt.seq, receipt.at_ms) != (ack.seq, ack.at):
            raise NoReceipt(f"the ack is for sequence {ack.seq}, its receipt for {receipt.seq}", ack)

    def check_answer(self, answer: ReceiptAnswer, order: str | int, order_hash: bytes | None) -> Receipt:
        """The receipt that was asked for; NoReceipt unless it is of that order, alone or with its group's other leg.

        Without the order's hash it may be of any message at that place: a frame's is over all its orders.
        """
        try:
            receipt = answer.receipt.receipt()
            self.check_receipt(receipt, _subject(answer, order_hash) or receipt.subject)
        except ValueError as error:
            raise NoReceipt(f"the receipt of order {order} shows nothing: {error}", answer) from None
        if receipt.seq != seq_of(answer.order_id) or answer.order_id != _number(order, answer.order_id):
            where = f"it is of order {answer.order_id}, and for sequence {receipt.seq}"
            raise NoReceipt(f"the receipt of order {order} shows nothing: {where}", answer)
        return receipt

    def check_message(self, answer: SignedReceipt, what: str, seq: int | None, subject: bytes | None) -> Receipt:
        """The receipt that was asked for of `what`; NoReceipt unless it is of that sequence and subject, where told."""
        try:
            receipt = answer.receipt.receipt()
            self.check_receipt(receipt, subject or receipt.subject)
        except ReceiptError as error:
            raise NoReceipt(f"the receipt of {what} shows nothing: {error}", answer) from None
        if seq is not None and receipt.seq != seq:
            raise NoReceipt(f"the receipt of {what} is for sequence {receipt.seq}", answer)
        return receipt

    def check_receipt(self, receipt: Receipt, subject: bytes) -> None:
        """Raise ReceiptError unless the receipt is for `subject`, by this key, under this bond."""
        if receipt.domain != self.bond:
            raise ReceiptError("it is for another chain or another bond")
        receipt.check(self.signer, recover, subject)


def _number(order: str | int, unknown: int) -> int:
    """The id by which an order was asked for; `unknown` where it was named otherwise."""
    if isinstance(order, str) and not (order.isascii() and order.isdecimal() and int(order) < 1 << 63):
        return unknown
    return int(order)


def _subject(answer: ReceiptAnswer, order_hash: bytes | None) -> bytes | None:
    """What a receipt must be of; ReceiptError when it says that it is of other legs, None when nobody knows."""
    if not answer.legs:
        return order_hash
    legs = [bytes.fromhex(each.removeprefix("0x")) for each in answer.legs]
    if len(legs) != 2 or any(len(leg) != 32 for leg in legs) or legs[0] == legs[1]:
        raise ReceiptError(f"a group has two legs, it names {len(legs)}")
    if index_of(answer.order_id) > 1:
        raise ReceiptError(f"a group has two legs, and order {answer.order_id} would be neither")
    if order_hash is not None and order_hash != legs[index_of(answer.order_id)]:
        order = f"order {answer.order_id}, of the legs {' and '.join(answer.legs)}"
        raise ReceiptError(f"it is of {order}, and of no order 0x{order_hash.hex()}")
    return group_subject(*legs)
