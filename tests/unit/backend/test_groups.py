"""Both legs of a group over REST: what they take of their account's rate."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from backend.context import Api
from backend.errors import RateLimited
from backend.limits import RateLimiter
from backend.metrics import Metrics
from backend.orders import schemas, service
from bizzan.client.wallet import Wallet
from exchange.domain.errors import Refusal
from exchange.domain.order import Order, Terms
from exchange.engine.commands import PlaceGroup
from exchange.sequencer.protocol import Ack
from tests.utils.api_stack import DEPLOYMENT, DOMAIN, order_body

OWNER = Wallet.from_seed("owner of a group", 1)
FIRST = Order(OWNER.address, 1, 1, 10, 2, 1, 2_000_000_000, 0, 10, Terms(post_only=True, group=7).pack())
SECOND = replace(FIRST, nonce=2)


class Engine:
    """Takes every command."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def submit(self, command: Any) -> Ack:
        self.taken.append(command)
        return Ack(9, 1, 9)


def api_of(engine: Engine, burst: int) -> Api:
    """As much of a worker as placing needs; its clock stands still."""
    limits = SimpleNamespace(account_writes=RateLimiter("account", 1, burst, lambda: 0.0))
    given = SimpleNamespace(
        check_domain=lambda chain_id, contract: None,
        feed=SimpleNamespace(books={1: None}),
        domain=DOMAIN,
        deployment=DEPLOYMENT,
        limits=limits,
        engine=engine,
        metrics=Metrics(),
    )
    return cast(Api, given)


def body(**second: str) -> schemas.PlaceGroup:
    legs = {name: order_body(OWNER.sign_order(DOMAIN, leg)) for name, leg in (("first", FIRST), ("second", SECOND))}
    legs["second"] |= second
    return msgspec.convert(legs, schemas.PlaceGroup)


@pytest.mark.parametrize(("burst", "left"), [(1, 1), (2, 0), (3, 1)])
async def test_a_group_takes_two_writes_or_none(burst: int, left: int) -> None:
    engine = Engine()
    api = api_of(engine, burst)
    if burst < 2:
        with pytest.raises(RateLimited):
            await service.place_group(api, body())
    else:
        await service.place_group(api, body())
    assert [type(command) for command in engine.taken] == [PlaceGroup] * (burst > 1)
    api.limits.account_writes.take(OWNER.address, left)
    with pytest.raises(RateLimited):
        api.limits.account_writes.take(OWNER.address)


async def test_a_group_of_which_one_leg_is_not_signed_takes_none() -> None:
    engine = Engine()
    api = api_of(engine, 2)
    with pytest.raises(Refusal, match="the key of"):
        await service.place_group(api, body(signature="0x" + OWNER.sign_order(DOMAIN, FIRST).signature.hex()))
    assert engine.taken == []
    api.limits.account_writes.take(OWNER.address, 2)
