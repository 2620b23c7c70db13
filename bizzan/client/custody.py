"""The custody contract and its tokens, as a user calls them.

Amounts are token units, as in the wallet of the user; `to_token_units` makes them from ledger units. Each method
that sends a transaction waits until it is mined and returns its `Receipt`, or raises TransactionFailed with the
contract's reason. Transactions of one `CustodyClient` are sent one after another, so that their nonces are in order.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_typing import ChecksumAddress, HexStr
from eth_utils.abi import function_signature_to_4byte_selector
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception, Web3RPCError
from web3.types import TxParams, TxReceipt, Wei

from bizzan.client.errors import TransactionFailed, Unreachable, WrongAddress
from bizzan.client.freeze import CALL as FREEZE_CALL
from bizzan.client.freeze import SignedFreeze
from bizzan.client.wallet import Owner, Wallet
from exchange.domain.contract_refusals import reason_of
from exchange.domain.deployment import ETH, address_bytes, checksum
from exchange.domain.deposit_address import deposit_address, implementation_address, known_code
from exchange.domain.eip712 import VERSION, Domain
from exchange.domain.instrument import Token

ALL_MARKETS = 2**256 - 1
MAX_APPROVAL = 2**256 - 1
GAS_MARGIN_PERCENT = 25
POLL_SECONDS = 0.1
NONCE_TRIES = 40
NONCE_TAKEN = ("nonce too low", "replacement transaction underpriced", "already known", "already imported")
"""What a node says when another transaction of the sender, perhaps of equal content, has the nonce."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction."""

    tx_hash: str
    block_number: int
    gas_used: int


def to_token_units(amount: int, token: Token) -> int:
    """Ledger units of an asset as units of the token that carries it."""
    return amount * token.unit


class CustodyClient:
    """One wallet's access to a custody contract over JSON-RPC. Use it as an async context manager."""

    def __init__(
        self,
        rpc_url: str,
        custody: str,
        wallet: Wallet,
        *,
        timeout_seconds: float = 120,
        max_fee_per_gas: int | None = None,
    ) -> None:
        """`max_fee_per_gas` (wei) is what each transaction offers; without it, twice the block's base fee and a tip."""
        self.wallet = wallet
        self._max_fee_per_gas = max_fee_per_gas
        self.custody = checksum(address_bytes(custody))
        self._provider = AsyncHTTPProvider(rpc_url)
        self._web3: AsyncWeb3[AsyncHTTPProvider] = AsyncWeb3(self._provider)
        self._timeout_seconds = timeout_seconds
        self._sending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.disconnect()

    # deposits and withdrawals

    async def approve(self, token: str, amount: int = MAX_APPROVAL) -> Receipt:
        """Let the contract take up to `amount` of a token from this wallet."""
        return await self.send(token, "approve(address,uint256)", self.custody, amount)

    async def deposit(
        self, token: str, amount: int, *, account: str | None = None, to_funding: bool = False
    ) -> Receipt:
        """Deposit an approved token for `account` (this wallet) into its trading or funding balance."""
        return await self._call("deposit(address,uint256,address,bool)", token, amount, self._me(account), to_funding)

    async def deposit_eth(self, amount: int, *, account: str | None = None, to_funding: bool = False) -> Receipt:
        """Deposit `amount` wei."""
        return await self.send(self.custody, "deposit_eth(address,bool)", self._me(account), to_funding, value=amount)

    async def deposit_token(self, token: Token, amount: int, *, account: str | None = None) -> Receipt:
        """Deposit `amount` *ledger units* of a token, or ETH, into a trading balance (this wallet's); approves when
        needed."""
        units = to_token_units(amount, token)
        if token.address == ETH:
            return await self.deposit_eth(units, account=account)
        if await self.allowance(token.address) < units:
            await self.approve(token.address)
        return await self.deposit(token.address, units, account=account)

    async def deposit_with_permit(
        self, token: str, amount: int, *, account: str | None = None, to_funding: bool = False, seconds: int = 600
    ) -> Receipt:
        """Deposit `amount` token units in one transaction, by a permit (EIP-2612) for exactly them, good for `seconds`.

        Raises TransactionFailed, before anything is signed, for a token whose permits are not under EIP-2612's domain.
        """
        domain = await self._permit_domain(token)
        deadline = await self.chain_time() + seconds
        values: dict[str, int | bytes] = {
            "owner": self.wallet.address,
            "spender": address_bytes(self.custody),
            "value": amount,
            "nonce": await self._number("nonces(address)", self.wallet.text_address, contract=token),
            "deadline": deadline,
        }
        signed = self.wallet.sign(domain, "Permit", values)
        words = (token, amount, self._me(account), to_funding, deadline, signed[64], signed[:32], signed[32:64])
        return await self._call(
            "deposit_with_permit(address,uint256,address,bool,uint256,uint256,bytes32,bytes32)", *words
        )

    async def transfer(self, token: str, recipient: str, amount: int) -> Receipt:
        """A plain transfer of token units, or wei, out of this wallet; to a deposit address it becomes a deposit."""
        if token == ETH:
            return await self.transact(recipient, value=amount)
        return await self.send(token, "transfer(address,uint256)", recipient, amount)

    async def deposit_address(self, factory: str, account: str | None = None) -> str:
        """Where plain transfers for an account (this wallet's) go, worked out here: the exchange is not asked.

        Raises WrongAddress unless the node has the known code at `factory` and behind it, for this custody contract.
        """
        maker, owner = address_bytes(factory), address_bytes(self._me(account))
        codes = [await self._code(checksum(place)) for place in (maker, implementation_address(maker))]
        if not known_code(address_bytes(self.custody), maker, *codes):
            raise WrongAddress(
                f"the code at {checksum(maker)}, or behind it, is not known as that of the deposit addresses of "
                f"{self.custody}: send nothing to addresses of it"
            )
        return checksum(deposit_address(maker, owner))

    async def sweep(self, factory: str, token_id: int, account: str | None = None) -> Receipt:
        """Deposit what lies at an account's deposit address (this wallet's), without waiting for the exchange."""
        return await self.send(factory, "sweep(address,uint256)", self._me(account), token_id)

    async def recover(self, factory: str, token: str, recipient: str | None = None) -> Receipt:
        """Take what lies at this wallet's deposit address back out: any token, also while deposits are closed."""
        return await self.send(factory, "recover(address,address)", token, self._me(recipient))

    async def move_to_trading(self, token: str, amount: int) -> Receipt:
        """Funding to trading, at once."""
        return await self._call("move_to_trading(address,uint256)", token, amount)

    async def withdraw_funding(self, token: str, amount: int, recipient: str | None = None) -> Receipt:
        """Out of the funding balance, at once."""
        return await self._call("withdraw_funding(address,uint256,address)", token, amount, self._me(recipient))

    async def request_withdraw(self, token: str, amount: int, recipient: str | None = None) -> Receipt:
        """Ask for a withdrawal that needs nobody's signature; claimable after the contract's delay."""
        return await self._call("request_withdraw(address,uint256,address)", token, amount, self._me(recipient))

    async def cancel_withdraw_request(self, token: str) -> Receipt:
        """Take the request back."""
        return await self._call("cancel_withdraw_request(address)", token)

    async def claim_withdraw(self, token: str, account: str | None = None) -> Receipt:
        """Pay a request out, inside its claim window; anyone may, but only the account when its balance is less."""
        return await self._call("claim_withdraw(address,address)", self._me(account), token)

    async def freeze_account(self) -> Receipt:
        """Stop this account: fast withdrawals, funding and new delegates at once, settlement after the delay."""
        return await self._call("freeze_account()")

    async def freeze_account_signed(self, freeze: SignedFreeze) -> Receipt:
        """Stop the account that signed this; this wallet pays the gas. ValueError for a freeze of another contract."""
        if freeze.contract != self.custody:
            raise ValueError(f"this freeze is for {freeze.contract}, not for {self.custody}")
        return await self._call(FREEZE_CALL, freeze.account, freeze.nonce, freeze.signature_bytes)

    async def unfreeze_account(self) -> Receipt:
        """Let the account go on after the delay, unless it is frozen again before."""
        return await self._call("unfreeze_account()")

    async def set_allow_list(self, enabled: bool) -> Receipt:
        """Pay only the account itself and allowed recipients: on at once, off after the delay."""
        return await self._call("set_allow_list(bool)", enabled)

    async def allow_recipient(self, recipient: str) -> Receipt:
        """Put a recipient on the allow-list, after the delay."""
        return await self._call("allow_recipient(address)", recipient)

    async def disallow_recipient(self, recipient: str) -> Receipt:
        """Take a recipient off the allow-list, at once."""
        return await self._call("disallow_recipient(address)", recipient)

    async def request_exit(self) -> Receipt:
        """Stop settlement for this account after the delay; everything can be claimed then."""
        return await self._call("request_exit()")

    async def cancel_exit(self) -> Receipt:
        """Take the exit back before it takes effect."""
        return await self._call("cancel_exit()")

    async def claim_exit(self, token: str, account: str | None = None) -> Receipt:
        """Pay the trading and funding balance of a token to the account, after its exit took effect."""
        return await self._call("claim_exit(address,address)", self._me(account), token)

    async def claim_eth(self, recipient: str | None = None) -> Receipt:
        """Fetch ETH that this address once refused to receive."""
        return await self._call("claim_eth(address)", self._me(recipient))

    # cancels and delegates

    async def cancel(self, nonce: int) -> Receipt:
        """Cancel the order on `nonce` on chain; binds settlement after the delay, the engine at once."""
        return await self._call("cancel(address,uint256,bytes)", self.wallet.text_address, nonce, b"")

    async def cancel_all(self, min_nonce: int) -> Receipt:
        """Cancel all orders below `min_nonce` on chain."""
        return await self._call("cancel_all(address,uint256,bytes)", self.wallet.text_address, min_nonce, b"")

    async def add_delegate(self, delegate: str, expiry: int, markets: int = ALL_MARKETS) -> Receipt:
        """Let another key trade (never withdraw) for this account, on a bit set of markets until `expiry`."""
        return await self._call("add_delegate(address,uint256,uint256)", delegate, markets, expiry)

    async def add_delegate_signed(
        self, owner: Owner, domain: Domain, delegate: str, expiry: int, nonce: int, markets: int = ALL_MARKETS
    ) -> Receipt:
        """The same for `owner`, who signs and sends nothing: a contract wallet, or a key without coins for gas.

        `nonce` is above that of all its delegations and revocations so far; the time in seconds is.
        """
        values: dict[str, int | bytes] = {
            "account": owner.address,
            "delegate": address_bytes(delegate),
            "markets": markets,
            "expiry": expiry,
            "nonce": nonce,
        }
        signature = owner.sign(domain, "Delegation", values)
        function = "add_delegate_signed(address,address,uint256,uint256,uint256,bytes)"
        return await self._call(function, owner.text_address, delegate, markets, expiry, nonce, signature)

    async def revoke_delegate(self, delegate: str) -> Receipt:
        """Take the right back; binds settlement after the delay, the engine at once."""
        return await self._call("revoke_delegate(address)", delegate)

    # views

    async def trading_balance(self, token_id: int, account: str | None = None) -> int:
        """Settled trading balance, in ledger units."""
        return await self._number("trading_balance(address,uint256)", self._me(account), token_id)

    async def funding_balance(self, token_id: int, account: str | None = None) -> int:
        """Funding balance, in ledger units."""
        return await self._number("funding_balance(address,uint256)", self._me(account), token_id)

    async def delegate_expiry(self, delegate: str, account: str | None = None) -> int:
        """Until when a key may trade for an account, unix seconds; 0 when it may not."""
        _, expiry, revoked_at = await self._words("delegate_state(address,address)", self._me(account), delegate)
        return 0 if revoked_at else expiry

    async def has_code(self, address: str) -> bool:
        """Whether a contract stands at an address."""
        return bool(await self._code(address))

    async def token_balance(self, token: str, owner: str | None = None) -> int:
        """What an address holds of a token, or of ETH, outside the exchange; in token units."""
        holder = cast(ChecksumAddress, self._me(owner))
        if token == ETH:
            return int(await self._rpc(self._web3.eth.get_balance(holder)))
        return await self._number("balanceOf(address)", holder, contract=token)

    async def freeze_nonce(self, account: str | None = None) -> int:
        """How often an account was frozen before: what its next signed freeze must name."""
        return (await self._words("account_guards(address)", self._me(account)))[2]

    async def allowance(self, token: str) -> int:
        """What the contract may still take of a token from this wallet."""
        owner = self.wallet.text_address
        return await self._number("allowance(address,address)", owner, self.custody, contract=token)

    async def chain_time(self) -> int:
        """The timestamp of the newest block, unix seconds."""
        return int((await self._rpc(self._web3.eth.get_block("latest")))["timestamp"])

    # the wire

    async def send(self, contract: str, signature: str, *arguments: Any, value: int = 0) -> Receipt:
        """Send a transaction that calls `signature` (like `approve(address,uint256)`) and wait for it."""
        return await self.transact(contract, _calldata(signature, arguments), value=value)

    async def transact(self, to: str | None, data: bytes = b"", *, value: int = 0) -> Receipt:
        """Sign and send a transaction and wait until it is mined. Without `to` it creates a contract.

        Raises TransactionFailed, Unreachable.
        """
        async with self._sending:
            transaction, digest = await self._send(to, data, value)
        receipt = await self._rpc(self._wait(HexStr("0x" + bytes(digest).hex())))
        if not receipt["status"]:
            raise await self._refused_when_mined(transaction, receipt)
        return Receipt("0x" + bytes(digest).hex(), receipt["blockNumber"], receipt["gasUsed"])

    async def _send(self, to: str | None, data: bytes, value: int) -> tuple[TxParams, bytes]:
        """What was sent, and its hash. When another sender with this key took the nonce, the next one is tried."""
        tries_left = NONCE_TRIES
        while True:
            tries_left -= 1
            transaction: TxParams = await self._rpc(self._prepare(to, data, value))
            signed = Account.sign_transaction(dict(transaction), self.wallet.key)
            try:
                return transaction, bytes(await self._rpc(self._web3.eth.send_raw_transaction(signed.raw_transaction)))
            except TransactionFailed as error:
                if not tries_left or not any(text in str(error).lower() for text in NONCE_TAKEN):
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def _call(self, signature: str, *arguments: Any) -> Receipt:
        return await self.send(self.custody, signature, *arguments)

    async def _prepare(self, to: str | None, data: bytes, value: int) -> TxParams:
        sender = cast(ChecksumAddress, self.wallet.text_address)
        eth = self._web3.eth
        tip = await eth.max_priority_fee
        max_fee = self._max_fee_per_gas
        if max_fee is None:
            max_fee = 2 * (await eth.get_block("latest"))["baseFeePerGas"] + tip
        transaction: TxParams = {
            "type": 2,
            "chainId": await eth.chain_id,
            "from": sender,
            "data": data,
            "value": Wei(value),
            "nonce": await eth.get_transaction_count(sender, "pending"),
            "maxPriorityFeePerGas": tip,
            "maxFeePerGas": Wei(max_fee),
        }
        if to is not None:
            transaction["to"] = cast(ChecksumAddress, checksum(address_bytes(to)))
        transaction["gas"] = await eth.estimate_gas(transaction) * (100 + GAS_MARGIN_PERCENT) // 100
        return transaction

    async def _wait(self, tx_hash: HexStr) -> TxReceipt:
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        while asyncio.get_running_loop().time() < deadline:
            try:
                return await self._web3.eth.get_transaction_receipt(tx_hash)
            except TransactionNotFound:
                await asyncio.sleep(POLL_SECONDS)
        raise TransactionFailed(f"not mined within {self._timeout_seconds:g} s; it may still be", tx_hash)

    async def _refused_when_mined(self, transaction: TxParams, receipt: TxReceipt) -> TransactionFailed:
        """The error of a transaction that was well when it was sent; the reason is what it meets after its block."""
        tx_hash = "0x" + bytes(receipt["transactionHash"]).hex()
        kept = ("from", "to", "data", "value")
        call: TxParams = {key: value for key, value in transaction.items() if key in kept}  # type: ignore[assignment]
        try:
            await self._rpc(self._web3.eth.call(call, receipt["blockNumber"]))
        except TransactionFailed as error:
            if error.reason is not None:
                return TransactionFailed.refused(error.reason, tx_hash)
        except Unreachable:
            pass
        return TransactionFailed("the transaction reverted when it was mined", tx_hash)

    async def _permit_domain(self, token: str) -> Domain:
        """The domain of a token's permits, if it is what the token says that it is."""
        chain_id = int(await self._rpc(self._web3.eth.chain_id))
        name = decode(["string"], await self._view("name()", contract=token))[0]
        try:
            version = decode(["string"], await self._view("version()", contract=token))[0]
        except (TransactionFailed, DecodingError):
            version = VERSION
        domain = Domain(name, chain_id, address_bytes(token), version)
        if await self._view("DOMAIN_SEPARATOR()", contract=token) != domain.separator:
            raise TransactionFailed("the token's permits have a domain of its own: approve and deposit instead")
        return domain

    async def _code(self, address: str) -> bytes:
        return bytes(await self._rpc(self._web3.eth.get_code(cast(ChecksumAddress, address))))

    async def _number(self, signature: str, *arguments: Any, contract: str | None = None) -> int:
        return cast(int, decode(["uint256"], await self._view(signature, *arguments, contract=contract))[0])

    async def _words(self, signature: str, *arguments: Any) -> list[int]:
        answer = await self._view(signature, *arguments)
        return [int.from_bytes(answer[start : start + 32]) for start in range(0, len(answer), 32)]

    async def _view(self, signature: str, *arguments: Any, contract: str | None = None) -> bytes:
        to = cast(ChecksumAddress, checksum(address_bytes(contract or self.custody)))
        data = HexStr("0x" + _calldata(signature, arguments).hex())
        return bytes(await self._rpc(self._web3.eth.call({"to": to, "data": data})))

    async def _rpc(self, call: Any) -> Any:
        """Await a call of web3, with its errors turned into this package's."""
        try:
            return await call
        except ContractLogicError as error:
            raise TransactionFailed.refused(_reason(error)) from error
        except Web3RPCError as error:
            raise TransactionFailed(_node_said(error)) from error
        except (Web3Exception, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"the chain's node at {self._provider.endpoint_uri} does not answer: {error}") from error

    def _me(self, address: str | None) -> str:
        return address or self.wallet.text_address


def _node_said(error: Web3RPCError) -> str:
    """The node's own words; the library's are the same for every refusal."""
    answer = error.rpc_response or {}
    said = answer.get("error")
    return str(said["message"]) if isinstance(said, dict) and said.get("message") else str(error)


def _reason(error: ContractLogicError) -> str:
    """The contract's reason: in the data of the revert, or else in what the node says."""
    if isinstance(error.data, str) and (reason := reason_of(bytes.fromhex(error.data.removeprefix("0x")))):
        return reason
    return str(error.message or "").removeprefix("execution reverted").removeprefix(":").strip()


def _calldata(signature: str, arguments: tuple[Any, ...]) -> bytes:
    """Selector and encoded arguments of a function without tuples among its parameters."""
    kinds = signature[signature.index("(") + 1 : -1]
    return function_signature_to_4byte_selector(signature) + encode(kinds.split(",") if kinds else [], arguments)
