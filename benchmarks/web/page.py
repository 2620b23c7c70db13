"""A browser that looks at the exchange, and what it tells of itself."""

import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, async_playwright

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).with_name("probe.js").read_text()
TRADE = "/trade/BTC-USDC"
PATIENCE_MS = 120_000
BOOK_MS = 900_000
"""The demo's first orders come late on a busy machine."""
LADDER = "[data-testid=book] [data-side={}] button[data-price]:not([data-price=''])"
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")


def find_browser() -> str:
    """The path of the machine's browser. RuntimeError with what to install where there is none."""
    found = subprocess.run([ROOT / "scripts/setup/find_browser.sh"], capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(found.stderr.strip())
    return found.stdout.strip()


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """The machine's own browser."""
    path = find_browser()
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *sandbox])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, url: str, probed: bool = True) -> AsyncIterator[Page]:
    """The trade page in a profile with nothing in it, once its book is there; `probed` has it measure itself."""
    context = await browser.new_context(base_url=url, viewport={"width": 1440, "height": 900}, color_scheme="dark")
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        if probed:
            await page.add_init_script(PROBE)
        await page.goto(TRADE)
        for side in ("asks", "bids"):
            await page.locator(LADDER.format(side)).first.wait_for(state="attached", timeout=BOOK_MS)
        yield page
    finally:
        await context.close()


async def play(page: Page) -> None:
    """Make a newcomer's wallet, and deposit what is suggested."""
    await page.get_by_role("button", name="Start with play money").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name=re.compile("^Deposit ")).click()
    await dialog.wait_for(state="hidden")


class Heap:
    """The page's JavaScript heap after a garbage collection."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    @classmethod
    async def of(cls, page: Page) -> "Heap":
        session = await page.context.new_cdp_session(page)
        await session.send("HeapProfiler.enable")
        await session.send("Performance.enable")
        return cls(session)

    async def read(self) -> dict[str, float]:
        """Bytes in use, nodes of the document and listeners, after everything that can go has gone."""
        await self._session.send("HeapProfiler.collectGarbage")
        answer: dict[str, Any] = await self._session.send("Performance.getMetrics")
        found = {metric["name"]: metric["value"] for metric in answer["metrics"]}
        return {name: found[name] for name in ("JSHeapUsedSize", "Nodes", "JSEventListeners")}
