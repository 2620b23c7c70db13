"""The first-run tour: offered once, walked by keyboard, read out, remembered, and had again from the foot."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.page import barriers
from tests.utils.waiting import wait_for

MARKET = "/trade/BTC-USDC"
STEPS = 6
PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


def test_a_newcomer_is_shown_around_once(page: Page) -> None:
    page.goto(MARKET)
    page.get_by_role("button", name="Show me around").click()
    card = page.get_by_role("dialog")
    for step in range(1, STEPS + 1):
        expect(card).to_contain_text(f"{step} of {STEPS}")
        expect(card.get_by_role("heading")).to_be_focused()
        if step == 1:
            assert barriers(page) == []
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(card).to_contain_text(f"{STEPS - 1} of {STEPS}")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(page.get_by_role("button", name="Show me around")).to_be_hidden()
    page.reload()
    expect(page.get_by_test_id("book")).to_be_visible()
    expect(page.get_by_role("button", name="Show me around")).to_be_hidden()
    page.goto("/proof")
    page.get_by_role("button", name="Tour", exact=True).click()
    expect(card).to_contain_text(f"1 of {STEPS}")
    expect(page).to_have_url(f"{page.url.split('/trade')[0]}/trade")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card).to_be_hidden()
    expect(page.get_by_role("button", name="Tour", exact=True)).to_be_focused()


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
def test_the_tour_from_right_to_left_stays_on_the_screen(page: Page, size: dict[str, int]) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.goto(MARKET)
    page.get_by_label("Language").select_option("ar")
    expect(page.locator("html[dir=rtl]")).to_be_attached()
    page.get_by_role("complementary").get_by_role("button").first.click()
    card = page.get_by_role("dialog")
    for step in range(1, STEPS + 1):
        expect(card.get_by_role("paragraph").first).to_contain_text(f"{step}")
        expect(card.get_by_role("heading")).to_be_focused()
        wait_for(lambda: page.evaluate(SETTLED), "a card that is wholly on the screen")
        page.keyboard.press("ArrowLeft")


SETTLED = """() => {
  const card = document.querySelector('dialog[open]').getBoundingClientRect();
  return card.left >= 0 && card.top >= 0 && card.right <= innerWidth && card.bottom <= innerHeight;
}"""
