"""Deposit addresses and floors, without a chain; that the addresses are the contract's is a test of the contract."""

from dataclasses import replace

import pytest

from exchange.domain.deployment import DeploymentError, address_bytes, checksum
from exchange.domain.deposit_address import created_address, deposit_address, sweep_floors
from exchange.domain.instrument import Asset, Token
from tests.utils.api_stack import BTC, DEPLOYMENT, ETH, USDC

FACTORY = b"\xda" * 20


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        (0, "0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d"),
        (1, "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"),
        (2, "0xf778B86FA74E846c4f0a1fBd1335FE81c00a0C91"),
        (3, "0xffFd933A0bC612844eaF0C6Fe3E5b8E9B6C1d19c"),
    ],
)
def test_created_addresses_are_the_well_known_ones(nonce: int, address: str) -> None:
    creator = address_bytes("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert checksum(created_address(creator, nonce)) == address


def test_a_large_nonce_is_coded_with_its_length() -> None:
    assert len({created_address(FACTORY, nonce) for nonce in (127, 128, 255, 256, 65_536)}) == 5


def test_addresses_depend_on_account_and_factory() -> None:
    one, other = b"\x01" * 20, b"\x02" * 20
    assert len({deposit_address(factory, account) for factory in (one, other) for account in (one, other)}) == 4
    assert deposit_address(one, other) == deposit_address(one, other)


def test_the_floor_is_the_smallest_order() -> None:
    floors = sweep_floors(DEPLOYMENT, {})
    # BTC/USDC: 1,000,000 at 600,000 a lot are two lots of 10,000; ETH/BTC takes 1,000 of BTC as the quote
    # ETH/USDC: 1,000,000 at 300,000 are four lots of 100,000; in ETH/BTC 1,000 at 50 are twenty
    assert floors == {USDC: 1_000_000, BTC: 1_000, ETH: 400_000}


def test_an_asset_without_a_market_has_a_whole_unit_as_its_floor() -> None:
    lonely = replace(
        DEPLOYMENT,
        assets=(*DEPLOYMENT.assets, Asset(3, "BTI", 8)),
        tokens=(*DEPLOYMENT.tokens, Token(31_337, 3, checksum(b"\x05" * 20), 3, 18, 10**10)),
    )
    assert sweep_floors(lonely, {})[3] == 10**8


def test_named_floors_come_first_in_any_case() -> None:
    assert sweep_floors(DEPLOYMENT, {"usdc": 5, "BTC": 7}) == {USDC: 5, BTC: 7, ETH: 400_000}


def test_a_floor_of_nothing_is_refused() -> None:
    with pytest.raises(DeploymentError, match="the floor of DOGE is the floor of nothing"):
        sweep_floors(DEPLOYMENT, {"doge": 5})
