"""Accounts that leave trading to another key: what is there is left alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bizzan.client.errors import TransactionFailed
from bizzan.client.wallet import Wallet
from bizzan.demo import owners
from exchange.domain.eip712 import Domain

OWNER, KEY = Wallet.from_seed("owners", 1), Wallet.from_seed("owners", 2)
DOMAIN = Domain("Bizzan", 31_337, bytes(20))


class Chain:
    """The owner's access to the contract, as far as it is used."""

    wallet = OWNER

    def __init__(self, *, stands: bool = False, creates: bool = True, expiry: int = 0) -> None:
        self.stands = stands
        self.creates = creates
        self.expiry = expiry
        self.created: list[bytes] = []
        self.delegated: list[tuple[Any, ...]] = []

    async def has_code(self, _address: str) -> bool:
        return self.stands

    async def transact(self, to: str | None, data: bytes) -> None:
        assert to is None
        self.created.append(data)
        self.stands = self.creates

    async def delegate_expiry(self, _delegate: str, _account: str) -> int:
        return self.expiry

    async def add_delegate_signed(self, *what: Any, nonce: int) -> None:
        self.delegated.append((*what, nonce))


async def create(chain: Chain) -> None:
    await owners.create_wallet(chain, owners.contract_wallet(OWNER))  # type: ignore[arg-type]


async def test_the_wallet_is_created_once_for_its_owner() -> None:
    chain = Chain()
    await create(chain)
    await create(chain)
    assert [data[-20:] for data in chain.created] == [OWNER.address]


async def test_a_wallet_elsewhere_is_told() -> None:
    with pytest.raises(TransactionFailed, match="its owner sent transactions before"):
        await create(Chain(creates=False))


@pytest.mark.parametrize(("left", "times"), [(0, 1), (owners.RENEW_SECONDS - 5, 1), (owners.RENEW_SECONDS + 60, 0)])
async def test_a_delegation_is_renewed_before_it_ends(left: int, times: int) -> None:
    now = int(time.time())
    chain = Chain(expiry=now + left)
    await owners.delegate(chain, OWNER, DOMAIN, KEY)  # type: ignore[arg-type]
    assert len(chain.delegated) == times
    for owner, domain, key, expiry, nonce in chain.delegated:
        assert (owner, domain, key) == (OWNER, DOMAIN, KEY.text_address)
        assert expiry >= now + owners.DELEGATED_SECONDS
        assert nonce >= now
