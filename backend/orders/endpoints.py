"""`/v1/orders`: signed orders and cancels in, orders out."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from backend.deps import AddressDep, ApiDep, Before, Limit
from backend.openapi import answers, takes
from backend.orders import receipts, schemas, service, views
from backend.wire import decode, json_response

router = APIRouter(prefix="/v1/orders", tags=["orders"])

_place = msgspec.json.Decoder(schemas.PlaceOrder)
_group = msgspec.json.Decoder(schemas.PlaceGroup)
_preview = msgspec.json.Decoder(schemas.OrderFields)
_cancel = msgspec.json.Decoder(schemas.CancelOrder)
_cancel_all = msgspec.json.Decoder(schemas.CancelAll)
_mass_cancel = msgspec.json.Decoder(schemas.MassCancel)
_countdown = msgspec.json.Decoder(schemas.Countdown)
_trading_stop = msgspec.json.Decoder(schemas.TradingStop)

_DOMAIN = {"chain_id": 31337, "contract": "0x5FbDB2315678afecb367f032d93F642f64180aa3"}
_SIGNATURE = "0x" + "11" * 64 + "1b"
_ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
_FIELDS: dict[str, Any] = {
    "account": _ACCOUNT,
    "market": 1,
    "side": "buy",
    "price": "1000000",
    "quantity": "10",
    "nonce": "1",
    "expiry": 1_800_000_000,
    "max_fee_bps": 10,
    "terms": "0",
}
_ACK = {
    "seq": 4711,
    "at": 1_790_000_000_000,
    "order_id": 4711,
    "order_hash": "0x" + "ab" * 32,
    "duplicate": False,
    "receipt": None,
}
_RECEIPT = {
    "order_id": 4711,
    "signer": "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
    "receipt": {
        "name": "Bizzan",
        "chain_id": 31337,
        "bond": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "first_seq": 4711,
        "last_seq": 4711,
        "head": "0x" + "cd" * 32,
        "seq": 4711,
        "at_ms": 1_790_000_000_000,
        "subject": "0x" + "ab" * 32,
        "record_head": "0x" + "cd" * 32,
        "path": [],
        "signature": _SIGNATURE,
    },
}


@router.post(
    "",
    responses=answers(schemas.Ack, 400, 404, 409, 413, example=_ACK),
    openapi_extra=takes(
        schemas.PlaceOrder,
        {**_FIELDS, **_DOMAIN, "signature": _SIGNATURE, "scheme": "account", "client_order_id": "grid-17"},
    ),
    response_class=Response,
)
async def place_order(api: ApiDep, request: Request) -> Response:
    """Place a signed order. The answer comes when it is durable in the journal; sending it again is harmless."""
    body = decode(_place, await request.body())
    return json_response(await service.place(api, body))


_SENT = {**_FIELDS, **_DOMAIN, "signature": _SIGNATURE, "scheme": "account"}


@router.post(
    "/group",
    responses=answers(schemas.GroupAck, 400, 404, 409, 413, example={"first": _ACK, "second": _ACK}),
    openapi_extra=takes(
        schemas.PlaceGroup,
        {
            "first": {**_SENT, "terms": str(7 << 96)},
            "second": {**_SENT, "terms": str(7 << 96), "nonce": "2", "trigger_price": "900000"},
        },
    ),
    response_class=Response,
)
async def place_group(api: ApiDep, request: Request) -> Response:
    """Place the two legs of a group, of which only one ever fills: both are taken in one step, or neither.

    What refuses one of them refuses both. Both are durable with the answer; sending the same two again is harmless.
    """
    return json_response(await service.place_group(api, decode(_group, await request.body())))


@router.post(
    "/amend",
    responses=answers(schemas.Ack, 400, 404, 409, 413, example=_ACK),
    openapi_extra=takes(
        schemas.PlaceOrder,
        {**_FIELDS, **_DOMAIN, "signature": _SIGNATURE, "scheme": "account", "client_order_id": "grid-18"},
    ),
    response_class=Response,
)
async def amend_order(api: ApiDep, request: Request) -> Response:
    """Replace the open order on a nonce by another signed order on it, at once or not at all.

    What was filled on the nonce counts for the new order. It keeps its place in the queue if it asks for no more at the
    same price. An order that is closed already is not replaced (`order_closed`).
    """
    body = decode(_place, await request.body())
    return json_response(await service.amend(api, body))


@router.post(
    "/preview",
    responses=answers(schemas.Preview, 400, 404, 413),
    openapi_extra=takes(schemas.OrderFields, _FIELDS),
    response_class=Response,
)
async def preview_order(api: ApiDep, request: Request) -> Response:
    """What an order would pay as maker and as taker, what it needs, and what it would meet in the book now.

    Unsigned; changes nothing.
    """
    return json_response(await service.preview(api, decode(_preview, await request.body())))


@router.post(
    "/cancel",
    responses=answers(schemas.Ack, 400, 404, 409, 413, example={**_ACK, "order_id": None, "order_hash": None}),
    openapi_extra=takes(schemas.CancelOrder, {**_DOMAIN, "account": _ACCOUNT, "nonce": "1", "signature": _SIGNATURE}),
    response_class=Response,
)
async def cancel_order(api: ApiDep, request: Request) -> Response:
    """Cancel the open order on a nonce (EIP-712 `Cancel`)."""
    return json_response(await service.cancel(api, decode(_cancel, await request.body())))


@router.post(
    "/cancel-all",
    responses=answers(schemas.Ack, 400, 404, 409, 413, example={**_ACK, "order_id": None, "order_hash": None}),
    openapi_extra=takes(
        schemas.CancelAll, {**_DOMAIN, "account": _ACCOUNT, "min_nonce": "1000", "signature": _SIGNATURE}
    ),
    response_class=Response,
)
async def cancel_all_orders(api: ApiDep, request: Request) -> Response:
    """Cancel every order below a nonce, and refuse such nonces for ever (EIP-712 `CancelAll`)."""
    return json_response(await service.cancel_all(api, decode(_cancel_all, await request.body())))


_BRAKE = {**_DOMAIN, "account": _ACCOUNT, "nonce": "1790000000000", "signature": _SIGNATURE}


@router.post(
    "/mass-cancel",
    responses=answers(schemas.Ack, 400, 404, 409, 413, example={**_ACK, "order_id": None, "order_hash": None}),
    openapi_extra=takes(schemas.MassCancel, {**_BRAKE, "market": 1, "side": "both"}),
    response_class=Response,
)
async def mass_cancel_orders(api: ApiDep, request: Request) -> Response:
    """Cancel the open orders of a market and side, at once (EIP-712 `MassCancel`)."""
    return json_response(await service.mass_cancel(api, decode(_mass_cancel, await request.body())))


@router.post(
    "/countdown",
    responses=answers(schemas.Ack, 400, 404, 409, 413, example={**_ACK, "order_id": None, "order_hash": None}),
    openapi_extra=takes(schemas.Countdown, {**_BRAKE, "seconds": 30}),
    response_class=Response,
)
async def set_countdown(api: ApiDep, request: Request) -> Response:
    """Cancel all open orders so many seconds from now, unless it is set again before (EIP-712 `Countdown`)."""
    return json_response(await service.countdown(api, decode(_countdown, await request.body())))


@router.post(
    "/trading-stop",
    responses=answers(schemas.Ack, 400, 404, 409, 413, example={**_ACK, "order_id": None, "order_hash": None}),
    openapi_extra=takes(schemas.TradingStop, {**_BRAKE, "stopped": True}),
    response_class=Response,
)
async def stop_trading(api: ApiDep, request: Request) -> Response:
    """Refuse every order of the account and cancel the open ones, or take orders again (EIP-712 `TradingStop`)."""
    return json_response(await service.trading_stop(api, decode(_trading_stop, await request.body())))


@router.get("", responses=answers(schemas.OrderPage, 401, 404), response_class=Response)
async def list_orders(
    api: ApiDep,
    address: AddressDep,
    market: Annotated[str | None, Query(max_length=40, description="a market's id or symbol")] = None,
    status: Annotated[Literal["open", "filled", "cancelled", "expired", "rejected"] | None, Query()] = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """Your orders, latest first."""
    return json_response(await views.order_page(api, address, market, status, before, limit))


@router.get(
    "/{order}/receipt", responses=answers(schemas.ReceiptAnswer, 401, 404, example=_RECEIPT), response_class=Response
)
async def get_receipt(
    api: ApiDep,
    address: AddressDep,
    order: Annotated[str, Path(max_length=66, description="an order's id, its hash, or `client:` and your own id")],
) -> Response:
    """The receipt of one of your orders, signed again: it says the same as that in the ack, and serves as well."""
    return json_response(await receipts.receipt_again(api, address, order))


@router.get("/{order}", responses=answers(schemas.OrderAnswer, 401, 404), response_class=Response)
async def get_order(
    api: ApiDep,
    address: AddressDep,
    order: Annotated[str, Path(max_length=66, description="an order's id, its hash, or `client:` and your own id")],
) -> Response:
    """One of your orders."""
    return json_response(await views.one_order(api, address, order))
