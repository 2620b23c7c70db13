"""Ending tasks that may be in the middle of anything."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 1.0


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until all have ended, however they do.

    A cancellation may be lost where it meets an error, such as that of a connection that breaks at the same moment; so
    it is said again.
    """
    asked = list(tasks)
    left = {task for task in asked if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    for task in asked:
        if not task.cancelled():
            task.exception()  # so that nobody says that it was not looked at
