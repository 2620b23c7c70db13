"""Cancel on disconnect: the exchange ends the orders of a page that it hears no more, and the page says so."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.page import barriers, barriers_of_both_themes
from tests.browser.trader import LOW_PRICE, MARKET, place
from tests.browser.wallet import BrowserWallet

SECONDS = 15
PATIENT_SECONDS = 30
"""Where a busy page must be heard: looking for barriers stops it for seconds on a slow machine."""
HEARD = "On: the exchange hears this page"
FIRED = "The exchange had not heard this page for {} s, so it cancelled all your open orders"


class Wire:
    """The page's connection to the exchange, to be cut."""

    def __init__(self, page: Page) -> None:
        self._routes: list[WebSocketRoute] = []
        self._is_cut = False
        page.route_web_socket("**/v1/stream", self._route)

    def _route(self, ours: WebSocketRoute) -> None:
        if self._is_cut:
            ours.close()
            return
        self._routes.append(ours)
        ours.connect_to_server()

    def cut(self) -> None:
        """Neither this one nor any other, until it is mended."""
        self._is_cut = True
        self._routes[-1].close()

    def mend(self) -> None:
        """The next one holds."""
        self._is_cut = False


@pytest.fixture
def wire(player_page: Page) -> Iterator[Wire]:
    """Of a player whose key the page keeps."""
    wire = Wire(player_page)
    player_page.goto(MARKET)
    yield wire
    wire.mend()


def rest(page: Page) -> None:
    """An order in the book."""
    place(page, LOW_PRICE, "0.5")
    expect(page.get_by_test_id("open-orders").get_by_text("0.5000 / 0.5000")).to_be_visible()


def test_orders_stay_while_the_page_is_heard_and_end_when_it_is_not(player_page: Page, wire: Wire) -> None:
    page, seconds = player_page, PATIENT_SECONDS
    rest(page)
    page.get_by_label("Seconds until the orders are cancelled").select_option(f"{seconds}")
    switch = page.get_by_role("switch", name="Cancel on disconnect")
    expect(switch).to_have_accessible_description(
        f"When the exchange does not hear this page for {seconds} s, because it is closed, asleep or offline, "
        "it cancels all your open orders."
    )
    switch.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("status").get_by_text(HEARD)).to_be_visible()
    since = monotonic()
    assert barriers_of_both_themes(page) == []
    page.reload()
    expect(page.get_by_text(HEARD)).to_be_visible()
    page.wait_for_timeout(max(0.0, 1_000 * (seconds + 3 - (monotonic() - since))))
    expect(switch).to_be_checked()
    expect(page.get_by_test_id("open-orders").get_by_text("0.5000 / 0.5000")).to_be_visible()

    wire.cut()
    expect(page.get_by_test_id("cancel-on-disconnect").get_by_text("unless the connection comes back")).to_be_visible()
    page.wait_for_timeout(1_000 * (seconds + 2))
    wire.mend()
    fired = page.get_by_test_id("countdown-fired")
    expect(fired.get_by_text(FIRED.format(seconds))).to_be_visible()
    expect(fired.get_by_text("stays on")).to_be_visible()
    expect(page.get_by_text("No open orders.")).to_be_visible()
    expect(page.get_by_text(HEARD)).to_be_visible()
    assert barriers(page) == []
    fired.get_by_role("button", name="I have seen it").click()
    expect(fired).to_be_hidden()


def test_a_page_that_was_closed_says_what_became_of_the_orders(player_page: Page, wire: Wire) -> None:
    page = player_page
    rest(page)
    page.get_by_label("Seconds until the orders are cancelled").select_option(f"{SECONDS}")
    page.get_by_role("switch", name="Cancel on disconnect").click()
    expect(page.get_by_text(HEARD)).to_be_visible()
    page.goto("about:blank")
    page.wait_for_timeout(1_000 * (SECONDS + 2))
    page.goto(MARKET)
    expect(page.get_by_text(FIRED.format(SECONDS))).to_be_visible()
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_text("the connection was lost for too long")).to_be_visible()
    page.get_by_role("tab", name="Open orders").click()

    rest(page)
    page.get_by_role("switch", name="Cancel on disconnect").click()
    expect(page.get_by_text(HEARD)).to_be_hidden()
    page.goto("about:blank")
    page.wait_for_timeout(1_000 * (SECONDS + 2))
    page.goto(MARKET)
    expect(page.get_by_test_id("open-orders").get_by_text("0.5000 / 0.5000")).to_be_visible()
    expect(page.get_by_role("switch", name="Cancel on disconnect")).not_to_be_checked()


def test_a_wallet_that_is_asked_each_time_is_told_what_it_takes(player_wallet: BrowserWallet) -> None:
    page = player_wallet.page
    page.goto(MARKET)
    switch = page.get_by_role("switch", name="Cancel on disconnect")
    expect(switch).to_be_disabled()
    expect(page.get_by_text("turn on one-click trading first")).to_be_visible()
