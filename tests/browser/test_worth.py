"""What an account is worth together, in an asset of the user's choice: an estimate that says so."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.page import barriers


def test_the_whole_is_shown_in_an_asset_of_choice(player_page: Page) -> None:
    page = player_page
    page.goto("/funds")
    total = page.get_by_test_id("worth-total")
    expect(total).to_contain_text("50,000.00 USDC")
    page.get_by_label("Shown in").select_option("BTC")
    expect(total).to_contain_text(" BTC")
    expect(total).to_have_attribute("data-live", "true")
    expect(page.get_by_text("An estimate by the last prices of this exchange's own markets.")).to_be_visible()
    page.reload()
    expect(total).to_contain_text(" BTC")
    assert barriers(page) == []
    page.goto("/trade/BTC-USDC")
    page.get_by_role("tab", name="Balances").click()
    expect(total).to_contain_text(" BTC")
