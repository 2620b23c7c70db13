"""Out without the exchange's consent: some of it on request, and everything while the exchange is dead."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from playwright.sync_api import Browser, Page, expect

from tests.browser.chain import UNIT, exchange_of, held_by, pass_seconds, usdc
from tests.browser.page import barriers
from tests.browser.players import Player
from tests.browser.trader import MARKET
from tests.browser.wallet import BrowserWallet
from tests.utils.program import Program
from tests.utils.waiting import wait_for

PATIENCE_MS = 120_000
DELAY_SECONDS = 600
WAY_OUT_MS = 3_000
"""How long a page that knows the exchange waits before it loads what the way out needs (`web/src/main.tsx`)."""
KEEPS_LEAVING = "navigator.serviceWorker.getRegistration().then((found) => found !== undefined)"
"""Whether the page has all that the way out needs, after which it registers its worker. It is asked from outside: the
page's policy evaluates no text, so that `wait_for_function` cannot ask twice."""
WORKS = "navigator.serviceWorker.getRegistration().then((found) => Boolean(found?.active))"
"""Whether its worker is installed, with all of the build."""


def ready_to_leave(page: Page, path: str, ready: str) -> None:
    """Open a page whose clock goes on at once by what it waits before it loads what the way out needs."""
    page.clock.install()
    page.goto(path)

    def look() -> bool:
        page.clock.fast_forward(WAY_OUT_MS)
        with suppress(AssertionError):  # it had not asked for the wait yet
            return wait_for(lambda: bool(page.evaluate(ready)), ready, 1)
        return False

    wait_for(look, "what the way out needs")


@contextmanager
def dead_api(program: Program) -> Iterator[None]:
    """The API's process answers nobody."""
    pid = program.pid("api")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_forced_withdrawal_counts_down_and_is_claimed(player_wallet: BrowserWallet, program: Program) -> None:
    wallet, page = player_wallet, player_wallet.page
    page.goto(MARKET)
    page.get_by_role("link", name="Leave without us").first.click()
    expect(page.get_by_test_id("on-chain")).to_contain_text("USDC", timeout=PATIENCE_MS)
    token = usdc(program)["address"]
    before = held_by(program, token, wallet.account.address)
    page.get_by_label("Amount", exact=True).fill("100")
    page.get_by_role("button", name="Ask for it on chain").click()
    request = page.locator("[data-request=USDC]")
    countdown = request.get_by_role("timer")
    expect(countdown).to_contain_text(re.compile("^100 USDC to 0x.*: in "), timeout=PATIENCE_MS)
    shown = countdown.inner_text()
    expect(countdown).not_to_have_text(shown, timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Claim 100 USDC")).to_have_count(0)
    expect(page.get_by_role("button", name="Ask for it on chain")).to_be_disabled()
    assert barriers(page) == []
    pass_seconds(program, DELAY_SECONDS)
    expect(countdown).to_contain_text("claim it within", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Claim 100 USDC").click()
    expect(request).to_have_count(0, timeout=PATIENCE_MS)
    assert held_by(program, token, wallet.account.address) - before == 100 * UNIT


def test_everybody_leaves_while_the_api_is_dead(browser: Browser, program: Program, player: Player) -> None:
    token = usdc(program)["address"]
    context = browser.new_context(base_url=program.api_url, color_scheme="dark", storage_state=player.storage(program))
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    ready_to_leave(page, MARKET, KEEPS_LEAVING)
    session = page.evaluate("JSON.parse(localStorage.getItem('bizzan.session'))")
    before = held_by(program, token, session["address"])
    with dead_api(program):
        leave(page, program)
    assert held_by(program, token, session["address"]) - before == 50_000 * UNIT
    context.close()


def leave(page: Page, program: Program) -> None:
    """From the trade page, without loading it again."""
    page.get_by_role("link", name="Leave without us").first.click()
    expect(page.get_by_test_id("on-chain")).to_contain_text("50,000")
    page.get_by_role("button", name="Ask to leave").click()
    expect(page.get_by_test_id("exit-waits")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("request_exit()")).to_be_hidden()
    pass_seconds(program, DELAY_SECONDS)
    page.get_by_role("button", name="Claim 50,000 USDC").click()
    expect(page.get_by_text("All of it is claimed.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("on-chain")).to_have_count(0)
    assert barriers(page) == []


def test_a_new_tab_leaves_while_the_api_is_dead(browser: Browser, program: Program, player: Player) -> None:
    context = browser.new_context(base_url=program.api_url, color_scheme="dark", storage_state=player.storage(program))
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    ready_to_leave(page, MARKET, WORKS)
    expect(page.get_by_role("banner").get_by_role("button", name="0x")).to_be_visible()
    page.close()
    with dead_api(program):
        fresh = context.new_page()
        fresh.goto("/leave", timeout=PATIENCE_MS)
        expect(fresh.get_by_test_id("on-chain")).to_contain_text("50,000", timeout=PATIENCE_MS)
        expect(fresh.get_by_role("button", name="Ask to leave")).to_be_enabled()
        kept = fresh.evaluate(KEPT)
        assert "/" in kept
        assert all(path == "/" or path.startswith(("/assets/", "/brand/")) for path in kept), kept
    context.close()


KEPT = """async () => {
  const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
  const requests = await Promise.all(caches_.map((cache) => cache.keys()));
  return requests.flat().map((request) => new URL(request.url).pathname);
}"""


POISON = """async () => {
  for (const name of [...(await caches.keys()), "theirs"]) {
    const cache = await caches.open(name);
    const kept = await (await caches.open((await caches.keys())[0])).keys();
    const headers = { "content-type": "text/javascript" };
    for (const { url } of kept)
      if (url.endsWith(".js")) await cache.put(url, new Response("window.poisoned = true;", { headers }));
  }
}"""


def test_a_script_that_was_written_into_the_caches_is_not_run(browser: Browser, program: Program) -> None:
    context = browser.new_context(base_url=program.api_url, color_scheme="dark")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    ready_to_leave(page, "/legal", WORKS)
    page.evaluate(POISON)
    assert "/worker.js" not in page.evaluate(KEPT)
    page.close()
    fresh = context.new_page()
    fresh.goto("/legal")
    assert fresh.evaluate("navigator.serviceWorker.controller !== null")
    expect(fresh.get_by_role("main").get_by_role("heading").first).to_be_visible(timeout=PATIENCE_MS)
    assert fresh.evaluate("window.poisoned") is None
    context.close()


def test_the_contract_alone_is_enough_to_leave(browser: Browser, program: Program) -> None:
    exchange = exchange_of(program)
    context = browser.new_context(base_url=program.api_url, color_scheme="dark")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    wallet = BrowserWallet(page, program.rpc_url)
    ready_to_leave(page, "/legal", WORKS)
    page.evaluate("localStorage.clear()")
    with dead_api(program):
        page.goto("/leave", timeout=PATIENCE_MS)
        page.get_by_label("Contract", exact=True).fill(wallet.account.address)
        page.get_by_role("button", name="Read it through Test Wallet").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_label("Contract", exact=True).fill(exchange["contract"])
        page.get_by_label("Factory of deposit addresses").fill(exchange["deposit_addresses"])
        page.get_by_role("button", name="Read it through Test Wallet").click()
        page.get_by_role("main").get_by_role("button", name="Connect wallet").click()
        page.get_by_role("dialog").get_by_role("button", name="Test Wallet").click()
        expect(page.get_by_role("button", name="Ask to leave")).to_be_enabled()
        expect(page.get_by_text("The contract has nothing of this account.")).to_be_visible()
        expect(page.get_by_role("button", name="Deposit", exact=True)).to_have_count(0)
        assert barriers(page) == []
    expect(page.get_by_role("button", name="Deposit", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("names another contract or chain")).to_have_count(0)
    context.close()
