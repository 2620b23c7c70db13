"""Brownie on the deployed contract, by the ABI files: what it says, what it refuses, and money in and out."""

import json
import os
from pathlib import Path

import brownie
import pytest
from brownie import ZERO_ADDRESS, accounts, interface

DEPLOYMENT = json.loads(Path(os.environ["BIZZAN_DEPLOYMENT"]).read_text())
ETHER = 1


@pytest.fixture(scope="module")
def custody():
    """The custody contract."""
    return interface.Custody(DEPLOYMENT["custody"])


def test_the_contract_is_what_the_file_says(custody):
    assert custody.launched()
    assert custody.windows().dict() == DEPLOYMENT["windows"]
    assert custody.roles()[1] == DEPLOYMENT["operator"]
    assert [custody.tokens(i)[0] for i in range(custody.token_count())] == [
        token["address"] for token in DEPLOYMENT["tokens"]
    ]


def test_money_goes_in_and_out(custody):
    user = accounts[8]
    deposit = custody.deposit_eth(user, True, {"from": user, "value": "1 ether"})
    assert deposit.events["Deposited"]["amount"] == 10**8
    assert custody.funding_balance(user, ETHER) == 10**8
    before = user.balance()
    paid = custody.withdraw_funding(ZERO_ADDRESS, "1 ether", user, {"from": user})
    assert user.balance() == before + 10**18 - paid.gas_used * paid.gas_price
    assert custody.funding_balance(user, ETHER) == 0


def test_refusals_give_their_reason(custody):
    stranger = accounts[9]
    with brownie.reverts("owner: not the owner"):
        custody.schedule(b"\1" * 32, {"from": stranger})
    with brownie.reverts("exit: not requested"):
        custody.claim_exit(stranger, ZERO_ADDRESS, {"from": stranger})
