"""Checking receipts: an ack of a signed message must carry the operator's signed word for its place in the journal."""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PublicKey

from bizzan.client.errors import NoReceipt
from bizzan.client.schemas import Ack
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.receipt import Receipt, ReceiptError

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

    def check(self, ack: Ack, subject: bytes, *, sent_again: bool = False) -> None:
        """Raise NoReceipt unless the ack has a receipt for `subject` at its own place.

        Only of an order that was `sent_again` is it believed that it is a duplicate, whose receipt was given before.
        """
        if sent_again and ack.duplicate and ack.receipt is None:
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

    def check_receipt(self, receipt: Receipt, subject: bytes) -> None:
        """Raise ReceiptError unless the receipt is for `subject`, by this key, under this bond."""
        if receipt.domain != self.bond:
            raise ReceiptError("it is for another chain or another bond")
        receipt.check(self.signer, recover, subject)
