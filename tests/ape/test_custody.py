"""Ape on the deployed contract: its own compilation is the code on chain; money in and out, and what is refused."""

import json
import os
from pathlib import Path

import ape
import pytest

ROOT = Path(__file__).parents[2]
DEPLOYMENT = json.loads(Path(os.environ["BIZZAN_DEPLOYMENT"]).read_text())
ETH = "0x0000000000000000000000000000000000000000"
ETHER = 1


@pytest.fixture(scope="module")
def custody():
    """The custody contract."""
    return ape.Contract(DEPLOYMENT["custody"], abi=ROOT / "interfaces" / "Custody.json")


def test_the_code_on_chain_is_what_ape_compiles(custody, project, chain):
    compiled = bytes.fromhex(project.Custody.contract_type.runtime_bytecode.bytecode.removeprefix("0x"))
    assert bytes(chain.provider.get_code(custody.address))[: len(compiled)] == compiled


def test_the_contract_is_what_the_file_says(custody):
    assert custody.launched()
    assert custody.windows().delay == DEPLOYMENT["windows"]["delay"]
    assert custody.roles().operator == DEPLOYMENT["operator"]
    assert [custody.tokens(i).token for i in range(custody.token_count())] == [
        token["address"] for token in DEPLOYMENT["tokens"]
    ]


def test_money_goes_in_and_out(custody, accounts):
    user = accounts[7]
    deposit = custody.deposit_eth(user, True, sender=user, value="1 ether")
    assert deposit.events[0].amount == 10**8
    assert custody.funding_balance(user, ETHER) == 10**8
    before = user.balance
    paid = custody.withdraw_funding(ETH, "1 ether", user, sender=user)
    assert user.balance == before + 10**18 - paid.total_fees_paid
    assert custody.funding_balance(user, ETHER) == 0


def test_a_user_leaves_after_the_delay(custody, accounts, chain):
    user = accounts[6]
    custody.deposit_eth(user, False, sender=user, value="1 ether")
    custody.request_exit(sender=user)
    with ape.reverts("exit: too early"):
        custody.claim_exit(user, ETH, sender=user)
    chain.mine(deltatime=custody.windows().delay)
    claim = custody.claim_exit(user, ETH, sender=user)
    assert claim.events[0].trading_amount == 10**8


def test_refusals_give_their_reason(custody, accounts):
    with ape.reverts("owner: not the owner"):
        custody.schedule(b"\1" * 32, sender=accounts[8])
