"""A whole exchange, and a browser that looks at it as a person does."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bizzan.contracts import ROOT
from tests.browser.page import watch
from tests.browser.wallet import BrowserWallet
from tests.e2e.conftest import bring_prices
from tests.utils.local_stack import open_folder
from tests.utils.program import Program
from tests.utils.waiting import wait_for

PATIENCE_MS = 60_000
TRAFFIC_SECONDS = 240
QUICK = {
    "CHAIN__CREDIT_CONFIRMATIONS": "1",
    "DEMO__MAKERS": "2",
    "DEMO__TAKERS": "3",
    "DEMO__ORDERS_PER_SECOND": "10",
}
"""A deposit waits for no more than the next block, and the demo leaves the processors to the browser."""
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def program() -> Iterator[Program]:
    """A running exchange with demo traffic, stopped and removed after the last test of the package."""
    with open_folder() as folder:
        bring_prices(folder)
        program = Program(folder, **QUICK)
        program.succeed("up", "--detach")
        try:
            wait_for(lambda: asks(program), "somebody who sells", TRAFFIC_SECONDS)
            yield program
        finally:
            program.succeed("down")
            program.succeed("reset", "--yes")


def asks(program: Program) -> list[list[str]]:
    """What is for sale; nothing while the engine is away."""
    try:
        with urllib.request.urlopen(f"{program.api_url}/v1/markets/BTC-USDC/book", timeout=10) as answer:
            found: list[list[str]] = json.load(answer)["asks"]
    except urllib.error.HTTPError:
        return []
    return found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The machine's own browser; without one the tests fail, with what to install."""
    found = subprocess.run([ROOT / "scripts/setup/find_browser.sh"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.fail(found.stderr)
    expect.set_options(timeout=PATIENCE_MS)
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=[*QUIET, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def bare_page(browser: Browser, program: Program) -> Iterator[Page]:
    """A fresh browser profile whose page may complain: for tests in which the exchange is away."""
    context = browser.new_context(
        base_url=program.api_url, viewport={"width": 1440, "height": 900}, color_scheme="dark"
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(bare_page: Page, program: Program) -> Iterator[Page]:
    """A fresh browser profile; whatever its page complains of fails the test."""
    complaints = watch(bare_page, program)
    yield bare_page
    bare_page.context.close()
    assert not complaints, complaints


@pytest.fixture
def wallet(page: Page, program: Program) -> BrowserWallet:
    """A wallet with play money, announced to the page."""
    return funded_wallet(page, program)


def funded_wallet(page: Page, program: Program) -> BrowserWallet:
    """Announce a wallet to a page, and have the faucet fill it."""
    wallet = BrowserWallet(page, program.rpc_url)
    body = json.dumps({"address": wallet.account.address}).encode()
    request = urllib.request.Request(f"{program.api_url}/v1/faucet", body, {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()
    return wallet
