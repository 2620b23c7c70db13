"""What docs/typed-data.md shows is what an independent wallet signs: `cast` reads each message and signs the hash that
the contract checks."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace

import pytest
from eth_account import Account

from exchange.domain.bulk import Tree
from exchange.domain.eip712 import TYPES
from exchange.domain.order import Side
from scripts.print_typed_data import DOMAIN, EXAMPLES, ORDER, typed_data
from tests.utils.documents import tool_folder

KEY = "0x" + "5a" * 32


def signer_by_cast(message: Mapping[str, object], digest: bytes) -> str:
    """Who signed `digest`, when a wallet was shown `message`."""
    command = [str(tool_folder("cast") / "cast"), "wallet", "sign", "--private-key", KEY, "--data", json.dumps(message)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(Account._recover_hash(digest, signature=done.stdout.strip()))


@pytest.mark.parametrize("name", TYPES)
def test_a_wallet_signs_what_the_document_shows(name: str) -> None:
    values = EXAMPLES[name]
    message = DOMAIN.typed_data(name, values)
    assert signer_by_cast(message, DOMAIN.hash(name, values)) == Account.from_key(KEY).address
    shown = typed_data().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    for field, _ in TYPES[name]:
        value = values[field]
        text = "0x" + value.hex() if isinstance(value, bytes) else str(value)
        assert re.search(rf"^  {field} +{text}$", shown, re.MULTILINE)


def test_a_wallet_signs_the_tree_that_the_document_shows() -> None:
    tree = Tree([ORDER, replace(ORDER, side=int(Side.sell))])
    assert signer_by_cast(tree.typed_data(DOMAIN), tree.digest(DOMAIN)) == Account.from_key(KEY).address
