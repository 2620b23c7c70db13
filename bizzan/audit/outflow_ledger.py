"""Limits of outflow, their levels and the approvers, as the chain's own logs add them up.

The fold is the contract's rule in unbounded integers, with the time of each block, so it knows of every withdrawal
whether it counted against the limit or needed approvals, and who approved it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bizzan.audit.chain_ledger import ChainLedger, Kept, Place
from bizzan.audit.comparing import Problem

WINDOW = 86_400
_FLOWS = ("Deposited", "MovedToTrading", "Withdrawn", "MovedToFunding")


@dataclass(slots=True)
class _Token:
    """`level` is in ledger units times seconds, as it was at `updated`."""

    limit: int = 0
    updated: int = 0
    level: int = 0

    def level_at(self, now: int) -> int:
        """What is left of the level."""
        return max(self.level - self.limit * (now - self.updated), 0)

    def set(self, now: int, level: int) -> None:
        """A level from now on."""
        self.updated, self.level = now, level


@dataclass(slots=True)
class Outflow:
    """Limits, approvers and approvals, log by log. `problems` are payments above a limit with too few approvals."""

    times: Mapping[int, int]
    tokens: defaultdict[int, _Token] = field(default_factory=lambda: defaultdict(_Token))
    approvers: set[bytes] = field(default_factory=set)
    threshold: int = 0
    approved: defaultdict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    above: int = 0
    problems: list[Problem] = field(default_factory=list)

    def apply(self, kept: Kept) -> None:
        """One log."""
        values = kept.values
        match kept.name:
            case "OutflowLimitChanged":
                token, now = self.tokens[values["token_id"]], self.times[kept.place.block_number]
                token.set(now, token.level_at(now))
                token.limit = values["limit"]
            case "ApproverChanged":
                (self.approvers.add if values["approved"] else self.approvers.discard)(values["approver"])
            case "ApprovalThresholdChanged":
                self.threshold = values["threshold"]
            case "WithdrawalApproved":
                self.approved[values["withdrawal_hash"]].add(values["approver"])
            case "Withdrawn" | "MovedToFunding":
                self._leave(kept.place, values)
            case "MovedToTrading":
                self._enter(kept.place, values)
            case "Deposited" if not values["to_funding"]:
                self._enter(kept.place, values)

    def _enter(self, place: Place, values: Mapping[str, Any]) -> None:
        token = self.tokens[values["token_id"]]
        if token.limit:
            now = self.times[place.block_number]
            token.set(now, max(token.level_at(now) - values["amount"] * WINDOW, 0))

    def _leave(self, place: Place, values: Mapping[str, Any]) -> None:
        token = self.tokens[values["token_id"]]
        if not token.limit:
            return
        now = self.times[place.block_number]
        level = token.level_at(now) + values["amount"] * WINDOW
        if level <= token.limit * WINDOW:
            token.set(now, level)
            return
        self.above += 1
        given = len(self.approved[values["withdrawal_hash"]] & self.approvers)
        if given < max(self.threshold, 1):
            text = f"pays {values['amount']} above the limit {token.limit} with {given} of {self.threshold} approvals"
            self.problems.append((f"withdrawal 0x{values['withdrawal_hash'].hex()}, {place}", text))


def fold(chain: ChainLedger, times: Mapping[int, int]) -> Outflow:
    """All logs."""
    outflow = Outflow(times)
    for kept in chain.kept:
        outflow.apply(kept)
    return outflow


def needed_times(chain: ChainLedger) -> set[int]:
    """Blocks whose times the fold needs: those with a change of a token that has, or had, a limit."""
    limited = {kept.values["token_id"] for kept in chain.kept if kept.name == "OutflowLimitChanged"}
    names = (*_FLOWS, "OutflowLimitChanged")
    return {kept.place.block_number for kept in chain.kept if kept.name in names and kept.values["token_id"] in limited}
