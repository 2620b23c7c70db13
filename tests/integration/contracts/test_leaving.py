"""Everybody can leave with a key, the contract's address and `cast` alone: the very commands of docs/leaving.md, run in
each situation, and every token unit counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError

from bizzan.contracts import exported_abi
from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from exchange.domain.deployment import ETH, Deployment, address_bytes, checksum
from exchange.domain.deposit_address import deposit_address
from exchange.domain.eip712 import keccak
from exchange.domain.order import Order, Side
from exchange.domain.settlement import Execution, pack
from exchange.settings import Settings
from tests.utils.documents import blocks, run_bash, tool_folder, with_settings

DOCUMENT = blocks("leaving.md")
SETTINGS = Settings()
USER, COUNTERPARTY = (Account.from_key(keccak(name)) for name in (b"leaver", b"counterparty"))
USDC, ETHER, BTC = 0, 1, 2
# What the document's reader has, in token units: asset, trading, funding.
HOLDINGS = ((USDC, 200 * 10**6, 50 * 10**6), (ETHER, 15 * 10**17, 5 * 10**17))
PRICE, LOTS, LOT_SIZE, FEE = 1_000_000, 3, 10_000, 30
PAUSE_SECONDS = 60

# What happens while the reader sleeps.
TIME_PASSES = "cast rpc evm_increaseTime $STEP > /dev/null; cast rpc evm_mine > /dev/null\n"
SETTLE = 'cast send "$CUSTODY" "$BATCH" --private-key "$OPERATOR" || true\n'
HEARTBEAT = 'cast send "$CUSTODY" "heartbeat()" --private-key "$OPERATOR"\n'
PAUSE = f'cast send "$CUSTODY" "pause(uint256)" {PAUSE_SECONDS} --private-key "$GUARDIAN" || true\n'


class Leaver:
    """The reader of the document, and everybody else on the chain."""

    def __init__(self, anvil: Anvil, deployment: Deployment, tools: Path) -> None:
        self.anvil, self.deployment, self.tools = anvil, deployment, tools
        self.web3 = Web3(HTTPProvider(anvil.url))
        self.custody = self.contract(deployment.custody, "Custody")

    def contract(self, address: str, abi: str) -> Any:
        """A contract by its committed ABI."""
        return self.web3.eth.contract(address=Web3.to_checksum_address(address), abi=exported_abi(abi))

    def send(self, account: Any, function: Any, value: int = 0) -> None:
        """Send a call; it must succeed."""
        nonce = self.web3.eth.get_transaction_count(account.address)
        call = function.build_transaction({"from": account.address, "nonce": nonce, "value": value})
        sent = self.web3.eth.send_raw_transaction(account.sign_transaction(call).raw_transaction)
        assert self.web3.eth.wait_for_transaction_receipt(sent)["status"] == 1

    def deposit(self, account: Any, asset: int, amount: int, to_funding: bool) -> None:
        """Bring in token units, made for it."""
        token = self.deployment.token_of_asset(asset)
        if token.address == ETH:
            self.send(account, self.custody.functions.deposit_eth(account.address, to_funding), amount)
            return
        held = self.contract(token.address, "TestToken").functions
        self.send(account, held.faucet(amount))
        self.send(account, held.approve(self.deployment.custody, amount))
        self.send(account, self.custody.functions.deposit(token.address, amount, account.address, to_funding))

    def prepare(self) -> None:
        """Give the user what the document speaks of, and the counterparty what it sells."""
        for account in (USER, COUNTERPARTY):
            self.anvil.rpc("anvil_setBalance", account.address, hex(10**20))
        for asset, trading, funding in HOLDINGS:
            self.deposit(USER, asset, trading, False)
            self.deposit(USER, asset, funding, True)
        self.deposit(COUNTERPARTY, BTC, LOTS * LOT_SIZE, False)

    def batch(self, seq: int, nonce: int) -> Any:
        """A batch that executes an order which the user signed: it buys `LOTS` lots."""
        executions = []
        expiry = self.web3.eth.get_block("latest")["timestamp"] + 3_600
        for account, side in ((USER, Side.buy), (COUNTERPARTY, Side.sell)):
            order = Order(address_bytes(account.address), 1, int(side), PRICE, LOTS, nonce, expiry, 0, 10, 0)
            signature = account.unsafe_sign_hash(self.deployment.domain.order_hash(order)).signature
            executions.append(Execution(order, 0, bytes(signature), LOTS, LOTS * PRICE, FEE))
        return self.custody.functions.settle(seq, bytes([seq - 1]) * 32, bytes([seq]) * 32, *pack(executions))

    def run(self, *names: str, others: str = "", step: int = 150, batch: str = "") -> str:
        """Run blocks of the document one after the other; while the reader sleeps, time passes and others act."""
        sleep = self.tools / "sleep"
        sleep.write_text("#!/usr/bin/env bash\nset -eu\nexec > /dev/null 2>&1\n" + TIME_PASSES + others)
        sleep.chmod(0o755)
        own = {"ETH_RPC_URL": self.anvil.url, "CUSTODY": self.deployment.custody, "KEY": USER.key.to_0x_hex()}
        own["FACTORY"] = self.deployment.deposit_addresses
        script = [with_settings(DOCUMENT["settings"], own), DOCUMENT["start"], *(DOCUMENT[name] for name in names)]
        roles = {"OPERATOR": SETTINGS.key("operator"), "GUARDIAN": SETTINGS.key("guardian")}
        environment = roles | {"STEP": str(step), "BATCH": batch}
        return run_bash("\n".join(script), path=[self.tools, tool_folder("cast")], environment=environment)

    def wallet(self, asset: int) -> int:
        """What the user holds outside, in token units."""
        token = self.deployment.token_of_asset(asset)
        if token.address == ETH:
            return int(self.web3.eth.get_balance(USER.address))
        return int(self.contract(token.address, "TestToken").functions.balanceOf(USER.address).call())

    def gas_paid(self, since: int) -> int:
        """Wei that the user paid for gas after block `since`."""
        paid = 0
        for number in range(since + 1, self.web3.eth.block_number + 1):
            for tx_hash in self.web3.eth.get_block(number)["transactions"]:
                receipt = self.web3.eth.get_transaction_receipt(tx_hash)  # type: ignore[arg-type]
                if receipt["from"] == USER.address:
                    paid += receipt["gasUsed"] * receipt["effectiveGasPrice"]
        return paid

    def events(self, name: str) -> list[Any]:
        """All events of one name, the oldest first."""
        return list(self.custody.events[name].get_logs(from_block=0))

    def times(self, name: str) -> list[int]:
        """When each event of one name was logged, in unix seconds."""
        return [self.web3.eth.get_block(event["blockNumber"])["timestamp"] for event in self.events(name)]

    def paused_at(self, time: int) -> bool:
        """Whether the contract was paused then."""
        ends = [event["args"]["until"] for event in self.events("Paused")]
        return any(until - PAUSE_SECONDS <= time < until for until in ends)


class Count:
    """Every token unit: what the user holds at the end is what it owned at the beginning, the gas aside."""

    def __init__(self, leaver: Leaver) -> None:
        self._leaver = leaver
        self._block = leaver.web3.eth.block_number
        self._owned = {asset: leaver.wallet(asset) + trading + funding for asset, trading, funding in HOLDINGS}
        self._owned[BTC] = leaver.wallet(BTC)

    def check(self, traded: dict[int, int] | None = None) -> None:
        """Everything came out, after trades that changed it by `traded`; nothing is left inside."""
        for asset, owned in self._owned.items():
            gas = self._leaver.gas_paid(self._block) if asset == ETHER else 0
            assert self._leaver.wallet(asset) == owned + (traded or {}).get(asset, 0) - gas
        inside = self._leaver.custody.functions
        for token in self._leaver.deployment.tokens:
            assert inside.trading_balance(USER.address, token.token_id).call() == 0
            assert inside.funding_balance(USER.address, token.token_id).call() == 0


@pytest.fixture(scope="module")
def deployment(anvil: Anvil) -> Deployment:
    """A deployment on the module's node."""
    return deploy(anvil.url, SETTINGS.key("owner"), config=default_config(SETTINGS))


@pytest.fixture
def leaver(anvil: Anvil, deployment: Deployment, tmp_path: Path) -> Iterator[Leaver]:
    """The reader of the document, who holds what it says; the chain goes back afterwards."""
    snapshot = anvil.rpc("evm_snapshot")
    made = Leaver(anvil, deployment, tmp_path)
    made.prepare()
    yield made
    assert anvil.rpc("evm_revert", snapshot)


def test_every_block_is_run_here() -> None:
    assert list(DOCUMENT) == [
        "settings", "start", "balances", "exit", "claim", "forced", "freeze", "refused", "recover",
    ]  # fmt: skip


def test_exit_while_the_operator_is_silent(leaver: Leaver) -> None:
    count = Count(leaver)
    printed = leaver.run("balances", "exit", "claim", "refused", "balances")
    count.check()
    first, second = printed.split("done: request_exit()")
    assert "unit 1 trading 200000000 funding 50000000" in first
    assert "unit 10000000000 trading 150000000 funding 50000000" in first
    assert second.count("trading 0 funding 0") == len(leaver.deployment.tokens)


def test_exit_while_the_operator_is_hostile(leaver: Leaver) -> None:
    """It settles what the user signed before, shows that it lives, and the guardian pauses as often as it may."""
    count = Count(leaver)
    batch, later = leaver.batch(1, nonce=1), leaver.batch(2, nonce=2)
    leaver.run("exit", others=SETTLE + HEARTBEAT + PAUSE, batch=batch._encode_transaction_data())
    assert len(leaver.events("OrderExecuted")) == 2
    assert len(leaver.events("Paused")) == 1
    assert len(leaver.events("OperatorSeen")) >= 4
    with pytest.raises(ContractLogicError, match="order: account exited"):
        later.call({"from": leaver.deployment.operator})
    leaver.run("claim")
    count.check(traded={USDC: -LOTS * PRICE - FEE, BTC: LOTS * LOT_SIZE})


def test_exit_while_the_contract_is_paused(leaver: Leaver) -> None:
    count = Count(leaver)
    pause(leaver)
    leaver.run("exit", "claim", others=PAUSE, step=1_300)
    count.check()
    assert all(map(leaver.paused_at, leaver.times("ExitRequested") + leaver.times("ExitClaimed")))


def test_forced_withdrawal_while_the_operator_is_silent(leaver: Leaver) -> None:
    count = Count(leaver)
    leaver.run("forced")
    count.check()


def test_forced_withdrawal_while_the_operator_is_hostile_and_the_contract_paused(leaver: Leaver) -> None:
    count = Count(leaver)
    pause(leaver)
    leaver.run("forced", others=HEARTBEAT + PAUSE, step=1_300)
    count.check()
    times = [leaver.times(name) for name in ("WithdrawalRequested", "FundingWithdrawn", "WithdrawalClaimed")]
    assert [len(found) for found in times] == [2, 2, 2]
    assert all(leaver.paused_at(time) for found in times for time in found)


def test_freeze_and_leave_at_once_after_a_long_silence(leaver: Leaver) -> None:
    count = Count(leaver)
    leaver.run("freeze", "claim", step=6 * 3_600)
    count.check()
    assert not leaver.events("ExitRequested")
    assert leaver.custody.functions.frozen().call()


def test_money_at_the_deposit_address_comes_back_while_the_contract_is_paused(leaver: Leaver) -> None:
    address = checksum(deposit_address(address_bytes(leaver.deployment.deposit_addresses), address_bytes(USER.address)))
    usdc = leaver.contract(leaver.deployment.token(USDC).address, "TestToken").functions
    leaver.send(COUNTERPARTY, usdc.faucet(7_000_000))
    leaver.send(COUNTERPARTY, usdc.transfer(address, 7_000_000))
    leaver.anvil.rpc("anvil_setBalance", address, hex(3 * 10**17 + 1))
    pause(leaver)
    before, block = [leaver.wallet(asset) for asset in (USDC, ETHER)], leaver.web3.eth.block_number
    assert leaver.run("recover").count("done: ") == 2
    assert leaver.wallet(USDC) == before[0] + 7_000_000
    assert leaver.wallet(ETHER) == before[1] + 3 * 10**17 + 1 - leaver.gas_paid(block)


def pause(leaver: Leaver) -> None:
    """The guardian pauses now."""
    guardian = Account.from_key(SETTINGS.key("guardian"))
    leaver.send(guardian, leaver.custody.functions.pause(PAUSE_SECONDS))
