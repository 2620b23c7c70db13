"""Shapes of announcements."""

from typing import Literal

from pydantic import BaseModel, Field

Severity = Literal["info", "warning", "critical"]


class AnnouncementView(BaseModel):
    """What the operator tells everybody."""

    announcement_id: int
    severity: Severity
    texts: dict[str, str] = Field(
        description="by language tag; `en` is always there", examples=[{"en": "Withdrawals are slow today."}]
    )
    from_ms: int = Field(description="from when it is shown, in milliseconds")
    until_ms: int = Field(description="until when it is shown, in milliseconds")


class Announcements(BaseModel):
    """What is shown now, latest first."""

    announcements: list[AnnouncementView]
    server_time: int = Field(description="milliseconds")
