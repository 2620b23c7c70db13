"""Deployment of the contracts: test tokens where wanted, custody, deposit addresses, the bond, lists, launch.

All transactions go out at once with consecutive nonces, because every address follows from the deployer and its nonce;
so a deployment takes a few blocks. The deployer is the contract's owner while it configures; when the configuration
names another owner, that one is proposed and must call `accept_owner`.

    DeployError   a transaction failed, or the configuration cannot be deployed; the message says which and why
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_account import Account
from eth_typing import ChecksumAddress
from web3 import HTTPProvider, Web3
from web3.types import TxReceipt

from bizzan.contracts import ROOT, Artifact, artifact
from exchange.domain.deployment import ETH, Deployment, Windows, address_bytes, checksum
from exchange.domain.deposit_address import created_address
from exchange.domain.fees import PPM_PER_BPS
from exchange.domain.instrument import Asset, Market, Token
from exchange.settings import LOCAL_CHAIN_ID, KeyName, Settings

# Upper bounds in gas; what is not used is not paid.
CREATE_GAS = 8_000_000
CALL_GAS = 400_000
TIMEOUT_SECONDS = 300
BOND_DELAY = 14 * 86_400
LOCAL_BOND_WEI = 10**19


class DeployError(Exception):
    """The deployment stopped; nothing holds money before the last step."""


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """A token to list: an asset with its ledger decimals, and the token's own.

    `address` None deploys a test token that anyone can mint; the zero address is ETH. Above `outflow_limit`, in whole
    tokens a day, withdrawals need approvals; 0 is no limit.
    """

    symbol: str
    asset_decimals: int
    decimals: int
    address: str | None = None
    outflow_limit: int = 0

    @property
    def unit(self) -> int:
        """Token units in one ledger unit."""
        return int(10 ** (self.decimals - self.asset_decimals))


@dataclass(frozen=True, slots=True)
class DeployConfig:
    """What to deploy. Roles are addresses; `markets` name assets by their place in `tokens`.

    `fee_cap_bps`: the most that a fee can ever be of an execution's quote. With a `receipt_signer`, `bond_wei` of the
    deployer stand behind what that key signs; the operator takes them back `bond_delay` seconds after it retired them.
    """

    domain_name: str
    owner: str
    operator: str
    standby_operator: str
    co_signer: str
    guardian: str
    fee_account: str
    windows: Windows
    fee_cap_bps: int
    tokens: tuple[TokenConfig, ...]
    markets: tuple[Market, ...]
    approvers: tuple[str, ...] = ()
    approval_threshold: int = 0
    receipt_signer: str | None = None
    bond_wei: int = 0
    bond_delay: int = BOND_DELAY


LOCAL_WINDOWS = Windows(delay=600, grace=600, claim_window=3_600, timelock=7_200, pause_max=60, silence=48 * 3_600)
LOCAL_FEE_CAP_BPS = 100
LOCAL_TOKENS = (
    TokenConfig("USDC", 6, 6, outflow_limit=500_000),
    TokenConfig("ETH", 8, 18, ETH, outflow_limit=2_500),
    TokenConfig("BTC", 8, 8, outflow_limit=50),
    TokenConfig("BTI", 8, 18, outflow_limit=5_000_000),
)


def _market(
    market_id: int, symbol: str, base: int, quote: int, lot: int, tick: int, least: int, reference: int
) -> Market:
    return Market(market_id, symbol, base, quote, lot, tick, least, 2_000, 200, 500, reference)


# Opened at 10,000 USDC per BTC and 0.02 BTC per ETH: a day in the price series that the demo replays.
LOCAL_MARKETS = (
    _market(1, "BTC/USDC", 2, 0, 10_000, 10, 1_000_000, 1_000_000),
    _market(2, "ETH/USDC", 1, 0, 100_000, 10, 1_000_000, 200_000),
    _market(3, "ETH/BTC", 1, 2, 100_000, 1, 1_000, 2_000),
)


def default_config(settings: Settings) -> DeployConfig:
    """The markets and windows of the local chain, with the roles whose keys `settings` names."""
    owner, operator, standby, co_signer, guardian, fee_account = (
        Account.from_key(settings.key(name)).address
        for name in ("owner", "operator", "standby_operator", "co_signer", "guardian", "fee_account")
    )
    return DeployConfig(
        domain_name="Bizzan",
        owner=owner,
        operator=operator,
        standby_operator=standby,
        co_signer=co_signer,
        guardian=guardian,
        fee_account=fee_account,
        windows=LOCAL_WINDOWS,
        fee_cap_bps=LOCAL_FEE_CAP_BPS,
        tokens=LOCAL_TOKENS,
        markets=LOCAL_MARKETS,
        approvers=_local_approvers(settings),
        approval_threshold=2 if settings.is_local_chain else 0,
        receipt_signer=Account.from_key(settings.key("receipt_signer")).address,
        bond_wei=LOCAL_BOND_WEI if settings.is_local_chain else 0,
    )


def _local_approvers(settings: Settings) -> tuple[str, ...]:
    """Three keys on the local chain; elsewhere the owner appoints them."""
    names: tuple[KeyName, ...] = ("approver_1", "approver_2", "approver_3") if settings.is_local_chain else ()
    return tuple(Account.from_key(settings.key(name)).address for name in names)


def deploy(rpc_url: str, deployer_key: str, *, config: DeployConfig) -> Deployment:
    """Deploy everything in `config` to the chain at `rpc_url` and launch it. Raises DeployError.

    Test tokens are refused outside the local chain. The deployer pays; it must hold ETH.
    """
    sender = _Sender(rpc_url, deployer_key)
    _check_config(config, sender.chain_id)
    tokens = _deploy_tokens(sender, config.tokens)
    custody = _deploy_custody(sender, config)
    code = bytes.fromhex(artifact("DepositAddress").bytecode.removeprefix("0x"))
    deposit_addresses = sender.create(artifact("DepositAddresses"), custody, code)
    bond = _deploy_bond(sender, config)
    _configure(sender, custody, tokens, config)
    receipt = sender.wait(custody)
    return Deployment(
        chain_id=sender.chain_id,
        custody=custody,
        deposit_addresses=deposit_addresses,
        block_number=receipt["blockNumber"],
        block_hash="0x" + bytes(receipt["blockHash"]).hex(),
        commit=_commit(),
        domain_name=config.domain_name,
        windows=config.windows,
        fee_cap_bps=config.fee_cap_bps,
        fee_account=config.fee_account,
        operator=config.operator,
        co_signer=config.co_signer,
        assets=tuple(Asset(i, token.symbol, token.asset_decimals) for i, token in enumerate(config.tokens)),
        tokens=tokens,
        markets=config.markets,
        operator_bond=bond,
        receipt_signer=config.receipt_signer or ETH,
    )


class _Sender:
    """Sends transactions with consecutive nonces, and waits for all of them at the end."""

    def __init__(self, rpc_url: str, key: str) -> None:
        self._web3 = Web3(HTTPProvider(rpc_url))
        self._account = Account.from_key(key)
        self.chain_id = self._web3.eth.chain_id
        self.address: str = self._account.address
        self._nonce = int(self._web3.eth.get_transaction_count(self._account.address))
        self._sent: list[tuple[str, bytes]] = []
        self._created: dict[str, TxReceipt] = {}
        tip = self._web3.eth.max_priority_fee
        base_fee = self._web3.eth.get_block("latest")["baseFeePerGas"]
        self._fees = {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base_fee + tip}

    def create(self, compiled: Artifact, *arguments: object, value: int = 0) -> str:
        """Create a contract, which gets `value` wei; its address is known before it is mined."""
        address = checksum(created_address(address_bytes(self.address), self._nonce))
        data = self._web3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode).constructor(*arguments)
        parts = {"data": data.data_in_transaction, "gas": CREATE_GAS, "to": b"", "value": value}
        self._send(f"create {compiled.name}", parts)
        return address

    def call(self, contract: str, compiled: Artifact, function: str, *arguments: object) -> None:
        """Call a function of a contract that may not be mined yet."""
        target = self._web3.eth.contract(abi=compiled.abi, address=cast(ChecksumAddress, contract))
        data = target.encode_abi(function, args=arguments)
        self._send(function, {"data": data, "gas": CALL_GAS, "to": cast(ChecksumAddress, contract)})

    def wait(self, created: str) -> TxReceipt:
        """Wait for everything sent, and return the receipt of the contract `created`. Raises DeployError."""
        for step, tx_hash in self._sent:
            receipt = self._web3.eth.wait_for_transaction_receipt(cast(Any, tx_hash), timeout=TIMEOUT_SECONDS)
            if not receipt["status"]:
                raise DeployError(f"{step} reverted in transaction 0x{tx_hash.hex()}: deploy again after the cause")
            address = receipt.get("contractAddress")
            if address:
                self._created[str(address)] = receipt
        return self._created[created]

    def _send(self, step: str, parts: dict[str, Any]) -> None:
        transaction = {"chainId": self.chain_id, "nonce": self._nonce, "value": 0, "type": 2, **self._fees, **parts}
        signed = self._account.sign_transaction(transaction)
        self._sent.append((step, bytes(self._web3.eth.send_raw_transaction(signed.raw_transaction))))
        self._nonce += 1


def _check_config(config: DeployConfig, chain_id: int) -> None:
    for index, token in enumerate(config.tokens):
        if token.address is None and chain_id != LOCAL_CHAIN_ID:
            raise DeployError(f"tokens[{index}].address is missing: chain {chain_id} gets no test token {token.symbol}")
        if token.decimals < token.asset_decimals:
            raise DeployError(f"tokens[{index}].decimals must be at least asset_decimals ({token.asset_decimals})")
    for index, market in enumerate(config.markets):
        if market.market_id != index + 1:
            raise DeployError(f"markets[{index}].market_id must be {index + 1}: the contract counts from 1")
        if max(market.base_asset, market.quote_asset) >= len(config.tokens):
            raise DeployError(f"markets[{index}] names an asset that is not in tokens")
        if max(market.maker_fee_ppm, market.taker_fee_ppm) > config.fee_cap_bps * PPM_PER_BPS:
            raise DeployError(f"markets[{index}] takes more than fee_cap_bps, {config.fee_cap_bps}")


def _deploy_tokens(sender: _Sender, configs: Sequence[TokenConfig]) -> tuple[Token, ...]:
    tokens: list[Token] = []
    for index, token in enumerate(configs):
        address = token.address
        if address is None:
            test_token = artifact("test_tokens/TestToken")
            address = sender.create(test_token, f"Test {token.symbol}", token.symbol, token.decimals)
        tokens.append(Token(sender.chain_id, index, address, index, token.decimals, token.unit))
    return tuple(tokens)


def _deploy_custody(sender: _Sender, config: DeployConfig) -> str:
    roles = (
        sender.address,
        config.operator,
        config.standby_operator,
        config.co_signer,
        config.guardian,
        config.fee_account,
    )
    w = config.windows
    windows = (w.delay, w.grace, w.claim_window, w.timelock, w.pause_max, w.silence)
    common = (config.domain_name, roles, windows, config.fee_cap_bps)
    governance = sender.create(artifact("CustodyGovernance"), *common)
    extension = sender.create(artifact("CustodyExtension"), *common, governance)
    return sender.create(artifact("Custody"), *common, extension)


def _deploy_bond(sender: _Sender, config: DeployConfig) -> str:
    """The bond behind the receipts; without a key for them there is none."""
    if config.receipt_signer is None:
        return ETH
    arguments = (config.domain_name, config.receipt_signer, config.operator, config.bond_delay)
    return sender.create(artifact("OperatorBond"), *arguments, value=config.bond_wei)


def _configure(sender: _Sender, custody: str, tokens: Sequence[Token], config: DeployConfig) -> None:
    governance = artifact("CustodyGovernance")
    for token in tokens:
        sender.call(custody, governance, "list_token", token.address, token.unit, token.decimals)
    for market in config.markets:
        sender.call(custody, governance, "list_market", market.base_asset, market.quote_asset, market.lot_size)
    for approver in config.approvers:
        sender.call(custody, governance, "set_approver", approver, True)
    if config.approval_threshold:
        sender.call(custody, governance, "set_approval_threshold", config.approval_threshold)
        for token, its in zip(tokens, config.tokens, strict=True):
            limit = its.outflow_limit * 10**its.asset_decimals
            sender.call(custody, governance, "set_outflow_limit", token.token_id, limit)
    if config.owner != sender.address:
        sender.call(custody, governance, "propose_owner", config.owner)
    sender.call(custody, artifact("CustodyExtension"), "launch")


def _commit() -> str:
    """The commit of the sources, or `unknown` outside a clone."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
