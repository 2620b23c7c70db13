"""The API dies under an open page and comes back: the page says so, shows nothing old as new, and sends nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

from bizzan.supervisor.lock import holder
from tests.browser.conftest import opened
from tests.browser.players import Player
from tests.browser.trader import LOW_PRICE, MARKET, SLOW_MS, fill
from tests.utils.program import Program
from tests.utils.waiting import wait_for

RETURN_MS = 180_000
AWAY = "What you see is not live"


@contextmanager
def killed_api(program: Program) -> Iterator[None]:
    """The API's process is dead, and nobody starts another before the end of the block."""
    supervisor, api = holder(program.state_dir), program.pid("api")
    assert supervisor is not None
    assert api is not None
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(api, signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)
        wait_for(lambda: program.pid("api") not in (None, api) and bool(program.answer()), "another API", 180)


def test_the_api_dies_and_comes_back(browser: Browser, program: Program, player: Player) -> None:
    with opened(browser, program, player.storage(program)) as page:
        outage(page, program)


def outage(page: Page, program: Program) -> None:
    placed: list[str] = []
    page.on("request", lambda request: placed.append(request.url) if request.url.endswith("/v1/orders") else None)
    page.goto(MARKET)
    book = page.get_by_role("region", name="Order book")
    account = page.get_by_role("region", name="Your account")
    buy, last = page.get_by_role("button", name="Buy BTC"), page.get_by_test_id("last-price")
    fill(page, LOW_PRICE, "0.1")
    expect(buy).to_be_enabled()
    with killed_api(program):
        expect(page.get_by_text(AWAY)).to_be_visible()
        for region in (
            book,
            page.get_by_role("region", name="Trades", exact=True),
            page.get_by_role("region", name="Chart"),
        ):
            expect(region).to_have_attribute("data-state", "stale")
            expect(region.get_by_text("not live").first).to_be_visible()
        expect(account.get_by_text("not live")).to_be_visible()
        expect(last).to_contain_class("stale")
        expect(buy).to_be_disabled()
        expect(page.get_by_text("Orders wait until the prices are live again.")).to_be_visible()
        page.get_by_label("Amount", exact=True).press("Enter")
        assert placed == []
    expect(page.get_by_text(AWAY)).to_be_hidden(timeout=RETURN_MS)
    expect(book).to_have_attribute("data-state", "live", timeout=RETURN_MS)
    expect(account.get_by_text("not live")).to_be_hidden(timeout=SLOW_MS)
    expect(last).not_to_contain_class("stale", timeout=SLOW_MS)
    expect(buy).to_be_enabled(timeout=SLOW_MS)
    buy.click()
    expect(page.get_by_test_id("open-orders").get_by_text("0.1000 / 0.1000")).to_be_visible(timeout=SLOW_MS)
    assert len(placed) == 1
