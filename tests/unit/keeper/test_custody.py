"""Call data equals what eth_abi makes of the exported ABI."""

import json
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from web3 import Web3

from exchange.chain.signing import Key
from exchange.domain.bulk import Tree
from exchange.domain.order import Order
from exchange.domain.settlement import Execution, pack
from keeper.custody import SettleCall, WithdrawCall, heartbeat_data

ROOT = Path(__file__).parents[3]
KEY = Key(b"\x01" * 32)


def selector(name: str) -> bytes:
    """The selector of a function in the exported ABI."""
    abi: list[dict[str, Any]] = json.loads((ROOT / "interfaces" / "Custody.json").read_text())
    function = next(each for each in abi if each.get("name") == name and each["type"] == "function")
    return bytes(Web3.keccak(text=f"{name}({','.join(_kind(each) for each in function['inputs'])})")[:4])


def _kind(parameter: dict[str, Any]) -> str:
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    inner = ",".join(_kind(each) for each in parameter["components"])
    return f"({inner}){parameter['type'].removeprefix('tuple')}"


def execution(nonce: int) -> Execution:
    order = Order(KEY.address, 1, 0, 500, 20, nonce, 2_000_000_000, 0, 30, 5)
    return Execution(order, 1, KEY.sign(bytes(32)), 20, 10_000, 3)


def test_settle_call_equals_the_abi_encoding() -> None:
    call = SettleCall(7, b"\x01" * 32, b"\x02" * 32, (execution(1), execution(2)))
    assert call.data() == encoded(call)


def test_settle_call_carries_the_paths_of_bulk_orders() -> None:
    orders = [execution(nonce).order for nonce in range(5)]
    signatures = Tree(orders).signatures(KEY.sign(bytes(32)))
    bulk = [Execution(order, 2, signed, 20, 10_000, 3) for order, signed in zip(orders, signatures, strict=True)]
    call = SettleCall(7, b"\x01" * 32, b"\x02" * 32, (bulk[4], execution(9), bulk[1], bulk[4]))
    assert call.data() == encoded(call)
    assert pack(call.executions)[1] == [*bulk[4].path, *bulk[1].path]


def encoded(call: SettleCall) -> bytes:
    kinds = ["uint256", "bytes32", "bytes32", "(uint256,uint256,uint256,uint256,bytes32,bytes32)[]", "bytes32[]"]
    return selector("settle") + encode(kinds, [call.seq, call.prev_head, call.new_head, *pack(call.executions)])


def test_empty_batch_is_a_call_too() -> None:
    assert len(SettleCall(7, bytes(32), bytes(32), ()).data()) == 4 + 7 * 32


def test_withdraw_call_equals_the_abi_encoding() -> None:
    recipient = b"\x44" * 20
    call = WithdrawCall(KEY.address, b"\x33" * 20, 10, recipient, 2, 5, 9, b"\x05" * 65, 1, b"\x06" * 65)
    kinds = ["address", "address", "uint256", "address", "uint256", "uint256", "uint256", "bytes", "uint256", "bytes"]
    values = [KEY.address, b"\x33" * 20, 10, recipient, 2, 5, 9, b"\x05" * 65, 1, b"\x06" * 65]
    assert call.data() == selector("withdraw") + encode(kinds, values)


def test_withdraw_call_without_a_recipient_moves_to_funding() -> None:
    call = WithdrawCall(KEY.address, b"\x33" * 20, 10, None, 2, 5, 9, b"\x05" * 65, 1, b"\x06" * 65)
    assert call.data()[:4] == selector("move_to_funding")


def test_heartbeat_is_its_selector() -> None:
    assert heartbeat_data() == selector("heartbeat")
