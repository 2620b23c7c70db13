"""The whole exchange on an in-memory chain: all parts of the custody contract, four tokens, two markets, all roles.

It runs the very bytecode that is deployed, through the committed ABI. Amounts are ledger units unless a name says
`units` (token units). Fixtures only override parameters.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boa
from boa import BoaError
from eth.exceptions import Revert
from eth_abi.abi import decode, encode

from bizzan.contracts import artifact, exported_abi
from exchange.domain.deployment import ETH, Windows, address_bytes, checksum
from exchange.domain.eip712 import Domain, Scheme, keccak
from exchange.domain.order import SINGLE_FILL, Order, Side
from exchange.domain.settlement import Execution, pack
from tests.utils.signing import Signer

WINDOWS = Windows(delay=120, grace=100, claim_window=600, timelock=1_000, pause_max=30, silence=48 * 3_600)
NAME = "Bizzan"
CHAIN_ID = 1  # the in-memory chain's
USDC, ETHER, BTC, BTI = range(4)
UNITS = (1, 10**10, 1, 10**10)
DECIMALS = (6, 18, 8, 18)
BTC_USDC, ETH_USDC = 1, 2
LOTS = {BTC_USDC: 10_000, ETH_USDC: 100_000}
PAIRS = {BTC_USDC: (BTC, USDC), ETH_USDC: (ETHER, USDC)}
FEE_CAP_BPS = 100
ROLES_TYPE = "(address,address,address,address,address,address)"
WINDOWS_TYPE = "(uint256,uint256,uint256,uint256,uint256,uint256)"
GENESIS = bytes(32)
ERROR_SELECTOR = keccak(b"Error(string)")[:4]
MOCKS = Path(__file__).parents[1] / "mocks"
# A receiver of ETH with code that always refuses.
REFUSING_CODE = bytes.fromhex("5f5ffd")


@contextmanager
def reverts(reason: str) -> Iterator[None]:
    """Expect exactly this reason; another revert, or none, fails the test."""
    try:
        yield
    except BoaError as error:
        output = bytes(error.call_trace.output)
    except Revert as error:
        output = bytes(error.args[0])
    else:
        raise AssertionError(f"did not revert with {reason!r}")
    assert revert_reason(output) == reason


def revert_reason(output: bytes) -> str:
    """The text of `Error(string)`; anything else as it is."""
    return str(decode(["string"], output[4:])[0]) if output[:4] == ERROR_SELECTOR else repr(output)


def create(name: str, types: list[str], arguments: list[Any], sender: str) -> str:
    """Deploy a compiled contract and return its address."""
    code = bytes.fromhex(artifact(name).bytecode.removeprefix("0x"))
    address, _ = boa.env.deploy_code(sender=sender, bytecode=code + encode(types, arguments))
    return str(address)


def at(abi_name: str, address: str) -> Any:
    """A contract by its committed ABI."""
    return boa.loads_abi(json.dumps(exported_abi(abi_name)), name=abi_name).at(address)


class World:
    """A launched exchange and everything a test does with it."""

    def __init__(self, windows: Windows = WINDOWS, *, launch: bool = True) -> None:
        self.windows = windows
        self.owner, self.operator, self.standby_operator = map(Signer, ("owner", "operator", "standby_operator"))
        self.co_signer, self.guardian, self.fee_account = map(Signer, ("co_signer", "guardian", "fee_account"))
        self.keeper = Signer("keeper")
        self.roles = [
            signer.address
            for signer in (
                self.owner,
                self.operator,
                self.standby_operator,
                self.co_signer,
                self.guardian,
                self.fee_account,
            )
        ]
        self.custody = at("Custody", self.deploy_custody(self.roles, windows))
        self.domain = Domain(NAME, CHAIN_ID, address_bytes(str(self.custody.address)))
        self.tokens = [self.deploy_token(i) if i != ETHER else None for i in range(4)]
        self.head = GENESIS
        for i, token in enumerate(self.tokens):
            self.as_owner("list_token", str(token.address) if token else ETH, UNITS[i], DECIMALS[i])
        for market, (base, quote) in PAIRS.items():
            self.as_owner("list_market", base, quote, LOTS[market])
        if launch:
            self.as_owner("launch")

    def deploy_custody(
        self,
        roles: list[str],
        windows: Windows,
        *,
        extension_windows: Windows | None = None,
        extension_name: str = NAME,
        fee_cap_bps: int = FEE_CAP_BPS,
        extension_fee_cap_bps: int | None = None,
        governance_windows: Windows | None = None,
        governance_name: str | None = None,
    ) -> str:
        """Deploy all parts and return the address."""
        types = ["string", ROLES_TYPE, WINDOWS_TYPE, "uint256"]
        sender = self.owner.address
        its_windows = extension_windows or windows
        its_cap = fee_cap_bps if extension_fee_cap_bps is None else extension_fee_cap_bps
        governance_arguments = [
            extension_name if governance_name is None else governance_name,
            roles,
            window_words(governance_windows or its_windows),
            its_cap,
        ]
        governance = create("CustodyGovernance", types, governance_arguments, sender)
        extension_arguments = [extension_name, roles, window_words(its_windows), its_cap, governance]
        extension = create("CustodyExtension", [*types, "address"], extension_arguments, sender)
        arguments = [NAME, roles, window_words(windows), fee_cap_bps, extension]
        return create("Custody", [*types, "address"], arguments, sender)

    def deploy_deposit_addresses(self) -> Any:
        """The factory of deposit addresses for this exchange."""
        code = bytes.fromhex(artifact("DepositAddress").bytecode.removeprefix("0x"))
        arguments: list[Any] = [str(self.custody.address), code]
        return at("DepositAddresses", create("DepositAddresses", ["address", "bytes"], arguments, self.owner.address))

    # time

    @property
    def now(self) -> int:
        """The chain's time in unix seconds."""
        return int(boa.env.timestamp)

    def pass_time(self, seconds: int) -> None:
        """Let time pass."""
        boa.env.time_travel(seconds=seconds)

    # owner

    def as_owner(self, function: str, *arguments: Any) -> None:
        """Call as the owner, at once."""
        getattr(self.custody, function)(*arguments, sender=self.owner.address)

    def operation_hash(self, function: str, *arguments: Any) -> bytes:
        """What the owner schedules for a later call."""
        return keccak(bytes(getattr(self.custody, function).prepare_calldata(*arguments)))

    def scheduled(self, function: str, *arguments: Any) -> None:
        """Schedule an owner's call, wait, and make it."""
        self.as_owner("schedule", self.operation_hash(function, *arguments))
        self.pass_time(self.windows.timelock)
        self.as_owner(function, *arguments)

    # money

    def token_address(self, token_id: int) -> str:
        """A token's address, ETH's being zero."""
        token = self.tokens[token_id]
        return str(token.address) if token else ETH

    def fund(self, signer: Signer, token_id: int, amount: int) -> None:
        """Give a wallet tokens or ETH, allowed to the contract."""
        units = amount * UNITS[token_id]
        token = self.tokens[token_id]
        if token is None:
            boa.env.set_balance(signer.address, boa.env.get_balance(signer.address) + units)
            return
        token.faucet(units, sender=signer.address)
        token.approve(self.custody.address, 2**256 - 1, sender=signer.address)

    def deposit(self, signer: Signer, token_id: int, amount: int, *, to_funding: bool = False) -> None:
        """Fund a wallet and deposit all of it."""
        self.fund(signer, token_id, amount)
        units = amount * UNITS[token_id]
        if token_id == ETHER:
            self.custody.deposit_eth(signer.address, to_funding, value=units, sender=signer.address)
        else:
            self.custody.deposit(self.token_address(token_id), units, signer.address, to_funding, sender=signer.address)

    def trading(self, signer: Signer, token_id: int) -> int:
        """Trading balance."""
        return int(self.custody.trading_balance(signer.address, token_id))

    def funding(self, signer: Signer, token_id: int) -> int:
        """Funding balance."""
        return int(self.custody.funding_balance(signer.address, token_id))

    def wallet(self, address: str, token_id: int) -> int:
        """What an address holds outside, in token units."""
        token = self.tokens[token_id]
        return int(token.balanceOf(address)) if token else int(boa.env.get_balance(address))

    def list_mock(self, name: str) -> tuple[Any, int]:
        """List a token of `tests/mocks` with 6 decimals; the token and its id."""
        token = self.deploy_mock(name)
        token_id = self.custody.token_count()
        self.scheduled("list_token", str(token.address), 1, 6)
        return token, token_id

    def deploy_mock(self, name: str) -> Any:
        """A fresh contract of `tests/mocks`."""
        return mock_compiler(name).deploy()

    # orders

    def order(self, signer: Signer, side: int = Side.buy, **changes: Any) -> Order:
        """A limit order on BTC/USDC for 10 lots at 6 USDC each, good for an hour."""
        fields: dict[str, Any] = {
            "account": signer.raw,
            "market": BTC_USDC,
            "side": int(side),
            "price": 6_000_000,
            "quantity": 10,
            "nonce": 1,
            "expiry": self.now + 3_600,
            "trigger_price": 0,
            "max_fee_bps": 10,
            "terms": 0,
        }
        return Order(**(fields | changes))

    def execution(
        self,
        signer: Signer,
        order: Order,
        lots: int | None = None,
        quote: int | None = None,
        fee: int = 0,
        *,
        scheme: int = Scheme.account,
        signature: bytes | None = None,
    ) -> Execution:
        """An order filled whole at its price unless told otherwise, signed by `signer`."""
        lots = order.quantity if lots is None else lots
        quote = order.price * lots if quote is None else quote
        signed = signature if signature is not None else signer.sign_order(self.domain, order)
        return Execution(order, int(scheme), signed, lots, quote, fee)

    def match(self, buyer: Signer, seller: Signer, lots: int = 10, *, fee: int = 0, **changes: Any) -> list[Execution]:
        """Two orders that meet each other whole."""
        return [
            self.execution(buyer, self.order(buyer, Side.buy, quantity=lots, **changes), fee=fee),
            self.execution(seller, self.order(seller, Side.sell, quantity=lots, **changes), fee=fee),
        ]

    def settle(self, executions: Iterable[Execution]) -> None:
        """Settle a batch onto the stored head."""
        self.settle_words(*pack(list(executions)))

    def settle_words(self, words: Sequence[tuple[Any, ...]], proofs: Sequence[bytes] = ()) -> None:
        """Settle raw words onto the stored head."""
        seq = self.custody.batch_seq() + 1
        head = seq.to_bytes(32)
        arguments = (seq, self.custody.journal_head(), head, list(words), list(proofs))
        self.custody.settle(*arguments, sender=self.operator.address)

    def event(self, name: str) -> dict[str, Any]:
        """The arguments of the only event `name` that the last call logged."""
        found = [log for log in self.custody.get_logs() if type(log).__name__ == name]
        assert len(found) == 1, f"{len(found)} events {name}"
        fields: dict[str, Any] = found[0]._asdict()
        del fields["address"]
        return fields

    # withdrawals

    def withdrawal(self, signer: Signer, token_id: int, amount: int, /, **changes: Any) -> dict[str, Any]:
        """The arguments of a fast withdrawal, all signed; `amount`, `max_fee` and `fee` in ledger units."""
        unit = UNITS[token_id]
        message: dict[str, Any] = {
            "account": signer.raw,
            "token": address_bytes(self.token_address(token_id)),
            "amount": amount * unit,
            "recipient": signer.raw,
            "max_fee": changes.pop("max_fee", 0) * unit,
            "nonce": 1,
            "deadline": self.now + 600,
        }
        fee, co_signer = changes.pop("fee", 0) * unit, changes.pop("co_signer", self.co_signer)
        name = changes.pop("kind", "Withdrawal")
        message |= changes
        if name == "FundingTransfer":
            del message["recipient"]
        digest = self.domain.hash(name, message)
        approval = co_signer.sign(self.domain, "Approval", withdrawal=digest, fee=fee)
        return message | {"signature": signer.key.sign(digest), "fee": fee, "approval": approval}

    def withdraw(self, arguments: dict[str, Any], sender: Signer | None = None) -> None:
        """Submit a fast withdrawal, or a funding transfer when there is no recipient."""
        function = self.custody.withdraw if "recipient" in arguments else self.custody.move_to_funding
        words = [checksum(v) if isinstance(v, bytes) and len(v) == 20 else v for v in arguments.values()]
        function(*words, sender=(sender or self.keeper).address)

    def approval_words(self, arguments: dict[str, Any], approver: Signer, signer: Signer | None = None) -> list[Any]:
        """What approves a withdrawal or funding transfer: by `signer`'s signature, or by the approver's own call."""
        names = ("account", "token", "amount", "recipient", "max_fee", "nonce", "deadline")
        message = {name: arguments.get(name, bytes(20)) for name in names}
        signature = signer.sign(self.domain, "WithdrawalApproval", **message) if signer else b""
        words = [checksum(v) if isinstance(v, bytes) else v for v in message.values()]
        return [*words, approver.address, signature]

    def permit_words(self, signer: Signer, token_id: int, amount: int, **changes: int) -> list[Any]:
        """The deadline and signature of a permit to the contract; `amount` in ledger units."""
        token: Any = self.tokens[token_id]
        domain = Domain(token.name(), CHAIN_ID, address_bytes(str(token.address)))
        message: dict[str, Any] = {
            "owner": signer.raw,
            "spender": self.domain.contract,
            "value": amount * UNITS[token_id],
            "nonce": token.nonces(signer.address),
            "deadline": self.now + 600,
        } | changes
        signature = signer.sign(domain, "Permit", **message)
        return [message["deadline"], signature[64], signature[:32], signature[32:64]]

    def check_solvent(self, accounts: Iterable[Signer]) -> None:
        """L1 to L3: liabilities are the ledger's sum, and covered by what the contract holds."""
        everyone = list(accounts)
        for token_id in range(4):
            total = sum(self.trading(a, token_id) + self.funding(a, token_id) for a in everyone)
            assert self.custody.liabilities(token_id) == total
            held = self.wallet(str(self.custody.address), token_id)
            refused = sum(self.custody.refused_eth(a.address) for a in everyone) if token_id == ETHER else 0
            assert held >= (total + refused) * UNITS[token_id]

    def deploy_token(self, index: int) -> Any:
        """A fresh test token like the one with this id."""
        symbol = ("USDC", "ETH", "BTC", "BTI")[index]
        address = create(
            "test_tokens/TestToken",
            ["string", "string", "uint8"],
            [symbol, symbol, DECIMALS[index]],
            self.owner.address,
        )
        return at("TestToken", address)


@cache
def mock_compiler(name: str) -> Any:
    """A contract of `tests/mocks`, compiled once."""
    return boa.load_partial(str(MOCKS / f"{name}.vy"))


def window_words(windows: Windows) -> list[int]:
    """The windows in the order of the contract's struct."""
    return [windows.delay, windows.grace, windows.claim_window, windows.timelock, windows.pause_max, windows.silence]


def single(sequence: int) -> int:
    """The nonce of a single-fill order."""
    return SINGLE_FILL | sequence
