"""A trader with a wallet of the browser's: orders by hand, by a delegated key, by keyboard, and what goes wrong."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.page import barriers
from tests.browser.trader import LOW_PRICE, MARKET, connect, deposit, place, sign_in
from tests.browser.wallet import BrowserWallet


def test_a_wallet_trades_by_hand_and_by_a_delegated_key(page: Page, wallet: BrowserWallet) -> None:
    connect(page)
    wallet.rejects = True
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("rejected in the wallet")).to_be_visible()
    wallet.rejects = False
    sign_in(page)
    deposit(page)

    wallet.rejects = True
    place(page, LOW_PRICE, "0.5")
    expect(page.get_by_test_id("order-form").get_by_text("rejected in the wallet")).to_be_visible()
    wallet.rejects = False
    page.get_by_role("button", name="Buy BTC").click()
    orders = page.get_by_test_id("open-orders")
    expect(orders.get_by_text("0.5000 / 0.5000")).to_be_visible()

    orders.get_by_role("button", name="Amend").click()
    page.get_by_role("dialog").get_by_label("Whole amount").fill("0.4")
    page.get_by_role("dialog").get_by_role("button", name="Amend").click()
    expect(orders.get_by_text("0.4000 / 0.4000")).to_be_visible()
    expect(orders.get_by_role("row")).to_have_count(2)
    amend_price(page)

    one_click(page)
    wallet.asked.clear()
    place(page, LOW_PRICE, "0.3")
    expect(orders.get_by_text("0.3000 / 0.3000")).to_be_visible()
    page.get_by_role("button", name="Cancel all").click()
    expect(page.get_by_text("No open orders.")).to_be_visible()
    assert wallet.asked == []
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_test_id("history").get_by_text("cancelled").first).to_be_visible()


def amend_price(page: Page) -> None:
    """A higher price in place of the old one; one that is off the tick is said before anything is signed."""
    orders = page.get_by_test_id("open-orders")
    orders.get_by_role("button", name="Amend").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Price", exact=True).fill("100.03")
    expect(dialog.get_by_role("button", name="Amend")).to_be_disabled()
    dialog.get_by_label("Price", exact=True).fill("100.5")
    dialog.get_by_role("button", name="Amend").click()
    expect(dialog).to_be_hidden()
    expect(orders.get_by_text("100.5", exact=True)).to_be_visible()
    expect(orders.get_by_role("row")).to_have_count(2)


def one_click(page: Page) -> None:
    """Turn one-click trading on."""
    page.get_by_role("banner").get_by_role("button", name="0x").click()
    page.get_by_role("dialog").get_by_role("button", name="One-click trading").click()
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("button", name="Turn off")).to_be_visible(timeout=60_000)
    assert barriers(page) == []
    page.keyboard.press("Escape")


def test_a_wallet_on_another_chain_is_asked_to_switch(page: Page, wallet: BrowserWallet) -> None:
    wallet.chain_id = 1
    connect(page)
    expect(page.get_by_text("Your wallet is on another chain.")).to_be_visible()
    page.get_by_role("button", name="Switch chain").click()
    expect(page.get_by_text("Your wallet is on another chain.")).to_be_hidden()
    wallet.go_to(5)
    expect(page.get_by_text("Your wallet is on another chain.")).to_be_visible()
    assert barriers(page) == []


def test_the_keyboard_alone_trades(player_wallet: BrowserWallet) -> None:
    page = player_wallet.page
    page.goto(MARKET)
    price = page.get_by_label("Price", exact=True)
    expect(price).to_have_attribute("placeholder", re.compile(r"\d"))
    page.locator("body").press("b")
    page.keyboard.press("p")
    expect(price).to_be_focused()
    page.keyboard.type(LOW_PRICE)
    page.keyboard.press("ArrowUp")
    expect(price).to_have_value("100.1")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.type("0.2")
    expect(page.get_by_role("button", name="Buy BTC")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("open-orders").get_by_text("0.2000 / 0.2000")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    expect(page.get_by_text("No open orders.")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard")


def test_of_two_orders_one_waits_and_both_end_together(player_wallet: BrowserWallet) -> None:
    page = player_wallet.page
    page.goto(MARKET)
    shown = page.get_by_test_id("last-price")
    expect(shown).to_have_text(re.compile(r"\d"))
    last = float(shown.inner_text().replace(",", ""))
    page.get_by_text("More choices").click()
    page.get_by_label("With a stop").check()
    page.get_by_label("Stop at").fill(f"{last / 2:.1f}")
    page.get_by_label("Price", exact=True).fill(LOW_PRICE)
    page.get_by_label("Amount", exact=True).fill("0.1")
    expect(page.get_by_role("button", name="Buy BTC")).to_be_disabled()
    expect(page.get_by_text("A stop to buy is above the last price")).to_be_visible()
    page.get_by_label("Stop at").fill(f"{last * 1.1:.1f}")
    expect(page.get_by_test_id("summary-stop")).to_contain_text("You pay at most")
    asked = len(player_wallet.asked)
    page.get_by_role("button", name="Buy BTC").click()
    orders = page.get_by_test_id("open-orders")
    expect(orders.get_by_text("waits for")).to_have_count(1)
    assert player_wallet.asked[asked:] == ["eth_signTypedData_v4"], "one signature for both, and none to take one back"
    expect(orders.get_by_role("row")).to_have_count(3)
    orders.get_by_role("button", name="Cancel", exact=True).first.click()
    expect(page.get_by_text("No open orders.")).to_be_visible()
