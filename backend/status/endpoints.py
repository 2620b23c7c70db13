"""`/v1/exchange`, `/v1/status`, and what machines ask: `/healthz`, `/readyz`, `/metrics`."""

from contextlib import suppress

from fastapi import APIRouter
from starlette.responses import Response

from backend.deps import ApiDep
from backend.errors import responses
from backend.status import schemas, service
from exchange.domain.errors import Refusal

router = APIRouter(tags=["status"])


@router.get("/v1/exchange", responses=responses())
async def get_exchange(api: ApiDep) -> schemas.ExchangeView:
    """The deployment: EIP-712 domain and types, tokens, assets, markets, windows, limits."""
    return await service.exchange_view(api)


@router.get("/v1/status", responses=responses())
async def get_status(api: ApiDep) -> schemas.StatusView:
    """Block, indexed block, lag, batches, trades settled, mismatches."""
    return await service.status_view(api)


@router.get("/healthz")
async def get_health() -> schemas.HealthView:
    """The process is alive."""
    return schemas.HealthView()


@router.get("/readyz", responses={503: {"model": schemas.ReadyView, "description": "A part is away or lags"}})
async def get_ready(api: ApiDep, response: Response) -> schemas.ReadyView:
    """Whether every part answers and none lags; `problems` names those that do not."""
    problems = api.watch.problems(await api.watch.latest())
    if problems:
        response.status_code = 503
        response.headers["retry-after"] = "1"
    return schemas.ReadyView(status="not_ready" if problems else "ready", problems=problems)


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def get_metrics(api: ApiDep) -> Response:
    """Figures for Prometheus."""
    api.metrics.feed_seq.set(api.feed.seq)
    with suppress(Refusal):  # the database is away: the last figures stay
        fees = (await api.totals.read()).fees
        api.metrics.set_fees(service.collected(api, fees), fees.gas_wei, fees.batches)
    return Response(api.metrics.render(), media_type="text/plain; version=0.0.4")
