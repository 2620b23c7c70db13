"""Out with everything while the exchange is dead: the page asks the chain alone."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.page import barriers
from tests.browser.test_funds import play
from tests.browser.wallet import BrowserWallet
from tests.utils.program import Program

PATIENCE_MS = 60_000
DELAY_SECONDS = 600


def ask(program: Program, method: str, *params: Any) -> Any:
    """Ask the chain."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(program.rpc_url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["result"]


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


def usdc_of(program: Program, exchange: dict[str, Any], account: str) -> int:
    """What an address holds of USDC outside the exchange."""
    token = next(one for one in exchange["tokens"] if one["symbol"] == "USDC")
    data = "0x70a08231" + account.removeprefix("0x").rjust(64, "0")
    return int(ask(program, "eth_call", {"to": token["address"], "data": data}, "latest"), 16)


def test_everybody_leaves_while_the_api_is_dead(browser: Browser, program: Program) -> None:
    with urllib.request.urlopen(f"{program.api_url}/v1/exchange", timeout=10) as answer:
        exchange = json.load(answer)
    context = browser.new_context(base_url=program.api_url, color_scheme="dark")
    page = context.new_page()
    play(page)
    expect(page.get_by_role("link", name="Leave without us")).to_be_visible()
    page.wait_for_function(
        "performance.getEntriesByType('resource').some((one) => one.name.includes('/LeavePage'))", timeout=PATIENCE_MS
    )
    page.wait_for_load_state("networkidle")
    session = page.evaluate("JSON.parse(localStorage.getItem('bizzan.session'))")
    before = usdc_of(program, exchange, session["address"])
    with dead_api(program):
        leave(page, program)
    assert usdc_of(program, exchange, session["address"]) - before == 50_000 * 10**6
    context.close()


def leave(page: Page, program: Program) -> None:
    """From the trade page, without loading it again."""
    page.get_by_role("link", name="Leave without us").first.click()
    expect(page.get_by_test_id("on-chain")).to_contain_text("50,000")
    page.get_by_role("button", name="Ask to leave").click()
    expect(page.get_by_test_id("exit-waits")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("request_exit()")).to_be_hidden()
    ask(program, "evm_increaseTime", DELAY_SECONDS)
    ask(program, "evm_mine")
    page.get_by_role("button", name="Claim 50,000 USDC").click()
    expect(page.get_by_text("All of it is claimed.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("on-chain")).to_have_count(0)
    assert barriers(page) == []


def test_a_new_tab_leaves_while_the_api_is_dead(browser: Browser, program: Program) -> None:
    context = browser.new_context(base_url=program.api_url, color_scheme="dark")
    page = context.new_page()
    play(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
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


def test_the_contract_alone_is_enough_to_leave(browser: Browser, program: Program) -> None:
    with urllib.request.urlopen(f"{program.api_url}/v1/exchange", timeout=10) as answer:
        exchange = json.load(answer)
    context = browser.new_context(base_url=program.api_url, color_scheme="dark")
    page = context.new_page()
    wallet = BrowserWallet(page, program.rpc_url)
    page.goto("/legal")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
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
        assert barriers(page) == []
    context.close()
