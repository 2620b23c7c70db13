"""The operators' log against the journal: every command of an operator has its entry, and every entry is as it went.

What is whole in itself (`operator_log.breaks`) may still have been written by who owns the database. The journal it
cannot write: so each command of an operator there must be what an entry asked for and is said to have become, and the
other way round. Two things are taken on the database's word. A market that was halted or opened without an entry may
have been so because of the chain, which the inbox says by the command's name; and an inbox that was made anew of the
journal knows no names. An entry of which nobody knows what became, because the database was made anew before it was
noted, is believed to be of any one command that says the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bizzan.audit.comparing import Problem
from bizzan.audit.evidence import Evidence
from bizzan.audit.journal_replay import Replay, Told
from bizzan.operator import entry_of
from exchange.database.chain_effects import HALTED
from exchange.database.engine_inbox import REPLAYED
from exchange.database.operator_log import Asked
from exchange.domain.deployment import Deployment, checksum
from exchange.domain.errors import Refusal
from exchange.domain.instrument import MarketStatus
from exchange.engine import commands as c
from exchange.sequencer.inbox import kind_of, to_command, to_payload

Terms = tuple[str, str, str]
"""What is done, to what, and its details as JSON."""


def operators(evidence: Evidence) -> Iterator[Problem]:
    """The log is whole, and the journal bears it out."""
    mirror = evidence.mirror
    for text in mirror.operator_breaks:
        yield "operator_log", text
    if evidence.replay is not None:
        yield from against_journal(mirror.operator_asked, mirror.status_keys, evidence.replay, evidence.deployment)


def count(evidence: Evidence) -> str:
    """What was looked at."""
    commands = len(evidence.replay.operated) if evidence.replay else 0
    return f"{evidence.mirror.operator_entries} entries, {commands} commands"


def against_journal(
    asked: Sequence[Asked], status_keys: Mapping[int, str], replay: Replay, deployment: Deployment
) -> Iterator[Problem]:
    """What the log says was asked and applied, and what the journal has of operators' commands."""
    judge = _Judge(status_keys, replay, deployment)
    for one in asked:
        for text in judge.entry(one):
            yield f"operators' log, entry {one.entry.entry_id}", text
    for told in replay.operated:
        for text in judge.command(told):
            yield f"journal sequence {told.seq}", text


class _Judge:
    """First every entry is looked at, then every command."""

    def __init__(self, status_keys: Mapping[int, str], replay: Replay, deployment: Deployment) -> None:
        self._keys = status_keys
        self._journal = {told.seq: told for told in replay.operated}
        self._symbols = {market.market_id: market.symbol for market in deployment.markets}
        self._symbols |= {number: listed.market.symbol for number, listed in replay.markets.items()}
        self._claimed: dict[int, int] = {}
        self._waiting: dict[int, Terms] = {}
        self._lost: Counter[Terms] = Counter()

    def entry(self, one: Asked) -> Iterator[str]:
        """What is wrong with one entry, its command and its outcome."""
        asked = _terms(one.entry.action, one.entry.subject, one.entry.details)
        if one.inbox_id is not None and (posted := self._posted(one)) not in (None, asked):
            yield f"asks for {_said(asked)}, its command in the engine's inbox for {_said(posted)}"
        outcome = one.outcome.outcome if one.outcome else "asked"
        if outcome == "applied":
            yield from self._applied(one, asked)
        elif outcome == "refused" and one.inbox_id is not None and one.outcome:
            if one.refusal != one.outcome.details:
                yield f"is logged as refused with {one.outcome.details}, the engine's inbox says {one.refusal}"
        elif outcome != "refused" and one.inbox_id is None:
            self._lost[asked] += 1
        elif outcome == "asked" and one.inbox_id is not None:
            self._waiting[one.inbox_id] = asked
        elif outcome != "refused":
            yield f"is logged as {outcome}, though its command is in the engine's inbox"

    def _applied(self, one: Asked, asked: Terms) -> Iterator[str]:
        seq = one.outcome.details.get("seq") if one.outcome else None
        told = self._journal.get(seq) if isinstance(seq, int) else None
        if told is None:
            yield f"is logged as applied at sequence {seq}, where the journal has no command of an operator"
        elif (there := self._terms_of(told.command)) != asked:
            yield f"is logged as applied at sequence {seq}, where the journal has {_said(there)}"
        elif one.inbox_id not in (None, _inbox_id(told)) or told.seq in self._claimed:
            yield f"is logged as applied at sequence {seq}, where the journal has another entry's command"
        else:
            self._claimed[told.seq] = one.entry.entry_id

    def command(self, told: Told) -> Iterator[str]:
        """Nothing for a command that has its entry, or that the chain's word explains."""
        terms = self._terms_of(told.command)
        if told.seq in self._claimed or self._waiting.get(_inbox_id(told)) == terms:
            return
        if self._lost[terms]:
            self._lost[terms] -= 1
        elif not self._is_of_the_chain(told):
            yield f"{_said(terms)} has no entry in the operators' log that was applied there"

    def _is_of_the_chain(self, told: Told) -> bool:
        if not isinstance(told.command, c.SetMarketStatus) or told.command.status == MarketStatus.delisted:
            return False
        return self._keys.get(told.command.inbox_id, "").startswith((HALTED, REPLAYED))

    def _posted(self, one: Asked) -> Terms | None:
        """What its command in the inbox asks for; None for one that is none, and was refused as such."""
        try:
            return self._terms_of(to_command(one.inbox_id or 0, one.kind, one.payload))
        except Refusal:
            return None if one.refusal else (one.kind, "", json.dumps(one.payload, sort_keys=True))

    def _terms_of(self, command: c.Command) -> Terms:
        payload = to_payload(command)
        if isinstance(command, (c.SetAccountTier, c.SetAccountLimits, c.SetTradingStop)):
            name = checksum(command.account)
        else:
            number = payload.get("market")
            name = self._symbols.get(number, str(number)) if isinstance(number, int) else ""
        entry = entry_of(name, kind_of(type(command)), payload)
        return _terms(entry.action, entry.subject, entry.details)


def _terms(action: str, subject: str, details: Mapping[str, Any]) -> Terms:
    return action, subject, json.dumps(details, sort_keys=True)


def _said(terms: Terms | None) -> str:
    return " ".join(part for part in terms or ("nothing",) if part not in ("", "{}"))


def _inbox_id(told: Told) -> int:
    return int(getattr(told.command, "inbox_id", 0))
