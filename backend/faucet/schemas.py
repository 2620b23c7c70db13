"""Shapes of the faucet."""

from pydantic import BaseModel, ConfigDict, Field


class FaucetRequest(BaseModel):
    """Whom to give play money."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$", examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"])


class GiftView(BaseModel):
    """What was sent of one token, in token units, and the transaction that brought it."""

    symbol: str
    amount: str
    decimals: int
    tx_hash: str


class FaucetAnswer(BaseModel):
    """All of it is mined."""

    gifts: list[GiftView]
