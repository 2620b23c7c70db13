"""The deployment file: read and written, every refusal naming its field."""

from typing import Any

import pytest

from exchange.domain.deployment import Deployment, DeploymentError, Windows, address_bytes, checksum
from exchange.domain.instrument import Asset, Market, MarketStatus, Token

CUSTODY = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55
DEPLOYMENT = Deployment(
    chain_id=31_337,
    custody=CUSTODY,
    deposit_addresses=CUSTODY,
    block_number=7,
    block_hash="0x" + "ab" * 32,
    commit="unknown",
    domain_name="Bizzan",
    windows=Windows(120, 120, 3_600, 7_200, 30, 172_800),
    fee_cap_bps=100,
    fee_account=CUSTODY,
    operator=CUSTODY,
    co_signer=CUSTODY,
    assets=(Asset(0, "USDC", 6), Asset(1, "ETH", 8)),
    tokens=(Token(31_337, 0, CUSTODY, 0, 6, 1), Token(31_337, 1, CUSTODY, 1, 18, 10**10)),
    markets=(Market(1, "ETH/USDC", 1, 0, 100_000, 10, 1, 2_000, 200, 500, 0, MarketStatus.halted),),
)


def test_it_reads_back() -> None:
    assert Deployment.parse(DEPLOYMENT.to_json()) == DEPLOYMENT


def test_it_finds_by_id() -> None:
    assert DEPLOYMENT.token(1).unit == 10**10
    assert DEPLOYMENT.token_of_asset(1).token_id == 1
    assert DEPLOYMENT.asset(0).symbol == "USDC"
    assert DEPLOYMENT.market(1).symbol == "ETH/USDC"
    with pytest.raises(KeyError):
        DEPLOYMENT.market(2)


def test_the_domain_is_the_contracts() -> None:
    assert DEPLOYMENT.domain.contract == address_bytes(CUSTODY)
    assert DEPLOYMENT.domain.chain_id == 31_337


@pytest.mark.parametrize(
    "address",
    [CUSTODY, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"],
)
def test_checksums_are_those_of_eip55(address: str) -> None:
    assert checksum(address_bytes(address.lower())) == address


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("deposit_addresses",), "0x12", "deposit_addresses must be 0x and 40 hexadecimal digits"),
        (("custody",), "0x12", "custody must be 0x and 40 hexadecimal digits, not '0x12'"),
        (("custody",), CUSTODY[2:], "custody must be 0x and 40 hexadecimal digits"),
        (("chain_id",), "1", "chain_id must be an integer from 0, not '1'"),
        (("block_number",), True, "block_number must be an integer from 0"),
        (("windows", "delay"), -1, "windows.delay must be an integer from 0"),
        (("windows",), 1, "windows must be an object"),
        (("assets",), {}, "assets must be a list"),
        (("assets", 0, "symbol"), 1, r"assets\[0\]\.symbol must be text"),
        (("tokens", 1, "address"), "x", r"tokens\[1\]\.address must be 0x"),
        (("markets", 0, "status"), "shut", r"markets\[0\]\.status must be one of open, auction, halted, delisted"),
        (("markets", 0, "extra"), 1, r"markets\[0\]\.extra is not a known field"),
        (("extra",), 1, "extra is not a known field"),
    ],
)
def test_parse_names_what_is_wrong(path: tuple[Any, ...], value: object, message: str) -> None:
    document: Any = DEPLOYMENT.to_json()
    target = document
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    with pytest.raises(DeploymentError, match=message):
        Deployment.parse(document)


@pytest.mark.parametrize("name", ["custody", "markets", "windows"])
def test_parse_names_what_is_missing(name: str) -> None:
    document = DEPLOYMENT.to_json()
    del document[name]
    with pytest.raises(DeploymentError, match=f"{name} is missing"):
        Deployment.parse(document)
