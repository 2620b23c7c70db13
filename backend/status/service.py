"""What the exchange is, and how it is."""

from dataclasses import asdict

import msgspec

from backend.context import Api, now_ms
from backend.markets.service import market_view
from backend.status import schemas
from exchange.database import positions
from exchange.database.fees import FeeTotals
from exchange.database.publication import Published
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import TYPES, VERSION
from exchange.journal.publication import PROMISE_SECONDS


async def exchange_view(api: Api) -> schemas.ExchangeView:
    """The deployment, with fees and market status as they are now."""
    there = api.deployment
    async with api.reading() as connection:
        position = await positions.read(connection, there.chain_id)
    limits = api.settings.limits
    return schemas.ExchangeView(
        name=there.domain_name,
        chain_id=there.chain_id,
        contract=checksum(api.domain.contract),
        deployed_at_block=there.block_number,
        deposit_addresses=there.deposit_addresses,
        operator_bond=there.operator_bond,
        receipt_signer=there.receipt_signer,
        fee_account=there.fee_account,
        operator=there.operator,
        co_signer=there.co_signer,
        domain=_domain(api),
        types={name: [schemas.TypeMember(name=field, type=kind) for field, kind in TYPES[name]] for name in TYPES},
        assets=[schemas.AssetView(**asdict(asset)) for asset in there.assets],
        tokens=_tokens(api),
        markets=[schemas.MarketInfo(**msgspec.structs.asdict(market_view(api, m))) for m in there.markets],
        windows=schemas.WindowsView(**asdict(there.windows)),
        credit_confirmations=api.chain.credit_confirmations,
        final_confirmations=api.chain.final_confirmations,
        limits=schemas.LimitsView(**{name: getattr(limits, name) for name in schemas.LimitsView.model_fields}),
        server_time=now_ms(),
        public_rpc_url=api.public_rpc_url,
        faucet=api.faucet is not None,
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
        journal_seq=position.journal_seq,
    )


def _domain(api: Api) -> schemas.DomainView:
    return schemas.DomainView(
        name=api.domain.name,
        version=VERSION,
        chainId=api.domain.chain_id,
        verifyingContract=checksum(api.domain.contract),
    )


def _tokens(api: Api) -> list[schemas.TokenView]:
    symbols = {asset.asset_id: asset.symbol for asset in api.deployment.assets}
    return [
        schemas.TokenView(
            token_id=token.token_id,
            asset_id=token.asset_id,
            symbol=symbols[token.asset_id],
            address=token.address,
            decimals=token.decimals,
            unit=str(token.unit),
            min_withdrawal=str(api.min_withdrawal(token.asset_id)),
        )
        for token in api.deployment.tokens
    ]


def collected(api: Api, fees: FeeTotals) -> dict[str, int]:
    """What the treasury collected on chain, by symbol, in ledger units."""
    return {api.deployment.asset(asset).symbol: amount for asset, amount in sorted(fees.collected.items())}


def publication_lag(api: Api, published: Published) -> int:
    """Seconds since all that was durable was published; 0 when nothing waits, or nothing is to be published."""
    if not api.deployment.gives_receipts or api.feed.seq <= published.seq:
        return 0
    return max(0, now_ms() - (published.current_at or api.started_at)) // 1_000


async def status_view(api: Api) -> schemas.StatusView:
    """How far everything is."""
    sample = await api.watch.latest()
    async with api.reading() as connection:
        position = await positions.read(connection, api.domain.chain_id)
    counts = await api.totals.read()
    problems = api.watch.problems(sample)
    if counts.diverted:
        markets = ", ".join(counts.diverted)
        problems["fee_account"] = f"the contract collects the fees of {markets} for another account than the engine"
    lag = publication_lag(api, counts.published)
    if lag > PROMISE_SECONDS:
        problems["publisher"] = f"the journal was not published for {lag} s, {PROMISE_SECONDS} are promised"
    return schemas.StatusView(
        status="degraded" if problems or counts.mismatches else "ok",
        problems=problems,
        block=sample.block,
        lag=None if sample.block is None else max(0, sample.block - position.indexed_block),
        engine_seq=api.feed.seq,
        engine_implementation=None if sample.is_fast is None else "fast" if sample.is_fast else "reference",
        mismatches=counts.mismatches,
        withdrawals_given_up=counts.given_up,
        fees_collected={symbol: str(amount) for symbol, amount in collected(api, counts.fees).items()},
        settlement_gas_wei=str(counts.fees.gas_wei),
        published_seq=counts.published.seq,
        publication_lag_seconds=lag,
        connections=api.limits.connections.total,
        server_time=now_ms(),
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
        journal_seq=position.journal_seq,
        **counts.trades._mapping,
    )
