"""Receipts of orders, given again."""

from backend.context import Api
from backend.orders import schemas, views
from backend.receipts import service
from exchange.domain.order_id import seq_of


async def receipt_again(api: Api, address: bytes, name: str) -> schemas.ReceiptAnswer:
    """The receipt of an order, for its owner; it may be over another range than that in the ack."""
    found = await views.one_order(api, address, name)
    signed = await service.again(api, address, seq_of(found.order.order_id))
    return schemas.ReceiptAnswer(
        order_id=found.order.order_id,
        signer=signed.signer,
        receipt=signed.receipt,
        legs=await views.legs_of(api, address, found.order),
    )
