"""What stops a trader's orders at once: those of one side, and all trading until it is started again."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.page import barriers
from tests.browser.trader import LOW_PRICE, MARKET, place
from tests.browser.wallet import BrowserWallet


def test_orders_of_a_side_and_all_trading_are_stopped(player_wallet: BrowserWallet) -> None:
    page = player_wallet.page
    page.goto(MARKET)
    orders = page.get_by_test_id("open-orders")
    place(page, LOW_PRICE, "0.5")
    expect(orders.get_by_text("0.5000 / 0.5000")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel sells")).to_be_hidden()
    page.get_by_role("button", name="Cancel buys").click()
    expect(page.get_by_text("No open orders.")).to_be_visible()

    place(page, LOW_PRICE, "0.5")
    expect(orders.get_by_text("0.5000 / 0.5000")).to_be_visible()
    stop(page)
    expect(page.get_by_text("No open orders.")).to_be_visible()

    page.reload()
    expect(page.get_by_text("You stopped your trading")).to_be_visible()
    page.get_by_role("button", name="Start trading again").click()
    page.get_by_role("dialog").get_by_role("button", name="Start trading again").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    place(page, LOW_PRICE, "0.5")
    expect(orders.get_by_text("0.5000 / 0.5000")).to_be_visible()


def stop(page: Page) -> None:
    """Stop trading, after a look at what that does."""
    page.get_by_role("button", name="Stop my trading").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("All your open orders are cancelled at once.")).to_be_visible()
    assert barriers(page) == []
    dialog.get_by_role("button", name="Stop it now").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("You stopped your trading")).to_be_visible()
