"""What keeps the local stack from starting; each message says what to do.

SupervisorError
  ├ StartError      a process ended or did not become ready in time; quotes the end of its log
  ├ PortTaken       somebody listens on a port; names the setting that changes it
  └ AlreadyRunning  another `bizzan up` holds the state folder
"""

from __future__ import annotations


class SupervisorError(Exception):
    """The local stack cannot start or go on."""


class StartError(SupervisorError):
    """A process ended while starting, or was not ready in time."""


class PortTaken(SupervisorError):
    """Somebody else listens on the port."""


class AlreadyRunning(SupervisorError):
    """Another supervisor holds the state folder."""
