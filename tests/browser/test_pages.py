"""Every page in both themes: no barrier of a serious or critical kind, on a wide screen and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.page import barriers
from tests.browser.trader import LOW_PRICE, ROW, place, start_playing

PAGES = ("/trade/BTC-USDC", "/legal", "/trade/NONE", "/proof", "/funds", "/leave", "/operator")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_pages_have_no_barriers(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme="light" if theme == "light" else "dark")
    for path in PAGES:
        page.goto(path)
        expect(page.get_by_role("main")).not_to_be_empty()
        expect(page.locator("[data-state=syncing]")).to_have_count(0)
        assert page.locator("html").get_attribute("data-theme") == theme
        assert barriers(page) == []
    page.goto(PAGES[0])
    page.get_by_role("button", name="Connect wallet").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert barriers(page) == []


def test_a_phone_shows_one_part_at_a_time(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(PAGES[0])
    for name, region in (
        ("Chart", "Chart"),
        ("Book", "Order book"),
        ("Trade", "Place an order"),
        ("Orders", "Your account"),
    ):
        page.get_by_role("navigation", name="Parts of this page").get_by_role("button", name=name).click()
        expect(page.get_by_role("region", name=region)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert barriers(page) == []


def test_a_phone_places_an_order(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(PAGES[0])
    parts = page.get_by_role("navigation", name="Parts of this page")
    parts.get_by_role("button", name="Trade").click()
    start_playing(page)
    parts.get_by_role("button", name="Book").click()
    bid = page.get_by_test_id("book").locator("[data-side=bids]").locator(ROW).first
    bid.click()
    expect(page.get_by_role("region", name="Place an order")).to_be_visible()
    expect(page.get_by_label("Price", exact=True)).not_to_have_value("")
    place(page, LOW_PRICE, "0.3")
    parts.get_by_role("button", name="Orders").click()
    orders = page.get_by_test_id("open-orders")
    expect(orders.get_by_text("0.3000 / 0.3000")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert barriers(page) == []
    orders.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("No open orders.")).to_be_visible()
