"""Receipts as JSON carries them."""

from backend.context import Api
from backend.receipts import schemas
from backend.wire import hexed
from exchange.domain.deployment import Deployment
from exchange.domain.errors import ErrorCode, Refusal
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


async def again(api: Api, address: bytes, seq: int) -> schemas.SignedReceipt:
    """The receipt of an account's message, over a range of its own. Refuses what is no message of this account."""
    receipt = receipt_of(api.deployment, await api.engine.receipt(seq, address))
    if receipt is None:
        raise Refusal(ErrorCode.not_found, "this exchange gives no receipts")
    return schemas.SignedReceipt(signer=api.deployment.receipt_signer, receipt=receipt)
