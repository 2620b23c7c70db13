"""A newcomer without a wallet: from opening the page to a first settled trade."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tests.browser.page import Clicks

TRADE_SECONDS = 60
MOST_CLICKS = 8
MARKET = "/trade/BTC-USDC"
ROW = "button[data-price]:not([data-price=''])"


def test_a_newcomer_trades_within_a_minute(page: Page) -> None:
    clicks, began = Clicks(), time.monotonic()
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
    expect(settled).to_be_visible(timeout=TRADE_SECONDS * 1_000)
    seconds = time.monotonic() - began
    assert seconds < TRADE_SECONDS
    assert clicks.count <= MOST_CLICKS
    tx_hash = page.locator("[data-tx]").first.get_attribute("data-tx")
    assert tx_hash is not None
    assert re.fullmatch("0x[0-9a-f]{64}", tx_hash)
