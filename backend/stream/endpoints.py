"""`/v1/stream`: the WebSocket."""

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from backend.context import Api
from backend.errors import RateLimited, error_response
from backend.stream.session import Session

router = APIRouter()


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """Accept a connection, unless its address has too many, and serve it."""
    api: Api = websocket.app.state.api
    address = websocket.client.host if websocket.client else "unknown"
    if not api.limits.connections.enter(address):
        await websocket.send_denial_response(error_response(RateLimited(1, "address")))
        return
    api.metrics.connections.inc()
    try:
        await websocket.accept()
        await Session(api, websocket, address).run()
    except WebSocketDisconnect:
        return
    finally:
        api.metrics.connections.dec()
        api.limits.connections.leave(address)
