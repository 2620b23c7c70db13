"""`/v1/announcements`: what the operator tells everybody."""

from fastapi import APIRouter

from backend.announcements import schemas
from backend.deps import ApiDep
from backend.errors import responses

router = APIRouter(prefix="/v1/announcements", tags=["status"])


@router.get("", responses=responses())
async def list_announcements(api: ApiDep) -> schemas.Announcements:
    """What the operator tells everybody now, latest first."""
    return await api.announced.shown()
