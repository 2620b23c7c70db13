"""What the page's heap does over time."""

import asyncio
import time
from typing import Any

from playwright.async_api import Page

from benchmarks.intake import say
from benchmarks.web.page import Heap, open_browser, open_page, play
from exchange.settings import Settings

WARM_SHARE = 5
"""The first fifth of the samples is not counted: caches and compiled code still grow."""


async def sample(page: Page, count: int, every_seconds: float, quiet: bool) -> list[tuple[float, float]]:
    """Minutes and bytes, `count` times."""
    heap, started = await Heap.of(page), time.monotonic()
    samples = []
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number * every_seconds - time.monotonic()))
        found = await heap.read()
        minutes = (time.monotonic() - started) / 60
        samples.append((minutes, found["JSHeapUsedSize"]))
        say(
            quiet,
            f"{minutes:5.1f} min  {found['JSHeapUsedSize'] / 1e6:.3f} MB  {found['Nodes']:.0f} nodes  "
            f"{found['JSEventListeners']:.0f} listeners",
        )
    return samples


def grown(samples: list[tuple[float, float]]) -> dict[str, Any]:
    """The slope by least squares, the first and the last sample that count."""
    counted = samples[len(samples) // WARM_SHARE :]
    middle = sum(minutes for minutes, _ in counted) / len(counted)
    mean = sum(size for _, size in counted) / len(counted)
    above = sum((minutes - middle) * (size - mean) for minutes, size in counted)
    slope = above / sum((minutes - middle) ** 2 for minutes, _ in counted)
    return {
        "heap_kb_per_minute": round(slope / 1_000, 1),
        "heap_mb": [round(counted[0][1] / 1e6, 2), round(counted[-1][1] / 1e6, 2)],
    }


async def watch(settings: Settings, minutes: int, quiet: bool) -> dict[str, Any]:
    """The page of a signed-in account under the demo's traffic, looked at twice a minute."""
    url = f"http://{settings.api.host}:{settings.api.port}"
    async with open_browser() as browser, open_page(browser, url, probed=False) as page:
        await play(page)
        return grown(await sample(page, 2 * minutes + 1, 30, quiet))
