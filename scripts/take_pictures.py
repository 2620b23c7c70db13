"""Take the pictures of README from a running exchange on the local chain, through the machine's own browser.

python scripts/take_pictures.py                        # of http://127.0.0.1:8000, into docs/pictures
python scripts/take_pictures.py http://127.0.0.1:8000 /tmp/pictures
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
DRAWN_MS = 2_500
PATIENCE_MS = 120_000
WIDE: ViewportSize = {"width": 1440, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 800}
ROW = "button[data-price]:not([data-price=''])"


def trade(page: Page) -> None:
    """Get play money, leave one order in the book, take a little, and wait until that is settled."""
    page.goto("/trade/BTC-USDC")
    page.get_by_test_id("book").locator(ROW).first.wait_for()
    page.get_by_role("button", name="No, thanks").click()
    page.get_by_role("button", name="Start with play money").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Deposit").click()
    dialog.wait_for(state="detached")
    page.locator(f"[data-side=bids] {ROW}").nth(2).click()
    page.get_by_label("Amount", exact=True).fill("0.05")
    page.get_by_role("button", name="Buy BTC").click()
    page.get_by_role("button", name="Cancel", exact=True).wait_for()
    page.get_by_role("button", name="Market", exact=True).click()
    page.get_by_label("Amount", exact=True).fill("0.03")
    page.get_by_role("button", name="Buy BTC").click()
    page.get_by_role("tab", name="Fills").click()
    page.locator("[data-settlement=settled], [data-settlement=final]").first.wait_for()
    page.get_by_text("Indicators").first.click()
    page.get_by_label("Moving average 20").check()
    page.get_by_text("Indicators").first.click()
    page.get_by_label("Amount", exact=True).fill("0.25")


def take(page: Page, folder: Path) -> None:
    """The trade page wide in both themes, and on a phone."""
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=folder / "trade-dark.png")
    page.get_by_role("button", name="Light theme").click()
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=folder / "trade-light.png")
    page.get_by_role("button", name="Dark theme").click()
    page.set_viewport_size(PHONE)
    page.get_by_role("navigation", name="Parts of this page").get_by_role("button", name="Book").click()
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=folder / "trade-phone.png")


def main() -> None:
    """Take them all."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    browser_path = subprocess.run(
        [ROOT / "scripts/setup/find_browser.sh"], check=True, capture_output=True, text=True
    ).stdout.strip()
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--disable-gpu", *sandbox])
        page = browser.new_page(base_url=url, viewport=WIDE, color_scheme="dark")
        page.set_default_timeout(PATIENCE_MS)
        trade(page)
        take(page, folder)
        browser.close()


if __name__ == "__main__":
    main()
