"""What settlement and custody cost in gas, by whole transactions on a fresh local chain.

    b0   one taker's order sweeps 100 makers, one fresh order each; nothing has been seen before but balances
    c    50 single-fill takers of two fills each against 25 makers with 4 fresh orders each; all have traded before
    d    10 takers with 10 orders each against 10 makers with 10 orders each, one fill per pair; all have traded before

A figure is the gas of the transaction, calldata and the fixed 21,000 included, by the number of its trades. Every
transaction has a block of its own, so nothing is warm; every balance is above zero; all events are on. Takers' orders
are single-fill, makers' orders have counters, four nonces to a slot and in sequence; d takes the mean of two batches,
because ten nonces fill two and a half slots. The others are what one user pays: a second deposit of an ERC-20 token, a
withdrawal that the co-signer approved, a forced withdrawal (request and claim) and an exit from one token (request and
claim); or what it costs to sweep a plain transfer of that token, with the deposit address to deploy and without.
`max_trades_per_batch` is the longest sweep of shape b0 that one transaction carries under EIP-7825.

Keys, times and addresses are fixed, so two runs give the same figures. Run: `bizzan bench settlement --json` or
`python -m benchmarks.settlement`.
"""

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from eth_account import Account
from eth_typing import ChecksumAddress
from web3 import Web3

from bizzan.contracts import exported_abi
from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.errors import StartError
from bizzan.supervisor.ports import free_port
from exchange.chain.signing import Key
from exchange.domain.deployment import Deployment, address_bytes, checksum
from exchange.domain.deposit_address import deposit_address
from exchange.domain.eip712 import Value, keccak
from exchange.domain.order import SINGLE_FILL, Order, Side
from exchange.domain.settlement import Execution, pack
from exchange.settings import Settings

TRANSACTION_CAP = 16_777_216
"""EIP-7825: the most gas of one transaction. anvil does not enforce it, so every transaction here is limited to it."""

NOW = 2_000_000_000
"""The chain's time, in unix seconds, when the measurements begin."""

TRADES = 100
MARKET = 1
USDC, BTC = 0, 2
PRICE = 6_000_000  # USDC units per lot
LOTS = 10  # of one trade
MAKER_FEE, TAKER_FEE = 1_200, 3_000  # USDC units per lot: 2 and 5 basis points
BALANCES = {BTC: 10**10, USDC: 10**11}  # ledger units of every trader before its first batch
SUPPLY = 10**15  # token units in the faucet's wallet
WEI = hex(10**20)


class Chain:
    """A fresh chain with the contract on it, on which nobody needs to sign transactions."""

    def __init__(self, node: Anvil, deployment: Deployment, settings: Settings) -> None:
        self._node = node
        self._custody = deployment.custody
        self._factory = deployment.deposit_addresses
        self._faucet = Account.from_key(settings.key("faucet")).address
        self._operator = Account.from_key(settings.key("operator")).address
        self._co_signer = Key(bytes.fromhex(settings.key("co_signer").removeprefix("0x")))
        self._contracts = {
            name: Web3().eth.contract(abi=exported_abi(name), address=cast(ChecksumAddress, deployment.custody))
            for name in ("Custody", "DepositAddresses", "TestToken")
        }
        self.domain = deployment.domain
        self.tokens = {asset: deployment.token_of_asset(asset) for asset in BALANCES}
        self._seq = 0
        node.rpc("anvil_autoImpersonateAccount", True)
        for token in self.tokens.values():
            self._send(self._faucet, token.address, "approve", self._custody, 2**256 - 1, abi="TestToken")
            self._send(self._faucet, token.address, "faucet", SUPPLY, abi="TestToken")
        node.rpc("evm_setNextBlockTimestamp", NOW)
        self._fund(address_bytes(deployment.fee_account))

    def traders(self, group: str, count: int) -> list[Key]:
        """New traders with balances. Groups of different names share nobody."""
        keys = [Key(keccak(f"{group} {i}".encode())) for i in range(count)]
        for key in keys:
            self._fund(key.address)
        return keys

    def deposit(self, account: bytes, asset: int) -> int:
        """Deposit for an account from the faucet's wallet; returns the gas."""
        token = self.tokens[asset]
        amount = BALANCES[asset] * token.unit
        return self._send(self._faucet, self._custody, "deposit", token.address, amount, checksum(account), False)

    def sweep(self, account: bytes, asset: int) -> int:
        """Sweep what a plain transfer brought to an account's deposit address; returns the gas of the sweep."""
        token, address = self.tokens[asset], deposit_address(address_bytes(self._factory), account)
        self._send(self._faucet, token.address, "transfer", checksum(address), BALANCES[asset], abi="TestToken")
        words = (checksum(account), token.token_id)
        return self._send(self._faucet, self._factory, "sweep", *words, abi="DepositAddresses")

    def settle(self, executions: Sequence[Execution]) -> int:
        """Settle a batch; returns its gas."""
        gas = self._send(self._operator, self._custody, "settle", *self._batch(executions))
        self._seq += 1
        return gas

    def fits(self, executions: Sequence[Execution]) -> bool:
        """Whether a transaction under the cap could settle this batch now."""
        call = self._call(self._operator, self._custody, "settle", *self._batch(executions))
        try:
            self._node.rpc("eth_call", call, "latest")
        except StartError as error:
            if "OutOfGas" not in str(error):
                raise
            return False
        return True

    def call(self, account: Key, function: str, *arguments: object) -> int:
        """A user calls the custody contract; returns the gas."""
        return self._send(checksum(account.address), self._custody, function, *arguments)

    def approve(self, withdrawal: bytes, fee: int) -> bytes:
        """The co-signer's approval of a withdrawal's digest, in token units."""
        return self._co_signer.sign(self.domain.hash("Approval", {"withdrawal": withdrawal, "fee": fee}))

    def pass_time(self, seconds: int) -> None:
        """Let time pass."""
        self._node.rpc("evm_increaseTime", seconds)

    def _fund(self, account: bytes) -> None:
        self._node.rpc("anvil_setBalance", checksum(account), WEI)
        for asset in BALANCES:
            self.deposit(account, asset)

    def _batch(self, executions: Sequence[Execution]) -> tuple[object, ...]:
        heads = [keccak(seq.to_bytes(32)) if seq else bytes(32) for seq in (self._seq, self._seq + 1)]
        return (self._seq + 1, *heads, *pack(executions))

    def _call(self, sender: str, to: str, function: str, *arguments: object, abi: str = "Custody") -> dict[str, str]:
        data = self._contracts[abi].encode_abi(function, args=arguments)
        return {"from": sender, "to": to, "data": data, "gas": hex(TRANSACTION_CAP)}

    def _send(self, sender: str, to: str, function: str, *arguments: object, abi: str = "Custody") -> int:
        sent = self._node.rpc("eth_sendTransaction", self._call(sender, to, function, *arguments, abi=abi))
        receipt: dict[str, str] | None = None
        while receipt is None:
            receipt = self._node.rpc("eth_getTransactionReceipt", sent)
        if int(receipt["status"], 16) != 1:
            raise RuntimeError(f"{function} failed in transaction {sent}")
        return int(receipt["gasUsed"], 16)


def execution(chain: Chain, key: Key, side: Side, nonce: int, trades: int = 1) -> Execution:
    """A signed order that `trades` trades fill whole, at its price."""
    lots = trades * LOTS
    fee = (TAKER_FEE if nonce & SINGLE_FILL else MAKER_FEE) * lots
    order = Order(key.address, MARKET, int(side), PRICE, lots, nonce, NOW + 86_400, 0, 10, 0)
    return Execution(order, 0, key.sign(chain.domain.order_hash(order)), lots, PRICE * lots, fee)


def sweep(chain: Chain, taker: Key, makers: Sequence[Key]) -> list[Execution]:
    """A batch of shape b0: the taker buys from every maker."""
    bought = execution(chain, taker, Side.buy, SINGLE_FILL | 1, len(makers))
    return [bought, *(execution(chain, maker, Side.sell, 1) for maker in makers)]


def rounds(
    chain: Chain, takers: Sequence[Key], makers: Sequence[Key], orders: tuple[int, int], fills: int
) -> Iterator[int]:
    """Gas of batches without end, between the same traders with the next nonces: each taker has `orders[0]` orders of
    `fills` trades, each maker `orders[1]` orders of one. The first is the one in which all trade before."""
    for batch in itertools.count():
        first, second = (range(batch * count, (batch + 1) * count) for count in orders)
        bought = [execution(chain, key, Side.buy, SINGLE_FILL | n, fills) for key in takers for n in first]
        yield chain.settle(bought + [execution(chain, key, Side.sell, n) for key in makers for n in second])


def measure_trades(chain: Chain) -> dict[str, int]:
    """Gas per trade of each shape."""
    taker, *makers = chain.traders("b0", 1 + TRADES)
    b0 = chain.settle(sweep(chain, taker, makers))
    traders = chain.traders("c", 75)
    c = list(itertools.islice(rounds(chain, traders[:50], traders[50:], (1, 4), 2), 2))
    traders = chain.traders("d", 20)
    d = list(itertools.islice(rounds(chain, traders[:10], traders[10:], (10, 10), 1), 3))
    return {"b0": b0 // TRADES, "c": c[1] // TRADES, "d": sum(d[1:]) // (2 * TRADES)}


def measure_custody(chain: Chain, windows: Any) -> dict[str, int]:
    """Gas of what a user does, the transactions of one way out added up."""
    user, leaver = chain.traders("user", 2)
    token = chain.tokens[USDC].address
    deposit = chain.deposit(user.address, USDC)
    fast = withdraw_fast(chain, user, token)
    request = chain.call(user, "request_withdraw", token, BALANCES[USDC] // 2, checksum(user.address))
    leave = chain.call(leaver, "request_exit")
    chain.pass_time(windows.delay)
    claim = chain.call(user, "claim_withdraw", checksum(user.address), token)
    leave += chain.call(leaver, "claim_exit", checksum(leaver.address), token)
    return {
        "deposit_erc20": deposit,
        "sweep_first": chain.sweep(user.address, USDC),
        "sweep_again": chain.sweep(user.address, USDC),
        "withdraw_fast": fast,
        "withdraw_forced": request + claim,
        "exit": leave,
    }


def withdraw_fast(chain: Chain, user: Key, token: str) -> int:
    """Gas of an approved withdrawal to a wallet that holds nothing, submitted by its owner without a fee."""
    message: dict[str, Value] = {
        "account": user.address,
        "token": address_bytes(token),
        "amount": BALANCES[USDC] // 2,
        "recipient": user.address,
        "max_fee": 0,
        "nonce": 1,
        "deadline": NOW + 86_400,
    }
    digest = chain.domain.hash("Withdrawal", message)
    words = [checksum(word) if isinstance(word, bytes) else word for word in message.values()]
    return chain.call(user, "withdraw", *words, user.sign(digest), 0, chain.approve(digest, 0))


def longest_sweep(chain: Chain, gas_per_trade: int) -> int:
    """The most makers that one taker sweeps in one transaction, tried around an estimate."""
    taker, *makers = chain.traders("sweep", 1 + TRANSACTION_CAP // gas_per_trade + 10)
    count = len(makers) - 5
    while count < len(makers) and chain.fits(sweep(chain, taker, makers[: count + 1])):
        count += 1
    while not chain.fits(sweep(chain, taker, makers[:count])):
        count -= 1
    chain.settle(sweep(chain, taker, makers[:count]))
    return count


def run(as_json: bool = False) -> dict[str, int]:
    """All figures, in gas, on a chain of their own."""
    with tempfile.TemporaryDirectory(prefix="bizzan-bench-") as folder:
        node = Anvil(free_port(), log_file=Path(folder) / "anvil.log")
        node.start()
        try:
            node.wait_ready()
            settings = Settings()
            deployment = deploy(node.url, settings.key("owner"), config=default_config(settings))
            chain = Chain(node, deployment, settings)
            figures = measure_trades(chain) | measure_custody(chain, deployment.windows)
            return figures | {"max_trades_per_batch": longest_sweep(chain, figures["b0"])}
        finally:
            node.kill()


def main() -> None:
    """Print the figures; with `--json` one object as the last line."""
    parser = argparse.ArgumentParser(description="What settlement and custody cost in gas.")
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    figures = run(as_json)
    print(json.dumps(figures) if as_json else "\n".join(f"{name}: {gas:,}" for name, gas in figures.items()))


if __name__ == "__main__":
    main()
