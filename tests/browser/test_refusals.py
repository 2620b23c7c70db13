"""Orders that the engine would refuse: the form says what it can know and sends nothing; the rest the engine says."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from exchange.domain.errors import ErrorCode
from exchange.domain.order import NONCE_LIMIT, SINGLE_FILL, Terms
from tests.browser.conftest import opened
from tests.browser.players import Players
from tests.browser.trader import LOW_PRICE, MARKET, fill
from tests.utils.order_refusals import DYNAMIC
from tests.utils.program import Program

ORDERS = "**/v1/orders"
STATUS = 409


class Form:
    """The order form of a playing account, and the orders that it sends."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sent: list[str] = []
        page.on("request", self._note)
        page.goto(MARKET)
        page.get_by_text("More choices").click()
        self.form = page.get_by_test_id("order-form")
        self.buy = page.get_by_role("button", name="Buy BTC")

    def _note(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if url.endswith(("/v1/orders", "/v1/orders/preview")):
            self.sent.append(url)

    def choose(self, label: str, option: str) -> None:
        self.form.get_by_label(label).select_option(option)

    def reset(self) -> None:
        """An order that would be taken."""
        self.choose("Trigger", "none")
        self.choose("Time in force", "gtc")
        self.choose("If it meets your own", "cancel_taker")
        self.form.get_by_label("Show at a time (iceberg)").fill("")
        fill(self.page, LOW_PRICE, "0.1")
        expect(self.buy).to_be_enabled()


@pytest.fixture(scope="module")
def form(browser: Browser, program: Program, players: Players) -> Iterator[Form]:
    """One page for all orders."""
    with opened(browser, program, players.take().storage(program)) as page:
        yield Form(page)


TICK, LOT = "A positive multiple of 0.1, please.", "A positive multiple of 0.0001 BTC, please."
ICEBERG, LATER = "Show at a time (iceberg)", {"Time in force": "gtd"}
CASES: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "price_off_tick": ({"Price": "100.03"}, {}, TICK),
    "price_off_tick of a trigger": ({"When the price reaches": "100.03"}, {"Trigger": "stop_loss"}, TICK),
    "quantity_off_lot": ({"Amount": "0.00001"}, {}, LOT),
    "below_min_notional": ({"Amount": "0.0001"}, {}, "An order is of at least 1 USDC."),
    "below_min_notional of a part": ({"Amount": "0.11", ICEBERG: "0.0012"}, {}, "An order is of at least 1 USDC."),
    "amount_out_of_range": ({"Amount": "92233720369"}, {}, "That is more than the exchange counts."),
    "terms_conflict": (
        {},
        {"Time in force": "fok", "If it meets your own": "decrement"},
        "Fill or kill does not go with reducing both orders.",
    ),
    "terms_conflict of all": ({ICEBERG: "0.1"}, {}, "Show less than the whole, or leave this empty."),
    "terms_conflict of little": ({ICEBERG: "0.0005"}, {}, "Show at least a hundredth of the whole."),
    "expired": ({"Until": "2020-01-01T00:00"}, LATER, "That is past."),
    "expiry_too_far": ({"Until": "2090-01-01T00:00"}, LATER, "At most 30 days from now."),
}
"""By the engine's code: what is typed, what is chosen, and what the form says."""


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused_for_a_static_reason_is_not_sent(form: Form, case: str) -> None:
    typed, chosen, said = CASES[case]
    form.reset()
    form.sent.clear()
    for label, option in chosen.items():
        form.choose(label, option)
    for label, text in typed.items():
        form.form.get_by_label(label, exact=True).fill(text)
    expect(form.form.get_by_text(said)).to_be_visible()
    expect(form.buy).to_be_disabled()
    form.form.get_by_label("Amount", exact=True).press("Enter")
    assert not [url for url in form.sent if not url.endswith("/preview")]


def test_an_order_larger_than_the_market_takes_now_is_not_sent(form: Form) -> None:
    """Bounds that come while the form stands there: the page hears of them as of a halt."""

    def bound(route: Route) -> None:
        markets = route.fetch().json()
        for market in markets:
            market |= {"max_quantity": "1000", "max_notional": "0"}
        route.fulfill(json=markets)

    said = form.form.get_by_text("An order here is of at most 0.1000 BTC.")
    form.reset()
    form.page.route("**/v1/markets", bound)
    try:
        fill(form.page, LOW_PRICE, "0.1001")
        form.sent.clear()
        expect(said).to_be_visible()
        expect(form.buy).to_be_disabled()
        form.form.get_by_label("Amount", exact=True).press("Enter")
        assert not [url for url in form.sent if not url.endswith("/preview")]
        fill(form.page, LOW_PRICE, "0.1")
        expect(form.buy).to_be_enabled()
    finally:
        form.page.unroute_all(behavior="ignoreErrors")  # an answer may be on its way
    fill(form.page, LOW_PRICE, "0.1001")
    expect(said).to_be_hidden()


def fee_cap(program: Program) -> int:
    """The contract's own, in basis points."""
    with urllib.request.urlopen(f"{program.api_url}/v1/fees", timeout=30) as answer:
        return int(json.load(answer)["fee_cap_bps"])


SENT: dict[str, dict[str, str]] = {
    "rests": {},
    "takes or ends": {"Time in force": "ioc"},
    "trails": {"Trigger": "trailing"},
}


@pytest.mark.parametrize("case", SENT)
def test_what_is_sent_has_the_terms_nonce_cap_and_scheme_that_the_engine_knows(
    form: Form, program: Program, case: str
) -> None:
    form.reset()
    for label, option in SENT[case].items():
        form.choose(label, option)
    expect(form.buy).to_be_enabled()
    with form.page.expect_response(ORDERS) as answer:
        form.buy.click()
    sent = json.loads(answer.value.request.post_data or "")
    assert sent["scheme"] in ("account", "delegate")
    assert int(sent["nonce"]) & ~SINGLE_FILL < NONCE_LIMIT
    assert 0 <= sent["max_fee_bps"] <= fee_cap(program)
    assert Terms.unpack(int(sent["terms"])).pack() == int(sent["terms"])
    assert answer.value.ok, answer.value.json()


@pytest.mark.parametrize(
    ("code", "price", "amount"),
    [("insufficient_balance", LOW_PRICE, "5000"), ("price_out_of_band", "900000", "0.0001")],
)
def test_what_the_engine_refuses_is_said_in_its_words(form: Form, code: str, price: str, amount: str) -> None:
    form.reset()
    fill(form.page, price, amount)
    expect(form.buy).to_be_enabled()
    with form.page.expect_response(ORDERS) as answer:
        form.buy.click()
    refusal = answer.value.json()
    assert refusal["code"] == code
    expect(form.form.get_by_text(refusal["message"])).to_be_visible()


def refusing(code: ErrorCode, sentence: str) -> Callable[[Route], None]:
    """Answers as the exchange does when the engine refuses."""
    body = json.dumps({"code": code.value, "message": sentence, "field": None, "params": {}})
    return lambda route: route.fulfill(status=STATUS, content_type="application/json", body=body)


def test_every_dynamic_refusal_is_shown_as_it_comes(form: Form) -> None:
    codes: list[ErrorCode] = sorted(DYNAMIC)
    form.reset()
    for code in codes:
        sentence = f"what the engine says of {code.name}"
        form.page.route(ORDERS, refusing(code, sentence))
        form.buy.click()
        expect(form.form.get_by_text(sentence, exact=True)).to_be_visible()
        form.page.unroute(ORDERS)
