"""A contract wallet of one owner, put on a development chain."""

from __future__ import annotations

from typing import Any

from vyper import compile_code
from web3 import HTTPProvider, Web3

from bizzan.client.wallet import Wallet
from bizzan.contracts import ROOT

SOURCE = ROOT / "tests" / "mocks" / "ContractWallet.vy"


def contract_wallet(rpc_url: str, owner: Wallet) -> str:
    """Deploy it with the node's own account; its address."""
    compiled = compile_code(SOURCE.read_text(), output_formats=["abi", "bytecode"])
    web3: Any = Web3(HTTPProvider(rpc_url))
    made = web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"]).constructor(owner.text_address)
    sent = made.transact({"from": web3.eth.accounts[-1]})
    return str(web3.eth.wait_for_transaction_receipt(sent)["contractAddress"])
