"""Every page in both themes: no barrier of a serious or critical kind, on a wide screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.page import barriers, barriers_of_both_themes, watch
from tests.browser.trader import LOW_PRICE, ROW, place, start_playing
from tests.utils.program import Program

PAGES = ("/trade/BTC-USDC", "/legal", "/trade/NONE", "/proof", "/funds", "/leave", "/operator")


@pytest.fixture(scope="module")
def looked_at(browser: Browser, program: Program) -> Iterator[Page]:
    """One page for all looks; whatever it complains of fails the last one."""
    context = browser.new_context(
        base_url=program.api_url, viewport={"width": 1440, "height": 900}, color_scheme="dark"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints = watch(page, program)
    yield page
    context.close()
    assert not complaints, complaints


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_no_barriers(looked_at: Page, path: str) -> None:
    looked_at.goto(path)
    expect(looked_at.get_by_role("main")).not_to_be_empty()
    expect(looked_at.locator("[data-state=syncing]")).to_have_count(0)
    assert barriers_of_both_themes(looked_at) == []


def test_the_wallets_dialog_has_no_barriers(looked_at: Page) -> None:
    looked_at.goto(PAGES[0])
    looked_at.get_by_role("button", name="Connect wallet").first.click()
    expect(looked_at.get_by_role("dialog")).to_be_visible()
    assert barriers_of_both_themes(looked_at) == []


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
    assert names_of_all_pages_are_seen(page)
    assert barriers(page) == []


def test_a_phone_places_an_order(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(PAGES[0])
    parts = page.get_by_role("navigation", name="Parts of this page")
    parts.get_by_role("button", name="Trade").click()
    start_playing(page)
    assert names_of_all_pages_are_seen(page)
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


def names_of_all_pages_are_seen(page: Page) -> bool:
    """Whether the header has room for all of them."""
    pages = page.get_by_role("navigation", name="Pages")
    return bool(pages.evaluate("links => links.scrollWidth <= links.clientWidth"))
