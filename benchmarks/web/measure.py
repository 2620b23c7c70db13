"""One run: orders are signed, then first visits, then the book's changes with interactions, then memory."""

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from statistics import median
from typing import Any

from playwright.async_api import Browser, Page

from benchmarks.intake import WALLETS, connect, fund, say, sign
from benchmarks.web.memory import grown, sample
from benchmarks.web.page import LADDER, ROOT, open_browser, open_page, play
from benchmarks.web.traffic import Listener, Traffic
from bizzan.client.api import BizzanClient
from bizzan.client.wallet import Wallet
from exchange.settings import Settings

Figures = dict[str, Any]

VISITS = 5
BOOK_ORDERS = 400
"""Sent before anybody looks, so that there is a book."""
PER_SECOND = 300
"""More orders than changes: the API gathers what comes within 16 ms into one."""
ORDERS = 60_000
ROUNDS = 10
SAMPLES, EVERY_SECONDS = 13, 5.0


async def measure(settings: Settings, quiet: bool) -> Figures:
    """All figures."""
    url = f"http://{settings.api.host}:{settings.api.port}"
    frames = await prepare(settings, url, quiet)
    connection = await connect(url)
    await Traffic(connection, frames[:BOOK_ORDERS], PER_SECOND).run()
    listener = Listener(url)
    async with open_browser() as browser:
        figures = await visit(browser, url)
        say(quiet, f"first visits: {figures}")
        async with open_page(browser, url) as page, beside(listener.run()):
            await play(page)
            traffic = Traffic(connection, frames[BOOK_ORDERS:], PER_SECOND)
            async with beside(traffic.run()):
                figures |= await answer(page, listener)
                say(quiet, f"under traffic: {figures}")
                await page.evaluate("bizzanProbe.stop()")
                figures |= grown(await sample(page, SAMPLES, EVERY_SECONDS, quiet))
    connection.close()
    if connection.refused:
        raise RuntimeError(f"{connection.refused} orders were refused: {connection.last_refusal.decode()}")
    return figures


@asynccontextmanager
async def beside(work: Any) -> AsyncIterator[None]:
    """Have it done until the end of the block; if it fails, so does the block's end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def prepare(settings: Settings, url: str, quiet: bool) -> list[bytes]:
    """Fund wallets, and sign their orders."""
    wallets = [Wallet(secrets.token_bytes(32)) for _ in range(WALLETS)]
    async with BizzanClient(url, wallets[0]) as client:
        await fund(settings, client, wallets)
        frames = sign(client, wallets, ORDERS)
    say(quiet, f"signed {len(frames)} orders of {WALLETS} wallets")
    return frames


async def visit(browser: Browser, url: str) -> Figures:
    """First visits, each in a profile of its own."""
    largest = []
    for _ in range(VISITS):
        async with open_page(browser, url) as page:
            await page.wait_for_load_state("networkidle")
            largest.append(await page.evaluate("bizzanProbe.largest"))
    return {
        "lcp_ms": {"median": round(median(largest)), "worst": round(max(largest))},
        "javascript_kb": round(javascript() / 1024, 1),
    }


def javascript() -> int:
    """Bytes of JavaScript that a first visit asks for by itself, compressed, as the build counts them."""
    command = ["node", "scripts/check_size.mjs"]
    done = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1].split()[0])


async def answer(page: Page, listener: Listener) -> Figures:
    """Click and type while the book changes; then ask the page what it saw."""
    await page.evaluate("bizzanProbe.painted.length = bizzanProbe.late = 0; bizzanProbe.interactions.clear()")
    began = await page.evaluate("performance.now()")
    interactions = 0
    for number in range(ROUNDS):
        interactions += await interact(page, number)
    seconds = (await page.evaluate("performance.now()") - began) / 1_000
    painted: list[tuple[int, float, float]] = await page.evaluate("bizzanProbe.painted")
    longest: list[dict[str, Any]] = await page.evaluate("[...bizzanProbe.interactions.values()]")
    late: int = await page.evaluate("bizzanProbe.late")
    whole = sorted(at - listener.came[seq] for seq, _, at in painted if seq in listener.came)
    arrival = sorted(ms for _, ms, _ in painted)
    if not whole:
        raise RuntimeError("the page showed no change of the book")
    worst = max(longest, key=lambda one: float(one["ms"]), default={"ms": 0, "what": "", "on": "", "parts": []})
    return {
        "diffs_per_second": round(len(painted) / seconds, 1),
        "paint_ms": spread(whole),
        "arrival_ms": spread(arrival),
        "frames_not_right_at_once": late,
        "inp_ms": worst["ms"],
        "inp_of": f"{worst['what']} {worst['on']} (delay, work, paint: {worst['parts']})",
        "interactions": interactions,
    }


def spread(ordered: list[float]) -> Figures:
    """Median, 95th percentile and worst of what is in order."""
    at = {"median": len(ordered) // 2, "p95": int(len(ordered) * 0.95), "worst": len(ordered) - 1}
    return {name: round(ordered[place], 1) for name, place in at.items()}


async def interact(page: Page, number: int) -> int:
    """What a trader does in a few seconds; how many clicks and keys that is."""
    best = page.locator(LADDER.format("asks")).last if number % 2 else page.locator(LADDER.format("bids")).first
    await best.click()
    amount = f"0.{number % 9 + 1}5"
    await page.get_by_label("Amount", exact=True).press_sequentially(amount, delay=30)
    for name in ("Sell", "Buy"):
        await page.get_by_role("group", name="Side").get_by_role("button", name=name, exact=True).click()
    for name in ("Fills", "History", "Balances"):
        await page.get_by_role("tab", name=name).click()
    await page.get_by_role("tab", name="Open orders").click()
    await page.get_by_label("Amount", exact=True).press("ControlOrMeta+a")
    await page.keyboard.press("Delete")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="hidden")
    return 12 + len(amount)
