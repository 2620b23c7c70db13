"""Everything that the checks compare, gathered so that it is true at one block and one journal sequence.

The database says where it stands, in one transaction; the chain is read at exactly that block, the journal up to
exactly that sequence. So the audit needs nobody to stop. A reorg in between is noticed, and the gathering starts
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eth_abi.abi import decode
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bizzan.audit.chain_ledger import ChainLedger, read_chain, read_times
from bizzan.audit.comparing import Problem
from bizzan.audit.findings import AuditUnavailable
from bizzan.audit.journal_replay import Replay, replay
from bizzan.audit.outflow_ledger import needed_times
from bizzan.audit.progress import Progress
from bizzan.audit.reversals import Block, read_cited
from bizzan.audit.signed import by_wallets, unpaid
from exchange.chain.rpc import Call, ChainError, InvalidAnswer, Rpc, RpcRefused
from exchange.database.audit import Snapshot, snapshot
from exchange.database.engine import create_engine
from exchange.domain.deployment import ETH, Deployment, address_bytes
from exchange.domain.eip712 import keccak
from exchange.journal.errors import CorruptJournal, JournalError
from indexer.check import CheckError, Difference, compare_with_fresh_index
from indexer.mirror import Contract

TRIES = 60
PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the audit reads."""

    rpc_url: str
    database_url: str
    journal_dir: Path
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Views:
    """What the contract answers at the block: by token id, and by (account, token id), in ledger units.

    `held` is what the token itself says that the contract owns, in token units. `outflow` has limits and levels, and
    `read_at` is the time of the block, in seconds.
    """

    held: Mapping[int, int]
    liabilities: Mapping[int, int]
    trading: Mapping[tuple[bytes, int], int]
    funding: Mapping[tuple[bytes, int], int]
    outflow: Mapping[int, tuple[int, int]]
    approvers: tuple[bytes, ...]
    threshold: int
    read_at: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was gathered. `replay` is None when the journal cannot be replayed, and `corrupt` says where and why.

    `times` has the seconds of the blocks that a check asks for.
    """

    deployment: Deployment
    mirror: Snapshot
    chain: ChainLedger
    views: Views
    differences: tuple[Difference, ...]
    replay: Replay | None
    corrupt: Problem | None
    times: Mapping[int, int]
    cited: Mapping[str, Block] = field(default_factory=dict)
    """Blocks on chain that the journal's reversals cite, by hash."""
    confirmed: frozenset[bytes] = frozenset()
    """Hashes of the withdrawals that contract wallets say they signed."""

    def asset_of(self, token_id: int) -> int:
        """The asset that a token carries."""
        return self.deployment.token(token_id).asset_id


async def gather(sources: Sources, progress: Progress | None = None) -> Evidence:
    """Read chain, database and journal at one common point, and tell how far that is. Raises AuditUnavailable."""
    progress = progress or Progress()
    async with Rpc(sources.rpc_url) as rpc:
        try:
            with progress.during("reading the chain"):
                mirror, chain, views, times = await _meet(rpc, sources)
            with progress.during("indexing the chain anew"):
                differences = await compare_with_fresh_index(rpc, sources.database_url, _contract(sources.deployment))
        except ChainError as error:
            raise AuditUnavailable(f"the chain cannot be read: {error}") from error
        except CheckError as error:
            raise AuditUnavailable(f"the mirror cannot be checked: {error}") from error
        except (SQLAlchemyError, OSError) as error:
            raise AuditUnavailable(f"the database cannot be read: {_first_line(error)}") from error
    corrupt, replayed = await asyncio.to_thread(_replay, sources, mirror.journal_seq, progress)
    with progress.during("asking the chain for what the journal cites"):
        cited, confirmed = await _asked(sources, replayed, chain) if replayed is not None else ({}, frozenset())
    return Evidence(
        sources.deployment, mirror, chain, views, tuple(differences), replayed, corrupt, times, cited, confirmed
    )


async def _asked(
    sources: Sources, replayed: Replay, chain: ChainLedger
) -> tuple[Mapping[str, Block], frozenset[bytes]]:
    """The blocks that reversals cite, and the holds that contract wallets confirm."""
    holds = unpaid(replayed.signatures, chain) if replayed.signatures is not None else []
    async with Rpc(sources.rpc_url) as rpc:
        try:
            return await read_cited(rpc, replayed), await by_wallets(rpc, holds)
        except ChainError as error:
            raise AuditUnavailable(f"the chain cannot be read: {error}") from error


async def _meet(rpc: Rpc, sources: Sources) -> tuple[Snapshot, ChainLedger, Views, Mapping[int, int]]:
    """A snapshot of the database whose block is the node's too, and the chain at that block."""
    engine = create_engine(sources.database_url, pool_size=1)
    try:
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE_SECONDS)
            mirror = await snapshot(engine, sources.deployment.chain_id)
            if mirror is None or not await _is_canonical(rpc, mirror):
                continue
            chain = await read_chain(rpc, sources.deployment, mirror.block_number)
            views = await _read_views(rpc, chain, await _readable_block(rpc, sources, mirror.block_number))
            times = chain.times | await read_times(rpc, needed_times(chain) - chain.times.keys())
            if await _is_canonical(rpc, mirror):
                return mirror, chain, views, times
    finally:
        await engine.dispose()
    raise AuditUnavailable(
        f"the mirror and the chain did not agree on a block within {TRIES * PAUSE_SECONDS:g} s: "
        "start the indexer and the projector (bizzan up), or read docs/runbook.md on a mirror that does not follow"
    )


async def _is_canonical(rpc: Rpc, mirror: Snapshot) -> bool:
    header = await rpc.header(mirror.block_number)
    return header is not None and bytes.fromhex(header.hash[2:]) == mirror.block_hash


async def _readable_block(rpc: Rpc, sources: Sources, block_number: int) -> int:
    """A block with this block's state that the node can still answer for.

    A development node that was restarted has forgotten older states; if no log of the contract came after the block,
    a later state says the same.
    """
    try:
        await rpc.call("eth_getBalance", sources.deployment.custody, hex(block_number), returns=str)
    except RpcRefused:
        head = await rpc.block_number()
        if await rpc.logs(sources.deployment.custody, block_number + 1, head):
            raise
        return head
    return block_number


async def _read_views(rpc: Rpc, chain: ChainLedger, block_number: int) -> Views:
    """Ask the contract, and the tokens, for every balance that the logs speak of."""
    place, there = hex(block_number), chain.deployment
    tokens = [token.token_id for token in there.tokens]
    accounts = sorted(set(chain.trading) | set(chain.funding))

    async def ask(signature: str, keys: list[tuple[int, ...]]) -> list[int]:
        calls: list[Call] = [
            ("eth_call", ({"to": there.custody, "data": _calldata(signature, *words)}, place)) for words in keys
        ]
        return [int(answer, 16) for answer in await rpc.batch(calls, str)]

    pairs = [(int.from_bytes(account), token) for account, token in accounts]
    outflow, approvers = await _read_outflow(rpc, there.custody, place, tokens)
    header = await rpc.header(block_number)
    if header is None:
        raise InvalidAnswer(f"the node has no block {block_number}")
    held: list[Call] = [_held(token.address, there.custody, place) for token in there.tokens]
    return Views(
        held=dict(zip(tokens, [int(answer, 16) for answer in await rpc.batch(held, str)], strict=True)),
        liabilities=dict(zip(tokens, await ask("liabilities(uint256)", [(token,) for token in tokens]), strict=True)),
        trading=dict(zip(accounts, await ask("trading_balance(address,uint256)", [*pairs]), strict=True)),
        funding=dict(zip(accounts, await ask("funding_balance(address,uint256)", [*pairs]), strict=True)),
        outflow=outflow,
        approvers=approvers,
        threshold=(await ask("approval_threshold()", [()]))[0],
        read_at=header.timestamp,
    )


async def _read_outflow(
    rpc: Rpc, custody: str, place: str, tokens: Sequence[int]
) -> tuple[Mapping[int, tuple[int, int]], tuple[bytes, ...]]:
    """Limit and level of each token, and who approves, as the contract says."""
    asked = [_calldata("outflow_state(uint256)", token) for token in tokens] + [_calldata("approvers()")]
    calls: list[Call] = [("eth_call", ({"to": custody, "data": data}, place)) for data in asked]
    *states, listed = [bytes.fromhex(answer[2:]) for answer in await rpc.batch(calls, str)]
    levels = [decode(["uint256", "uint256"], state) for state in states]
    (approvers,) = decode(["address[]"], listed)
    return dict(zip(tokens, levels, strict=True)), tuple(address_bytes(each) for each in approvers)


def _held(token: str, custody: str, place: str) -> Call:
    if token == ETH:
        return "eth_getBalance", (custody, place)
    data = _calldata("balanceOf(address)", int.from_bytes(address_bytes(custody)))
    return "eth_call", ({"to": token, "data": data}, place)


def _calldata(signature: str, *words: int) -> str:
    return "0x" + keccak(signature.encode())[:4].hex() + "".join(word.to_bytes(32).hex() for word in words)


def _contract(deployment: Deployment) -> Contract:
    return Contract(deployment.chain_id, deployment.custody.lower(), deployment.block_number)


def _replay(sources: Sources, until_seq: int, progress: Progress) -> tuple[Problem | None, Replay | None]:
    progress.begin()
    try:
        replayed = replay(sources.journal_dir, until_seq, sources.deployment, progress)
    except CorruptJournal as corrupt:
        where = f"{corrupt.path}, offset {corrupt.offset}, sequence {corrupt.seq}"
        return (where, f"the journal is corrupt: {corrupt.reason}"), None
    except (JournalError, OSError) as error:
        raise AuditUnavailable(f"the journal cannot be read: {error}") from error
    progress.end(replayed.seq)
    return (replayed.stopped, None) if replayed.stopped is not None else (None, replayed)


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
