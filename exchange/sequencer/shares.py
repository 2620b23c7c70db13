"""The engine's time, shared out: one account's commands may take so much of it, and no more.

Most orders take the engine a microsecond or less, some a hundred times as long, and an order that meets many as long as
these take. What an account's orders took is known afterwards. So an account that has used up its share waits, before
its next ones are looked at; cancels and everything else that ends orders never wait.
"""

import time
from collections.abc import Callable

from exchange.domain.errors import ErrorCode, Refusal
from exchange.sequencer.budget import Budget

AT_ONCE_MS = 500


class Shares:
    """What accounts may use of the engine's thread: half a second, and from then on `percent` of each second.

    `clock` gives seconds. With 100 percent nobody waits.
    """

    def __init__(self, percent: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = percent
        self._used: Budget[bytes] = Budget(AT_ONCE_MS * 1_000, percent * 10_000, clock)
        """In microseconds."""

    def check(self, account: bytes) -> None:
        """Refusal of an account's orders while it has used up its share."""
        if self._most < 100 and (wait := self._used.wait_ms(account)):
            raise Refusal(
                ErrorCode.too_many_requests,
                f"the account's orders have taken their share of the engine's time: try again in {wait} ms",
                None,
                {"retry_after_ms": wait},
            )

    def charge(self, account: bytes, seconds: float) -> None:
        """An account's orders have taken so many seconds of the thread."""
        self._used.spend(account, int(seconds * 1_000_000))
