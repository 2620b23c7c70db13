"""The custody contract as keepers use it: its calls as bytes, its state as values, its refusals as reasons."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import decode, encode

from exchange.chain import wallets
from exchange.chain.rpc import ExecutionReverted, InvalidAnswer, Rpc, RpcRefused
from exchange.chain.submission import Call
from exchange.domain.eip712 import keccak
from exchange.domain.settlement import Execution, pack

GAS_CAP = 16_777_216
"""Gas of one transaction at most (https://eips.ethereum.org/EIPS/eip-7825)."""

HEARTBEAT_GAS = 100_000

_HEAD_SIZE = 5 * 32
_EXECUTION_SIZE = 6 * 32

OUT_OF_GAS = "out of gas"
"""The reason of a call that needs more gas than it was given; nothing is wrong with what it does."""

_NO_GAS = re.compile(r"out ?of ?gas|MemoryOOG|gas required exceeds", re.IGNORECASE)
_EXECUTIONS = "(uint256,uint256,uint256,uint256,bytes32,bytes32)[]"
_SETTLE = keccak(f"settle(uint256,bytes32,bytes32,{_EXECUTIONS},bytes32[])".encode())[:4]
_WITHDRAW = "withdraw(address,address,uint256,address,uint256,uint256,uint256,bytes,uint256,bytes)"
_MOVE = "move_to_funding(address,address,uint256,uint256,uint256,uint256,bytes,uint256,bytes)"


@dataclass(frozen=True, slots=True)
class Block:
    """A block that something was read at."""

    number: int
    block_hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class CustodyState:
    """The contract's settlement state at one block. `last_seen` in unix seconds."""

    block: Block
    batch_seq: int
    journal_head: bytes
    last_seen: int


@dataclass(frozen=True, slots=True)
class Outflow:
    """A token's outflow limit, 0 for none, and its level at one block, in ledger units."""

    limit: int
    level: int


@dataclass(frozen=True, slots=True)
class SettleCall:
    """The arguments of `settle`."""

    seq: int
    prev_head: bytes
    new_head: bytes
    executions: tuple[Execution, ...]

    def data(self) -> bytes:
        """The call data; the executions are static words, so they are laid out by hand."""
        executions, proofs = pack(self.executions)
        words = [
            self.seq,
            self.prev_head,
            self.new_head,
            _HEAD_SIZE,
            _HEAD_SIZE + 32 + _EXECUTION_SIZE * len(executions),
            len(executions),
            *(word for execution in executions for word in execution),
            len(proofs),
            *proofs,
        ]
        return _SETTLE + b"".join(_word(word) for word in words)


@dataclass(frozen=True, slots=True)
class WithdrawCall:
    """The arguments of `withdraw`, or of `move_to_funding` without a recipient. Amounts in token units."""

    account: bytes
    token: bytes
    amount: int
    recipient: bytes | None
    max_fee: int
    nonce: int
    deadline: int
    signature: bytes
    fee: int
    approval: bytes

    def data(self) -> bytes:
        """The call data."""
        whom = [] if self.recipient is None else [self.recipient]
        values = [self.account, self.token, self.amount, *whom, self.max_fee, self.nonce, self.deadline]
        return _call(_MOVE if self.recipient is None else _WITHDRAW, *values, self.signature, self.fee, self.approval)


class Custody:
    """One custody contract behind one node. Methods raise ChainError."""

    def __init__(self, rpc: Rpc, address: bytes) -> None:
        self._rpc = rpc
        self.address = address

    async def state(self) -> CustodyState:
        """The state at the latest block, all of it at the same one."""
        block = await self.block("latest")
        calls = [self._request(_call(view), block.number) for view in ("batch_seq()", "journal_head()", "last_seen()")]
        seq, head, seen = (bytes.fromhex(answer[2:]) for answer in await self._rpc.batch(calls, str))
        return CustodyState(block, int.from_bytes(seq), head, int.from_bytes(seen))

    async def block(self, place: int | str) -> Block:
        """A block by height or tag. LookupError if the node has none."""
        header = await self._rpc.header(place)
        if header is None:
            raise LookupError(f"the node has no block {place}")
        return Block(header.number, bytes.fromhex(header.hash[2:]), header.timestamp)

    async def settled(self, account: bytes, token_id: int) -> tuple[int, int]:
        """Of one block: the last batch settled, and the account's trading balance in ledger units."""
        block = await self.block("latest")
        balance = _call("trading_balance(address,uint256)", account, token_id)
        calls = [self._request(data, block.number) for data in (_call("batch_seq()"), balance)]
        seq, amount = await self._rpc.batch(calls, str)
        return int(seq, 16), int(amount, 16)

    async def signed(self, account: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether the account's key signed, or the contract that it is says so at the latest block."""
        return await wallets.signed(self._rpc, account, digest, signature)

    async def outflow(self, token_id: int) -> Outflow:
        """A token's outflow limit and level at the latest block."""
        state = await self._rpc.eth_call(self.address, _call("outflow_state(uint256)", token_id))
        return Outflow(*decode(["uint256", "uint256"], state))

    async def approved(self, withdrawal_hash: bytes) -> bool:
        """Whether a withdrawal has the approvals that it needs above the limit, at the latest block."""
        given = await self._rpc.eth_call(self.address, _call("withdrawal_approvals(bytes32)", withdrawal_hash))
        needed = await self._rpc.eth_call(self.address, _call("approval_threshold()"))
        return len(decode(["address[]"], given)[0]) >= int.from_bytes(needed)

    async def refusal(self, sender: bytes, data: bytes, gas: int | None = None) -> str | None:
        """Why a call from `sender` would fail at the latest block, None if it would succeed."""
        try:
            await self._rpc.eth_call(self.address, data, sender=sender, gas=gas)
        except ExecutionReverted as error:
            return error.reason or "reverted without a reason"
        except RpcRefused as error:
            if _NO_GAS.search(error.message):
                return OUT_OF_GAS
            raise
        return None

    async def refusal_after(
        self, before: Sequence[bytes], sender: bytes, data: bytes, gas: int, block: Block
    ) -> str | None:
        """Why a call with so much `gas` would fail at `block` after the calls `before`, which all succeed.

        RpcRefused if the node simulates no calls in a row, InvalidAnswer if one of those before fails.
        """
        common = {"from": "0x" + sender.hex(), "to": "0x" + self.address.hex()}
        limits = [(each, GAS_CAP) for each in before] + [(data, gas)]
        calls = [{**common, "input": "0x" + each.hex(), "gas": hex(limit)} for each, limit in limits]
        results = await self._rpc.simulate(calls, block.number, block.timestamp + 1)
        if not all(result.succeeded for result in results[:-1]):
            raise InvalidAnswer(f"a call that succeeded fails at block {block.number}: it is another one now")
        last = results[-1]
        if last.succeeded:
            return None
        if not last.data and (last.gas_used >= gas or _NO_GAS.search(last.message)):
            return OUT_OF_GAS
        return ExecutionReverted(3, last.message, "0x" + last.data.hex()).reason or "reverted without a reason"

    async def gas_of(self, sender: bytes, data: bytes) -> int:
        """Gas that a call needs now. ExecutionReverted if it would fail."""
        return await self._rpc.estimate_gas(self.address, data, sender=sender)

    def call(self, data: bytes, gas: int) -> Call:
        """A call of the contract for the submitter."""
        return Call(self.address, data, gas)

    def _request(self, data: bytes, at: int) -> tuple[str, tuple[object, ...]]:
        return "eth_call", ({"to": "0x" + self.address.hex(), "data": "0x" + data.hex()}, hex(at))


def heartbeat_data() -> bytes:
    """The call data of `heartbeat`."""
    return _call("heartbeat()")


def payment_of(data: bytes) -> tuple[bytes, int]:
    """The token (20 bytes) and the amount in token units of a WithdrawCall's call data."""
    return data[48:68], int.from_bytes(data[68:100])


def account_of(data: bytes) -> bytes:
    """The account (20 bytes) of a WithdrawCall's call data."""
    return data[16:36]


def _word(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.to_bytes(32)


def _call(signature: str, *values: object) -> bytes:
    kinds = signature[signature.index("(") + 1 : -1]
    return keccak(signature.encode())[:4] + encode(kinds.split(",") if kinds else [], values)
