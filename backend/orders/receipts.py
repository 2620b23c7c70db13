"""Receipts of orders, given again."""

from backend.context import Api
from backend.orders import schemas, views
from backend.receipts.service import receipt_of
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order_id import seq_of


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
