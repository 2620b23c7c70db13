"""A stream that loses, doubles and reorders messages, and one that is away: no wrong book is shown as live."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.utils.program import Program
from tests.utils.waiting import wait_for

MARKET = "/trade/BTC-USDC"
ROW = "button[data-price]:not([data-price=''])"
CHANNEL = "book.BTC-USDC"
EVERY = 5


class Tampering:
    """Passes the stream on, but for every fifth change of the book; what is held follows the next message."""

    def __init__(self, page: Page, tamper: Callable[[WebSocketRoute, str], None]) -> None:
        self._tamper = tamper
        self.seen = 0
        self.held: list[str] = []
        page.route_web_socket("**/v1/stream", self._route)

    def _route(self, ours: WebSocketRoute) -> None:
        theirs = ours.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            text = message if isinstance(message, str) else message.decode()
            content: dict[str, Any] = json.loads(text)
            if content.get("channel") == CHANNEL and content["type"] == "diff":
                self.seen += 1
                if self.seen % EVERY == 0:
                    self._tamper(ours, text)
                    return
            ours.send(text)
            while self.held:
                ours.send(self.held.pop())

        theirs.on_message(pass_on)


def shown(page: Page) -> dict[str, list[str]]:
    """The best prices of the book on the page."""
    sides = {}
    for side in ("asks", "bids"):
        prices = (
            page.get_by_test_id("book")
            .locator(f"[data-side={side}]")
            .locator(ROW)
            .evaluate_all("rows => rows.map(row => row.dataset.price)")
        )
        sides[side] = sorted(prices, key=float)
    return sides


def real(program: Program) -> dict[str, list[str]]:
    """The best prices of the exchange's book, as the page writes them."""
    with urllib.request.urlopen(f"{program.api_url}/v1/markets/BTC-USDC/book?depth=14", timeout=10) as answer:
        book = json.load(answer)
    return {
        side: sorted((f"{int(price) / 100:.1f}" for price, _ in book[side]), key=float) for side in ("asks", "bids")
    }


def is_right(page: Page, program: Program) -> bool:
    """Whether the page shows the exchange's book; it moves, so the exchange is asked before and after."""
    before = real(program)
    there = shown(page)
    return there in (before, real(program))


def test_lost_messages_are_noticed(page: Page, program: Program) -> None:
    tampering = Tampering(page, lambda ours, text: None)
    page.goto(MARKET)
    expect(page.get_by_text("A message was missing")).to_be_visible(timeout=60_000)
    wait_for(lambda: is_right(page, program), "the book to be right again", 30)
    assert tampering.seen >= EVERY


def test_doubled_messages_change_nothing(page: Page, program: Program) -> None:
    def twice(ours: WebSocketRoute, text: str) -> None:
        ours.send(text)
        ours.send(text)

    tampering = Tampering(page, twice)
    page.goto(MARKET)
    wait_for(lambda: page.title() and tampering.seen > 2 * EVERY, "enough messages", 60)
    expect(page.get_by_text("A message was missing")).to_be_hidden()
    wait_for(lambda: is_right(page, program), "the right book", 30)


def test_reordered_messages_are_noticed(page: Page, program: Program) -> None:
    tampering = Tampering(page, lambda ours, text: tampering.held.append(text))
    page.goto(MARKET)
    expect(page.get_by_text("A message was missing")).to_be_visible(timeout=60_000)
    wait_for(lambda: is_right(page, program), "the book to be right again", 30)


def test_a_lost_connection_is_told_and_found_again(page: Page, program: Program) -> None:
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
    wait_for(lambda: is_right(page, program), "the right book", 30)
