"""How fast the indexer reads history, beside what the node can give and what a plain program does.

    raw       eth_getLogs over HTTP, the bytes read and thrown away
    checked   the indexer with every header read and checked: raw and derived rows, balances, engine inbox
    logs      the same without the headers of final history
    web3      web3.py's get_logs and decoder, one SQLAlchemy object per event

All four read the same 200,000 settlement events of one anvil node, one after the other; the database is
PostgreSQL with its defaults (fsync on). Figures are events per second. Run: `bizzan bench indexer --json`
or `python -m benchmarks.indexer`.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from web3 import HTTPProvider, Web3

from bizzan.supervisor.anvil import Anvil
from bizzan.supervisor.ports import free_port
from bizzan.supervisor.postgres import Postgres
from exchange.chain.abi import EVENTS
from exchange.chain.rpc import Rpc
from exchange.database import engine as database
from indexer.effects import Effects
from indexer.main import tune
from indexer.mirror import Contract, Depths, Mirror

EVENTS_TOTAL = 200_000
EVENTS_PER_BLOCK = 200
RAW_BLOCKS = 100
"""Blocks per eth_getLogs of the raw reading: 20,000 events, what the indexer aims at too."""

SOURCE = Path(__file__).with_name("emitter.vy")


def run(as_json: bool = False, events: int = EVENTS_TOTAL) -> dict[str, int]:
    """Events per second of each way to read `events` events."""
    with tempfile.TemporaryDirectory(prefix="bizzan-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        node = Anvil(free_port(), log_file=folder / "anvil.log")
        server = Postgres(
            folder / "postgres",
            free_port(),
            password_file=folder / "password",
            log_file=folder / "postgres.log",
            pid_file=folder / "postgres.pid",
        )
        try:
            node.start()
            server.start()
            node.wait_ready()
            server.wait_ready()
            contract = emit(node, events)
            return measure(node, server, contract, events, quiet=as_json)
        finally:
            node.kill()
            server.stop()
            server.remove()


def emit(node: Anvil, events: int) -> Contract:
    """Deploy the emitter and have it log the events, one batch per block."""
    account = node.rpc("eth_accounts")[0]
    command = [sys.executable, "-m", "vyper.cli.vyper_compile", "-f", "bytecode", str(SOURCE)]
    bytecode = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    sent = node.rpc("eth_sendTransaction", {"from": account, "data": bytecode, "gas": hex(5_000_000)})
    receipt = node.rpc("eth_getTransactionReceipt", sent)
    settle = Web3.keccak(text="settle(uint256,uint256)")[:4].hex()
    for seq in range(1, events // EVENTS_PER_BLOCK + 1):
        data = f"0x{settle}{seq:064x}{EVENTS_PER_BLOCK - 1:064x}"
        node.rpc(
            "eth_sendTransaction",
            {"from": account, "to": receipt["contractAddress"], "data": data, "gas": hex(16_000_000)},
        )
    return Contract(31_337, receipt["contractAddress"], int(receipt["blockNumber"], 16))


def measure(node: Anvil, server: Postgres, contract: Contract, events: int, quiet: bool) -> dict[str, int]:
    """Time each way on a database of its own."""
    tune()
    figures: dict[str, int] = {}
    ways: dict[str, Callable[[str], Coroutine[Any, Any, int]]] = {
        "raw": lambda url: read_raw(node, contract, events),
        "checked": lambda url: read_indexed(node, url, contract, headers=True),
        "logs": lambda url: read_indexed(node, url, contract, headers=False),
        "web3": lambda url: read_web3(node, url, contract),
    }
    for name, way in ways.items():
        url = server.create_database(f"bench_{name}")
        database.migrate(url)
        start = time.perf_counter()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            read = runner.run(way(url))
        seconds = time.perf_counter() - start
        if read < events:
            raise RuntimeError(f"{name} read {read} of {events} events")
        figures[name] = round(events / seconds)
        if not quiet:
            print(f"{name:8} {figures[name]:>9,} events/s   {figures[name] / figures['raw']:.2f} of raw")
    return figures


async def read_raw(node: Anvil, contract: Contract, events: int) -> int:
    """Read all logs as bytes."""
    size = 0
    async with Rpc(node.url) as rpc:
        head = await rpc.block_number()
        for first in range(contract.first_block, head + 1, RAW_BLOCKS):
            query = {
                "address": contract.address,
                "fromBlock": hex(first),
                "toBlock": hex(min(head, first + RAW_BLOCKS - 1)),
            }
            size += len(await rpc.post("eth_getLogs", query))
    return events if size > events * 500 else 0


async def read_indexed(node: Anvil, url: str, contract: Contract, headers: bool) -> int:
    """Index everything with the real indexer."""
    engine = database.create_engine(url, pool_size=2)
    depths = Depths(credit=1, final=2, retained=2, history_headers=headers)
    try:
        async with Rpc(node.url) as rpc:
            mirror = Mirror(rpc, engine, contract, depths, Effects(contract.chain_id, {}))
            while await mirror.step():
                pass
            return mirror.stats.events
    finally:
        await engine.dispose()


class Base(DeclarativeBase):
    """Tables of the plain program."""


class Execution(Base):
    """One event, as an object."""

    __tablename__ = "plain_execution"
    block_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    log_index: Mapped[int] = mapped_column(primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    tx_hash: Mapped[bytes] = mapped_column(LargeBinary)
    event: Mapped[str]
    account: Mapped[bytes | None] = mapped_column(LargeBinary)
    order_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    lots: Mapped[int | None] = mapped_column(BigInteger)
    quote: Mapped[int | None] = mapped_column(BigInteger)
    fee: Mapped[int | None] = mapped_column(BigInteger)


async def read_web3(node: Anvil, url: str, contract: Contract) -> int:
    """Index the same events with web3.py and SQLAlchemy's objects."""
    web3 = Web3(HTTPProvider(node.url))
    events = web3.eth.contract(
        address=Web3.to_checksum_address(contract.address),
        abi=[_abi("OrderExecuted"), _abi("BatchSettled")],
    ).events
    engine = create_async_engine(url)
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    head, count = web3.eth.block_number, 0
    for first in range(contract.first_block, head + 1, RAW_BLOCKS):
        span = {"from_block": first, "to_block": min(head, first + RAW_BLOCKS - 1)}
        async with AsyncSession(engine) as session:
            for found in (*events.OrderExecuted.get_logs(**span), *events.BatchSettled.get_logs(**span)):
                session.add(_execution(found))
                count += 1
            await session.commit()
    await engine.dispose()
    return count + 1  # the market's listing is not read


def _execution(found: Any) -> Execution:
    amounts = found["args"].get("amounts")
    return Execution(
        block_hash=bytes(found["blockHash"]),
        log_index=found["logIndex"],
        block_number=found["blockNumber"],
        tx_hash=bytes(found["transactionHash"]),
        event=found["event"],
        account=bytes.fromhex(found["args"]["account"][2:]) if amounts is not None else None,
        order_hash=found["args"].get("order_hash"),
        lots=amounts >> 128 & 2**64 - 1 if amounts is not None else None,
        quote=amounts >> 64 & 2**64 - 1 if amounts is not None else None,
        fee=amounts & 2**64 - 1 if amounts is not None else None,
    )


def _abi(name: str) -> dict[str, object]:
    event = EVENTS[name]
    inputs = [
        {"name": field, "type": kind, "indexed": place < event.indexed}
        for place, (field, kind) in enumerate(event.fields)
    ]
    return {"type": "event", "name": name, "anonymous": False, "inputs": inputs}


def main() -> None:
    """Print the figures; with `--json` one object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=EVENTS_TOTAL)
    arguments = parser.parse_args()
    figures = run(arguments.json, arguments.events)
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
