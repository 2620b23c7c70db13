"""What comes to the engine process, taken apart: each command with its bytes, or why they are none."""

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame import flaw_of_amends, flaw_of_shape
from exchange.engine.commands import (
    Command,
    ListAsset,
    ListMarket,
    MassCancel,
    PlaceFrame,
    PlaceMixedFrame,
    SetCountdown,
    SetFeeRules,
    SetLimits,
    Tick,
)
from exchange.journal.codec import CodecError, decode_command
from exchange.journal.plain import unpack_plain
from exchange.journal.receipts import subject_of
from exchange.journal.record import MAX_PAYLOAD
from exchange.sequencer.protocol import Refused

INTERNAL = (Tick, ListAsset, ListMarket, SetLimits, SetFeeRules)

Item = tuple[bytes, Command] | Refused
"""A command with its bytes, or why the bytes were none."""

FrameItem = tuple[bytes, PlaceFrame] | Refused
"""A frame with its bytes, or why the bytes were none."""


def parse_frame(payload: bytes, separator: bytes) -> FrameItem:
    """A frame from a client. One whose bytes cannot stand here is refused, so that the journal keeps none."""
    item = _parse(payload)
    if isinstance(item, Refused):
        return item
    _, command = item
    if not isinstance(command, PlaceFrame):
        return Refused.of(Refusal(ErrorCode.malformed, f"{type(command).__name__} is no frame"))
    if command.separator != separator:
        return Refused.of(Refusal(ErrorCode.wrong_contract, "the frame was signed for another exchange", "separator"))
    if flaw := flaw_of_shape(command.orders):
        return Refused.of(Refusal(ErrorCode.malformed, flaw, "orders"))
    if isinstance(command, PlaceMixedFrame) and (flaw := flaw_of_amends(command.amends, command.count)):
        return Refused.of(Refusal(ErrorCode.malformed, flaw, "amends"))
    return payload, command


def parse_item(payload: bytes) -> Item:
    """A command from a client. Commands that only the engine gives itself are refused, and frames, which come apart."""
    if (plain := unpack_plain(payload)) is not None:
        return payload, plain
    item = _parse(payload)
    if isinstance(item, Refused):
        return item
    command = item[1]
    if isinstance(command, PlaceFrame):
        return Refused.of(Refusal(ErrorCode.malformed, "a frame comes in a message of its own kind"))
    if isinstance(command, MassCancel | SetCountdown):  # of what users sign only these hold more than a message does
        try:
            subject_of(command)
        except ValueError as error:
            return Refused.of(Refusal(ErrorCode.malformed, f"nobody can have signed it: {error}"))
    return item


def _parse(payload: bytes) -> Item:
    if len(payload) > MAX_PAYLOAD:
        return Refused.of(Refusal(ErrorCode.body_too_large, f"a command has at most {MAX_PAYLOAD} bytes"))
    try:
        command = decode_command(payload)
    except CodecError as error:
        return Refused.of(Refusal(ErrorCode.malformed, f"not a command: {error}"))
    if isinstance(command, INTERNAL):
        return Refused.of(Refusal(ErrorCode.forbidden, f"{type(command).__name__} is the engine's own command"))
    return payload, command
