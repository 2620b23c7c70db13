"""What `bizzan verify` and `scripts/verify.py` do: verify, print, and say by the exit code whether all is equal."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from rich.markup import escape

from bizzan.cli.console import console, fail
from bizzan.contracts import EVM_VERSION, OPTIMIZE, ROOT, CompileError
from bizzan.supervisor.errors import SupervisorError
from bizzan.verification import Finding, VerifyError, verify
from exchange.domain.deployment import Deployment
from exchange.sequencer.seed import SeedError, load_deployment


def run(rpc_url: str, deployment_file: Path) -> int:
    """Verify a deployment; 0 when nothing differs. Raises SupervisorError when it cannot be verified."""
    try:
        deployment = load_deployment(deployment_file)
        console.print(f"file      {deployment_file}", soft_wrap=True)
        console.print(f"sources   {_sources(deployment)}", soft_wrap=True)
        console.print(f"compiler  vyper {version('vyper')}, optimised for {OPTIMIZE}, evm {EVM_VERSION}")
        findings = verify(rpc_url, deployment)
    except (SeedError, CompileError, VerifyError, OSError) as error:
        raise SupervisorError(f"nothing was verified: {error}") from None
    for finding in findings:
        _print(finding)
    differences = [f"{finding.name} {finding.address}: {what}" for finding in findings for what in finding.differences]
    for difference in differences:
        fail(difference)
    console.print("[red]it differs[/]" if differences else "[green]everything is equal[/]")
    return int(bool(differences))


def _print(finding: Finding) -> None:
    mark = "[red]✗[/]" if finding.differences else "[green]✓[/]"
    console.print(f"\n{mark} [bold]{finding.name}[/] {finding.address}", soft_wrap=True)
    for what, value in finding.facts.items():
        console.print(f"    [dim]{what:<24}[/] {escape(value)}", soft_wrap=True)


def _sources(deployment: Deployment) -> str:
    """The commit at hand, whether the contracts were changed since, and the commit that the file names."""
    commit = _git("rev-parse", "HEAD") or "unknown"
    changed = ", changed since" if _git("status", "--porcelain", "contracts") else ""
    return f"commit {commit}{changed}; deployed from {deployment.commit}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
