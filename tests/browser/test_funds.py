"""Money that comes and goes, and receipts: verified in the browser, and found out when somebody changed them."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chain import finalize, held
from tests.browser.page import barriers
from tests.browser.trader import MARKET, SLOW_MS, go_to, mined_until, play
from tests.utils.program import Program
from tests.utils.waiting import wait_for

CHANGED_MS = 1
# Of one moment, for deposits arrive meanwhile.
AGREE = """token => {
  const [chain, api] = ["chain", "api"].map((from) => token.querySelector(`[data-from=${from}]`).textContent);
  return chain === api && /\\d/.test(chain);
}"""


@pytest.fixture(autouse=True)
def _trading() -> None:
    """Money comes and goes without anybody who trades: these tests begin while the demo's traders arrive."""


def test_money_comes_and_goes(page: Page, program: Program) -> None:
    play(page)
    go_to(page, "Funds")
    funds, history = page.get_by_test_id("funds"), page.get_by_test_id("history")
    expect(funds.locator("[data-field=available]").first).to_have_text("50,000")
    expect(history).to_contain_text("+50,000 USDC")
    page.get_by_role("button", name="Show my deposit address").click()
    expect(page.get_by_role("img", name=re.compile("QR code of your deposit address 0x"))).to_be_visible()
    page.get_by_role("tab", name="Withdraw").click()
    amount = page.get_by_label("Amount", exact=True)
    amount.fill("0.0000001")
    expect(page.get_by_text("A positive multiple of 0.000001 USDC, please.")).to_be_visible()
    amount.fill("12.5")
    with held(program):  # so that it is not final before somebody looks
        page.get_by_role("button", name="Sign the withdrawal").click()
        expect(page.get_by_text("Taken: the money is held")).to_be_visible()
        mined_until(program, history.get_by_text("on chain, not final yet"), "the payment")
    finalize(program)
    expect(history).to_contain_text("paid, and final", timeout=SLOW_MS)
    expect(funds.locator("[data-field=available]").first).to_have_text("49,987.5")
    page.get_by_role("tab", name="Funding").click()
    page.get_by_label("Amount", exact=True).fill("100")
    page.get_by_role("button", name="Sign the transfer").click()
    expect(funds.locator("[data-field=funding_on_chain]").first).to_have_text("100", timeout=SLOW_MS)
    page.get_by_role("button", name="Out of funding").click()
    page.get_by_label("Amount", exact=True).fill("100")
    page.get_by_role("button", name="Pay out of funding").click()
    expect(funds.locator("[data-field=funding_on_chain]").first).to_have_text("0", timeout=SLOW_MS)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as CSV").click()
    lines = saving.value.path().read_text().splitlines()
    assert lines[0] == "what,asset,amount,status,block,transaction"
    assert any(line.startswith("Withdrawal,USDC,12.5,") for line in lines)
    assert barriers(page) == []


def test_receipts_are_verified_and_changes_found(player_page: Page) -> None:
    page = player_page
    page.goto(MARKET)
    page.get_by_label("Price", exact=True).fill("100")
    page.get_by_label("Amount", exact=True).fill("0.1")
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.get_by_role("tab", name="Open orders (1)")).to_be_visible()
    go_to(page, "Proof")
    for symbol in ("USDC", "ETH", "BTC"):
        token = page.locator(f"[data-reserve={symbol}]")
        expect(token).to_contain_text("Covered")
        wait_for(partial(token.evaluate, AGREE), f"one sum of {symbol} from chain and API")
    expect(page.get_by_test_id("batches")).to_contain_text("there, follows the batch before", timeout=SLOW_MS)
    expect(page.get_by_test_id("receipts")).to_contain_text("It is what the exchange signed")
    page.get_by_role("button", name="Look at it").click()
    text, verdict = page.get_by_label("Check a receipt"), page.get_by_test_id("verdict")
    page.get_by_role("button", name="Verify").click()
    expect(verdict).to_have_attribute("data-good", "true")
    receipt = json.loads(text.input_value())
    receipt["at_ms"] += CHANGED_MS
    text.fill(json.dumps(receipt))
    page.get_by_role("button", name="Verify").click()
    expect(verdict).to_have_attribute("data-good", "false")
    expect(verdict).to_contain_text("The signature does not match")
    assert barriers(page) == []
