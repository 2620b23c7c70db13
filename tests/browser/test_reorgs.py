"""The chain reorganises under an open page: what was settled or credited goes back to pending, and comes again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.chain import ask, finalize, height, held, mine
from tests.browser.conftest import watched
from tests.browser.players import give
from tests.browser.trader import (
    SLOW_MS,
    buy_at_market,
    connect,
    deposit,
    fill_amount,
    go_to,
    mined_until,
    sign_in,
)
from tests.browser.wallet import BrowserWallet
from tests.utils.program import Program

LONG_SECONDS = 240
RESTING_MS = 30_000
"""How often a page reads fills of which none is on its way (`web/src/features/orders/account.ts`)."""
PENDING = "[data-settlement=matched], [data-settlement=submitted]"
SETTLED = "[data-settlement=settled]"


@dataclass(frozen=True, slots=True)
class Trader:
    """A signed-in page and its wallet."""

    page: Page
    wallet: BrowserWallet


@pytest.fixture(scope="module")
def trader(browser: Browser, program: Program) -> Iterator[Trader]:
    """One for all tests, whose first deposit is final; at the end everything on chain is."""
    with watched(browser, program) as page:
        wallet = BrowserWallet(page, program.rpc_url)
        give(program, wallet.account.address)
        page.clock.install()
        connect(page)
        sign_in(page)
        deposit(page)
        finalize(program)
        yield Trader(page, wallet)
        finalize(program)


def drop(program: Program, blocks: int) -> None:
    """Replace the last blocks by empty ones, and add one, by which the exchange sees it."""
    ask(program, "anvil_reorg", blocks, [])
    ask(program, "anvil_dropAllTransactions")
    mine(program)


def test_a_settled_fill_is_pending_again_and_settles_again(trader: Trader, program: Program) -> None:
    page = trader.page
    with held(program):
        before = height(program)
        buy_at_market(page, "0.01")
        mined_until(program, page.locator(SETTLED), "a settled fill")
        drop(program, height(program) - before)
        expect(page.locator(PENDING).first).to_be_visible(timeout=SLOW_MS)
        expect(page.locator(SETTLED)).to_have_count(0)
    expect(page.locator(f"{SETTLED}, [data-settlement=final]").first).to_be_visible(timeout=LONG_SECONDS * 1_000)
    finalize(program)
    expect(page.locator("[data-settlement=final]").first).to_be_visible(timeout=LONG_SECONDS * 1_000)


def test_a_final_fill_that_the_chain_takes_back_is_not_shown_as_final(trader: Trader) -> None:
    """A reorganisation past finality, as the exchange tells of it: fewer batches on chain, and fills without one."""
    page = trader.page
    expect(page.locator("[data-settlement=final]").first).to_be_visible(timeout=LONG_SECONDS * 1_000)

    def without_settlement(route: Route) -> None:
        answer = route.fetch().json()
        for fill in answer["fills"]:
            fill |= {"status": "submitted", "tx_hash": None, "block_number": None}
        route.fulfill(json=answer)

    def without_batches(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"batches_settled": 0})

    page.route("**/v1/fills?*", without_settlement)
    page.route("**/v1/status", without_batches)
    page.clock.fast_forward(RESTING_MS)
    expect(page.locator("[data-settlement=submitted]").first).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("[data-settlement=final]")).to_have_count(0)
    expect(page.locator("[data-tx]")).to_have_count(0)
    page.unroute_all(behavior="ignoreErrors")  # an answer may be on its way
    expect(page.locator("[data-settlement=final]").first).to_be_visible(timeout=SLOW_MS)


def test_a_credited_deposit_is_taken_back_and_comes_again(trader: Trader, program: Program) -> None:
    page = trader.page
    go_to(page, "Funds")
    available = page.get_by_test_id("funds").locator("[data-field=available]").first
    history = page.get_by_test_id("history")
    expect(history).to_contain_text("credited", timeout=SLOW_MS)
    first = available.inner_text()
    with held(program):
        before = height(program)
        page.get_by_role("banner").get_by_role("button", name="Deposit").click()
        dialog = page.get_by_role("dialog")
        fill_amount(dialog, "1000")
        dialog.get_by_role("button", name="Deposit 1,000 USDC").click()
        mined_until(program, history.get_by_text("+1,000 USDC"), "the deposit")
        mined_until(program, page.locator("main:not(:has(dialog[open]))"), "the credit")
        expect(available).not_to_have_text(first, timeout=SLOW_MS)
        drop(program, height(program) - before)
        expect(history).to_contain_text("taken back by the chain", timeout=SLOW_MS)
        expect(available).to_have_text(first, timeout=SLOW_MS)
        trader.wallet.send_again()
        mined_until(program, history.get_by_text("credited").nth(1), "the credit")
    expect(history).not_to_contain_text("taken back by the chain", timeout=SLOW_MS)
    expect(available).not_to_have_text(first, timeout=SLOW_MS)
