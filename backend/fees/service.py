"""What orders pay: schedules from the worker's replica, an account's tier from the engine."""

from backend.context import Api, now_ms
from backend.fees import schemas
from backend.wire import checksum
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine.timeline import Timeline


def fees_view(api: Api) -> schemas.FeesView:
    """All schedules, in force and announced. Refuses while the engine is away, so that nobody signs by a stale one."""
    if not api.feed.ready:
        raise Refusal(ErrorCode.unavailable, "the engine is away: try again in a second")
    return schemas.FeesView(**api.feed.fees.content(), seq=api.feed.seq, server_time=now_ms())


async def tiers_of(api: Api, address: bytes) -> Timeline[int]:
    """An account's tiers by time; an address that the engine does not know has tier 0."""
    try:
        return Timeline((await api.engine.account(address)).tiers)
    except Refusal as refusal:
        if refusal.code is not ErrorCode.unknown_account:
            raise
        return Timeline([(0, 0)])


async def account_fees(api: Api, address: bytes) -> schemas.AccountFees:
    """An account's tier, and its rates in every market."""
    tiers, now = await tiers_of(api, address), now_ms()
    tier = tiers.at(now)
    rows = []
    for market in api.deployment.markets:
        schedule = api.feed.fees.now(market.market_id)
        maker, taker = schedule.rates(tier)
        rows.append(
            schemas.OwnRates(
                market=market.market_id,
                symbol=api.name_of(market),
                maker_fee_ppm=maker,
                taker_fee_ppm=taker,
                floor=str(schedule.floor),
            )
        )
    announced = [schemas.TierChange(tier=later, effective_at=at) for at, later in tiers.entries if at > now]
    return schemas.AccountFees(account=checksum(address), tier=tier, announced=announced, markets=rows, server_time=now)
