"""Commands of an auditor: the whole exchange, the published journal, one receipt."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bizzan.cli.console import console
from bizzan.supervisor.errors import SupervisorError
from exchange.domain.deployment import DeploymentError, address_bytes
from exchange.domain.receipt import ReceiptError
from exchange.settings import load_settings

if TYPE_CHECKING:
    from bizzan.audit.chain_ledger import ChainLedger
    from bizzan.audit.journal_replay import Replay
    from bizzan.audit.reversals import Block
    from bizzan.audit.signed import ByCode
    from exchange.domain.deployment import Deployment

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]

commands = typer.Typer(
    help="Compare contract, mirror, engine and journal; name the first difference and exit 1.",
    invoke_without_command=True,
)


@commands.callback()
def audit(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare contract, mirror, engine and journal; name the first difference and exit 1."""
    if context.invoked_subcommand is not None:
        return
    clean = importlib.import_module("bizzan.audit.main").run(load_settings(), as_json)
    raise typer.Exit(0 if clean else 1)


@commands.command()
def fetch(
    url: Annotated[str, typer.Argument(help="The address of the exchange's API.")],
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where the published journal goes, or goes on.")],
    signer: Annotated[str, typer.Option(help="The address of the receipt key.")],
    bond: Annotated[str | None, typer.Option(help="The bond contract that must stand behind it.")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The records too, signed in by the auditor's key of the settings.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch the published journal, or what is new of it, and check every piece; exit 1 where one is not as signed."""
    from bizzan.audit.fetch import Contradiction, Fetched, Fetcher, signed_domain
    from bizzan.audit.pieces import PieceError
    from bizzan.audit.progress import Progress
    from bizzan.audit.remote import FetchError, Remote
    from bizzan.client.wallet import Wallet
    from exchange.journal.errors import JournalError

    wallet = Wallet.from_hex(load_settings().key("auditor")) if raw else None
    progress = Progress(done="fetched")

    async def run() -> Fetched:
        key, contract = address_bytes(signer, "--signer"), address_bytes(bond, "--bond") if bond else None
        async with Remote(url, wallet) as remote:
            domain = await signed_domain(remote, contract)
            return await Fetcher(remote, folder, domain, key, raw=raw, progress=progress).run()

    try:
        fetched = asyncio.run(run())
    except Contradiction as proof:
        _print(str(proof))
        if as_json:
            print(json.dumps({"clean": False, "contradiction": str(proof.folder)}))  # noqa: T201 - for programs
        raise typer.Exit(1) from None
    except (FetchError, PieceError, JournalError, DeploymentError) as error:
        raise SupervisorError(str(error)) from None
    _print(
        f"{folder}: fetched {fetched.pieces} pieces, {fetched.raw_pieces} with their records; journal up to sequence "
        f"{fetched.seq}, head 0x{fetched.head}: all as it was signed"
    )
    if as_json:
        print(json.dumps({"clean": True, **fetched.as_json()}))  # noqa: T201 - plain, without wrapping, for programs


@commands.command()
def receipt(
    source: Annotated[str, typer.Argument(help="A file with a receipt or an ack, or its JSON.")],
    signer: Annotated[str, typer.Option(help="The address of the receipt key.")],
    bond: Annotated[str | None, typer.Option(help="The bond contract that must stand behind it.")] = None,
    journal: Annotated[Path | None, typer.Option(help="A folder with the journal, or with its published copy.")] = None,
) -> None:
    """Check one receipt offline, by the receipt key's address, and against a journal; exit 1 if it does not hold."""
    from bizzan.audit.receipts import parse_receipts, problems

    try:
        receipts = parse_receipts(source)
        key, contract = address_bytes(signer, "--signer"), address_bytes(bond, "--bond") if bond else None
    except (ReceiptError, DeploymentError) as error:
        raise SupervisorError(str(error)) from None
    found = False
    for one in receipts:
        wrong = list(problems(one, key, contract, journal))
        found = found or bool(wrong)
        where = f"sequence {one.seq} of {one.first_seq} to {one.last_seq}, at {one.at_ms} ms"
        for problem in wrong:
            _print(f"{where}: {problem}")
        if not wrong:
            _print(
                f"{where}: 0x{one.subject.hex()} was taken there, the journal's head after it is "
                f"0x{one.record_head.hex()}"
            )
    raise typer.Exit(1 if found else 0)


@commands.command()
def replay(
    folder: Annotated[Path, typer.Argument(help="A published journal; with --unsigned any journal.")],
    receipts: Annotated[list[str] | None, typer.Option(help="Files with receipts, to be found in it.")] = None,
    deployment: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The deployment file: whose bond, key and contract."),
    ] = None,
    rpc: Annotated[str | None, typer.Option(help="A node, to compare batches and movements with the chain.")] = None,
    unsigned: Annotated[
        bool,
        typer.Option("--unsigned", help="A journal that nobody published, as the engine's own: no piece is signed."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show from the published journal alone that matching was fair; print a counterexample and exit 1 otherwise."""
    from bizzan.audit.findings import plain
    from bizzan.audit.progress import Progress
    from bizzan.audit.published import audit_journal, read_receipts
    from exchange.journal.publication import INDEX_NAME, has_hashes_alone, is_published
    from exchange.sequencer.seed import SeedError, load_deployment

    try:
        there: Deployment | None = load_deployment(deployment) if deployment else None
        given = read_receipts(receipts or [])
    except (ReceiptError, SeedError) as error:
        raise SupervisorError(str(error)) from None
    if rpc and there is None:
        raise SupervisorError("--rpc needs --deployment: which contract to read")
    if not folder.is_dir():
        raise SupervisorError(f"{folder} is no folder with a journal")
    if not (unsigned or is_published(folder)):
        raise SupervisorError(
            f"there is no published journal in {folder}: it has no {INDEX_NAME}, and so no piece that anybody signed; "
            "'bizzan audit fetch' fetches one, and --unsigned replays a journal as the engine keeps it"
        )
    if has_hashes_alone(folder):
        raise SupervisorError(f"{folder} has the hashes alone: 'bizzan audit fetch --raw' fetches the records as well")
    progress = Progress()
    with_bond = there if there and there.gives_receipts else None
    found = audit_journal(
        folder,
        domain=with_bond.bond_domain if with_bond else None,
        signer=address_bytes(with_bond.receipt_signer) if with_bond else None,
        custody=there,
        receipts=given,
        read_chain=partial(_read_chain, rpc, there) if rpc and there else None,
        read_cited=lambda replayed: _read_cited(rpc, replayed) if rpc else {},
        ask_wallets=lambda holds: _ask_wallets(rpc, holds) if rpc else (),
        progress=progress,
    )
    for finding in found.findings:
        _print(plain(str(finding)))
    if found.batches_beyond:
        _print(
            f"{found.batches_beyond} batches on chain come after the journal's last and are not checked: fetch what "
            "was published since"
        )
    said = found.as_json()
    counts = ", ".join(f"{said[name]} {name}" for name in ("pieces", "orders", "trades", "fills"))
    verdict = _counted(len(found.findings)) if found.findings else "every line follows"
    _print(f"journal up to sequence {found.replay.seq}, head 0x{found.replay.head.hex()}: {counts}: {verdict}")
    if as_json:
        print(json.dumps(said))  # noqa: T201 - plain, without wrapping, for programs
    raise typer.Exit(1 if found.findings else 0)


@commands.command()
def fraud(
    source: Annotated[str, typer.Argument(help="The receipt that was given, as a file or JSON.")],
    other: Annotated[str, typer.Argument(help="Another receipt, or the folder of the published journal.")],
    deployment: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="The deployment file: whose bond and key.")
    ],
    recipient: Annotated[str, typer.Option(help="Who gets the reporter's part.")],
) -> None:
    """Print the call that takes the operator's bond for two statements that contradict each other."""
    from bizzan.audit.pieces import PieceError
    from bizzan.audit.published import published_receipt, read_receipts, report_calldata
    from bizzan.audit.receipts import problems
    from exchange.journal.errors import JournalError
    from exchange.sequencer.seed import SeedError, load_deployment

    try:
        there = load_deployment(deployment)
        one = read_receipts([source])[0]
        found = published_receipt(Path(other), there.bond_domain, one.seq) if Path(other).is_dir() else None
        second = found if Path(other).is_dir() else read_receipts([other])[0]
        if second is None:
            raise SupervisorError(f"sequence {one.seq} is not published in {other}")
        signer, bond = address_bytes(there.receipt_signer), address_bytes(there.operator_bond)
        for statement in (one, second):
            for problem in problems(statement, signer, bond):
                raise SupervisorError(problem)
        calldata = report_calldata(one, second, address_bytes(recipient, "--recipient"))
    except (ReceiptError, SeedError, DeploymentError, JournalError, PieceError) as error:
        raise SupervisorError(str(error)) from None
    _print(f"cast send {there.operator_bond} 0x{calldata.hex()}")


def _read_chain(rpc_url: str, deployment: Deployment) -> ChainLedger:
    """The contract's ledger up to the node's head."""
    from bizzan.audit.chain_ledger import read_chain
    from exchange.chain.rpc import ChainError, Rpc

    async def read() -> ChainLedger:
        async with Rpc(rpc_url) as node:
            return await read_chain(node, deployment, await node.block_number())

    try:
        return asyncio.run(read())
    except ChainError as error:
        raise SupervisorError(f"the chain cannot be read: {error}") from None


def _read_cited(rpc_url: str, replayed: Replay) -> dict[str, Block]:
    """The blocks that reversals cite."""
    from bizzan.audit.reversals import read_cited
    from exchange.chain.rpc import ChainError, Rpc

    async def read() -> dict[str, Block]:
        async with Rpc(rpc_url) as node:
            return await read_cited(node, replayed)

    try:
        return asyncio.run(read())
    except ChainError as error:
        raise SupervisorError(f"the chain cannot be read: {error}") from None


def _ask_wallets(rpc_url: str, holds: Sequence[ByCode]) -> frozenset[bytes]:
    """Hashes of the holds that the contracts at their accounts confirm."""
    from bizzan.audit.signed import by_wallets
    from exchange.chain.rpc import ChainError, Rpc

    async def ask() -> frozenset[bytes]:
        async with Rpc(rpc_url) as node:
            return await by_wallets(node, holds)

    try:
        return asyncio.run(ask())
    except ChainError as error:
        raise SupervisorError(f"the chain cannot be read: {error}") from None


def _counted(findings: int) -> str:
    return "one finding" if findings == 1 else f"{findings} findings"


def _print(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
