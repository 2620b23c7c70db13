"""The command `bizzan audit`: gathers, checks, prints.

A running stack is audited as it runs. A stopped one is audited by starting its chain node and its database, and nothing
else, for as long as it takes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.table import Table

from bizzan.audit.checks import run_checks
from bizzan.audit.evidence import Evidence, Sources, gather
from bizzan.audit.findings import AuditUnavailable, Report, plain
from bizzan.audit.progress import Progress
from bizzan.supervisor.deployment import read_deployment
from bizzan.supervisor.errors import SupervisorError
from bizzan.supervisor.local import build_anvil, build_postgres
from bizzan.supervisor.lock import StateLock, holder
from exchange.settings import Settings

SHOWN = 20


def run(settings: Settings, as_json: bool = False) -> bool:
    """Audit the exchange of these settings and print the report; True when it is clean.

    Raises SupervisorError when a part that the audit must read cannot be read.
    """
    console = Console(stderr=as_json)
    try:
        read_deployment(settings)  # before anything is started: without contracts there is nothing
        with console.status("reading chain, database and journal"), servers(settings):
            report = asyncio.run(audit(sources_of(settings)))
    except AuditUnavailable as error:
        raise SupervisorError(f"the audit could not run: {error}") from None
    if as_json:
        print(json.dumps(report.as_json()))  # noqa: T201 - plain, without wrapping, for programs
    else:
        print_report(console, report)
    return not report.findings


async def audit(sources: Sources) -> Report:
    """Gather and check, and tell a person who waits how far that is. Raises AuditUnavailable."""
    progress = Progress()
    evidence = await gather(sources, progress)
    with progress.during("comparing"):
        return report_of(evidence)


def report_of(evidence: Evidence) -> Report:
    """All checks over what was gathered."""
    there = evidence.mirror
    return Report(there.block_number, "0x" + there.block_hash.hex(), there.journal_seq, run_checks(evidence))


def sources_of(settings: Settings) -> Sources:
    """Where these settings say that chain, database and journal are. Raises SettingsError without contracts."""
    return Sources(settings.rpc_url, settings.database_url(), settings.journal_dir, read_deployment(settings))


@contextmanager
def servers(settings: Settings) -> Iterator[None]:
    """The local chain node and database, started for the audit when no stack runs here."""
    if not settings.is_local_chain or holder(settings.state_dir) is not None:
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(StateLock(settings.state_dir))
        for server in (build_anvil(settings), build_postgres(settings)):
            if server is not None:
                server.start()
                stack.callback(server.stop)
                server.wait_ready()
        yield


def print_report(console: Console, report: Report) -> None:
    """For people: one line per check, then the findings."""
    table = Table(title=f"audit at block {report.block_number}, journal sequence {report.journal_seq}")
    for name in ("check", "compared", "findings"):
        table.add_column(name)
    for result in report.results:
        verdict = f"[red]{len(result.findings)}" if result.findings else "[green]none"
        table.add_row(result.check, result.compared, verdict)
    console.print(table)
    for finding in report.findings[:SHOWN]:
        console.print(plain(str(finding)), style="red", markup=False, soft_wrap=True)
    if len(report.findings) > SHOWN:
        console.print(f"... and {len(report.findings) - SHOWN} more; --json shows all", style="red")
    console.print("[red]not clean[/]" if report.findings else "[green]clean[/]")
