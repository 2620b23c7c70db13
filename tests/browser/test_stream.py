"""A stream that loses, doubles and reorders messages, and one that is away: no wrong book is shown as live."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.utils.waiting import wait_for

MARKET = "/trade/BTC-USDC"
ROW = "button[data-price]:not([data-price=''])"
CHANNEL = "book.BTC-USDC"
EVERY = 5
ROWS = 14


class Tampering:
    """Passes the stream on, but for every fifth change of the book; what is held follows the next message.

    `book` is what the exchange has said until now. While `frozen` nothing but snapshots passes.
    """

    def __init__(self, page: Page, tamper: Callable[[WebSocketRoute, str], None]) -> None:
        self._tamper = tamper
        self.seen = 0
        self.held: list[str] = []
        self.book: dict[str, dict[int, int]] = {"asks": {}, "bids": {}}
        self.on = True
        self.frozen = False
        page.route_web_socket("**/v1/stream", self._route)

    def _route(self, ours: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            text = message if isinstance(message, str) else message.decode()
            content: dict[str, Any] = json.loads(text)
            if self.frozen and content.get("prev_seq") is not None:
                return
            if content.get("channel") == CHANNEL:
                self._learn(content)
                if content["type"] == "diff":
                    self.seen += 1
                    if self.on and self.seen % EVERY == 0:
                        self._tamper(ours, text)
                        return
            ours.send(text)
            while self.held:
                ours.send(self.held.pop())

        ours.connect_to_server().on_message(pass_on)

    def _learn(self, content: dict[str, Any]) -> None:
        for side, levels in self.book.items():
            if content["type"] == "snapshot":
                levels.clear()
            for price, quantity in content[side]:
                levels[int(price)] = int(quantity)
            for price in [price for price, quantity in levels.items() if not quantity]:
                del levels[price]

    def best(self) -> dict[str, list[str]]:
        """The prices that the page should show."""
        asks, bids = sorted(self.book["asks"])[:ROWS], sorted(self.book["bids"], reverse=True)[:ROWS]
        return {"asks": [f"{price / 100:.1f}" for price in asks], "bids": [f"{price / 100:.1f}" for price in bids]}


def shown(page: Page) -> dict[str, list[str]]:
    """The prices of the book on the page, best first."""
    sides = {}
    for side in ("asks", "bids"):
        rows = page.get_by_test_id("book").locator(f"[data-side={side}]").locator(ROW)
        prices = rows.evaluate_all("rows => rows.map(row => row.dataset.price)")
        sides[side] = prices[::-1] if side == "asks" else prices
    return sides


def check_right(page: Page, tampering: Tampering) -> None:
    """Hold the stream while the page is live: what it shows is then what the exchange has said."""
    tampering.on = False
    book = page.get_by_role("region", name="Order book")
    seen = tampering.seen
    wait_for(lambda: page.title() and tampering.seen > seen + 1, "more changes of the book", 60)
    expect(book).to_have_attribute("data-state", "live")
    tampering.frozen = True
    wait_for(lambda: shown(page) == tampering.best(), "the right book", 30)


def test_lost_messages_are_noticed(page: Page) -> None:
    tampering = Tampering(page, lambda ours, text: None)
    page.goto(MARKET)
    expect(page.get_by_text("A message was missing")).to_be_visible(timeout=60_000)
    check_right(page, tampering)
    assert tampering.seen >= EVERY


def test_doubled_messages_change_nothing(page: Page) -> None:
    def twice(ours: WebSocketRoute, text: str) -> None:
        ours.send(text)
        ours.send(text)

    tampering = Tampering(page, twice)
    page.goto(MARKET)
    wait_for(lambda: page.title() and tampering.seen > 2 * EVERY, "enough messages", 60)
    expect(page.get_by_text("A message was missing")).to_be_hidden()
    check_right(page, tampering)


def test_reordered_messages_are_noticed(page: Page) -> None:
    tampering = Tampering(page, lambda ours, text: tampering.held.append(text))
    page.goto(MARKET)
    expect(page.get_by_text("A message was missing")).to_be_visible(timeout=60_000)
    check_right(page, tampering)


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
