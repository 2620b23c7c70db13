"""What a client may say on the stream; each message is an object with `op` and an `id` that its answer repeats."""

from typing import Annotated

import msgspec

from backend.orders.schemas import (
    Ack,
    CancelAll,
    CancelOrder,
    Countdown,
    GroupAck,
    MassCancel,
    PlaceGroup,
    PlaceOrder,
    TradingStop,
)

RequestId = Annotated[str, msgspec.Meta(max_length=64)]
Names = Annotated[list[Annotated[str, msgspec.Meta(max_length=80)]], msgspec.Meta(min_length=1, max_length=64)]


class Operation(msgspec.Struct, tag_field="op", forbid_unknown_fields=True, kw_only=True):
    """What all operations share."""

    id: RequestId = ""


class Subscribe(Operation, tag="subscribe", kw_only=True):
    """Listen to channels; each sends a snapshot first."""

    channels: Names


class Unsubscribe(Operation, tag="unsubscribe", kw_only=True):
    """Stop to listen."""

    channels: Names


class Login(Operation, tag="login", kw_only=True):
    """Bind the connection to a session, for the `account` channel."""

    token: Annotated[str, msgspec.Meta(max_length=128)]


class Ping(Operation, tag="ping"):
    """Ask for a `pong`."""


class Place(Operation, tag="place", kw_only=True):
    """Place a signed order."""

    order: PlaceOrder


class PlaceTwo(Operation, tag="place_group", kw_only=True):
    """Place both legs of a group, or neither."""

    group: PlaceGroup


class Amend(Operation, tag="amend", kw_only=True):
    """Replace the open order on a nonce."""

    order: PlaceOrder


class Cancel(Operation, tag="cancel", kw_only=True):
    """Cancel the order on a nonce."""

    cancel: CancelOrder


class CancelEverything(Operation, tag="cancel_all", kw_only=True):
    """Cancel all orders below a nonce."""

    cancel_all: CancelAll


class CancelMany(Operation, tag="mass_cancel", kw_only=True):
    """Cancel the orders of a market and side."""

    mass_cancel: MassCancel


class CancelLater(Operation, tag="countdown", kw_only=True):
    """Cancel all orders after a silence."""

    countdown: Countdown


class Stop(Operation, tag="trading_stop", kw_only=True):
    """Stop the account's trading, or let it go on."""

    trading_stop: TradingStop


Command = Place | PlaceTwo | Amend | Cancel | CancelEverything | CancelMany | CancelLater | Stop
Request = Subscribe | Unsubscribe | Login | Ping | Command


class OnlyId(msgspec.Struct):
    """The id of a message that is otherwise malformed, so that its refusal finds its way."""

    id: RequestId = ""


class AckMessage(msgspec.Struct, tag_field="type", tag="ack", kw_only=True):
    """A command is durable; `ack` is what REST answers."""

    id: str
    ack: Ack | GroupAck


class Done(msgspec.Struct, tag_field="type", tag="done", kw_only=True):
    """An operation that is not a command succeeded."""

    id: str
    op: str


class ErrorMessage(msgspec.Struct, tag_field="type", tag="error", kw_only=True):
    """An operation was refused; `error` is the same four parts as in REST."""

    id: str
    error: dict[str, object]
