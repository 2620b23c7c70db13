"""Answers to single orders in the bytes in which order entry gives them to clients, made once, by the engine."""

from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import ACCEPTED, number_of
from exchange.sequencer.protocol import Ack, Refused, WireReceipt


def packed_outcome(outcome: Ack | Refused) -> bytes:
    """One entry of an `orders_outcome`."""
    if isinstance(outcome, Ack):
        return wire.pack_order_outcome(ACCEPTED, outcome.seq, outcome.at_ms, packed_receipt(outcome.receipt))
    return wire.pack_order_outcome(number_of(ErrorCode(outcome.code)), 0, 0, wire.NO_RECEIPT)


def packed_receipt(receipt: WireReceipt | None) -> bytes:
    """A receipt as it stands in the binary protocol."""
    if receipt is None:
        return wire.NO_RECEIPT
    place = (receipt.first_seq, receipt.last_seq, receipt.head, receipt.subject, receipt.record_head)
    return wire.pack_receipt(*place, receipt.path, receipt.signature)
