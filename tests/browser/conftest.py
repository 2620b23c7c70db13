"""A whole exchange, and a browser that looks at it as a person does."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, Page, StorageState, expect, sync_playwright

from bizzan.contracts import ROOT
from tests.browser.page import watch
from tests.browser.players import Player, Players, give
from tests.browser.wallet import BrowserWallet
from tests.e2e.conftest import bring_prices
from tests.utils.local_stack import open_folder
from tests.utils.program import Program
from tests.utils.waiting import wait_for

PATIENCE_MS = 120_000
TRAFFIC_SECONDS = 240
PLAYERS = 10
QUICK = {
    "CHAIN__CREDIT_CONFIRMATIONS": "1",
    "LOCAL__CHAIN_STATE_SECONDS": "600",
    "DEMO__MAKERS": "2",
    "DEMO__TAKERS": "3",
    "DEMO__ORDERS_PER_SECOND": "10",
}
"""A deposit waits for no more than the next block, nobody saves the state of a chain that nobody kills, and the demo
leaves the processors to the browser."""
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The list of Playwright, which a second one replaces, and what the address bar of each window loads.
    "--disable-features=AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,"
    "HttpsFirstBalancedModeAutoEnable,LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,"
    "AvoidCorsURLLoaderRestartOnRedirect,OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch,"
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the test's pages show."""
    report = yield
    if report.when == "call" and report.failed:
        for name, found in item.funcargs.items():
            page = getattr(found, "page", found)
            if isinstance(page, Page):
                report.sections.append((f"what {name} shows: {page.url}", _shown(page)))
    return report


def _shown(page: Page) -> str:
    try:
        return page.locator("body").aria_snapshot(timeout=5_000)
    except Error as error:
        return f"nobody can say: {error}"


@pytest.fixture(scope="package")
def program() -> Iterator[Program]:
    """A running exchange whose demo begins, stopped and removed after the last test of the package."""
    with open_folder() as folder:
        bring_prices(folder)
        program = Program(folder, **QUICK)
        program.succeed("up", "--detach")
        try:
            yield program
        finally:
            program.succeed("down")
            program.succeed("reset", "--yes")


@pytest.fixture(scope="package")
def players(program: Program) -> Players:
    """Accounts with money, made while the demo's traders arrive."""
    return Players(program, PLAYERS)


@pytest.fixture(scope="package")
def market(program: Program, players: Players) -> None:
    """The demo trades."""
    wait_for(lambda: asks(program), "somebody who sells", TRAFFIC_SECONDS)


@pytest.fixture(autouse=True)
def _trading(market: None) -> None:
    """Every test has a market that is traded in, but for those of files that say otherwise."""


def asks(program: Program) -> list[list[str]]:
    """What is for sale; nothing while the engine is away."""
    try:
        with urllib.request.urlopen(f"{program.api_url}/v1/markets/BTC-USDC/book", timeout=60) as answer:
            found: list[list[str]] = json.load(answer)["asks"]
    except OSError:
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


@contextmanager
def opened(browser: Browser, program: Program, storage: StorageState | None = None) -> Iterator[Page]:
    """A browser profile of its own, with a page that may complain: for tests in which the exchange is away."""
    context = browser.new_context(
        base_url=program.api_url,
        viewport={"width": 1440, "height": 900},
        color_scheme="dark",
        storage_state=storage,
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@contextmanager
def watched(browser: Browser, program: Program, storage: StorageState | None = None) -> Iterator[Page]:
    """The same; whatever its page complains of fails the test."""
    with opened(browser, program, storage) as page:
        complaints = watch(page, program)
        yield page
    assert not complaints, complaints


@pytest.fixture
def page(browser: Browser, program: Program) -> Iterator[Page]:
    """A fresh browser profile."""
    with watched(browser, program) as page:
        yield page


@pytest.fixture
def wallet(page: Page, program: Program) -> BrowserWallet:
    """A wallet with play money, announced to the page."""
    wallet = BrowserWallet(page, program.rpc_url)
    give(program, wallet.account.address)
    return wallet


@pytest.fixture
def player(players: Players) -> Player:
    """An account that nobody has used yet."""
    return players.take()


@pytest.fixture
def player_page(browser: Browser, program: Program, player: Player) -> Iterator[Page]:
    """The profile of a player whose key the page keeps: signed in, with money to trade."""
    with watched(browser, program, player.storage(program)) as page:
        yield page


@pytest.fixture
def player_wallet(browser: Browser, program: Program, player: Player) -> Iterator[BrowserWallet]:
    """The wallet of a player, in a profile that knows it: signed in, with money to trade. Its `page` is still blank."""
    with watched(browser, program, player.storage(program, "test.wallet")) as page:
        yield BrowserWallet(page, program.rpc_url, key=player.key)
