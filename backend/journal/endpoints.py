"""`/v1/journal`: the published journal."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import FileResponse, Response

from backend.deps import ApiDep, Before, Limit
from backend.errors import responses
from backend.journal import schemas, service
from backend.journal.auditors import AuditorDep

router = APIRouter(prefix="/v1/journal", tags=["journal"])

_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}

After = Annotated[
    int | None, Query(ge=0, le=(1 << 63) - 1, description="only pieces that start after this sequence, earliest first")
]
FirstSeq = Annotated[int, Path(ge=1, le=(1 << 63) - 1, description="the first sequence of a piece")]


@router.get("", responses=responses())
async def list_pieces(api: ApiDep, before: Before = None, after: After = None, limit: Limit = 100) -> schemas.PiecePage:
    """Signed pieces of the journal, latest first; with `after` earliest first."""
    return await service.page(api, before, after, limit)


@router.get("/{first_seq}/hashes", response_class=Response, responses=_TEXT | responses(404))
async def get_hashes(api: ApiDep, first_seq: FirstSeq) -> Response:
    """One line per record of a piece: sequence, time, subject, head. What your receipt names must stand there."""
    return FileResponse(service.hashes_file(api, first_seq), media_type="text/plain; charset=utf-8")


@router.get("/{first_seq}/raw", response_class=Response, responses=_BYTES | responses(401, 403, 404))
async def get_raw(api: ApiDep, auditor: AuditorDep, first_seq: FirstSeq) -> Response:
    """The records of a piece as they were journaled; for auditors, and for operators by a session of the console.

    `bizzan audit fetch` gathers them in a folder, `bizzan audit replay` reads it.
    """
    return FileResponse(service.raw_file(api, first_seq), media_type="application/octet-stream")
