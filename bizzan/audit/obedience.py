"""AUD-8: what an account says on chain to stop is obeyed in the journal soon: exits, freezes, cancels, revocations.

Soon is `OBEY_BLOCKS` blocks after the log. Two clocks say when the journal went on past that block: the time of its
records, and, whatever an operator writes there, the block of a log that an earlier record cites. An engine that stood
still is not late: what counts is that the journal went on without the command.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bizzan.audit.chain_ledger import ChainLedger
from bizzan.audit.comparing import Problem
from bizzan.audit.demands import OBEY_BLOCKS, Subject, demands
from bizzan.audit.evidence import Evidence
from bizzan.audit.journal_replay import Obeyed, Replay
from exchange.domain.deployment import checksum
from exchange.engine import commands as c

_CITED = re.compile(r"^(?:credit|debit|reserve):(0x[0-9a-f]{64}):\d+")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The block by which a demand must be obeyed, and its time in milliseconds."""

    block_number: int
    at_ms: int


def obedience(evidence: Evidence) -> Iterator[Problem]:
    """Every demand that is old enough was obeyed in time, and what still stands is still obeyed."""
    if evidence.replay is not None:  # the other checks say where the journal is corrupt
        yield from obeyed_in_time(evidence.replay, evidence.chain, evidence.times)


def obeyed_in_time(replay: Replay, chain: ChainLedger, times: Mapping[int, int]) -> Iterator[Problem]:
    """The same for a journal and a chain; `times` has the seconds of the blocks by which demands must be obeyed."""
    clock = _Clock.of(chain, replay)
    answers = _answers(replay.obeyed)
    for subject, asked in demands(chain).items():
        for place, demand in enumerate(asked):
            following = asked[place + 1] if place + 1 < len(asked) else None
            number = demand.place.block_number + OBEY_BLOCKS
            superseded = following is not None and following.place.block_number <= number
            if demand.on and not superseded and number in times:
                deadline = Deadline(number, times[number] * 1_000)
                text = _answer(clock, answers.get(subject, []), deadline, following is None)
                if text:
                    yield f"{_name(subject)}, {demand.place}", f"{text}; {_meanwhile(replay, subject, deadline)}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the journal did about a subject: `on` stops. The engine may stand still before, not after that."""

    told: Obeyed
    on: bool

    @property
    def counts_at(self) -> int:
        """The time at which it counts, in milliseconds."""
        return self.told.before_ms if self.on else self.told.at_ms


def _answers(obeyed: Sequence[Obeyed]) -> Mapping[Subject, Sequence[_Answer]]:
    found: dict[Subject, list[_Answer]] = {}
    for told in obeyed:
        for subject, on in _said(told.command):
            found.setdefault(subject, []).append(_Answer(told, on))
    return found


def _said(command: c.Command) -> Iterator[tuple[Subject, bool]]:
    """The subjects of a command. An engine that had one word for both stopped frozen accounts as leaving."""
    match command:
        case c.SetExiting(account=account, exiting=on):
            yield ("exit", account, None), on
            if on:
                yield ("freeze", account, None), on
        case c.SetFrozen(account=account, frozen=on):
            yield ("freeze", account, None), on
        case c.ObeyCancel(account=account, nonce=nonce, min_nonce=0):
            yield ("cancel", account, nonce), True
        case c.ObeyCancel(account=account, min_nonce=min_nonce):
            yield ("cancel-all", account, min_nonce), True
        case c.ObeyRevocation(account=account, delegate=delegate):
            yield ("revocation", account, delegate), True
        case c.AllowDelegate(account=account, delegate=delegate):
            yield ("revocation", account, delegate), False
        case _:
            pass


def _answer(clock: _Clock, answers: Sequence[_Answer], deadline: Deadline, stands: bool) -> str | None:
    """What is wrong with the answers to a demand; None if it was obeyed in time and still is, if it `stands`."""
    in_time = [answer for answer in answers if not clock.is_past(answer.told.seq, answer.counts_at, deadline)]
    if in_time and in_time[-1].on and (answers[-1].on or not stands):
        return None
    if any(answer.on for answer in in_time) and not answers[-1].on:
        return f"the engine took it back at journal sequence {answers[-1].told.seq}, though it stands on chain"
    late = next((answer for answer in answers[len(in_time) :] if answer.on), None)
    if late is not None:
        went = f"the journal went on past block {deadline.block_number} before"
        return f"the engine obeyed at journal sequence {late.told.seq}, more than {OBEY_BLOCKS} blocks later: {went}"
    if clock.is_past(clock.seq + 1, clock.at_ms, deadline):
        return f"the engine was never told, though the journal went on past block {deadline.block_number}"
    return None


@dataclass(frozen=True, slots=True)
class _Clock:
    """How late it was in the journal: by its own times, and by the logs that were cited before a sequence."""

    seq: int
    at_ms: int
    seqs: Sequence[int]
    highest: Sequence[int]

    @classmethod
    def of(cls, chain: ChainLedger, replay: Replay) -> _Clock:
        """The clock of a journal that cites logs of this chain."""
        seqs: list[int] = []
        highest: list[int] = []
        for told in replay.told:
            cited = _CITED.match(getattr(told.command, "cause", "") or getattr(told.command, "request", ""))
            number = chain.block_numbers.get(cited[1], 0) if cited else 0
            seqs.append(told.seq)
            highest.append(max(number, highest[-1] if highest else 0))
        return cls(replay.seq, replay.went_on_ms, seqs, highest)

    def is_past(self, seq: int, at_ms: int, deadline: Deadline) -> bool:
        """Whether the deadline is over at a time, or over for what is cited before sequence `seq`."""
        place = bisect_left(self.seqs, seq)
        return at_ms > deadline.at_ms or (place > 0 and self.highest[place - 1] > deadline.block_number)


def _meanwhile(replay: Replay, subject: Subject, deadline: Deadline) -> str:
    """How much the account traded after the deadline."""
    account = replay.account_id(subject[1])
    count = sum(
        trade.at_ms > deadline.at_ms and account in (trade.match.maker_account, trade.match.taker_account)
        for trade in replay.trades.values()
    )
    return f"the account's trades after that block's time: {count}"


def _name(subject: Subject) -> str:
    kind, account, detail = subject
    what = checksum(detail) if isinstance(detail, bytes) else detail
    return f"{kind}{'' if detail is None else f' of {what}'} by {checksum(account)}"


def count(evidence: Evidence) -> str:
    """What was compared."""
    return f"{sum(demand.on for each in demands(evidence.chain).values() for demand in each)} demands"
