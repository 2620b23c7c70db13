"""The code on chain is compared with the sources: equal on a fresh deployment, and every change is found and named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3

from bizzan import contracts
from bizzan.cli.verification import run
from bizzan.contracts import PARTS, ROOT, SOURCES, Artifact, artifact
from bizzan.deployer import TokenConfig, default_config, deploy
from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.errors import SupervisorError
from bizzan.verification import TEST_TOKEN, Compiler, Finding, VerifyError, verify
from exchange.domain.deployment import ETH, Deployment
from exchange.settings import Settings

SETTINGS = Settings()
STRANGER = Account.from_key("0x" + "11" * 32).address
WORD = 32


@pytest.fixture(scope="module")
def deployment(anvil: Anvil) -> Deployment:
    """A fresh deployment on the module's node."""
    return deploy(anvil.url, SETTINGS.key("owner"), config=default_config(SETTINGS))


@pytest.fixture
def chain(anvil: Anvil) -> Iterator[Web3]:
    """The module's node, which goes back to the fresh deployment afterwards."""
    snapshot = anvil.rpc("evm_snapshot")
    yield Web3(HTTPProvider(anvil.url))
    assert anvil.rpc("evm_revert", snapshot)


def differences(findings: list[Finding]) -> list[str]:
    """All that differs, each after the name of what it is found in."""
    return [f"{finding.name}: {difference}" for finding in findings for difference in finding.differences]


def put_code(anvil: Anvil, web3: Web3, address: str, at: int, value: bytes) -> None:
    """Change bytes of a contract's code on chain; `at` counts from the end when negative."""
    code = bytearray(web3.eth.get_code(Web3.to_checksum_address(address)))
    start = at if at >= 0 else len(code) + at
    code[start : start + len(value)] = value
    anvil.rpc("anvil_setCode", address, "0x" + code.hex())


def test_a_fresh_deployment_is_equal(anvil: Anvil, deployment: Deployment) -> None:
    findings = verify(anvil.url, deployment)
    assert differences(findings) == []
    assert [finding.name for finding in findings] == [
        "chain", *PARTS, "DepositAddresses", TEST_TOKEN, TEST_TOKEN, TEST_TOKEN,
        "OperatorBond", "DepositAddress", "answers of Custody",
    ]  # fmt: skip
    assert set(artifact("Custody").immutables) <= set(findings[1].facts)
    assert findings[1].facts["roles.guardian"] == Account.from_key(SETTINGS.key("guardian")).address


def test_the_script_says_by_its_exit_code_whether_all_is_equal(
    anvil: Anvil, deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(deployment.to_json()))
    command = [sys.executable, str(ROOT / "scripts" / "verify.py"), "--rpc", anvil.url, "--deployment", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "everything is equal")
    path.write_text(json.dumps(replace(deployment, operator=STRANGER).to_json()))
    assert run(anvil.url, path) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "it differs"
    assert f"must be {STRANGER}" in printed.err


def compiler_of(folder: Path, name: str, file: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """A compiler that finds one contract's sources changed in one place."""
    shutil.copytree(SOURCES, folder / "contracts")
    path = folder / "contracts" / file
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    with monkeypatch.context() as patch:
        patch.setattr(contracts, "ROOT", folder)
        patch.setattr(contracts, "SOURCES", folder / "contracts")
        patch.setattr(contracts, "BUILD", folder / "build")
        changed = artifact(name)

    def compiled(asked: str) -> Artifact:
        return changed if asked == name else artifact(asked)

    return compiled


def test_a_changed_byte_of_the_sources_is_found(
    anvil: Anvil, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    richer = ("= 1_000_000_000\n", "= 2_000_000_000\n")
    compiled = compiler_of(tmp_path, TEST_TOKEN, "test_tokens/TestToken.vy", *richer, monkeypatch)
    found = differences(verify(anvil.url, deployment, compiled))
    # the constant reaches an immutable by way of the creation code
    assert len(found) == 3
    assert all(text.startswith(f"{TEST_TOKEN}: creation code differs from byte ") for text in found)


@pytest.mark.deep
def test_a_changed_byte_of_the_custody_contract_is_found(
    anvil: Anvil, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = ("MAX_ORDER_TIME: constant(uint256) = 30 *", "MAX_ORDER_TIME: constant(uint256) = 31 *")
    compiled = compiler_of(tmp_path, "Custody", "modules/settlement.vy", *longer, monkeypatch)
    (found,) = differences(verify(anvil.url, deployment, compiled))
    assert found.startswith("Custody: code differs from byte ")


def test_a_changed_byte_of_a_comment_is_found(
    anvil: Anvil, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment = ("It has no value and no\n", "It has no value and No\n")
    compiled = compiler_of(tmp_path, TEST_TOKEN, "test_tokens/TestToken.vy", *comment, monkeypatch)
    found = differences(verify(anvil.url, deployment, compiled))
    assert len(found) == 3
    assert all(text.startswith(f"{TEST_TOKEN}: creation code differs from byte 2,") for text in found)


def test_a_changed_byte_on_chain_is_found(anvil: Anvil, deployment: Deployment, chain: Web3) -> None:
    put_code(anvil, chain, deployment.custody, 12_345, b"\xfe")
    (found,) = differences(verify(anvil.url, deployment))
    assert found.startswith("Custody: code differs from byte 12,345 of ")
    assert "0xfe on chain" in found


def test_a_changed_byte_of_the_extension_is_found(anvil: Anvil, deployment: Deployment, chain: Web3) -> None:
    extension = verify(anvil.url, deployment)[2].address
    put_code(anvil, chain, extension, 54, b"\xfe\xfe")
    assert "CustodyExtension: code differs from byte 54 of " in differences(verify(anvil.url, deployment))[0]


def test_a_changed_deposit_address_is_found(anvil: Anvil, deployment: Deployment, chain: Web3) -> None:
    implementation = verify(anvil.url, deployment)[-2].address
    for address in (implementation, deployment.deposit_addresses):
        last = chain.eth.get_code(Web3.to_checksum_address(address))[-1]
        put_code(anvil, chain, address, -1, bytes([last ^ 7]))
    found = differences(verify(anvil.url, deployment))
    assert [text.partition(" is ")[0] for text in found] == [
        "DepositAddresses: INIT_CODE_HASH", "DepositAddress: CUSTODY"
    ]  # fmt: skip


def test_added_code_is_found(anvil: Anvil, deployment: Deployment, chain: Web3) -> None:
    code = bytes(chain.eth.get_code(Web3.to_checksum_address(deployment.custody)))
    anvil.rpc("anvil_setCode", deployment.custody, "0x" + code.hex() + "00")
    assert differences(verify(anvil.url, deployment)) == [f"Custody: size is {len(code) + 1}, must be {len(code)}"]


@pytest.mark.parametrize("key", list(artifact("Custody").immutables))
def test_a_changed_immutable_is_found(anvil: Anvil, deployment: Deployment, chain: Web3, key: str) -> None:
    immutables = artifact("Custody").immutables
    end = sum(length for _, length in immutables.values())
    place = immutables[key][0] - end + WORD - 1
    there = chain.eth.get_code(Web3.to_checksum_address(deployment.custody))[place]
    put_code(anvil, chain, deployment.custody, place, bytes([there ^ 7]))
    found = differences(verify(anvil.url, deployment))
    if key == "EXTENSION":
        assert "CustodyExtension: code is missing: nothing stands at this address" in found
        assert found[0].startswith("Custody: extension is 0x")
    else:
        assert found[0].startswith(f"Custody: {key} is ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"custody": STRANGER}, "Custody: code is missing: nothing stands at this address"),
        ({"deposit_addresses": STRANGER}, "DepositAddresses: code is missing: nothing stands at this address"),
        ({"operator": STRANGER}, "Custody: roles.operator is 0x"),
        ({"co_signer": STRANGER}, "Custody: roles.co_signer is 0x"),
        ({"fee_account": STRANGER}, "Custody: roles.fee_account is 0x"),
        ({"domain_name": "Bizzam"}, "Custody: eip712.NAME_HASH is 0x"),
        ({"chain_id": 1}, "chain: chain_id is 31337, must be 1"),
        ({"block_hash": "0x" + "00" * 32}, "chain: block_hash is 0x"),
    ],
)
def test_a_changed_entry_of_the_file_is_found(
    anvil: Anvil, deployment: Deployment, changes: dict[str, object], message: str
) -> None:
    changed = Deployment.parse(deployment.to_json() | changes)
    assert differences(verify(anvil.url, changed))[0].startswith(message)


def test_a_changed_entry_of_the_lists_is_found(anvil: Anvil, deployment: Deployment) -> None:
    token, market = deployment.tokens[0], deployment.markets[0]
    stolen = replace(deployment, tokens=(replace(token, address=STRANGER), *deployment.tokens[1:]))
    assert differences(verify(anvil.url, stolen)) == [
        f"{TEST_TOKEN}: code is missing: nothing stands at this address",
        f"answers of Custody: tokens(0) is ('{token.address}', 1, 6), must be ('{STRANGER}', 1, 6)",
    ]
    halved = replace(deployment, markets=(replace(market, lot_size=5_000), *deployment.markets[1:]))
    assert differences(verify(anvil.url, halved)) == [
        "answers of Custody: markets(1) is (2, 0, 10000), must be (2, 0, 5000)"
    ]


def test_tokens_of_others_are_named_by_their_code(anvil: Anvil, make_anvil: object) -> None:
    node = make_anvil(chain_id=99)  # type: ignore[operator]
    foreign = deployed_token(node)
    config = default_config(SETTINGS)
    tokens = (TokenConfig("USDC", 6, 6, foreign), TokenConfig("ETH", 8, 18, ETH))
    deployed = deploy(node.url, SETTINGS.key("owner"), config=replace(config, tokens=tokens, markets=()))
    findings = verify(node.url, deployed)
    assert differences(findings) == []
    assert findings[5].name == "foreign token"
    assert findings[5].facts["decimals()"] == "6"
    wrong = replace(deployed, tokens=(replace(deployed.tokens[0], decimals=8), deployed.tokens[1]))
    assert "foreign token: decimals() is 6, must be 8" in differences(verify(node.url, wrong))


def deployed_token(node: Anvil) -> str:
    """A token that somebody else made."""
    web3 = Web3(HTTPProvider(node.url))
    compiled = artifact(TEST_TOKEN)
    made = web3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode).constructor("Foreign", "USDC", 6)
    sender = Account.from_key(SETTINGS.key("faucet"))
    signed = sender.sign_transaction(made.build_transaction({"from": sender.address, "nonce": 0}))
    receipt = web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed.raw_transaction))
    return str(receipt["contractAddress"])


def test_what_cannot_be_read_is_no_success(deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="cannot be read"):
        verify("http://127.0.0.1:1", deployment)
    with pytest.raises(SupervisorError, match="nothing was verified"):
        run("http://127.0.0.1:1", tmp_path / "missing.json")
