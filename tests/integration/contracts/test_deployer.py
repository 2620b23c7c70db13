"""Deployment to a real node, and one deposit, settlement and withdrawal there."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3

from bizzan.contracts import ROOT, exported_abi
from bizzan.deployer import DeployConfig, DeployError, TokenConfig, default_config, deploy
from bizzan.supervisor.anvil import Anvil
from exchange.domain.deployment import Deployment, address_bytes, checksum
from exchange.domain.deposit_address import deposit_address
from exchange.domain.order import Order, Side
from exchange.domain.settlement import Execution, pack
from exchange.settings import Settings
from tests.utils.signing import Signer

PRICE = 6_000_000
SETTINGS = Settings()


@pytest.fixture(scope="module")
def config() -> DeployConfig:
    """The local chain's configuration."""
    return default_config(SETTINGS)


@pytest.fixture(scope="module")
def deployment(anvil: Anvil, config: DeployConfig) -> Deployment:
    """A deployment on the module's node."""
    return deploy(anvil.url, SETTINGS.key("owner"), config=config)


def send(web3: Web3, key: bytes | str, to: str, name: str, function: str, *arguments: Any) -> Any:
    """Send a call and return its receipt.

    A node estimates in the latest block: where that is of the same second as what the call writes, a write of the time
    is none, and the estimate is too low for the next block. So a quarter is added.
    """
    account = Account.from_key(key)
    contract = web3.eth.contract(address=Web3.to_checksum_address(to), abi=exported_abi(name))
    transaction = contract.functions[function](*arguments).build_transaction(
        {"from": account.address, "nonce": web3.eth.get_transaction_count(account.address)}
    )
    transaction["gas"] = transaction["gas"] * 5 // 4
    sent = web3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
    receipt = web3.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1
    return receipt


def test_deploy_configures_and_launches(anvil: Anvil, deployment: Deployment, config: DeployConfig) -> None:
    web3 = Web3(HTTPProvider(anvil.url))
    custody = web3.eth.contract(address=Web3.to_checksum_address(deployment.custody), abi=exported_abi("Custody"))
    assert custody.functions.launched().call()
    assert bytes(custody.functions.domain_separator().call()) == deployment.domain.separator
    assert custody.functions.roles().call()[:2] == (config.owner, config.operator)
    for token in deployment.tokens:
        assert custody.functions.tokens(token.token_id).call() == (token.address, token.unit, token.decimals, True)
    for market in deployment.markets:
        listed = custody.functions.markets(market.market_id).call()
        assert listed == (market.base_asset, market.quote_asset, market.lot_size, 0)
    factory = Web3.to_checksum_address(deployment.deposit_addresses)
    addresses = web3.eth.contract(address=factory, abi=exported_abi("DepositAddresses"))
    assert addresses.functions.custody().call() == deployment.custody
    owner = address_bytes(config.owner)
    assert addresses.functions.address_of(config.owner).call() == checksum(
        deposit_address(address_bytes(deployment.deposit_addresses), owner)
    )
    bond = web3.eth.contract(
        address=Web3.to_checksum_address(deployment.operator_bond), abi=exported_abi("OperatorBond")
    )
    assert (bond.functions.signer().call(), bond.functions.bonder().call()) == (config.receipt_signer, config.operator)
    assert bond.functions.bond().call() == config.bond_wei
    assert bytes(bond.functions.domain_separator().call()) == deployment.bond_domain.separator
    block = web3.eth.get_block(deployment.block_number)
    assert deployment.block_hash == "0x" + bytes(block["hash"]).hex()


def test_the_deployment_file_reads_back(deployment: Deployment) -> None:
    assert Deployment.parse(json.loads(json.dumps(deployment.to_json()))) == deployment


def test_deposit_settle_and_withdraw_on_a_real_node(anvil: Anvil, deployment: Deployment) -> None:
    web3 = Web3(HTTPProvider(anvil.url))
    keys = {"buyer": SETTINGS.key("faucet"), "seller": SETTINGS.key("keeper")}
    custody, domain = deployment.custody, deployment.domain
    executions = []
    for (name, asset), side in zip((("buyer", 0), ("seller", 2)), (Side.buy, Side.sell), strict=True):
        account = Account.from_key(keys[name]).address
        token = deployment.token_of_asset(asset)
        send(web3, keys[name], token.address, "TestToken", "faucet", 10**9)
        send(web3, keys[name], token.address, "TestToken", "approve", custody, 10**9)
        send(web3, keys[name], custody, "Custody", "deposit", token.address, 10**9, account, False)
        expiry = web3.eth.get_block("latest")["timestamp"] + 600
        order = Order(address_bytes(account), 1, int(side), PRICE, 10, 1, expiry, 0, 10, 0)
        signature = Account.unsafe_sign_hash(domain.order_hash(order), keys[name]).signature
        executions.append(Execution(order, 0, bytes(signature), 10, 10 * PRICE, 1_000))
    operator = SETTINGS.key("operator")
    send(web3, operator, custody, "Custody", "settle", 1, bytes(32), b"\1" * 32, *pack(executions))

    buyer = Account.from_key(keys["buyer"]).address
    btc = deployment.token_of_asset(2)
    message: dict[str, Any] = {
        "account": address_bytes(buyer),
        "token": address_bytes(btc.address),
        "amount": 100_000,
        "recipient": Signer("recipient").raw,
        "max_fee": 50,
        "nonce": 1,
        "deadline": 2**40,
    }
    digest = domain.hash("Withdrawal", message)
    approved = domain.hash("Approval", {"withdrawal": digest, "fee": 40})
    signature = bytes(Account.unsafe_sign_hash(digest, keys["buyer"]).signature)
    approval = bytes(Account.unsafe_sign_hash(approved, SETTINGS.key("co_signer")).signature)
    arguments = [v if isinstance(v, int) else Web3.to_checksum_address(v) for v in message.values()]
    send(web3, operator, custody, "Custody", "withdraw", *arguments, signature, 40, approval)
    wallet = web3.eth.contract(address=Web3.to_checksum_address(btc.address), abi=exported_abi("TestToken"))
    assert wallet.functions.balanceOf(Signer("recipient").address).call() == 99_960


def test_another_owner_is_proposed(anvil: Anvil, config: DeployConfig) -> None:
    next_owner = Signer("next_owner").address
    deployed = deploy(anvil.url, SETTINGS.key("owner"), config=replace(config, owner=next_owner))
    web3 = Web3(HTTPProvider(anvil.url))
    custody = web3.eth.contract(address=Web3.to_checksum_address(deployed.custody), abi=exported_abi("Custody"))
    assert custody.functions.pending_owner().call() == next_owner


def test_deploy_refuses_what_cannot_work(anvil: Anvil, config: DeployConfig) -> None:
    key = SETTINGS.key("owner")
    with pytest.raises(DeployError, match=r"tokens\[0\]\.decimals must be at least"):
        deploy(anvil.url, key, config=replace(config, tokens=(TokenConfig("USDC", 8, 6),), markets=()))
    with pytest.raises(DeployError, match=r"markets\[0\]\.market_id must be 1"):
        deploy(anvil.url, key, config=replace(config, markets=config.markets[1:]))
    with pytest.raises(DeployError, match=r"markets\[0\] names an asset that is not in tokens"):
        deploy(anvil.url, key, config=replace(config, tokens=config.tokens[:2]))
    twice = (*config.tokens, config.tokens[1])
    with pytest.raises(DeployError, match="list_token reverted"):
        deploy(anvil.url, key, config=replace(config, tokens=twice))


def test_the_script_writes_the_deployment_file(anvil: Anvil, tmp_path: Path) -> None:
    path = tmp_path / "deployments" / "31337.json"
    environment = {"BIZZAN_CHAIN__DEPLOYMENT_FILE": str(path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, str(ROOT / "scripts" / "deploy.py"), "--rpc-url", anvil.url]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path, capture_output=True)
    assert Deployment.parse(json.loads(path.read_text())).chain_id == 31_337
