"""Under which name the console opens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from backend.auth import service
from backend.auth.schemas import LoginRequest
from backend.context import Api
from exchange.domain.errors import ErrorCode, Refusal


async def test_off_the_local_chain_the_console_opens_under_a_name_of_its_own_only() -> None:
    unnamed = SimpleNamespace(settings=SimpleNamespace(domain=None), domain=SimpleNamespace(chain_id=1))
    with pytest.raises(Refusal, match="BIZZAN_API__DOMAIN") as refused:
        await service.console_address(cast(Api, unnamed), "localhost:8000", cast(LoginRequest, None))
    assert refused.value.code is ErrorCode.forbidden
