"""The operator's console in a browser: who is let in, and what traders see of what is done there."""

from __future__ import annotations

import os
import re
import signal

import pytest
from eth_account import Account
from playwright.sync_api import Browser, Page, expect

from exchange.settings import LOCAL_KEYS
from tests.browser.conftest import PATIENCE_MS
from tests.browser.page import barriers, barriers_of_both_themes, watch
from tests.browser.players import Player
from tests.browser.trader import connect
from tests.browser.wallet import BrowserWallet
from tests.utils.program import Program

TEXT = "Deposits of ETH take an hour longer today."
REASON = "the price feed is wrong"
SIGNED = "Open the operator's console for 30 minutes."
SIZES = ({"width": 390, "height": 844}, {"width": 1280, "height": 900})
SECTIONS = ("health", "markets", "withdrawals", "jobs", "accounts", "cases", "contract", "announcements", "log")


@pytest.fixture
def operator(page: Page, program: Program) -> BrowserWallet:
    """The wallet of the contract's operator, as every development chain knows its key."""
    wallet = BrowserWallet(page, program.rpc_url)
    wallet.account = Account.from_key(LOCAL_KEYS["operator"])
    return wallet


def open_console(page: Page, path: str = "/operator/markets") -> None:
    """Connect the wallet on the trade page, and open the console with it."""
    connect(page)
    page.goto(path)
    page.get_by_role("button", name="Sign and open the console").click()


def confirm(page: Page, name: str) -> None:
    """Give a reason, and confirm."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill(REASON)
    dialog.get_by_role("button", name=name).click()
    expect(dialog).to_be_hidden()


def test_a_wallet_without_a_role_is_told_why_it_may_not(browser: Browser, program: Program) -> None:
    context = browser.new_context(base_url=program.api_url, color_scheme="dark")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    wallet = BrowserWallet(page, program.rpc_url)
    open_console(page)
    expect(page.get_by_role("alert").get_by_text(f"{wallet.account.address} has no role here")).to_be_visible()
    expect(page.get_by_role("navigation", name="Parts of the console")).to_have_count(0)
    assert barriers(page) == []
    context.close()


@pytest.mark.parametrize(
    ("tag", "opens", "left", "log"),
    [
        ("en", "Sign and open the console", "time left", "Log"),
        ("zh-CN", "签名并打开控制台", "剩余时间", "日志"),
        ("ar", "وقّع وافتح اللوحة", "الوقت المتبقي", "السجل"),
    ],
    ids=["en", "zh-CN", "ar"],
)
def test_the_console_says_what_is_signed_and_for_how_long(
    page: Page, operator: BrowserWallet, tag: str, opens: str, left: str, log: str
) -> None:
    connect(page)
    page.goto("/operator/log")
    page.get_by_label("Language").select_option(tag)
    expect(page.locator(f"html[lang={tag}]")).to_be_attached()
    gate = page.get_by_role("main").locator("section")
    expect(gate.locator("dt")).to_have_count(3)
    expect(page.locator("[aria-live=polite] button")).to_have_count(0)  # the account's own sign-in is another
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
    assert barriers_of_both_themes(page) == []
    operator.hold()
    page.get_by_role("button", name=opens).click()
    asked = gate.get_by_role("status").locator("[lang=en]")
    expect(asked).to_contain_text(SIGNED)
    shown = asked.inner_text()
    assert barriers(page) == []
    operator.go_on()
    clock = page.get_by_role("timer", name=left)
    expect(clock).to_have_text(re.compile(r"^\u2068?00:29:\d\d\u2069?$"))
    expect(page.get_by_role("main").get_by_role("link", name=log, exact=True)).to_have_attribute("aria-current", "page")
    assert operator.texts[-1] == shown


def test_what_an_operator_does_is_seen_by_traders_and_stays_in_the_log(
    page: Page, browser: Browser, operator: BrowserWallet, program: Program
) -> None:
    context = browser.new_context(base_url=program.api_url, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    trader = context.new_page()
    complaints = watch(trader, program)
    trader.goto("/trade/ETH-USDC")
    bar = trader.get_by_role("region", name="ETH-USDC at a glance")
    expect(bar).to_be_visible()
    expect(trader.locator("html[data-theme=light]")).to_be_attached()

    open_console(page)
    page.get_by_role("button", name="Halt ETH-USDC").click()
    confirm(page, "Halt ETH-USDC")
    expect(bar.get_by_text("halted")).to_be_visible()
    expect(trader.get_by_text("This market is halted")).to_be_visible()
    page.get_by_role("button", name="Open ETH-USDC").click()
    confirm(page, "Open ETH-USDC")
    expect(bar.get_by_text("halted")).to_have_count(0)
    expect(trader.get_by_text("This market is halted")).to_have_count(0)

    page.get_by_role("link", name="Announcements").click()
    page.get_by_role("button", name="Announce", exact=True).click()
    page.get_by_role("dialog").get_by_label("Text in English (needed)").fill(TEXT)
    confirm(page, "Announce")
    told = trader.get_by_role("region", name="What the operator tells you")
    expect(told.get_by_text(TEXT)).to_be_visible()
    assert barriers(trader) == []
    told.get_by_role("button", name="Put away").click()
    expect(told).to_have_count(0)
    page.get_by_role("button", name="Withdraw announcement").click()
    confirm(page, "Withdraw announcement")

    page.get_by_role("link", name="Log").click()
    log = page.get_by_test_id("operator-log")
    for said in ("halt market", "open market", "announce", "withdraw announcement"):
        expect(log.get_by_role("cell", name=said, exact=True).first).to_be_visible()
    expect(log.get_by_text(REASON)).to_have_count(4)
    for section in SECTIONS:
        page.get_by_role("navigation", name="Parts of the console").locator(f"[href$={section}]").click()
        expect(page.locator("[data-state=syncing]")).to_have_count(0)
        assert barriers_of_both_themes(page) == []
    context.close()
    assert not complaints, complaints


def test_a_halt_that_the_engine_does_not_answer_is_not_shown_as_done(
    page: Page, operator: BrowserWallet, program: Program
) -> None:
    engine = program.pid("engine")
    assert engine is not None
    open_console(page)
    page.get_by_role("button", name="Halt ETH-USDC").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill(REASON)
    os.kill(engine, signal.SIGSTOP)
    try:
        dialog.get_by_role("button", name="Halt ETH-USDC").click()
        expect(dialog.get_by_text("Not obeyed yet.")).to_be_visible(timeout=2 * PATIENCE_MS)
        expect(dialog.get_by_role("button", name="Halt ETH-USDC")).to_have_count(0)
        assert barriers(page) == []
    finally:
        os.kill(engine, signal.SIGCONT)
    expect(dialog.get_by_role("status").get_by_text("applied")).to_be_visible()
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Open ETH-USDC").click()
    confirm(page, "Open ETH-USDC")


def test_an_account_is_limited_and_limits_that_nobody_knows_are_not_shown_as_none(
    page: Page, operator: BrowserWallet, player: Player, program: Program
) -> None:
    engine = program.pid("engine")
    assert engine is not None
    open_console(page, "/operator/accounts")
    page.get_by_label("Address, or how it begins").fill(str(player.session["address"]))
    page.get_by_role("button", name="Look").first.click()
    said = page.get_by_test_id("account-limits")
    expect(said).to_have_text("1,000 orders")
    page.get_by_role("button", name="Limit what it has open").click()
    dialog = page.get_by_role("dialog")
    orders, notional = dialog.get_by_label("Open orders", exact=True), dialog.get_by_label("Ledger units")
    expect(orders).to_have_value("0")
    orders.fill("3")
    dialog.get_by_label("Quote asset").select_option(label="USDC")
    notional.fill("5000500000")
    expect(notional).to_have_accessible_description("5,000.5 USDC")
    assert barriers_of_both_themes(page) == []
    confirm(page, "Limit what it has open")
    expect(said).to_have_text("3 orders, 5,000.5 USDC")

    os.kill(engine, signal.SIGSTOP)
    try:
        expect(page.get_by_text("not known at present").first).to_be_visible()
        page.get_by_role("button", name="Limit what it has open").click()
        dialog.get_by_label("Why").fill(REASON)
        expect(dialog.get_by_role("alert").get_by_text("Nothing can be set until it does")).to_be_visible()
        expect(orders).to_have_value("")
        expect(dialog.get_by_role("button", name="Limit what it has open")).to_be_disabled()
        assert barriers(page) == []
    finally:
        os.kill(engine, signal.SIGCONT)
    expect(orders).to_have_value("3")
    expect(notional).to_have_value("5000500000")
    orders.fill("0")
    notional.fill("0")
    dialog.get_by_role("button", name="Limit what it has open").click()
    expect(dialog).to_be_hidden()
    expect(said).to_have_text("1,000 orders")
