"""The chain node comes back with its blocks, and after a kill at its last saved block."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.errors import PortTaken, StartError
from bizzan.supervisor.ports import free_port
from tests.utils.waiting import wait_for

MakeAnvil = Callable[..., Anvil]
Receipt = dict[str, Any]


def send(node: Anvil, value: int) -> Receipt:
    """Send ETH between two funded accounts; returns the receipt."""
    sender, receiver = node.rpc("eth_accounts")[:2]
    tx_hash = node.rpc("eth_sendTransaction", {"from": sender, "to": receiver, "value": hex(value)})
    return wait_for(lambda: cast(Receipt | None, node.rpc("eth_getTransactionReceipt", tx_hash)), "the receipt")


def test_clean_stop_keeps_blocks_receipts_and_balances(make_anvil: MakeAnvil, tmp_path: Path) -> None:
    node = make_anvil(state_file=tmp_path / "state.gz")
    receipt = send(node, 5)
    block = node.rpc("eth_getBlockByNumber", "latest", False)
    balance = node.rpc("eth_getBalance", receipt["to"], "latest")

    node.stop()
    node.start()
    node.wait_ready()

    assert node.rpc("eth_getBlockByNumber", "latest", False)["hash"] == block["hash"]
    assert node.rpc("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt
    assert node.rpc("eth_getBalance", receipt["to"], "latest") == balance


def test_killed_node_comes_back_at_its_last_saved_block(make_anvil: MakeAnvil, tmp_path: Path) -> None:
    node = make_anvil(state_file=tmp_path / "state.gz")
    saved = send(node, 1)
    node.save()
    lost = send(node, 2)

    node.kill()
    node.start()
    node.wait_ready()

    assert node.rpc("eth_blockNumber") == saved["blockNumber"]
    assert node.rpc("eth_getTransactionReceipt", saved["transactionHash"]) == saved
    assert node.rpc("eth_getTransactionReceipt", lost["transactionHash"]) is None


def test_state_is_saved_while_the_node_runs(tmp_path: Path) -> None:
    state_file = tmp_path / "state.gz"
    node = Anvil(free_port(), log_file=tmp_path / "anvil.log", state_file=state_file, save_seconds=1)
    node.start()
    node.wait_ready()
    try:
        wait_for(state_file.exists, "a saved state")
        assert "blocks" in json.loads(gzip.decompress(state_file.read_bytes()))
    finally:
        node.kill()


def test_no_saved_state_is_ahead_of_its_blocks(make_anvil: MakeAnvil, tmp_path: Path) -> None:
    """Each block has one transaction of one sender, so the sender's nonce is the number of the block."""
    state_file = tmp_path / "state.gz"
    node = make_anvil(state_file=state_file)
    sender, receiver = node.rpc("eth_accounts")[:2]
    stopping, saved = threading.Event(), 0

    def keep_sending() -> None:
        while not stopping.wait(0.002):
            node.rpc("eth_sendTransaction", {"from": sender, "to": receiver, "value": "0x1"})

    sending = threading.Thread(target=keep_sending)
    sending.start()
    try:
        for _ in range(100):
            with suppress(StartError):  # blocks came too fast
                node.save()
                state = json.loads(gzip.decompress(state_file.read_bytes()))
                assert state["accounts"][sender.lower()]["nonce"] == state["best_block_number"]
                saved += 1
    finally:
        stopping.set()
        sending.join()
    assert saved


def test_kill_while_saving_leaves_the_earlier_state(make_anvil: MakeAnvil, tmp_path: Path) -> None:
    state_file = tmp_path / "state.gz"
    node = make_anvil(state_file=state_file)
    receipt = send(node, 1)
    node.save()
    node.kill()
    state_file.with_suffix(".part").write_bytes(b"half of a state")

    node.start()
    node.wait_ready()

    assert node.rpc("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt


def test_blocks_are_mined_at_the_interval_without_transactions(make_anvil: MakeAnvil) -> None:
    node = make_anvil(block_seconds=1)
    wait_for(lambda: int(node.rpc("eth_blockNumber"), 16) >= 2, "two blocks")
    genesis, second = (node.rpc("eth_getBlockByNumber", hex(number), False) for number in (0, 2))

    # A block that is late on a busy machine is followed by the next at once, so two may have one time.
    assert int(second["timestamp"], 16) - int(genesis["timestamp"], 16) >= 1


def test_taken_port_is_refused_with_the_name_of_the_setting(anvil: Anvil, tmp_path: Path) -> None:
    second = Anvil(anvil.port, log_file=tmp_path / "log", port_setting="BIZZAN_LOCAL__CHAIN_PORT")

    with pytest.raises(PortTaken, match=f"port {anvil.port} is taken.*BIZZAN_LOCAL__CHAIN_PORT"):
        second.start()


def test_chain_id_is_the_one_asked_for(make_anvil: MakeAnvil) -> None:
    assert int(make_anvil(chain_id=5_777).rpc("eth_chainId"), 16) == 5_777


def test_a_chain_too_long_to_be_dumped_within_a_block_is_saved_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_file = tmp_path / "state.json.gz"
    node = Anvil(free_port(), log_file=tmp_path / "anvil.log", state_file=state_file, block_seconds=1)
    rpc = node.rpc

    def slowly(method: str, *params: object) -> object:
        answer = rpc(method, *params)
        if method == "anvil_dumpState":
            time.sleep(1.5)
        return answer

    node.start()
    try:
        node.wait_ready()
        monkeypatch.setattr(node, "rpc", slowly)
        node.save()
        saved = int(rpc("eth_blockNumber"), 16)
        time.sleep(2.5)
        assert int(rpc("eth_blockNumber"), 16) > saved, "blocks come again"
    finally:
        node.kill()
    assert state_file.exists()


def test_a_state_that_is_not_saved_is_noted_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, state_file = tmp_path / "anvil.log", tmp_path / "state.json.gz"
    node = Anvil(free_port(), log_file=log, state_file=state_file, block_seconds=1, save_seconds=1)
    rpc = node.rpc

    def refuse(method: str, *params: object) -> object:
        if method == "anvil_dumpState":
            raise StartError("anvil_dumpState: no memory")
        return rpc(method, *params)

    monkeypatch.setattr(node, "rpc", refuse)
    node.start()
    try:
        node.wait_ready()
        told = "the chain's state is not saved: anvil_dumpState: no memory"
        wait_for(lambda: told in log.read_text(), "a line in the log", 60)
    finally:
        node.kill()
    assert not state_file.exists()
