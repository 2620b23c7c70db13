"""Shapes of receipts."""

import msgspec


class Receipt(msgspec.Struct, kw_only=True):
    """The operator's signed word that the message stands at `seq` of the journal (`docs/fairness.md`).

    It is checked with the receipt key's address alone: `bizzan audit receipt`.
    """

    name: str
    chain_id: int
    bond: str
    """The contract that loses the operator's bond to two receipts that contradict each other."""
    first_seq: int
    last_seq: int
    head: str
    """The journal's head after `last_seq`."""
    seq: int
    at_ms: int
    subject: str
    """The hash of what was signed: an order's, a withdrawal's, the struct hash of a cancel."""
    record_head: str
    """The journal's head after `seq`."""
    path: list[str]
    signature: str


class SignedReceipt(msgspec.Struct, kw_only=True):
    """The receipt of one message, and the address of the key that signs receipts."""

    signer: str
    receipt: Receipt
