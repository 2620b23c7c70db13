"""The app in other languages: chosen, remembered, and mirrored where they are written from right to left."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.page import barriers

PAGES = ("/funds", "/proof", "/leave", "/trade/BTC-USDC")
PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


@pytest.mark.parametrize(
    ("tag", "direction", "funds"), [("ar", "rtl", "الأموال"), ("zh-CN", "ltr", "资金")], ids=["ar", "zh-CN"]
)
def test_pages_in_another_language(page: Page, tag: str, direction: str, funds: str) -> None:
    page.goto(PAGES[0])
    page.get_by_label("Language").select_option(tag)
    expect(page.get_by_role("banner").get_by_role("link", name=funds)).to_be_visible()
    for path in PAGES:
        page.goto(path)
        expect(page.locator(f"html[lang={tag}][dir={direction}]")).to_be_attached()
        expect(page.get_by_role("main")).not_to_be_empty()
        expect(page.locator("[data-state=syncing]")).to_have_count(0)
        for size in (PHONE, WIDE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, size)
        assert barriers(page) == []
    if direction == "rtl":
        logo = page.get_by_role("banner").get_by_role("link").first.bounding_box()
        assert logo is not None
        assert logo["x"] > WIDE["width"] / 2
