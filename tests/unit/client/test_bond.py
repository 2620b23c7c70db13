"""A client that demands receipts sends no order once the bond behind them cannot be taken any more."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import boa
import pytest
from eth_utils.abi import function_signature_to_4byte_selector

from bizzan.client import bond as bond_module
from bizzan.client.api import BizzanClient
from bizzan.client.bond import MARGIN_SECONDS, BondCheck, BondState, View
from bizzan.client.errors import NoBond, Unreachable
from bizzan.client.receipts import ReceiptCheck
from bizzan.client.stream import Stream
from bizzan.client.wallet import Wallet
from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import Domain
from tests.unit.contracts.test_operator_bond import BOND, BONDER, DELAY, SIGNER, create
from tests.utils.contracts import CHAIN_ID, NAME

NOW = 1_700_000_000
STATE = BondState(SIGNER.raw, BOND, 0, 0, DELAY)


@pytest.fixture
def contract() -> Any:
    """A bond that stands."""
    return create()


@pytest.fixture
def check(contract: Any) -> BondCheck:
    """Its reader, over the real contract."""
    domain = Domain(NAME, CHAIN_ID, address_bytes(str(contract.address)))
    return BondCheck(ReceiptCheck(SIGNER.raw, domain), viewing(str(contract.address)))


def viewing(address: str) -> View:
    """Views of a contract in the test's chain."""

    async def view(signature: str) -> bytes:
        data = function_signature_to_4byte_selector(signature)
        return bytes(boa.env.raw_call(address, data=data).output)

    return view


async def test_a_bond_that_stands_is_read_from_the_contract(check: BondCheck) -> None:
    assert await check.demand() == STATE
    assert STATE.stands_until is None


async def test_a_retired_bond_is_relied_on_until_a_day_before_it_can_go(
    contract: Any, check: BondCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract.retire(sender=BONDER.address)
    state = await check.read()
    until = boa.env.timestamp + DELAY
    assert (state.retired_at, state.stands_until) == (boa.env.timestamp, until)
    monkeypatch.setattr(time, "time", lambda: until - MARGIN_SECONDS - 1)
    await check.demand()
    monkeypatch.setattr(time, "time", lambda: until - MARGIN_SECONDS)
    with pytest.raises(NoBond, match=f"was retired at {state.retired_at} and can be withdrawn from {until} on"):
        await check.demand()


async def test_what_was_read_is_renewed(contract: Any, check: BondCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await check.demand()).retired_at == 0
    contract.retire(sender=BONDER.address)
    assert (await check.demand()).retired_at == 0
    monkeypatch.setattr(bond_module, "RENEW_SECONDS", -1)
    assert (await check.demand()).retired_at == boa.env.timestamp


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (replace(STATE, amount=0), "the bond is empty"),
        (replace(STATE, slashed_at=7), "was taken at 7"),
        (replace(STATE, signer=BONDER.raw), "not behind"),
        (replace(STATE, retired_at=NOW - DELAY), "can be withdrawn"),
    ],
)
def test_what_cannot_be_taken_is_told(state: BondState, problem: str) -> None:
    found = state.problem(SIGNER.raw, NOW)
    assert found is not None
    assert problem in found
    assert STATE.problem(SIGNER.raw, NOW) is None


async def test_no_contract_there_is_no_bond() -> None:
    check = BondCheck(ReceiptCheck(SIGNER.raw, Domain(NAME, CHAIN_ID, b"\x77" * 20)), viewing("0x" + "77" * 20))
    with pytest.raises(NoBond, match="there is no bond at"):
        await check.demand()


async def test_a_client_sends_no_order_without_a_bond(check: BondCheck) -> None:
    """No exchange is there: what would be sent ends as unreachable, what is refused before does not."""
    client = BizzanClient("http://127.0.0.1:1", Wallet.create(), bond=check)
    assert client.receipts is check.receipts
    check.state = replace(STATE, amount=0)
    check._read_at = time.monotonic()
    for placing in (client.place_signed(None), Stream(client).place(None)):  # type: ignore[arg-type]
        with pytest.raises(NoBond, match="no order is sent: the bond is empty"):
            await placing
    with pytest.raises(Unreachable):
        await client.transport.get(object, "/v1/exchange")
    await client.close()


async def test_without_a_node_nothing_is_known() -> None:
    domain = Domain(NAME, CHAIN_ID, b"\x77" * 20)
    async with BondCheck.over("http://127.0.0.1:1", ReceiptCheck(SIGNER.raw, domain)) as check:
        with pytest.raises(Unreachable, match="does not answer"):
            await check.demand()
