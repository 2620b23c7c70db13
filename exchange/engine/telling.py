"""What whoever follows the engine is told: everything, or nothing that is one account's alone unless it is followed.

Most of what a busy engine has to tell are orders that come and go, and balances that they move. Who shows books and
trades needs those of a few accounts only.
"""

from collections.abc import Collection, Iterable
from enum import IntEnum

from exchange.engine import events as e


class Telling(IntEnum):
    """`followed` leaves out what is one account's alone, unless that account is followed."""

    nothing = 0
    followed = 1
    everything = 2


_OF_ONE_ACCOUNT = (
    e.OrderAccepted,
    e.OrderAmended,
    e.OrderTriggered,
    e.OrderReduced,
    e.OrderClosed,
    e.BalanceChanged,
    e.AccountChanged,
)


def of_followed(events: Iterable[e.Event], followed: Collection[int]) -> list[e.Event]:
    """What is left for who follows those accounts."""
    return [event for event in events if not isinstance(event, _OF_ONE_ACCOUNT) or event.account in followed]
