"""What a trader does on the pages, step by step."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.chain import mine
from tests.utils.program import Program
from tests.utils.waiting import wait_for

MARKET = "/trade/BTC-USDC"
LOW_PRICE = "100"
"""Far below the market: an order to buy rests."""

SLOW_MS = 180_000
MINED_SECONDS = 240
ROW = "button[data-price]:not([data-price=''])"


def start_playing(page: Page) -> None:
    """A newcomer's wallet, with a deposit of what is suggested, on the page that is open."""
    page.get_by_role("button", name="Start with play money").click()
    confirm_deposit(page)


def play(page: Page) -> None:
    """Open the market, and start playing."""
    page.goto(MARKET)
    start_playing(page)


def connect(page: Page) -> None:
    """Open the market and connect the wallet."""
    page.goto(MARKET)
    page.get_by_role("banner").get_by_role("button", name="Connect wallet").click()
    page.get_by_role("dialog").get_by_role("button", name="Test Wallet").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def sign_in(page: Page) -> None:
    """Sign in, and wait for the account."""
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_hidden()


def confirm_deposit(page: Page, amount: str | None = None) -> None:
    """In the dialog: deposit what is suggested, or another amount, and wait until it can be traded."""
    dialog = page.get_by_role("dialog")
    if amount:
        fill_amount(dialog, amount)
    dialog.get_by_role("button", name=re.compile("^Deposit ")).click()
    expect(dialog).to_be_hidden(timeout=SLOW_MS)


def fill_amount(dialog: Locator, amount: str) -> None:
    """Another amount than is suggested, once it is: a suggestion that comes while one is filled in mixes with it."""
    field = dialog.get_by_label("Amount", exact=True)
    expect(field).not_to_have_value("")
    field.fill(amount)


def deposit(page: Page, amount: str | None = None) -> None:
    """Open the dialog, and deposit."""
    page.get_by_role("banner").get_by_role("button", name="Deposit").click()
    confirm_deposit(page, amount)


def fill(page: Page, price: str, amount: str) -> None:
    """Fill the form with a limit purchase."""
    page.get_by_label("Price", exact=True).fill(price)
    page.get_by_label("Amount", exact=True).fill(amount)


def place(page: Page, price: str, amount: str) -> None:
    """Fill the form, and send it."""
    fill(page, price, amount)
    page.get_by_role("button", name="Buy BTC").click()


def buy_at_market(page: Page, amount: str) -> None:
    """Buy at once, and look at the fills."""
    page.get_by_role("button", name="Market", exact=True).click()
    page.get_by_label("Amount", exact=True).fill(amount)
    page.get_by_role("button", name="Buy BTC").click()
    page.get_by_role("tab", name="Fills").click()
    expect(page.locator("[data-settlement]").first).to_be_visible()


def mined_until(program: Program, there: Locator, what: str) -> None:
    """On a held chain: mine a block each time that what is awaited has not come with the last one."""

    def look() -> bool:
        mine(program)
        try:
            expect(there.first).to_be_visible(timeout=2_000)
        except AssertionError:
            return False
        return True

    wait_for(look, what, MINED_SECONDS)


def go_to(page: Page, name: str) -> None:
    """Another page, without loading the app again."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
