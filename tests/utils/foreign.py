"""Token implementations that others wrote, from npm, compiled by py-solc-x through npm's Solidity compiler.

Compiled once per change of the sources, the compiler or the packages, and kept under `build/foreign`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boa
import solcx
from eth_abi.abi import encode

from bizzan.contracts import EVM_VERSION, ROOT

SOURCE = ROOT / "tests" / "mocks" / "solidity" / "Tokens.sol"
SOLC = ROOT / "tests" / "utils" / "solidity" / "solc"
BUILD = ROOT / "build" / "foreign"
LOCK = ROOT / "package-lock.json"


def deploy(name: str, types: Sequence[str] = (), arguments: Sequence[Any] = ()) -> Any:
    """A fresh contract of `Tokens.sol`, callable by its ABI."""
    contract = compiled()[name]
    code = bytes.fromhex(contract["evm"]["bytecode"]["object"]) + encode(types, arguments)
    address, _ = boa.env.deploy_code(bytecode=code)
    return boa.loads_abi(json.dumps(contract["abi"]), name=name).at(address)


def compiled() -> dict[str, Any]:
    """ABI and creation code of each contract in `Tokens.sol`, by its name."""
    digest = hashlib.sha256(SOURCE.read_bytes() + SOLC.read_bytes() + LOCK.read_bytes() + EVM_VERSION.encode())
    path = BUILD / f"{digest.hexdigest()[:24]}.json"
    if not path.exists():
        _write(path, json.dumps(_compile()))
    contracts: dict[str, Any] = json.loads(path.read_bytes())
    return contracts


def _compile() -> dict[str, Any]:
    settings = {
        "evmVersion": EVM_VERSION,
        "optimizer": {"enabled": True, "runs": 200},
        "outputSelection": {SOURCE.name: {"*": ["abi", "evm.bytecode.object"]}},
    }
    sources = {SOURCE.name: {"content": SOURCE.read_text()}}
    output = solcx.compile_standard(
        {"language": "Solidity", "sources": sources, "settings": settings}, solc_binary=SOLC
    )
    contracts: dict[str, Any] = output["contracts"][SOURCE.name]
    return contracts


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # renamed into place, so that a reader beside us never sees half a file
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)
