"""The local chain node: anvil, with a state that survives its end.

anvil can save its state by itself, but it overwrites the file in place: a kill in the middle leaves half a
file. So the state is asked for over RPC, compressed as it comes, and replaced by a rename. A node that is
killed comes back at the last saved block, which to everybody else is a reorg of a few blocks.

States of past blocks are not saved: each is a full copy, and a chain of an hour would take a gigabyte. Blocks,
receipts and logs are there from genesis; `eth_call` answers for the last blocks only, and after a restart from the
block at which the state was loaded.

The native binary is started, not npm's wrapper: killing the wrapper leaves anvil behind on its port.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from bizzan.supervisor.errors import StartError, SupervisorError
from bizzan.supervisor.ports import HOST, check_free
from bizzan.supervisor.process import Process

MNEMONIC = "test test test test test test test test test test test junk"
_CPU = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_ACCOUNTS = 12
_STATES_KEPT = 512  # more than any reorg is deep; without the limit anvil writes old states to the home folder
_SAVE_SHARE = 20  # saving takes one part in this many of the time,
_SAVE_WITHIN_SECONDS = 15  # or more, so that a kill loses fewer blocks than become final meanwhile,
_SAVE_LARGEST_SHARE = 5  # but no more than one part in this many
_SAVE_TRIES = 3


def anvil_binary() -> Path:
    """The native binary inside the npm package for this platform.

    The environment variable `ANVIL` names another one. Raises SupervisorError when it is not installed.
    """
    if named := os.environ.get("ANVIL"):
        return Path(named)
    package = f"anvil-{sys.platform}-{_CPU.get(platform.machine().lower(), platform.machine())}"
    relative = Path("node_modules", "@foundry-rs", package, "bin", "anvil")
    for root in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (root / relative).is_file():
            return root / relative
    raise SupervisorError(f"the chain node is not installed ({relative} is missing): run 'make setup', or set ANVIL")


class Anvil:
    """One chain node on 127.0.0.1, with or without a saved state."""

    def __init__(
        self,
        port: int,
        *,
        log_file: Path,
        state_file: Path | None = None,
        pid_file: Path | None = None,
        block_seconds: int | None = None,
        save_seconds: int | None = None,
        chain_id: int = 31_337,
        port_setting: str = "the port argument",
    ) -> None:
        """`block_seconds` None mines each transaction at once; `save_seconds` None saves on `stop` and `save` only."""
        self.name = "anvil"
        self.port = port
        self._state_file = state_file
        self._loaded_file = log_file.with_name(f"{log_file.stem}.loaded.json")
        self._block_seconds = block_seconds
        self._save_seconds = save_seconds
        self._port_setting = port_setting
        self._chain_id = chain_id
        self._saving = threading.Lock()
        self._is_long = False
        """Whether a dump takes longer than a block."""
        self._stopping = threading.Event()
        self._process = Process(self.name, self._command(), log_file=log_file, pid_file=pid_file)

    @property
    def url(self) -> str:
        """The address of the node's JSON-RPC."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The pid of the running node."""
        return self._process.pid

    def prepare(self) -> None:
        """End the node of a killed supervisor. Raises PortTaken when somebody else listens on the port."""
        self._process.end_leftover()
        check_free(self.port, self._port_setting)

    def start(self) -> None:
        """Start the node from its saved state. Raises PortTaken, or StartError when it cannot run."""
        self.prepare()
        if self._state_file is not None and self._state_file.exists():
            self._loaded_file.write_bytes(gzip.decompress(self._state_file.read_bytes()))
            self._process.start("--load-state", self._loaded_file)
        else:
            self._process.start()
        self._stopping = threading.Event()
        if self._state_file is not None and self._save_seconds is not None:
            threading.Thread(target=self._keep_saving, args=(self._stopping,), name="anvil-save", daemon=True).start()

    def wait_ready(self, timeout_seconds: float = 180) -> None:
        """Wait until the node answers. Raises StartError when it ends or the time is over."""
        self._process.wait_until(self._answers, timeout_seconds)
        self._loaded_file.unlink(missing_ok=True)

    def stop(self) -> None:
        """Save the state, then end the node."""
        self._stopping.set()
        if self.pid is not None and self._state_file is not None:
            with suppress(OSError, StartError):
                if self._block_seconds is not None:
                    self.rpc("evm_setIntervalMining", 0)  # so that no block follows the one that is saved
                self.save()
        self._process.stop()

    def kill(self) -> None:
        """End the node with SIGKILL: blocks since the last save are lost."""
        self._stopping.set()
        self._process.kill()

    def save(self) -> None:
        """Save the state now. Raises OSError when the node does not answer, StartError when blocks come too fast."""
        if self._state_file is None:
            return
        with self._saving:
            state = self._dump()
            part = self._state_file.with_suffix(".part")
            self._state_file.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(state)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._state_file)

    def _dump(self) -> bytes:
        """The state of the latest block.

        The node lists its blocks first, and then waits for a block that it is mining: such a state would be ahead of
        the blocks and logs beside it for ever. So one during which a block came is thrown away.
        """
        state = None if self._is_long else self._dump_once(_SAVE_TRIES)
        if state is None and self._block_seconds is not None:
            self._is_long = True
            state = self._dump_between_blocks(self._block_seconds)
        if state is None:
            raise StartError("anvil_dumpState: a block came during each try")
        return state

    def _dump_once(self, tries: int) -> bytes | None:
        for _ in range(tries):
            before = self.rpc("eth_blockNumber")
            state = bytes.fromhex(self.rpc("anvil_dumpState").removeprefix("0x"))
            if self.rpc("eth_blockNumber") == before:
                return state
        return None

    def _dump_between_blocks(self, block_seconds: int) -> bytes | None:
        """The state of a chain that has grown too long to be dumped within a block's time: blocks wait meanwhile."""
        self.rpc("evm_setIntervalMining", 0)
        try:
            return self._dump_once(_SAVE_TRIES)
        finally:
            if not self._stopping.is_set():
                self.rpc("evm_setIntervalMining", block_seconds)

    def rpc(self, method: str, *params: Any) -> Any:
        """Call a JSON-RPC method. Raises OSError when the node is away, StartError when it refuses."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if "error" in answer:
            raise StartError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def _command(self) -> list[str | Path]:
        command: list[str | Path] = [anvil_binary(), "--host", HOST, "--port", str(self.port), "--quiet"]
        command += ["--prune-history", str(_STATES_KEPT)]
        command += ["--chain-id", str(self._chain_id), "--mnemonic", MNEMONIC, "--accounts", str(_ACCOUNTS)]
        if self._block_seconds is not None:
            command += ["--block-time", str(self._block_seconds)]
        return command

    def _answers(self) -> bool:
        with suppress(OSError, ValueError):
            return int(self.rpc("eth_chainId"), 16) == self._chain_id
        return False

    def _keep_saving(self, stopping: threading.Event) -> None:
        pause = float(self._save_seconds or 1)
        while not stopping.wait(pause):
            began = time.monotonic()
            try:
                self.save()
            except (OSError, StartError, ValueError) as error:
                if not stopping.is_set():
                    self._process.note(f"the chain's state is not saved: {error}")
            took = time.monotonic() - began
            pause = max(min(_SAVE_SHARE * took, _SAVE_WITHIN_SECONDS), _SAVE_LARGEST_SHARE * took)
            pause = max(pause, float(self._save_seconds or 1))
