"""The commands of docs/auditing.md, run as they stand against a deployment, tell what the deployment is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3

from bizzan.contracts import exported_abi
from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from exchange.domain.deployment import ETH, Deployment
from exchange.domain.eip712 import keccak
from exchange.journal.reader import Reader
from exchange.settings import Settings
from tests.integration.audit.operator_desk import Case, Commands, Desk, moved, orders_in
from tests.utils.documents import blocks, run_bash, tool_folder, with_settings

DOCUMENT = blocks("auditing.md")
SETTINGS = Settings()
FEARED = "0x00000000000000000000000000000000000000AA"


@pytest.fixture(scope="module")
def deployment(anvil: Anvil) -> Deployment:
    """A deployment on the module's node, with a deposit of ETH and an announced call."""
    made = deploy(anvil.url, SETTINGS.key("owner"), config=default_config(SETTINGS))
    web3 = Web3(HTTPProvider(anvil.url))
    custody: Any = web3.eth.contract(address=Web3.to_checksum_address(made.custody), abi=exported_abi("Custody"))
    feared = keccak(bytes.fromhex(custody.encode_abi("set_operator", args=[FEARED])[2:]))
    user = Account.from_key(SETTINGS.key("faucet"))
    for key, call, value in (
        (SETTINGS.key("owner"), custody.functions.schedule(feared), 0),
        (SETTINGS.key("faucet"), custody.functions.deposit_eth(user.address, True), 25 * 10**18),
    ):
        account = Account.from_key(key)
        nonce = web3.eth.get_transaction_count(account.address)
        built = call.build_transaction({"from": account.address, "nonce": nonce, "value": value})
        sent = web3.eth.send_raw_transaction(account.sign_transaction(built).raw_transaction)
        assert web3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    return made


def run(anvil: Anvil, deployment: Deployment, *names: str) -> str:
    """Run blocks of the document one after the other; what they print."""
    own = {"ETH_RPC_URL": anvil.url, "CUSTODY": deployment.custody}
    script = [with_settings(DOCUMENT["settings"], own), DOCUMENT["start"], *(DOCUMENT[name] for name in names)]
    return run_bash("\n".join(script), path=[tool_folder("cast")])


def test_every_block_is_run_here() -> None:
    names = ["settings", "start", "roles", "windows", "lists", "announced", "storage", "money", "watch"]
    names += ["journal", "replay"]
    assert list(DOCUMENT) == names


def test_roles_and_windows_are_read(anvil: Anvil, deployment: Deployment) -> None:
    lines = run(anvil, deployment, "roles", "windows").splitlines()
    assert f"operator {deployment.operator}" in lines
    assert f"co_signer {deployment.co_signer}" in lines
    assert f"fee_account {deployment.fee_account}" in lines
    assert f"pending_owner {ETH}" in lines
    assert f"{deployment.operator} is a key" in lines
    assert f"timelock {deployment.windows.timelock}" in lines
    assert f"silence {deployment.windows.silence}" in lines
    assert {"launched true", "frozen false", "paused_until 0", "batch_seq 0"} <= set(lines)


def test_lists_are_read(anvil: Anvil, deployment: Deployment) -> None:
    lines = run(anvil, deployment, "lists").splitlines()
    for token in deployment.tokens:
        expected = f"address {token.address} unit {token.unit} decimals {token.decimals} open true"
        assert f"token {token.token_id}: {expected}" in lines
    for market in deployment.markets:
        expected = f"base {market.base_asset} quote {market.quote_asset} lot {market.lot_size} halted_at 0"
        assert f"market {market.market_id}: {expected}" in lines


def test_an_announced_call_is_found(anvil: Anvil, deployment: Deployment) -> None:
    printed = run(anvil, deployment, "announced", "watch")
    ready_at = int(printed.split()[1])
    assert ready_at > deployment.windows.timelock
    assert f"data: 0x{ready_at:064x}" in printed
    assert printed.count("blockHash") == 1


def test_storage_holds_what_the_views_say(anvil: Anvil, deployment: Deployment) -> None:
    lines = run(anvil, deployment, "storage").splitlines()
    assert lines == [
        f"owner     {Account.from_key(SETTINGS.key('owner')).address}",
        f"operator  {deployment.operator}",
        f"head      0x{'00' * 32}",
        "liabilities of token 1: 2500000000",
    ]


def test_the_contract_is_covered(anvil: Anvil, deployment: Deployment) -> None:
    lines = run(anvil, deployment, "money").splitlines()
    assert len(lines) == len(deployment.tokens)
    assert all(line.endswith(": covered") for line in lines)
    assert f"token 1 {ETH}: owed 2500000000, held 2500000000: covered" in lines


def test_a_contract_that_holds_too_little_is_told(anvil: Anvil, deployment: Deployment) -> None:
    anvil.rpc("anvil_setBalance", deployment.custody, hex(25 * 10**18 - 1))
    assert f"token 1 {ETH}: owed 2500000000, held 2499999999: SHORT" in run(anvil, deployment, "money").splitlines()


def test_the_published_journal_is_replayed_by_one_command(anvil: Anvil, deployment: Deployment, tmp_path: Path) -> None:
    """An honest day passes, and what the document says of a fraud is what is printed."""
    snapshot = anvil.rpc("evm_snapshot")
    desk = Desk(anvil, deployment, tmp_path)
    desk.open()
    honest = desk.settle(desk.day)
    file, _ = desk.files(Case(desk.folder))
    last: list[str] = []
    for published in (desk.publish(honest), desk.publish(moved(honest, *orders_in(honest)[1::-1]))):
        own = {"PUBLISHED": str(published), "DEPLOYMENT": str(file)}
        blocks_ = [with_settings(DOCUMENT["journal"], own), f"{DOCUMENT['replay'].rstrip()} || echo exit $?"]
        last.append(run_bash("\n".join(blocks_), path=[], environment={"ETH_RPC_URL": anvil.url}))
    anvil.rpc("evm_revert", snapshot)
    assert "exit" not in last[0]
    assert last[0].rstrip().endswith("every line follows")
    assert f"ends at head {honest_head(desk, honest)}, the journal's at sequence" in last[1]
    assert last[1].splitlines()[-1] == "exit 1"


def honest_head(desk: Desk, honest: Commands) -> str:
    """The head at which the honest batch ends, as the chain has it."""
    return list(Reader(desk.write(honest[:-1])).read())[-1].head.hex()
