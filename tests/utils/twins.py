"""The reference engine and the fast one as one engine, which fails where they differ.

Every command goes to both; events, refusals (in every part) and, wherever a test looks at the state, its bytes are
compared. So a test of the engine's behaviour that uses it is a test of both. A second fast engine, which nobody
follows, leaves outcomes instead of events, to the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import pytest

from exchange.domain.errors import Refusal
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.engine.fast.core import REASONS
from exchange.engine.fast.engine import FastEngine
from exchange.engine.fast.packing import OPEN, OUTCOME, pack
from exchange.engine.fast.refusals import REFUSALS
from exchange.engine.frames import FrameOutcome
from exchange.engine.state import State
from exchange.engine.telling import Telling, of_followed
from exchange.journal.codec import decode_command, encode_command

Outcome = list[e.Event] | Refusal
Apply = Callable[[int, int, c.Command], list[e.Event]]


class TwinEngine(Engine):
    """The reference, with the fast engine beside it. `may_hand_over` is for streams beyond what the core knows."""

    may_hand_over = False

    def __init__(self, state: State | None = None) -> None:
        super().__init__(state)
        self.reasons: list[str] = []
        self.fast = FastEngine(on_handover=self.reasons.append)
        self.brief = FastEngine()

    def apply(self, seq: int, at_ms: int, command: c.Command) -> list[e.Event]:
        """Apply to both, and compare."""
        if isinstance(command, c.PlaceFrame):
            return self.apply_frame(seq, at_ms, command).events
        expected = _outcome(super().apply, seq, at_ms, command)
        assert_same(expected, _outcome(self.fast.apply, seq, at_ms, command), command)
        apply_briefly(self.brief, seq, at_ms, command, expected)
        assert self.may_hand_over or (self.fast.is_fast and self.brief.is_fast), self.reasons
        if isinstance(expected, Exception):
            raise expected
        return expected

    def apply_frame(
        self, seq: int, at_ms: int, command: c.PlaceFrame, telling: Telling = Telling.everything
    ) -> FrameOutcome:
        """Apply a frame to both, and compare also what became of each order."""
        if seq <= self.seq or at_ms < self.at_ms:
            for engine in (self.fast, self.brief):
                with pytest.raises(ValueError, match="comes after"):
                    engine.apply_frame(seq, at_ms, command)
            return super().apply_frame(seq, at_ms, command)
        expected = super().apply_frame(seq, at_ms, command)
        assert self.fast.apply_frame(seq, at_ms, decode_command(encode_command(command))) == expected  # type: ignore[arg-type]
        briefly = Telling.followed if seq % 2 else Telling.nothing
        brief = self.brief.apply_frame(seq, at_ms, command, briefly)
        assert (brief.flaw, brief.codes) == (expected.flaw, expected.codes)
        if briefly:
            assert of_followed(brief.events, ()) == of_followed(expected.events, ())
        elif self.brief.is_fast:
            assert brief.events == []
        assert self.may_hand_over or (self.fast.is_fast and self.brief.is_fast), self.reasons
        return expected

    def dump(self) -> bytes:
        """The state as bytes, the same from both."""
        data = super().dump()
        assert self.fast.dump() == data
        assert self.brief.dump() == data
        return data

    def state_hash(self) -> bytes:
        """The state's hash, the same from both."""
        expected = super().state_hash()
        assert self.fast.state_hash() == expected
        assert self.brief.state_hash() == expected
        return expected

    def violations(self) -> list[str]:
        """What is wrong with either."""
        assert self.fast.books() == self.books()
        assert self.fast.next_expiry == self.next_expiry == self.brief.next_expiry
        return super().violations() + self.fast.violations() + self.brief.violations()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Both from one snapshot."""
        twin = super().load(data)
        twin.fast = FastEngine.load(data)
        twin.fast.on_handover = twin.reasons.append
        twin.brief = FastEngine.load(data)
        return twin


def apply_briefly(engine: FastEngine, seq: int, at_ms: int, command: c.Command, expected: Outcome | Exception) -> None:
    """Apply a command to an engine that nobody follows, where it has a packed form; compare the outcome."""
    blob = bytearray()
    packed = pack(command, blob)
    if packed is None or not engine.is_fast or seq != engine.seq + 1 or at_ms < engine.at_ms:
        assert_same(expected, _outcome(engine.apply, seq, at_ms, command), command)
    elif isinstance(expected, (list, Refusal)):
        assert_outcome(OUTCOME.unpack(engine.run_brief(at_ms, packed, bytes(blob))), expected, command, seq)


def assert_outcome(told: tuple[int, int, int], expected: Outcome, command: c.Command, seq: int) -> None:
    """What is left of a command that nobody follows is what became of it."""
    refusal, reason, remaining = told
    if isinstance(expected, Refusal):
        assert REFUSALS[refusal] == (expected.code, expected.field), command
        return
    assert refusal == 0, command
    closed = [event for event in expected if isinstance(event, e.OrderClosed)]
    if isinstance(command, c.PlaceOrder):
        closed = [event for event in closed if event.order_id == seq]
    if isinstance(command, c.Tick) or not closed:
        assert reason == OPEN, command
    else:
        assert (REASONS[reason], remaining) in [(event.reason, event.remaining) for event in closed], command


def _outcome(apply: Apply, seq: int, at_ms: int, command: c.Command) -> list[e.Event] | Exception:
    try:
        return apply(seq, at_ms, command)
    except (Refusal, ValueError, TypeError) as error:
        return error


def assert_same(expected: Outcome | Exception, actual: Outcome | Exception, command: c.Command) -> None:
    """The outcomes of one command are equal in every part."""
    if isinstance(expected, Refusal):
        assert isinstance(actual, Refusal), (command, actual)
        assert actual.as_dict() == expected.as_dict(), command
    elif isinstance(expected, Exception):
        assert type(actual) is type(expected), (command, expected, actual)
    else:
        assert actual == expected, command


def assert_same_batch(expected: Sequence[Outcome], actual: Sequence[Outcome], commands: Sequence[c.Command]) -> None:
    """The outcomes of a batch are equal one by one."""
    assert len(actual) == len(expected)
    for one, other, command in zip(expected, actual, commands, strict=True):
        assert_same(one, other, command)
