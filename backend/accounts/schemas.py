"""Shapes of an account's money."""

from typing import Literal

from pydantic import BaseModel, Field


class Mirrored(BaseModel):
    """How far the mirror was when it answered."""

    indexed_block: int = Field(description="height up to which the chain is mirrored")
    finalized_block: int = Field(description="height up to which it is final")
    journal_seq: int = Field(description="journal sequence up to which the engine is mirrored")


class BalanceView(BaseModel):
    """Money in one asset, in ledger units."""

    asset_id: int
    symbol: str
    available: str = Field(description="can be traded", examples=["1500000000"])
    held: str = Field(description="backs open orders")
    reserved: str = Field(description="backs withdrawals")
    unsettled: str = Field(description="part of available that came from trades that are not final yet")
    withdrawable: str = Field(description="can be withdrawn at once")
    deficit: str = Field(description="owed after a reorg took a credited deposit back")
    uncredited: str = Field(description="deposited on chain, waiting for confirmations")
    trading_on_chain: str = Field(description="the contract's trading balance at the indexed block")
    funding_on_chain: str = Field(description="the contract's funding balance at the indexed block")


class BrakesView(BaseModel):
    """What stops an account's orders, as the engine has it now."""

    trading_stopped_by_owner: bool
    trading_stopped_by_operator: bool
    countdown_at: int = Field(description="when all open orders end unless it is set again (unix seconds); 0: never")


class OpenLimitsView(BaseModel):
    """How much an account may have open in orders, in all markets together."""

    max_open_orders: int = Field(description="open orders, of its own or as many as all accounts may have")
    own_max_open_orders: int = Field(description="what the operator gave it of its own; 0: nothing")
    max_open_notional: dict[str, str] = Field(
        description="by quote asset, in ledger units, of its orders in all markets of that quote; assets that are not "
        "named have no limit",
        examples=[{"0": "50000000000"}],
    )


class AccountView(Mirrored):
    """An account. An address that was never seen has status `unknown` and zero balances."""

    account: str = Field(examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"])
    status: Literal["active", "exiting", "frozen", "blocked", "unknown"]
    min_nonce: str = Field(description="order nonces below are refused", examples=["0"])
    balances: list[BalanceView]
    brakes: BrakesView | None = Field(description="null while the engine is away")
    limits: OpenLimitsView | None = Field(description="null while the engine is away, or knows no such account")


class SweptTokenView(BaseModel):
    """A token that a deposit address takes."""

    token_id: int
    asset_id: int
    symbol: str
    token: str = Field(description="the token's contract; the zero address is ETH")
    minimum: str = Field(description="ledger units: less stays there until more comes", examples=["1000000"])


class DepositAddressView(BaseModel):
    """Where plain transfers for an account go. Nothing needs to stand there before the first one."""

    account: str
    deposit_address: str = Field(examples=["0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"])
    factory: str = Field(description="anyone may call its `sweep`, the account its `recover`")
    chain_id: int
    tokens: list[SweptTokenView]


class FillView(BaseModel):
    """One side of a trade, and how far its settlement is."""

    trade_id: int
    order_id: int
    market: int
    side: Literal["buy", "sell"]
    role: Literal["maker", "taker"]
    price: str
    quantity: str
    quote: str
    fee: str = Field(description="quote ledger units")
    at: int
    status: Literal["matched", "submitted", "settled", "final", "reversed"]
    batch: int | None
    tx_hash: str | None = Field(description="the transaction that settled it")
    block_number: int | None
    reversed_because: str | None = Field(description="the on-chain state that made settlement impossible")
    reversed_with: int | None = Field(description="the trade whose reversal pulled this one")


class FillPage(Mirrored):
    """Fills, latest first."""

    fills: list[FillView]
    next_before: int | None


class DepositView(BaseModel):
    """Money that came in on chain, in ledger units."""

    kind: Literal["deposit", "moved_to_trading"]
    token_id: int
    asset_id: int | None
    amount: str
    to_funding: bool
    sender: str
    tx_hash: str
    block_number: int
    log_index: int
    status: Literal["confirming", "credited", "in_funding"]
    confirmations: int


class DepositPage(Mirrored):
    """Deposits, latest first."""

    deposits: list[DepositView]
    next_before: str | None = Field(description="pass it as `before` for the next page", examples=["120:3"])
