"""Channels: who listens to what, in messages that prove by themselves that none is missing.

Each message of a channel carries `seq` and `prev_seq`; a listener that holds the snapshot with `seq` n
misses nothing as long as each message's `prev_seq` is the `seq` before it. Messages are encoded once.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

_encode = msgspec.json.Encoder().encode


class Sink(Protocol):
    """One connection's way out. `push` never blocks; a reader that is too slow is cut off behind it."""

    def push(self, message: bytes) -> None:
        """Queue one message."""


class Channel:
    """One named stream of messages; `seq` is that of its last message, or of its start."""

    __slots__ = ("name", "seq", "sinks")

    def __init__(self, name: str, seq: int) -> None:
        self.name = name
        self.seq = seq
        self.sinks: set[Sink] = set()

    def snapshot(self, sink: Sink, content: Mapping[str, Any]) -> None:
        """Send the state as of the channel's `seq` to one listener."""
        sink.push(_encode({"type": "snapshot", "channel": self.name, "seq": self.seq, **content}))

    def publish(self, kind: str, seq: int, content: Mapping[str, Any]) -> None:
        """Send a message to every listener and move the chain on."""
        if self.sinks:
            message = _encode({"type": kind, "channel": self.name, "seq": seq, "prev_seq": self.seq, **content})
            for sink in tuple(self.sinks):
                sink.push(message)
        self.seq = seq
