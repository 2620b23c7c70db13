"""Shapes of what the exchange is and how it is."""

from typing import Literal

from pydantic import BaseModel, Field

from backend.accounts.schemas import Mirrored


class DomainView(BaseModel):
    """The EIP-712 domain of every message that is signed for this exchange."""

    name: str
    version: str
    chainId: int = Field(examples=[31337])  # noqa: N815 - the standard's own name
    verifyingContract: str  # noqa: N815


class TypeMember(BaseModel):
    """One field of an EIP-712 type."""

    name: str
    type: str


class TokenView(BaseModel):
    """A token: `unit` token units make one ledger unit of its asset; `min_withdrawal` is in ledger units."""

    token_id: int
    asset_id: int
    symbol: str
    address: str
    decimals: int
    unit: str
    min_withdrawal: str


class AssetView(BaseModel):
    """What balances count, with the decimals of a ledger unit."""

    asset_id: int
    symbol: str
    decimals: int


class WindowsView(BaseModel):
    """The contract's fixed times, in seconds."""

    delay: int
    grace: int
    claim_window: int
    timelock: int
    pause_max: int
    silence: int


class MarketInfo(BaseModel):
    """A market's rules, as in `/v1/markets`."""

    market_id: int
    symbol: str
    base_asset: int
    quote_asset: int
    lot_size: str
    tick_size: str
    min_notional: str
    band_bps: int
    reference_price: str
    maker_fee_ppm: int
    taker_fee_ppm: int
    fee_floor: str
    status: str


class LimitsView(BaseModel):
    """What one client may ask."""

    body_bytes: int
    frame_bytes: int
    requests_per_second: int
    writes_per_second: int
    connections_per_address: int
    subscriptions_per_connection: int


class ExchangeView(Mirrored):
    """Everything a client needs before its first order."""

    name: str
    chain_id: int
    contract: str
    deposit_addresses: str = Field(description="the factory of deposit addresses")
    operator_bond: str = Field(description="what the operator loses if receipts contradict; zero: no receipts")
    receipt_signer: str = Field(description="the address of the key that signs receipts")
    deployed_at_block: int
    fee_account: str
    operator: str
    co_signer: str
    domain: DomainView
    types: dict[str, list[TypeMember]]
    assets: list[AssetView]
    tokens: list[TokenView]
    markets: list[MarketInfo]
    windows: WindowsView
    credit_confirmations: int
    final_confirmations: int
    limits: LimitsView
    server_time: int = Field(description="milliseconds")
    public_rpc_url: str | None = Field(description="a node of the chain that browsers may ask; null: ask the wallet's")
    faucet: bool = Field(description="whether `/v1/faucet` hands out play money")


class StatusView(Mirrored):
    """How far everything is. `block` is null while the chain node is away."""

    status: Literal["ok", "degraded"]
    problems: dict[str, str]
    block: int | None
    lag: int | None = Field(description="blocks by which the mirror is behind the chain")
    engine_seq: int = Field(description="journal sequence of the engine as this worker sees it")
    engine_implementation: Literal["fast", "reference"] | None = Field(
        description="which of the two does the work at present, with the same results; null while the engine is away"
    )
    batches: int
    batches_settled: int
    batches_final: int
    trades: int
    trades_settled: int
    trades_reversed: int
    fees_collected: dict[str, str] = Field(description="by the treasury on chain, by symbol, in ledger units")
    settlement_gas_wei: str = Field(description="wei paid for the transactions of settled batches")
    mismatches: int = Field(description="recent batches whose chain and journal differ; 0 is healthy")
    withdrawals_given_up: int = Field(
        description="held withdrawals that the keeper sends no more, after transactions without effect; 0 is healthy"
    )
    published_seq: int = Field(description="journal sequence up to which the journal is published")
    publication_lag_seconds: int = Field(
        description="since all that was durable was published; 0 when nothing waits, ten minutes are promised"
    )
    connections: int
    server_time: int


class HealthView(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class ReadyView(BaseModel):
    """All parts answer and none lags."""

    status: Literal["ready", "not_ready"]
    problems: dict[str, str]
