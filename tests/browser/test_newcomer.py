"""A newcomer without a wallet: from opening the page to a first settled trade."""

from __future__ import annotations

import re
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import opened
from tests.browser.page import Clicks
from tests.browser.trader import confirm_deposit
from tests.utils.program import Program

TRADE_SECONDS = 60
PRESSURE = Path("/proc/pressure/cpu")
MOST_CLICKS = 8
MARKET = "/trade/BTC-USDC"
ROW = "button[data-price]:not([data-price=''])"


def waited_seconds() -> float:
    """For how long somebody on this machine has waited for a processor until now: that is nobody's fault here.

    Nothing where the system does not count it.
    """
    try:
        some = PRESSURE.read_text().splitlines()[0]
    except OSError:
        return 0.0
    return int(some.rpartition("total=")[2]) / 1_000_000


def test_a_newcomer_trades_within_a_minute(page: Page) -> None:
    clicks, began, waited = Clicks(), time.monotonic(), waited_seconds()
    page.goto(MARKET)
    expect(page.get_by_test_id("book").locator("[data-side=asks]").locator(ROW).first).to_be_visible()
    clicks.on(page, "Start with play money")
    deposit = page.get_by_role("dialog")
    deposit.get_by_role("button", name=re.compile("^Deposit ")).click()
    clicks.count += 1
    expect(deposit).to_be_hidden()
    clicks.on(page, "Market")
    page.get_by_label("Amount", exact=True).fill("0.01")
    expect(page.get_by_test_id("summary")).to_contain_text("You pay at most")
    clicks.on(page, "Buy BTC")
    clicks.on(page, "Fills", "tab")
    settled = page.locator("[data-settlement=settled], [data-settlement=final]").first
    expect(settled).to_be_visible(timeout=4 * TRADE_SECONDS * 1_000)
    assert time.monotonic() - began - (waited_seconds() - waited) < TRADE_SECONDS
    assert clicks.count <= MOST_CLICKS
    tx_hash = page.locator("[data-tx]").first.get_attribute("data-tx")
    assert tx_hash is not None
    assert re.fullmatch("0x[0-9a-f]{64}", tx_hash)


def test_a_newcomer_sees_why_no_play_money_came_and_asks_again(browser: Browser, program: Program) -> None:
    refusal = {"code": "unavailable", "message": "the faucet: its chain rests"}
    with opened(browser, program) as page:
        page.route("**/v1/faucet", lambda route: route.fulfill(status=503, json=refusal), times=1)
        page.goto(MARKET)
        page.get_by_role("button", name="Start with play money").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("alert")).to_contain_text("its chain rests")
        expect(dialog.get_by_role("button", name=re.compile("^Deposit "))).to_be_disabled()
        dialog.get_by_role("button", name="Get test funds").click()
        confirm_deposit(page)
