"""Measure what settlement costs, in whole, isolated transactions on a fresh local chain.

    python scripts/measure_gas.py [--json]

Shape B0: one taker's order sweeps 100 makers, one fresh order each; nothing has been seen before but balances, which
are not zero. The figure is the transaction's gas, calldata and the fixed 21,000 included, by the number of trades.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from eth_account import Account
from eth_typing import ChecksumAddress
from web3 import HTTPProvider, Web3

from bizzan.contracts import exported_abi
from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.ports import free_port
from exchange.chain.signing import Key
from exchange.domain.deployment import Deployment, checksum
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.order import SINGLE_FILL, Order, Side
from exchange.domain.settlement import Execution
from exchange.settings import Settings

MAKERS = 100
MARKET = 1
PRICE = 6_000_000  # USDC units per lot
BASE, QUOTE = 10**10, 10**11  # every balance before the batch
FEE = 1_200


@dataclass(frozen=True, slots=True)
class Chain:
    """A fresh chain with the contract on it."""

    web3: Web3
    deployment: Deployment
    settings: Settings

    def send(self, key: str, to: str, function: str, *arguments: object) -> int:
        """Send one call in a transaction of its own; returns its gas. Raises RuntimeError when it reverts."""
        name = "Custody" if to == self.deployment.custody else "TestToken"
        contract = self.web3.eth.contract(address=cast(ChecksumAddress, to), abi=exported_abi(name))
        account = Account.from_key(key)
        call: dict[str, Any] = {
            "chainId": self.deployment.chain_id,
            "nonce": self.web3.eth.get_transaction_count(account.address),
            "to": to,
            "data": contract.encode_abi(function, args=arguments),
            "gas": 16_777_216,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 0,
            "value": 0,
        }
        tx_hash = self.web3.eth.send_raw_transaction(account.sign_transaction(call).raw_transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=0.01)
        if not receipt["status"]:
            raise RuntimeError(f"{function} reverted")
        return receipt["gasUsed"]

    def fund(self, traders: list[Key]) -> None:
        """Give every trader trading balances of the market's two tokens."""
        key = self.settings.key("faucet")
        for asset, amount in ((2, BASE), (0, QUOTE)):
            token = self.deployment.token_of_asset(asset)
            self.send(key, token.address, "faucet", amount * token.unit * len(traders))
            self.send(key, token.address, "approve", self.deployment.custody, 2**256 - 1)
            for trader in traders:
                units = amount * token.unit
                self.send(
                    key, self.deployment.custody, "deposit", token.address, units, checksum(trader.address), False
                )

    def settle(self, seq: int, executions: list[Execution]) -> int:
        """Settle a batch; returns its gas."""
        heads = ((seq - 1).to_bytes(32), seq.to_bytes(32))
        words = [execution.words() for execution in executions]
        return self.send(self.settings.key("operator"), self.deployment.custody, "settle", seq, *heads, words)


def execution(domain: Domain, key: Key, side: Side, lots: int, nonce: int, expiry: int) -> Execution:
    """A signed order, filled whole at its price."""
    order = Order(key.address, MARKET, int(side), PRICE, lots, nonce, expiry, 0, 10, 0)
    return Execution(order, 0, key.sign(domain.order_hash(order)), lots, PRICE * lots, FEE * lots)


def measure_b0(chain: Chain) -> int:
    """Gas of shape B0 by trade."""
    traders = [Key(keccak(b"trader %d" % i)) for i in range(MAKERS + 1)]
    chain.fund([*traders, Key(chain.settings.key("fee_account"))])
    expiry = int(chain.web3.eth.get_block("latest")["timestamp"]) + 3_600
    domain = chain.deployment.domain
    taker = execution(domain, traders[0], Side.buy, MAKERS * 10, SINGLE_FILL | 1, expiry)
    makers = [execution(domain, key, Side.sell, 10, 1, expiry) for key in traders[1:]]
    return chain.settle(1, [taker, *makers]) // MAKERS


def on_fresh_chain(measure: Callable[[Chain], int]) -> int:
    """Run a measurement on a chain of its own."""
    with tempfile.TemporaryDirectory() as folder:
        node = Anvil(free_port(), log_file=Path(folder) / "anvil.log")
        node.start()
        try:
            node.wait_ready()
            settings = Settings()
            deployment = deploy(node.url, settings.key("owner"), config=default_config(settings))
            return measure(Chain(Web3(HTTPProvider(node.url)), deployment, settings))
        finally:
            node.kill()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what settlement costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    as_json = parser.parse_args().json
    began = time.monotonic()
    gas = on_fresh_chain(measure_b0)
    print(f"B0: {gas} gas per trade ({MAKERS} trades, {time.monotonic() - began:.0f} s)")
    if as_json:
        print(json.dumps({"B0": gas}))


if __name__ == "__main__":
    main()
