"""A stream that loses, doubles and reorders messages, and one that is away: nothing wrong is shown as live."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.conftest import opened
from tests.browser.players import Players
from tests.browser.trader import LOW_PRICE, MARKET, ROW, SLOW_MS, place
from tests.utils.program import Program
from tests.utils.waiting import wait_for

BOOK, TRADES, ACCOUNT = "book.BTC-USDC", "trades.BTC-USDC", "account"
CHANNELS = (BOOK, TRADES, "ticker.BTC-USDC", "candles.BTC-USDC.1m", ACCOUNT)
EVERY = 2
ROWS = 14
TAPE_ROWS = 10
SECONDS = 120


class Tampering:
    """Passes the stream on, but for every second change of one channel, which it loses, doubles or holds back.

    What is held follows the next message of the channel. `book` and `trades` are what the exchange has said until now,
    `asked` how often the page has subscribed to a channel. While `frozen` nothing but snapshots passes.
    """

    def __init__(self, page: Page) -> None:
        self.kind = ""
        self.channel = ""
        self.seen = Counter[str]()
        self.tampered = Counter[tuple[str, str]]()
        self.asked = Counter[str]()
        self.held: list[str] = []
        self.book: dict[str, dict[int, int]] = {"asks": {}, "bids": {}}
        self.trades: list[int] = []
        self.frozen = False
        page.route_web_socket("**/v1/stream", self._route)

    def do(self, kind: str, channel: str) -> None:
        """From now on: `lost`, `doubled` or `reordered` messages of the channel; nothing with an empty kind."""
        self.kind, self.channel = kind, channel

    def _route(self, ours: WebSocketRoute) -> None:
        exchange = ours.connect_to_server()

        def on_request(message: str | bytes) -> None:
            request = json.loads(message)
            self.asked.update(request.get("channels", []) if request["op"] == "subscribe" else [])
            exchange.send(message)

        ours.on_message(on_request)
        exchange.on_message(lambda message: self._pass_on(ours, str(message)))

    def _pass_on(self, ours: WebSocketRoute, text: str) -> None:
        content: dict[str, Any] = json.loads(text)
        channel, is_change = content.get("channel", ""), content.get("prev_seq") is not None
        if self.frozen and is_change:
            return
        self._learn(channel, content)
        self.seen[channel] += is_change
        if is_change and channel == self.channel and self.kind and self.seen[channel] % EVERY == 0:
            self.tampered[self.kind, channel] += 1
            if self.kind == "doubled":
                ours.send(text)
                ours.send(text)
            elif self.kind == "reordered":
                self.held.append(text)
            return
        ours.send(text)
        if is_change and channel == self.channel:
            while self.held:
                ours.send(self.held.pop())

    def _learn(self, channel: str, content: dict[str, Any]) -> None:
        if channel == TRADES:
            prices = [int(trade["price"]) for trade in content["trades"]]
            self.trades = prices if content["type"] == "snapshot" else [*reversed(prices), *self.trades]
        if channel != BOOK:
            return
        for side, levels in self.book.items():
            if content["type"] == "snapshot":
                levels.clear()
            for price, quantity in content[side]:
                levels[int(price)] = int(quantity)
            for price in [price for price, quantity in levels.items() if not quantity]:
                del levels[price]

    def best(self) -> dict[str, list[str]]:
        """The prices that the book on the page should have."""
        asks, bids = sorted(self.book["asks"])[:ROWS], sorted(self.book["bids"], reverse=True)[:ROWS]
        return {"asks": [f"{price / 100:.1f}" for price in asks], "bids": [f"{price / 100:.1f}" for price in bids]}

    def last(self) -> list[str]:
        """The prices that the tape on the page should begin with."""
        return [f"{price / 100:,.1f}" for price in self.trades[:TAPE_ROWS]]


def book_of(page: Page) -> dict[str, list[str]]:
    """The prices of the book on the page, best first."""
    sides = {}
    for side in ("asks", "bids"):
        rows = page.get_by_test_id("book").locator(f"[data-side={side}]").locator(ROW)
        prices = rows.evaluate_all("rows => rows.map(row => row.dataset.price)")
        sides[side] = prices[::-1] if side == "asks" else prices
    return sides


def tape_of(page: Page) -> list[str]:
    """The last prices of the tape on the page."""
    cells = page.get_by_test_id("tape").locator("tbody tr td:first-child")
    prices: list[str] = cells.evaluate_all("cells => cells.map(cell => cell.textContent)")
    return prices[:TAPE_ROWS]


class Watched:
    """A playing account's page, its stream, and how many orders it has open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.tampering = Tampering(page)
        self.orders = 0
        page.goto(MARKET)

    def provoke(self) -> None:
        """Have the exchange say something of the account too, if that is what is tampered with."""
        if self.tampering.channel != ACCOUNT:
            self.page.wait_for_timeout(100)
            return
        place(self.page, LOW_PRICE, "0.01")
        expect(self.page.get_by_test_id("order-form").get_by_role("status")).to_contain_text("journal")
        self.orders += 1


@pytest.fixture(scope="module")
def watched(browser: Browser, program: Program, players: Players) -> Iterator[Watched]:
    """One page for all that is done to its stream."""
    with opened(browser, program, players.take().storage(program)) as page:
        yield Watched(page)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", ["lost", "doubled", "reordered"])
def test_what_happens_to_messages_is_noticed(watched: Watched, kind: str, channel: str) -> None:
    page, tampering = watched.page, watched.tampering
    said = page.get_by_text(f"A message was missing ({channel})")
    tampering.do(kind, channel)
    asked = tampering.asked[channel]

    def noticed() -> bool:
        watched.provoke()
        done = tampering.tampered[kind, channel]
        return done > EVERY if kind == "doubled" else said.is_visible()

    wait_for(noticed, f"a message of {channel} that is {kind}", SECONDS)
    assert (tampering.asked[channel] == asked) == (kind == "doubled")
    tampering.do("", channel)
    watched.provoke()  # what was lost last is noticed by the next message only
    tampering.do("", "")


def test_what_is_shown_afterwards_is_right(watched: Watched) -> None:
    page, tampering = watched.page, watched.tampering
    for region in ("Order book", "Trades", "Chart"):
        expect(page.get_by_role("region", name=region, exact=True)).to_have_attribute(
            "data-state", "live", timeout=SLOW_MS
        )
    expect(page.get_by_role("tab", name=f"Open orders ({watched.orders})")).to_be_visible(timeout=SLOW_MS)
    tampering.frozen = True
    wait_for(lambda: book_of(page) == tampering.best(), "the right book", SECONDS)
    wait_for(lambda: tape_of(page) == tampering.last(), "the right tape", SECONDS)


def test_a_lost_connection_is_told_and_found_again(page: Page) -> None:
    routes: list[WebSocketRoute] = []
    away = False

    def route(ours: WebSocketRoute) -> None:
        if away:
            ours.close()
            return
        routes.append(ours)
        ours.connect_to_server()

    page.route_web_socket("**/v1/stream", route)
    page.goto(MARKET)
    book = page.get_by_role("region", name="Order book")
    expect(book).to_have_attribute("data-state", "live")
    away = True
    routes[-1].close()
    expect(page.get_by_text("What you see is not live")).to_be_visible()
    expect(book).to_have_attribute("data-state", "stale")
    away = False
    expect(page.get_by_text("What you see is not live")).to_be_hidden()
    expect(book).to_have_attribute("data-state", "live")
