"""A contract wallet of one owner, put on a development chain."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from web3 import HTTPProvider, Web3

from bizzan.client.wallet import Wallet
from bizzan.contracts import artifact
from bizzan.demo.owners import TEST_WALLET


def contract_wallet(rpc_url: str, owner: Wallet) -> str:
    """Deploy a test wallet with the node's own account; its address."""
    compiled = artifact(TEST_WALLET)
    web3: Any = Web3(HTTPProvider(rpc_url))
    made = web3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode).constructor(owner.text_address)
    sent = made.transact({"from": web3.eth.accounts[-1]})
    return str(web3.eth.wait_for_transaction_receipt(sent)["contractAddress"])


def hand_over(rpc_url: str, wallet: str, owner: Wallet, heir: str) -> None:
    """Its owner, who gets coins for gas, makes `heir` the owner."""
    web3: Any = Web3(HTTPProvider(rpc_url))
    paid = web3.eth.send_transaction({"from": web3.eth.accounts[-1], "to": owner.text_address, "value": 10**17})
    web3.eth.wait_for_transaction_receipt(paid)
    call = web3.eth.contract(address=wallet, abi=artifact(TEST_WALLET).abi).functions.change_owner(heir)
    nonce = web3.eth.get_transaction_count(owner.text_address)
    signed = Account.sign_transaction(call.build_transaction({"from": owner.text_address, "nonce": nonce}), owner.key)
    web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed.raw_transaction))
