"""Free and taken TCP ports of this machine's loopback address."""

from __future__ import annotations

import random
import socket

from bizzan.supervisor.errors import PortTaken

HOST = "127.0.0.1"
# Below the range from which the system takes ports of outgoing connections, so that none is lost in between.
_FREE_RANGE = range(12_000, 32_000)


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def answers(port: int, host: str = HOST) -> bool:
    """Whether a server accepts connections on the port now."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on, picked at random."""
    for _ in range(1_000):
        port = random.choice(_FREE_RANGE)
        if is_free(port):
            return port
    raise PortTaken(f"no free port between {_FREE_RANGE.start} and {_FREE_RANGE.stop}")


def check_free(port: int, setting: str, host: str = HOST) -> None:
    """Raise PortTaken, naming the setting that changes the port, when somebody listens on it."""
    if not is_free(port, host):
        raise PortTaken(f"port {port} is taken: stop what listens on it, or choose another with {setting}")
