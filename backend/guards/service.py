"""An account's guards, the limits of outflow and who approves, from the mirror; levels from the contract."""

from collections.abc import Mapping

from backend.accounts.service import mirrored
from backend.context import Api, now_ms
from backend.guards import schemas
from backend.guards.levels import OUTFLOW_WINDOW_SECONDS, Outflow
from backend.wire import address_of, checksum
from exchange.database import approvals, guards, positions
from exchange.domain.instrument import Token


async def guards_view(api: Api, address: bytes, after: str | None, limit: int) -> schemas.GuardsView:
    """The freeze and the allow-list of one account."""
    chain_id, now = api.domain.chain_id, now_ms()
    start = None if after is None else address_of(after)
    async with api.reading() as connection:
        freeze = await guards.freeze(connection, chain_id, address)
        listed = await guards.allow_list_of(connection, chain_id, address)
        entries = await guards.recipients(connection, chain_id, address, after=start, limit=limit)
        position = await positions.read(connection, chain_id)
    frozen, bound = freeze.stands(now // 1_000), listed.stands(now // 1_000)
    return schemas.GuardsView(
        account=checksum(address),
        frozen=frozen,
        settlement_ends_at=freeze.effective_at if frozen else None,
        frozen_until=freeze.until if frozen else None,
        freeze_nonce=str(freeze.next_nonce),
        allow_list=bound,
        allow_list_until=listed.until if bound else None,
        recipients=[
            schemas.RecipientView(
                recipient=checksum(row.recipient),
                allowed_at=row.effective_at,
                in_force=row.effective_at <= now // 1_000,
            )
            for row in entries
        ],
        next_after=checksum(entries[-1].recipient) if len(entries) == limit else None,
        server_time=now // 1_000,
        **mirrored(position),
    )


async def outflow_view(api: Api) -> schemas.OutflowView:
    """Every token's limit and level, and who approves."""
    chain_id = api.domain.chain_id
    async with api.reading() as connection:
        limits = await guards.outflow_limits(connection, chain_id)
        approvers = await approvals.approvers(connection, chain_id)
        threshold = await approvals.threshold(connection, chain_id)
        position = await positions.read(connection, chain_id)
    limited = [token.token_id for token in api.deployment.tokens if limits.get(token.token_id)]
    levels = await api.levels.read(limited) if limited else {}
    return schemas.OutflowView(
        window_seconds=OUTFLOW_WINDOW_SECONDS,
        approvers=[checksum(approver) for approver in approvers],
        threshold=threshold,
        tokens=[_token(api, token, levels) for token in api.deployment.tokens],
        **mirrored(position),
    )


def _token(api: Api, token: Token, levels: Mapping[int, Outflow]) -> schemas.TokenOutflow:
    limit, level = levels.get(token.token_id, (0, 0))
    return schemas.TokenOutflow(
        token_id=token.token_id,
        asset_id=token.asset_id,
        symbol=api.deployment.asset(token.asset_id).symbol,
        limit=str(limit),
        level=str(level if limit else 0),
        available=str(max(limit - level, 0)) if limit else None,
    )
