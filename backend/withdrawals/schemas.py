"""Shapes of withdrawals."""

from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from backend.accounts.schemas import Mirrored
from backend.receipts.schemas import Receipt

Digits = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,77})$", examples=["25000000"])]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$", examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"])]
Signature = Annotated[
    str,
    Field(
        pattern=r"^0x([0-9a-fA-F]{2}){1,1024}$",
        description="65 bytes r, s, v in 0x hex; of a contract wallet whatever it takes (EIP-1271), up to 1,024 bytes",
    ),
]


class FundingTransferRequest(BaseModel):
    """A signed EIP-712 `FundingTransfer`: trading to funding. `amount` and `max_fee` are token units."""

    model_config = ConfigDict(extra="forbid")

    chain_id: int = Field(ge=0, lt=1 << 63, examples=[31337])
    contract: Address
    account: Address
    token: Address = Field(description="the token's address; zero for ETH")
    amount: Digits = Field(description="token units, a whole number of ledger units; the fee is part of it")
    max_fee: Digits = Field(description="token units that whoever submits may keep at most", examples=["0"])
    nonce: Digits = Field(description="a withdrawal nonce that this account has not used", examples=["1"])
    deadline: int = Field(ge=0, lt=1 << 40, description="unix seconds", examples=[1_800_000_000])
    signature: Signature


class WithdrawalRequest(FundingTransferRequest):
    """A signed EIP-712 `Withdrawal`. `amount` and `max_fee` are token units."""

    recipient: Address = Field(description="who is paid")


class WithdrawalAck(msgspec.Struct, kw_only=True):
    """The money is held at `seq`; the keeper will submit the withdrawal."""

    withdrawal_hash: str
    seq: int
    at: int
    asset_id: int
    amount: str
    """Ledger units held."""
    receipt: Receipt | None = None
    """Of the withdrawal's hash. None where the exchange gives no receipts."""


class ApprovalsView(BaseModel):
    """Approvals of a withdrawal above its token's outflow limit; it is paid once `given` is at least `needed`."""

    needed: int = Field(description="0 unless the withdrawal waits for approvals")
    given: int
    by: list[str] = Field(description="the approvers who have approved, first to last")


WaitReason = Literal["needs_approvals", "given_up", "gas_budget", "wallet_rests", "unsigned"]


class WithdrawalView(BaseModel):
    """A signed withdrawal. `held` until it is mined and final (`consumed`) or can never be (`released`)."""

    withdrawal_hash: str
    kind: Literal["withdrawal", "funding_transfer"]
    asset_id: int
    amount: str
    nonce: str
    deadline: int
    message: dict[str, str] = Field(description="the signed message; integers as decimal text")
    status: Literal["held", "consumed", "released"]
    waits_because: WaitReason | None = Field(
        description="why a held withdrawal is not sent: it `needs_approvals`; its account used up the `gas_budget` of "
        "a day; it was `given_up` after transactions without effect; another one of its contract wallet failed, so "
        "that it rests (`wallet_rests`); its contract wallet does not stand by its signature (`unsigned`). The money "
        "can be requested on chain at any time. Null while it is on its way"
    )
    waits_until: int | None = Field(
        description="from when, in milliseconds since 1970, it may be sent again, where that is known (`gas_budget`)"
    )
    approvals: ApprovalsView
    tx_hash: str | None
    block_number: int | None
    fee: str | None
    created_at: int
    ended_at: int | None


class ForcedRequestView(BaseModel):
    """A forced withdrawal that was requested on chain."""

    token_id: int
    recipient: str
    amount: str
    claimable_at: int = Field(description="unix seconds")
    lapses_at: int = Field(description="unix seconds")
    tx_hash: str
    block_number: int


class PaidView(BaseModel):
    """Money that left on chain without a signed withdrawal: claims, exits, funding."""

    kind: str
    token_id: int
    recipient: str | None
    amount: str
    funding_amount: str
    tx_hash: str
    block_number: int


class WithdrawalPage(Mirrored):
    """Withdrawals, latest first, with open forced requests and the latest other payments."""

    withdrawals: list[WithdrawalView]
    forced_requests: list[ForcedRequestView]
    other_payments: list[PaidView]
    next_before: int | None
