"""Shapes of reserves."""

from pydantic import BaseModel, Field


class TokenReserve(BaseModel):
    """What all accounts together have of one token, in ledger units: the sum of the contract's logs."""

    token_id: int
    asset_id: int
    symbol: str
    trading: str = Field(examples=["500000000000"])
    funding: str


class ReservesView(BaseModel):
    """What users own by token at one block. The contract's `liabilities` at that block are the same."""

    block: int = Field(description="height up to which the chain was mirrored when it was added up")
    tokens: list[TokenReserve]
