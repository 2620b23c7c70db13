"""What the engine was told in the chain's name, and the chain never said: the other way round than `obedience`.

Whoever owns the database can post any command into the engine's inbox. Those that move money cite their log, and are
compared with it elsewhere (`told`); these are what is left:

    ObeyCancel                 the account posted this nonce, or this minimum nonce. A second one changes nothing
    SetExiting, SetFrozen      what stops is one log of the account, each cited once; what goes on is a later log, whose
    ObeyRevocation,            block's time had come; or the journal itself takes back what it told of a log that a
    AllowDelegate              reorganisation took
    ReserveForced              `request` names the log, with its account, asset and amount, once; or the journal has
                               released it
    ReleaseForced              the request is over on chain, or its log is gone
    ReleaseWithdrawal          the deadline has passed on chain, and nothing was paid

These commands name no log but for `ReserveForced`, so logs of the same account and values are given to them in order,
the earliest that fits, as favours the operator. A key may be revoked that the account has not named by any log: a
reorganisation took its naming, or nobody could have traded by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bizzan.audit.chain_ledger import ChainLedger, Kept, Place
from bizzan.audit.comparing import Problem
from bizzan.audit.demands import OBEY_BLOCKS, Demand, Subject, demands
from bizzan.audit.journal_replay import OBEYING, Replay
from exchange.domain.deployment import checksum
from exchange.engine import commands as c

REQUEST = re.compile(r"^reserve:(0x[0-9a-f]{64}:\d+):\d+$")
"""How a forced withdrawal's request names its log: block hash, log index, and how often it was reserved for before."""
_LOGS: Mapping[str, tuple[str, str]] = {
    "exit": ("ExitRequested", "ExitCancelled"),
    "freeze": ("AccountFrozen", "AccountUnfrozen"),
    "revocation": ("DelegateRevoked", "DelegateAdded"),
}
"""The events that stop something, and let it go on."""


@dataclass(frozen=True, slots=True)
class Said:
    """A command in the chain's name, where it stands in the journal, and its time where that matters."""

    seq: int
    command: c.Command
    at_ms: int = 0


def unasked(replay: Replay, chain: ChainLedger, pending: Iterable[tuple[int, c.Command]] = ()) -> Iterator[Problem]:
    """Commands that no log on chain bears out. `pending` are still to come: what they take back is taken back."""
    to_come = [Said(seq, command, replay.at_ms) for seq, command in pending]
    obeyed = [Said(each.seq, each.command, each.at_ms) for each in replay.obeyed]
    obeyed += [said for said in to_come if isinstance(said.command, OBEYING)]
    told = [Said(each.seq, each.command) for each in replay.told] + to_come
    found = [
        *_unposted(obeyed, chain),
        *_Switches(replay, chain, obeyed).problems(),
        *_Requests(chain).problems(told),
        *_released_early(replay, chain, told),
    ]
    for said, text in sorted(found, key=lambda each: each[0].seq):
        yield f"journal sequence {said.seq}", f"{said.command}: {text}"


def unnamed_requests(replay: Replay) -> Iterator[Problem]:
    """Reserves that name no log as their request, which the journal alone shows."""
    for told in replay.told:
        if isinstance(told.command, c.ReserveForced) and not REQUEST.match(told.command.request):
            yield f"journal sequence {told.seq}", f"reserves money and cites no log: {told.command}"


def _unposted(obeyed: Sequence[Said], chain: ChainLedger) -> Iterator[tuple[Said, str]]:
    asked = demands(chain)
    for said in obeyed:
        command = said.command
        if not isinstance(command, c.ObeyCancel):
            continue
        if command.min_nonce:
            kind, event, number = "cancel-all", "NoncesCancelled", command.min_nonce
        else:
            kind, event, number = "cancel", "NonceCancelled", command.nonce
        if (kind, command.account, number) not in asked:
            yield said, f"the chain has no {event} of {number} by {checksum(command.account)}"


def _subject(command: c.Command) -> tuple[Subject, bool] | None:
    """What a command stops, or lets go on; None for those that do neither."""
    match command:
        case c.SetExiting(account=account, exiting=on):
            return ("exit", account, None), on
        case c.SetFrozen(account=account, frozen=on):
            return ("freeze", account, None), on
        case c.ObeyRevocation(account=account, delegate=delegate):
            return ("revocation", account, delegate), True
        case c.AllowDelegate(account=account, delegate=delegate):
            return ("revocation", account, delegate), False
        case _:
            return None


class _Switches:
    """What stops accounts and delegates, and lets them go on."""

    def __init__(self, replay: Replay, chain: ChainLedger, obeyed: Sequence[Said]) -> None:
        self._went_on_ms = replay.went_on_ms
        self._times = chain.times
        self._asked = demands(chain)
        self._said: dict[Subject, list[tuple[Said, bool]]] = {}
        for said in obeyed:
            if (found := _subject(said.command)) is not None:
                self._said.setdefault(found[0], []).append((said, found[1]))

    def problems(self) -> Iterator[tuple[Said, str]]:
        """Each command with what speaks against it."""
        for subject, said in self._said.items():
            yield from self._subject(subject, said, self._asked.get(subject, ()))

    def _subject(
        self, subject: Subject, told: Sequence[tuple[Said, bool]], logs: Sequence[Demand]
    ) -> Iterator[tuple[Said, str]]:
        stops, goes_on = _LOGS[subject[0]]
        name = _name(subject)
        following = 0
        standing: list[tuple[Said, int | None]] = []
        """What stopped it and is not taken back, each with the place of its log among `logs`."""
        for said, on in told:
            if on:
                cited = next((place for place in range(following, len(logs)) if logs[place].on), None)
                following = following if cited is None else cited + 1
                standing.append((said, cited))
                continue
            if not standing:
                yield said, f"takes back what the journal never told of {name}"
                continue
            cited = next((place for _, place in standing if place is not None), None)
            standing.clear()
            if cited is None:
                continue  # a reorganisation took the log, and here it is undone
            ended = next((place for place in range(following, len(logs)) if self._may_end(logs[place], said)), None)
            if ended is None and self._is_old(logs[cited], said.at_ms):
                yield said, f"the chain has no {goes_on} of {name} by then, and {stops} stands in {logs[cited].place}"
            following = cited if ended is None else ended + 1
        for said, cited in standing:
            if cited is None and not self._is_excused(subject, logs):
                yield said, f"the chain has no {stops} of {name} that no other command cites"

    def _may_end(self, log: Demand, said: Said) -> bool:
        """Whether a command that lets something go on may cite a log: one that is mined later is none of its."""
        time = self._times.get(log.place.block_number)
        return not log.on and time is not None and 1_000 * time <= said.at_ms

    def _is_old(self, log: Demand, at_ms: int) -> bool:
        """Whether a log is deeper at a time than it may take the engine to be told."""
        time = self._times.get(log.place.block_number + OBEY_BLOCKS)
        return time is not None and at_ms > 1_000 * time

    def _is_excused(self, subject: Subject, logs: Sequence[Demand]) -> bool:
        kind, account, _ = subject
        if kind == "revocation":
            return not logs or (not logs[-1].on and not self._is_old(logs[-1], self._went_on_ms))
        if kind == "exit":  # an engine that had one word for both was told of freezes as exits
            frozen = sum(log.on for log in self._asked.get(("freeze", account, None), ()))
            return frozen > sum(on for _, on in self._said.get(("freeze", account, None), ()))
        return False


def _name(subject: Subject) -> str:
    _, account, delegate = subject
    return f"{checksum(delegate)} by {checksum(account)}" if isinstance(delegate, bytes) else checksum(account)


@dataclass(slots=True)
class _Reserves:
    """What became of a request's log in the journal: the reserve that stands or was paid, and how many there were."""

    standing: tuple[Said, c.ReserveForced] | None = None
    times: int = 0
    is_paid: bool = False


@dataclass(slots=True)
class _Requests:
    """Forced withdrawals: reserves by the logs that they name, and the requests on chain."""

    chain: ChainLedger
    _logs: dict[str, Kept] = field(default_factory=dict)
    _last: dict[tuple[bytes, int], Place] = field(default_factory=dict)
    """The last log about the forced withdrawals of an account and token."""
    _reserves: dict[str, _Reserves] = field(default_factory=dict)
    _released: list[tuple[Said, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for kept in self.chain.kept:
            if kept.name in ("WithdrawalRequested", "WithdrawalRequestCancelled", "WithdrawalClaimed"):
                self._last[kept.values["account"], kept.values["token_id"]] = kept.place
                self._logs[f"{kept.place.block_hash}:{kept.place.log_index}"] = kept

    def problems(self, told: Iterable[Said]) -> Iterator[tuple[Said, str]]:
        """Each command with what speaks against it."""
        for said in told:
            match said.command:
                case c.ReserveForced() as command if (name := REQUEST.match(command.request)) is not None:
                    yield from self._reserve(said, command, name[1])
                case c.Debit(request=request) if (name := REQUEST.match(request)) is not None:
                    self._end(name[1], request, is_paid=True)
                case c.ReleaseForced(request=request) if (name := REQUEST.match(request)) is not None:
                    self._end(name[1], request)
                    self._released.append((said, name[1]))
                case _:
                    pass
        for log, reserves in self._reserves.items():
            if reserves.standing is not None:
                yield from self._standing(log, *reserves.standing, reserves)
        for said, log in self._released:
            there = self._reserves.get(log)
            kept = self._request(log)
            if kept is not None and not self._is_over(kept) and (there is None or there.standing is None):
                yield said, f"the request stands on chain, in {kept.place}, and lapses at {kept.values['lapses_at']} s"

    def _reserve(self, said: Said, command: c.ReserveForced, log: str) -> Iterator[tuple[Said, str]]:
        there = self._reserves.setdefault(log, _Reserves())
        if there.standing is not None:
            yield said, f"cites {log} once more: {'it was paid' if there.is_paid else 'it is reserved for already'}"
            return
        there.standing = said, command
        there.times += 1

    def _end(self, log: str, request: str, *, is_paid: bool = False) -> None:
        there = self._reserves.get(log)
        if there is None or there.standing is None or there.standing[1].request != request:
            return
        there.is_paid = is_paid
        if not is_paid:
            there.standing = None

    def _standing(
        self, log: str, said: Said, command: c.ReserveForced, reserves: _Reserves
    ) -> Iterator[tuple[Said, str]]:
        """What is reserved, or was until it was paid, is what the log says."""
        kept = self._request(log)
        if kept is None:
            yield said, f"the chain has no WithdrawalRequested at {log}"
            return
        account, asset, amount = kept.values["account"], self._asset(kept.values["token_id"]), kept.values["amount"]
        if (account, asset, amount) != (command.account, command.asset, command.amount):
            yield said, f"{kept.place} requests {amount} of asset {asset} for {checksum(account)}"
        elif reserves.times > 1 and not reserves.is_paid and self._is_over(kept):
            yield said, f"the request in {kept.place} was reserved for before, and is over"

    def _request(self, log: str) -> Kept | None:
        kept = self._logs.get(log)
        return kept if kept is not None and kept.name == "WithdrawalRequested" else None

    def _is_over(self, kept: Kept) -> bool:
        """Whether something came after a request, or it has lapsed."""
        last = self._last[kept.values["account"], kept.values["token_id"]]
        return last > kept.place or int(kept.values["lapses_at"]) < self.chain.read_at

    def _asset(self, token_id: int) -> int:
        """The engine's asset; a token listed after the deployment was written has the same id."""
        return {token.token_id: token.asset_id for token in self.chain.deployment.tokens}.get(token_id, token_id)


def _released_early(replay: Replay, chain: ChainLedger, told: Iterable[Said]) -> Iterator[tuple[Said, str]]:
    """Withdrawals whose money is free again, though they were paid, or can still be."""
    paid = {movement.withdrawal_hash: movement.place for movement in chain.movements if movement.withdrawal_hash}
    for said in told:
        if not isinstance(said.command, c.ReleaseWithdrawal):
            continue
        held = replay.withdrawals.get(said.command.withdrawal_hash)
        if (place := paid.get(said.command.withdrawal_hash)) is not None:
            yield said, f"it was paid in {place}"
        elif held is not None and held.deadline >= chain.read_at:
            yield said, f"it can be paid until {held.deadline} s, and the chain is at {chain.read_at} s"
