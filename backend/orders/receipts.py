"""Receipts as JSON carries them."""

from backend.context import Api
from backend.orders import schemas, views
from backend.wire import hexed
from exchange.domain.deployment import Deployment
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order_id import seq_of
from exchange.sequencer.protocol import Ack


def receipt_of(deployment: Deployment, ack: Ack) -> schemas.Receipt | None:
    """The receipt in an engine's ack."""
    there = ack.receipt
    if there is None:
        return None
    return schemas.Receipt(
        name=deployment.domain_name,
        chain_id=deployment.chain_id,
        bond=deployment.operator_bond,
        first_seq=there.first_seq,
        last_seq=there.last_seq,
        head=hexed(there.head),
        seq=ack.seq,
        at_ms=ack.at_ms,
        subject=hexed(there.subject),
        record_head=hexed(there.record_head),
        path=[hexed(node) for node in there.path],
        signature=hexed(there.signature),
    )


async def receipt_again(api: Api, address: bytes, name: str) -> schemas.ReceiptAnswer:
    """The receipt of an order, for its owner; it may be over another range than that in the ack."""
    found = await views.one_order(api, address, name)
    ack = await api.engine.receipt(seq_of(found.order.order_id))
    receipt = receipt_of(api.deployment, ack)
    if receipt is None:
        raise Refusal(ErrorCode.not_found, "this exchange gives no receipts")
    return schemas.ReceiptAnswer(
        order_id=found.order.order_id,
        signer=api.deployment.receipt_signer,
        receipt=receipt,
        legs=await views.legs_of(api, address, found.order),
    )
