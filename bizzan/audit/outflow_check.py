"""AUD-9: the limits of outflow, their levels and the approvers are what the logs add up to, and were kept."""

from __future__ import annotations

from collections.abc import Iterator

from bizzan.audit.comparing import Problem
from bizzan.audit.evidence import Evidence
from bizzan.audit.outflow_ledger import WINDOW, fold
from exchange.domain.deployment import checksum


def outflow(evidence: Evidence) -> Iterator[Problem]:
    """The contract's answers are what its logs add up to, and nothing left above a limit without approvals."""
    told, views = fold(evidence.chain, evidence.times), evidence.views
    yield from told.problems
    for token_id, (limit, level) in views.outflow.items():
        token = told.tokens[token_id]
        where = f"outflow of token {evidence.deployment.asset(evidence.asset_of(token_id)).symbol}"
        if limit != token.limit:
            yield where, f"the contract's limit is {limit}, the logs say {token.limit}"
        expected = -(-token.level_at(views.read_at) // WINDOW)
        if level != expected:
            yield where, f"the contract's level is {level}, the logs add up to {expected}"
    if set(views.approvers) != told.approvers:
        yield "approvers", f"the contract says {_names(set(views.approvers))}, its logs {_names(told.approvers)}"
    if views.threshold != told.threshold:
        yield "approvers", f"the contract's threshold is {views.threshold}, the logs say {told.threshold}"
    if len(views.approvers) < views.threshold:
        yield "approvers", f"the threshold is {views.threshold}, and only {len(views.approvers)} may approve"
    if not views.threshold and any(limit for limit, _ in views.outflow.values()):
        yield "approvers", "a limit is set, and nobody need approve what is above it"


def count(evidence: Evidence) -> str:
    """What was compared."""
    limits = sum(1 for limit, _ in evidence.views.outflow.values() if limit)
    above = fold(evidence.chain, evidence.times).above
    return f"{limits} limits, {len(evidence.views.approvers)} approvers, {above} payments above a limit"


def _names(approvers: set[bytes]) -> str:
    return ", ".join(checksum(approver) for approver in sorted(approvers)) or "nobody"
