"""Who plays the tapes of tapes.py: the reference and the fast engine as they are, and the books alone.

A player is handed runs of messages, and returns the CPU seconds that it matched and the reports. Messages are made
into commands before that, and what the engine says into reports after it.

In the engines as they are one account buys and one sells, with holds, fees and events; a modification is a cancel and,
if there was something to cancel, a new order.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from itertools import accumulate
from typing import Any, Protocol, cast

from benchmarks.engine.books import Resting, take
from benchmarks.engine.tapes import (
    CANCEL,
    CANCELLED,
    MODIFIED,
    MODIFY,
    NEW,
    NOT_CANCELLED,
    NOT_MODIFIED,
    TAKEN,
    TRADED,
    Message,
    Report,
    packed,
)
from exchange.domain.errors import Refusal
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, Terms, TimeInForce
from exchange.domain.settlement import MAX_EXECUTIONS
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.book import Half
from exchange.engine.engine import Engine
from exchange.engine.fast.core import REASONS, BookAlone
from exchange.engine.fast.engine import FastEngine
from exchange.engine.fast.packing import COMMAND_SIZE, EVENT_SIZE, pack_all

START_MS = 1_700_000_000_000
EXPIRY = 1_700_100_000
BUYER, SELLER, FEES = b"\x01" * 20, b"\x02" * 20, b"\xfe" * 20
MARKET = Market(1, "NVDA/USD", 2, 0, 1, 1, 0, 0, 200, 500, 0)
GTC, IOC = Terms().pack(), Terms(TimeInForce.ioc).pack()
WITHOUT_LIMIT = 1 << 40

REFUSED, ACCEPTED, MATCHED, CLOSED, LEVEL = range(5)
REPORT = struct.Struct("=BBxxIIIqq")
EVENT = struct.Struct(f"={EVENT_SIZE // 8}q")


class Player(Protocol):
    """Plays one tape."""

    def play(self, messages: list[Message]) -> tuple[float, list[Report]]:
        """Go on with a run of messages: CPU seconds, and the reports."""
        ...


class ReferenceBook:
    """The reference's book alone."""

    def __init__(self) -> None:
        self.halves = Half(1, 0), Half(1, 1)
        self.orders: dict[int, Any] = {}
        self.numbers: dict[Any, int] = {}

    def play(self, messages: list[Message]) -> tuple[float, list[Report]]:
        """See `Player`."""
        reports: list[Report] = []
        started = time.process_time()
        for kind, side, ioc, lots, sequence, number, price, _ in messages:
            if kind == NEW:
                reports.append((TAKEN, sequence, side, number, price, lots))
                missing = self._place(reports, sequence, side, number, price, lots, bool(ioc))
                if ioc and missing:
                    reports.append((CANCELLED, sequence, side, number, price))
                continue
            order = self.orders.pop(number, None)
            if order is None or order.level is None:
                reports.append((NOT_CANCELLED if kind == CANCEL else NOT_MODIFIED, sequence, number))
                continue
            resting = order.level.half.side
            order.level.remove(order)
            if kind == CANCEL:
                reports.append((CANCELLED, sequence, resting, number, order.price))
            else:
                self._place(reports, sequence, side, number, price, lots, False)
                reports.append((MODIFIED, sequence, side, number, price, lots))
        return time.process_time() - started, reports

    def _place(
        self, reports: list[Report], sequence: int, side: int, number: int, price: int, lots: int, ioc: bool
    ) -> int:
        """Match an order, and let rest what is missing then unless it is immediate or cancel."""
        opposite, trades = self.halves[1 - side], cast("list[tuple[int, int, Any, int]]", [])
        missing = take(opposite, opposite.sign * price, lots, number, trades)
        for paid, filled, maker, taker in trades:
            reports.append((TRADED, sequence, paid, filled, self.numbers[maker], taker))
        if missing and not ioc:
            order: Any = Resting()
            order.price, order.remaining, order.hidden = price, missing, 0
            self.orders[number] = order
            self.numbers[order] = number
            self.halves[side].append(order)
        return missing


class FastBook:
    """The fast engine's book alone, which reads the messages as they stand on the tape."""

    def __init__(self) -> None:
        self.book = BookAlone()

    def play(self, messages: list[Message]) -> tuple[float, list[Report]]:
        """See `Player`."""
        data = packed(messages)
        started = time.process_time()
        told = self.book.play(data)
        seconds = time.process_time() - started
        return seconds, [self._line(*words) for words in REPORT.iter_unpack(told)]

    def _line(self, kind: int, side: int, lots: int, number: int, taker: int, sequence: int, price: int) -> Report:
        if kind == TRADED:
            return kind, sequence, price, lots, number, taker
        if kind == CANCELLED:
            return kind, sequence, side, number, price
        return (
            (kind, sequence, number)
            if kind in (NOT_CANCELLED, NOT_MODIFIED)
            else (kind, sequence, side, number, price, lots)
        )


class Translator:
    """Makes messages into commands: an order's nonce is its message's sequence, counted from 1."""

    def __init__(self) -> None:
        self.nonces: dict[int, int] = {}

    def commands(self, message: Message) -> list[c.Command]:
        """One command for a new order or a cancel, two for a modification."""
        kind, side, ioc, lots, sequence, number, price, _ = message
        commands: list[c.Command] = []
        account = SELLER if side else BUYER
        if kind != NEW:
            commands.append(c.CancelOrder(account, self.nonces.get(number, 0), b"", account))
        if kind != CANCEL:
            nonce = self.nonces[number] = sequence + 1
            terms = IOC if ioc and kind == NEW else GTC
            order = Order(account, 1, side, price, lots, nonce, EXPIRY, 0, 10, terms)
            commands.append(c.PlaceOrder(order, nonce.to_bytes(32), 0, b"\x07" * 65, account))
        return commands


def seed(engine: Engine) -> None:
    """One market without limits, and two accounts with much money."""
    commands: list[c.Command] = [c.ListAsset(Asset(0, "USD", 6)), c.ListAsset(Asset(2, "NVDA", 8))]
    commands += [c.ListMarket(MARKET, FEES), c.SetLimits(0, WITHOUT_LIMIT, MAX_EXECUTIONS - 1)]
    commands += [c.Credit(1, BUYER, 0, 10**17, "bench"), c.Credit(2, SELLER, 2, 10**17, "bench")]
    for command in commands:
        engine.apply(engine.seq + 1, START_MS, command)


class Facts:
    """What an engine says of one command, as far as it is reported; `level` is the last one that changed."""

    __slots__ = ("level", "refused", "trades", "unfilled")

    def __init__(self) -> None:
        self.trades: list[tuple[int, int, int]] = []
        self.unfilled = False
        self.refused = False
        self.level = (0, 0)


def report(message: Message, commands: int, accepted: list[Facts]) -> list[Report]:
    """The reports of a message, of whose commands the first ones were accepted."""
    kind, side, _, lots, sequence, number, price, _ = message
    if len(accepted) < commands:
        if kind == NEW or accepted:
            raise RuntimeError(f"the engine refuses order {number}")
        return [(NOT_CANCELLED if kind == CANCEL else NOT_MODIFIED, sequence, number)]
    facts = accepted[-1]
    trades = [(TRADED, sequence, paid, filled, maker, number) for paid, filled, maker in facts.trades]
    if kind == CANCEL:
        return [(CANCELLED, sequence, facts.level[0], number, facts.level[1])]
    if kind == MODIFY:
        return [*trades, (MODIFIED, sequence, side, number, price, lots)]
    left = [(CANCELLED, sequence, side, number, price)] if facts.unfilled else []
    return [(TAKEN, sequence, side, number, price, lots), *trades, *left]


class ReferenceEngine:
    """The reference as it is."""

    def __init__(self) -> None:
        self.engine = Engine()
        seed(self.engine)
        self.translator = Translator()
        self.numbers: dict[int, int] = {}

    def play(self, messages: list[Message]) -> tuple[float, list[Report]]:
        """See `Player`."""
        apply, seq = self.engine.apply, self.engine.seq
        runs = [self.translator.commands(message) for message in messages]
        told: list[list[tuple[int, list[e.Event]]]] = []
        started = time.process_time()
        for commands in runs:
            answers: list[tuple[int, list[e.Event]]] = []
            told.append(answers)
            for command in commands:
                try:
                    answers.append((seq + 1, apply(seq + 1, START_MS, command)))
                except Refusal:
                    break
                seq += 1
        seconds = time.process_time() - started
        reports: list[Report] = []
        for message, commands, answers in zip(messages, runs, told, strict=True):
            events = [self._facts(message[5], seq, events) for seq, events in answers]
            reports += report(message, len(commands), events)
        return seconds, reports

    def _facts(self, number: int, seq: int, events: list[e.Event]) -> Facts:
        """What matters of the events of one record."""
        facts = Facts()
        self.numbers[seq] = number
        for event in events:
            if isinstance(event, e.TradeMatched):
                facts.trades.append((event.price, event.quantity, self.numbers[event.maker_order]))
            elif isinstance(event, e.OrderClosed):
                facts.unfilled = event.reason is e.CloseReason.unfilled
            elif isinstance(event, e.LevelChanged):
                facts.level = event.side, event.price
        return facts


class PackedEngine:
    """The fast engine as it is: packed commands, in runs that end where a modification depends on its cancel."""

    def __init__(self) -> None:
        self.engine = FastEngine()
        seed(self.engine)
        self.translator = Translator()
        self.numbers: dict[int, int] = {}

    def play(self, messages: list[Message]) -> tuple[float, list[Report]]:
        """See `Player`."""
        runs = [self.translator.commands(message) for message in messages]
        commands = [command for run in runs for command in run]
        cuts = [at for at, run in zip(accumulate(map(len, runs)), runs, strict=True) if len(run) == 2]
        view, play, at = memoryview(pack_all(commands)[0]), self.engine.run_packed, 0
        told: list[tuple[int, bytes]] = []
        started = time.process_time()
        for cut in cuts:
            events = play(START_MS, view[at * COMMAND_SIZE : (cut - 1) * COMMAND_SIZE]).tobytes()
            told.append((at, events))
            at = cut if events[len(events) - EVENT_SIZE] == REFUSED else cut - 1
        told.append((at, play(START_MS, view[at * COMMAND_SIZE :]).tobytes()))
        seconds = time.process_time() - started
        return seconds, self._reports(messages, runs, told)

    def _reports(
        self, messages: list[Message], runs: list[list[c.Command]], told: list[tuple[int, bytes]]
    ) -> list[Report]:
        owners = [message[5] for message, run in zip(messages, runs, strict=True) for _ in run]
        facts: dict[int, Facts] = {}
        for first, events in told:
            for words in EVENT.iter_unpack(events):
                at = first + (words[0] >> 8)
                self._note(facts.setdefault(at, Facts()), owners[at], words)
        reports: list[Report] = []
        at = 0
        for message, run in zip(messages, runs, strict=True):
            answers = [facts[at + place] for place in range(len(run)) if at + place in facts]
            reports += report(message, len(run), [answer for answer in answers if not answer.refused])
            at += len(run)
        return reports

    def _note(self, facts: Facts, number: int, words: tuple[int, ...]) -> None:
        kind = words[0] & 255
        if kind == REFUSED:
            facts.refused = True
        elif kind == ACCEPTED:
            self.numbers[words[1]] = number
        elif kind == MATCHED:
            facts.trades.append((words[3], words[4], self.numbers[words[5]]))
        elif kind == CLOSED:
            facts.unfilled = REASONS[words[4]] is e.CloseReason.unfilled
        elif kind == LEVEL:
            facts.level = words[2], words[3]


PLAYERS: dict[str, Callable[[], Player]] = {
    "reference": ReferenceBook,
    "reference_with_risk": ReferenceEngine,
    "fast": FastBook,
    "fast_with_risk": PackedEngine,
}
