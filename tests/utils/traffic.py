"""Chain traffic: seeded random use of the real contract, block by block, with branches to go back to.

Every block holds a few transactions of a few users; many of them revert, as in life. The node's own
unlocked accounts send; orders, withdrawals and settlements are signed with real keys.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from web3 import Web3

from bizzan.contracts import exported_abi
from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from exchange.chain.signing import Key
from exchange.domain.deployment import Deployment, checksum
from exchange.domain.eip712 import keccak
from exchange.domain.order import SINGLE_FILL, Order, Side, Terms, TimeInForce
from exchange.domain.settlement import Execution, pack
from exchange.settings import load_settings

ETHER = 10**18
LOTS_PRICE = 2_000_000
"""USDC ledger units for one lot (0.001 ETH)."""
DELEGATES = tuple(keccak(b"delegate %d" % number)[12:] for number in range(2))


def deploy_custody(node: Anvil) -> Deployment:
    """The real contract on a node that mines each transaction at once."""
    settings = load_settings()
    return deploy(node.url, settings.key("owner"), config=default_config(settings))


class Traffic:
    """Users, an operator and a co-signer on one node."""

    def __init__(self, node: Anvil, deployment: Deployment, seed: int, users: int = 4, *, funded: bool = False) -> None:
        """`funded` when the node's state is one in which they have money already."""
        settings = load_settings()
        self.node = node
        self.deployment = deployment
        self.random = random.Random(seed)
        self.users = [Key(keccak(f"traffic user {number}".encode())) for number in range(users)]
        self.operator = Key(settings.key("operator"))
        self.co_signer = Key(settings.key("co_signer"))
        self.custody = Web3().eth.contract(abi=exported_abi("Custody"), address=deployment.custody)  # type: ignore[call-overload]
        self.token = Web3().eth.contract(abi=exported_abi("TestToken"))
        self._nonce = self.random.randrange(1 << 32)
        self._branches: dict[int, str] = {}
        self._start = 0
        self._actions: list[Callable[[Key], None]] = [
            self.deposit,
            self.deposit,
            self.move,
            self.settle,
            self.settle,
            self.settle,
            self.withdraw,
            self.withdraw_funding,
            self.request,
            self.end_request,
            self.exit,
            self.cancel,
            self.delegate,
            self.heartbeat,
        ]
        if not funded:
            self._fund()
        self.node.rpc("anvil_autoImpersonateAccount", True)
        self.node.rpc("evm_setAutomine", False)
        self._start = self.height

    @property
    def height(self) -> int:
        """Height of the node's head."""
        return int(self.node.rpc("eth_blockNumber"), 16)

    @property
    def since_start(self) -> int:
        """Blocks that `go_back` can leave."""
        return self.height - self._start

    @property
    def time(self) -> int:
        """Time of the node's head, in seconds since 1970."""
        return int(self.node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def block(self, transactions: int | None = None) -> None:
        """Mine one block of random actions; what its transactions find is the state before the block."""
        self._branches[self.height] = self.node.rpc("evm_snapshot")
        for _ in range(self.random.randrange(5) if transactions is None else transactions):
            self.random.choice(self._actions)(self.random.choice(self.users))
        self.node.rpc("evm_increaseTime", self.random.choice((1, 2, 5, 60)))
        self.node.rpc("evm_mine")

    def blocks(self, count: int) -> None:
        """Mine several blocks."""
        for _ in range(count):
            self.block()

    def go_back(self, depth: int) -> None:
        """Forget the last `depth` blocks, as a reorg does; what comes next has other times, so other hashes."""
        self.node.rpc("evm_revert", self._branches[self.height - depth])
        self.node.rpc("evm_increaseTime", 1_000)

    def view(self, function: str, *arguments: object) -> Any:
        """What the contract says now."""
        call = self.custody.get_function_by_name(function)(*arguments)
        answer = self.node.rpc(
            "eth_call", {"to": self.deployment.custody, "data": call._encode_transaction_data()}, "latest"
        )
        kinds = [_canonical(output) for output in call.abi["outputs"]]
        values = Web3().codec.decode(kinds, bytes.fromhex(answer[2:]))
        return values[0] if len(values) == 1 else values

    def deposit(self, user: Key) -> None:
        """A deposit of a random token to a random balance of a random user."""
        to_funding = self.random.random() < 0.3
        to = checksum(self.random.choice(self.users).address)
        token = self.random.choice(self.deployment.tokens)
        amount = self.random.randrange(1, 10**8) * token.unit
        if token.token_id == 1:
            self._send(user, "deposit_eth", to, to_funding, value=amount)
        else:
            self._send(user, "deposit", token.address, amount, to, to_funding)

    def deposit_to_trading(self, user: Key) -> None:
        """A deposit that will be credited; it is mined with the next block."""
        self._send(user, "deposit_eth", checksum(user.address), False, value=ETHER)

    def move(self, user: Key) -> None:
        """Funding to trading."""
        token = self.random.choice(self.deployment.tokens)
        held = self.view("funding_balance", checksum(user.address), token.token_id)
        self._send(user, "move_to_trading", token.address, (held // 2) * token.unit)

    def withdraw_funding(self, user: Key) -> None:
        """Funding to the outside."""
        token = self.random.choice(self.deployment.tokens)
        held = self.view("funding_balance", checksum(user.address), token.token_id)
        self._send(user, "withdraw_funding", token.address, (held // 3) * token.unit, checksum(user.address))

    def withdraw(self, user: Key) -> None:
        """A signed withdrawal or transfer to funding, co-signed, submitted by somebody."""
        token = self.random.choice(self.deployment.tokens)
        held = self.view("trading_balance", checksum(user.address), token.token_id)
        out = self.random.random() < 0.5
        message: dict[str, int | bytes] = {
            "account": user.address,
            "token": bytes.fromhex(token.address[2:]),
            "amount": held // 4 * token.unit,
            "max_fee": 10 * token.unit,
            "nonce": self.random.randrange(1 << 20),
            "deadline": 2**33,
        }
        name, function = "FundingTransfer", "move_to_funding"
        recipient: tuple[str, ...] = ()
        if out:
            name, function, recipient = "Withdrawal", "withdraw", (checksum(user.address),)
            message["recipient"] = user.address
        digest = self.deployment.domain.hash(name, message)
        fee = self.random.choice((0, token.unit))
        approval = self.co_signer.sign(self.deployment.domain.hash("Approval", {"withdrawal": digest, "fee": fee}))
        rest = (message["max_fee"], message["nonce"], message["deadline"], user.sign(digest), fee, approval)
        by = self.random.choice(self.users)
        self._send(by, function, checksum(user.address), token.address, message["amount"], *recipient, *rest)

    def request(self, user: Key) -> None:
        """A forced withdrawal."""
        token = self.random.choice(self.deployment.tokens)
        amount = self.random.randrange(1, 10**7) * token.unit
        self._send(user, "request_withdraw", token.address, amount, checksum(user.address))

    def end_request(self, user: Key) -> None:
        """Claim a forced withdrawal or take it back."""
        token = self.random.choice(self.deployment.tokens)
        if self.random.random() < 0.7:
            self._send(self.random.choice(self.users), "claim_withdraw", checksum(user.address), token.address)
        else:
            self._send(user, "cancel_withdraw_request", token.address)

    def exit(self, user: Key) -> None:
        """Ask to leave, stay after all, or be paid; the first user never leaves."""
        if user is self.users[0]:
            return
        token = self.random.choice(self.deployment.tokens)
        choice = self.random.random()
        if choice < 0.3:
            self._send(user, "request_exit")
        elif choice < 0.6:
            self._send(user, "cancel_exit")
        else:
            self._send(self.random.choice(self.users), "claim_exit", checksum(user.address), token.address)

    def cancel(self, user: Key) -> None:
        """A cancel on chain."""
        if self.random.random() < 0.8:
            self._send(user, "cancel", checksum(user.address), self.random.randrange(1, 1 << 30), b"")
        else:
            self._send(user, "cancel_all", checksum(user.address), self.random.randrange(1, 1 << 10), b"")

    def delegate(self, user: Key) -> None:
        """Grant or revoke a delegated key."""
        other = checksum(DELEGATES[self.random.randrange(2)])
        if self.random.random() < 0.5:
            self._send(user, "add_delegate", other, 6, 2**33)
        else:
            self._send(user, "revoke_delegate", other)

    def grant(self, user: Key) -> None:
        """Let the first delegated key trade; it is mined with the next block."""
        self._send(user, "add_delegate", checksum(DELEGATES[0]), 6, 2**33)

    def revoke(self, user: Key) -> None:
        """Take that right back; it is mined with the next block."""
        self._send(user, "revoke_delegate", checksum(DELEGATES[0]))

    def heartbeat(self, user: Key) -> None:
        """A sign of life; and sometimes a market is halted, which only its owner may (this one reverts)."""
        self._send(self.operator, "heartbeat")

    def settle(self, user: Key) -> None:
        """A batch of one trade of ETH for USDC, or an empty one."""
        seq, head = self.view("batch_seq"), self.view("journal_head")
        new_head = self.random.randbytes(32)
        executions = [] if self.random.random() < 0.2 else self._trade()
        self._send(self.operator, "settle", seq + 1, head, new_head, *pack(executions))

    def _trade(self) -> list[Execution]:
        buyer, seller = self.random.sample(self.users, 2)
        usdc = self.view("trading_balance", checksum(buyer.address), 0)
        ether = self.view("trading_balance", checksum(seller.address), 1)
        lots = max(1, min(usdc // (2 * LOTS_PRICE), ether // 100_000))
        quote = lots * LOTS_PRICE
        return [
            self._execution(buyer, Side.buy, lots, quote, quote * 5 // 10_000),
            self._execution(seller, Side.sell, lots, quote, quote * 2 // 10_000),
        ]

    def _execution(self, user: Key, side: Side, lots: int, quote: int, fee: int) -> Execution:
        self._nonce += 1
        order = Order(
            account=user.address,
            market=2,
            side=side,
            price=LOTS_PRICE,
            quantity=lots,
            nonce=self._nonce | SINGLE_FILL,
            expiry=self.time + 3_600,
            trigger_price=0,
            max_fee_bps=10,
            terms=Terms(TimeInForce.ioc).pack(),
        )
        return Execution(order, 0, user.sign(self.deployment.domain.order_hash(order)), lots, quote, fee)

    def _fund(self) -> None:
        """Money, approvals, and something in everybody's trading balance."""
        self.node.rpc("anvil_autoImpersonateAccount", True)
        self.node.rpc("evm_setAutomine", True)
        for user in (*self.users, self.operator):
            self.node.rpc("anvil_setBalance", "0x" + user.address.hex(), hex(10**6 * ETHER))
        for user in self.users:
            for token in self.deployment.tokens:
                if token.token_id != 1:
                    amount = 10**6 * 10**token.decimals
                    self._send_to(user, token.address, self.token.encode_abi("faucet", args=[amount]))
                    approve = self.token.encode_abi("approve", args=[self.deployment.custody, 2**255])
                    self._send_to(user, token.address, approve)
            usdc = self.deployment.token(0)
            self._send(user, "deposit", usdc.address, 10**11, checksum(user.address), False)
            self._send(user, "deposit_eth", checksum(user.address), False, value=50 * ETHER)

    def _send(self, sender: Key, function: str, *arguments: object, value: int = 0) -> None:
        data = self.custody.encode_abi(function, args=arguments)
        self._send_to(sender, self.deployment.custody, data, value)

    def _send_to(self, sender: Key, to: str, data: str, value: int = 0) -> None:
        transaction = {
            "from": "0x" + sender.address.hex(),
            "to": to,
            "data": data,
            "value": hex(value),
            "gas": hex(10**6),
        }
        self.node.rpc("eth_sendTransaction", transaction)


def _canonical(output: Any) -> str:
    if output["type"] != "tuple":
        return str(output["type"])
    return "(" + ",".join(_canonical(part) for part in output["components"]) + ")"
