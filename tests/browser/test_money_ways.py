"""Money by its less usual ways: a plain transfer to the own address, and an amount that people must approve."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.chain import UNIT, finalize, held, held_by, usdc
from tests.browser.page import barriers
from tests.browser.trader import SLOW_MS, connect, deposit, go_to, mined_until, sign_in
from tests.browser.wallet import BrowserWallet
from tests.utils.program import Program

LARGE = 600_000
"""Above what the local chain lets out at once, in whole USDC."""


def test_a_plain_transfer_to_the_own_address_arrives(page: Page, wallet: BrowserWallet, program: Program) -> None:
    connect(page)
    sign_in(page)
    go_to(page, "Funds")
    page.get_by_role("button", name="Show my deposit address").click()
    picture = page.get_by_role("img", name=re.compile("QR code of your deposit address 0x"))
    expect(picture).to_be_visible()
    address = re.findall("0x[0-9a-fA-F]{40}", picture.get_attribute("aria-label") or "")[0]
    expect(page.get_by_text(address, exact=True).first).to_be_visible()
    wallet.call(usdc(program)["address"], "transfer(address,uint256)", int(address, 16), 1_000 * UNIT)
    history = page.get_by_test_id("history")
    expect(history).to_contain_text("+1,000 USDC", timeout=SLOW_MS)
    expect(history).to_contain_text("credited", timeout=SLOW_MS)
    available = page.get_by_test_id("funds").locator("[data-field=available]").first
    expect(available).to_have_text("1,000", timeout=SLOW_MS)


def test_a_large_withdrawal_shows_its_approvals(page: Page, wallet: BrowserWallet, program: Program) -> None:
    wallet.call(usdc(program)["address"], "faucet(uint256)", LARGE * UNIT)
    connect(page)
    sign_in(page)
    deposit(page, str(LARGE))
    go_to(page, "Funds")
    history = page.get_by_test_id("history")
    page.get_by_role("tab", name="Withdraw").click()
    page.get_by_label("Amount", exact=True).fill(str(LARGE))
    expect(page.get_by_text(re.compile("2 of . approvers must agree first"))).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Sign the withdrawal").click()
    expect(history).to_contain_text("waits for approvals: 0 of 2", timeout=SLOW_MS)
    assert barriers(page) == []
    listed = program.succeed("approvals", "list").splitlines()
    own = next(line for line in listed if wallet.account.address in line)  # the demo's wait there too
    digest = re.findall("0x[0-9a-f]{16,64}", own)[0][:18]
    program.succeed("approvals", "approve", digest, "--approver", "1", "--yes")
    expect(history).to_contain_text("waits for approvals: 1 of 2", timeout=SLOW_MS)
    program.succeed("approvals", "approve", digest, "--approver", "2", "--yes")
    with held(program):  # so that it is not final before somebody looks
        mined_until(program, history.get_by_text("on chain, not final yet"), "the payment")
    finalize(program)
    expect(history).to_contain_text("paid, and final", timeout=SLOW_MS)
    assert held_by(program, usdc(program)["address"], wallet.account.address) >= LARGE * UNIT
