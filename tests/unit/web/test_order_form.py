"""The order form never sends what the engine refuses for a reason that stands in the order or in the market's rules.

Drafts are made at random, most of them near a bound; the form's own code judges them, and what it lets pass is shown
to the engine, as a preview and as an order of a rich account. It may then refuse only for what no form can know.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bizzan.contracts import ROOT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, Side
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from tests.utils.engine import ASSETS, BTC, BTC_USDC, MAKER, MARKETS, TAKER, USDC, EngineHarness
from tests.utils.order_refusals import DYNAMIC, STATIC

DRAFTS = 2_500
RICH = 2**62
PREVIEW_BPS = 100
LOT_STEPS, TICK_STEPS = 10_000, 10
MIDDLE = 5_000_000
MAX_QUANTITY, MAX_NOTIONAL = 1_000_000, 10**14

SIDES = {"buy": Side.buy, "sell": Side.sell, "buy_quote": Side.buy_quote}


def price_text(units: int) -> str:
    """A price of BTC-USDC as it is typed: a lot is 0.0001 BTC, and USDC has six digits."""
    return f"{units // 100}.{units % 100:02}"


def lots_text(lots: int) -> str:
    """Lots of BTC-USDC as they are typed."""
    return f"{lots // LOT_STEPS}.{lots % LOT_STEPS:04}"


class Drafts:
    """Drafts as fingers leave them."""

    def __init__(self, seed: int, now_ms: int, bounds: tuple[int, int]) -> None:
        self._chance = random.Random(seed)
        self._now_ms = now_ms
        self._bounds = bounds

    def one(self) -> dict[str, Any]:
        """A draft and its surroundings."""
        chance = self._chance
        draft = {
            "side": chance.choice(["buy", "sell"]),
            "kind": chance.choice(["limit", "limit", "market"]),
            "trigger": chance.choice(["none", "none", "none", "stop_loss", "take_profit", "trailing"]),
            "price": self._price(),
            "amount": self._amount(),
            "unit": chance.choice(["base", "base", "quote"]),
            "triggerPrice": self._price(),
            "trail": self._percent(),
            "timeInForce": chance.choice(["gtc", "gtc", "gtd", "ioc", "fok"]),
            "postOnly": chance.random() < 0.3,
            "selfTrade": chance.choice(["cancel_taker", "cancel_maker", "cancel_both", "decrement"]),
            "displayed": chance.choice(["", "", self._amount()]),
            "withStop": chance.random() < 0.2,
            "stopPrice": self._price(),
            "until": self._until(),
            "slippage": self._percent(),
        }
        has_book = chance.random() < 0.8
        around = {
            "bestBid": str(MIDDLE - TICK_STEPS) if has_book else None,
            "bestAsk": str(MIDDLE + TICK_STEPS) if has_book else None,
            "lastPrice": str(MIDDLE) if chance.random() < 0.9 else None,
            "now": self._now_ms,
            "keyExpiry": None,
            "maxQuantity": str(self._bounds[0]),
            "maxNotional": str(self._bounds[1]),
        }
        return {"draft": draft, "around": around}

    def _price(self) -> str:
        near = MIDDLE // TICK_STEPS * TICK_STEPS + self._chance.randint(-50_000, 50_000) * TICK_STEPS
        odd = [MIDDLE + 1, 1, TICK_STEPS, 2**63 - 1, 2**63 - 8, 2**64, 0]
        strange = ["", "-1", "1e4", "1.", ".5", "0", "00050000", "50 000", "50,000.0", "٥٠٠٠٠"]
        kind = self._chance.random()
        if kind < 0.75:
            return price_text(near)
        return self._chance.choice(strange) if kind > 0.9 else price_text(self._chance.choice(odd))

    def _amount(self) -> str:
        lots = self._chance.choice(
            [1, 2, 3, 19, 20, 21, 100, 9_999, MAX_QUANTITY, MAX_QUANTITY + 1, 2**49, 2**50, 2**63 - 1, 2**63, 0]
        )
        some = self._chance.randint(1, 200_000)
        strange = ["", "-1", "0.00001", "1e2", "0.5.5", "1", "0.1", "250.000001", "250.0000001"]
        kind = self._chance.random()
        if kind < 0.7:
            return lots_text(some)
        return self._chance.choice(strange) if kind > 0.85 else lots_text(lots)

    def _percent(self) -> str:
        return self._chance.choice(
            ["0", "0.01", "0.5", "1", "1.5", "20", "50", "50.01", "99.99", "100", "", "x", "0.001"]
        )

    def _until(self) -> str:
        return self._chance.choice(
            ["", "2020-01-01T00:00", "2090-01-01T00:00", "x", "2023-11-20T12:00", "2023-12-14T22:00"]
        )


def rules_of(market: Market) -> dict[str, Any]:
    """The market as the API tells it."""
    return {
        "market_id": market.market_id,
        "symbol": "BTC-USDC",
        "base_asset": market.base_asset,
        "quote_asset": market.quote_asset,
        "lot_size": str(market.lot_size),
        "tick_size": str(market.tick_size),
        "min_notional": str(market.min_notional),
    }


def told(asset: Asset) -> dict[str, Any]:
    return {"asset_id": asset.asset_id, "symbol": asset.symbol, "decimals": asset.decimals}


def judged(folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the form's own code says of each."""
    content = {"rules": rules_of(MARKETS[0]), "base": told(ASSETS[BTC]), "quote": told(ASSETS[USDC]), "cases": cases}
    asked, answered = folder / "cases.json", folder / "judged.json"
    asked.write_text(json.dumps(content))
    command = ["node", "scripts/judge_drafts.mjs", str(asked), str(answered)]
    done = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    answer: list[dict[str, Any]] = json.loads(answered.read_text())
    return answer


class Harness(EngineHarness):
    """The reference engine alone: it says the same as the fast one."""

    engine_class = Engine


@pytest.fixture(params=[(0, 0), (MAX_QUANTITY, MAX_NOTIONAL)], ids=["unbounded", "bounded"])
def bounds(request: pytest.FixtureRequest) -> tuple[int, int]:
    """The most that the market takes of one order, in lots and in quote; 0: anything."""
    most: tuple[int, int] = request.param
    return most


@pytest.fixture
def market(bounds: tuple[int, int]) -> EngineHarness:
    """A market with a book and a last price, and two rich accounts."""
    harness = Harness(MARKETS[:1])
    harness.apply(c.SetMarketBounds(next(harness.inbox_ids), BTC_USDC, 0, *bounds, 0, 0))
    for account in (MAKER, TAKER):
        for asset in (USDC, BTC):
            harness.credit(account, asset, RICH // 2)
    harness.sell(MAKER, MIDDLE, 10)
    harness.buy(TAKER, MIDDLE, 10)
    harness.buy(MAKER, MIDDLE - TICK_STEPS, 1_000)
    harness.sell(MAKER, MIDDLE + TICK_STEPS, 1_000)
    return harness


def order_of(meant: dict[str, Any], cap: int) -> Order:
    """The order that the form would sign."""
    return Order(
        TAKER,
        BTC_USDC,
        SIDES[meant["side"]],
        int(meant["price"]),
        int(meant["quantity"]),
        int(meant["nonce"]),
        meant["expiry"],
        int(meant["triggerPrice"]),
        cap,
        int(meant["terms"]),
    )


def refusal_of(market: EngineHarness, meant: dict[str, Any], number: int) -> tuple[str, ErrorCode] | None:
    """Why the preview or the engine refuses it, if they do; what is accepted is cancelled again."""
    try:
        preview = market.engine.preview(market.at_ms, order_of(meant, PREVIEW_BPS))
    except Refusal as refusal:
        return "preview", refusal.code
    order = order_of(meant, max(PREVIEW_BPS, preview.needed_fee_bps))
    place = c.PlaceOrder(order, number.to_bytes(32), 0, b"\x07" * 65, TAKER, "")
    try:
        market.apply(place)
    except Refusal as refusal:
        return "engine", refusal.code
    if any(open_order.placed.order.nonce == order.nonce for open_order in market.engine.open_orders(TAKER)):
        market.apply(c.ObeyCancel(next(market.inbox_ids), TAKER, order.nonce, 0))
    return None


ONLY_ELSEWHERE: dict[ErrorCode, Callable[[c.PlaceOrder], c.PlaceOrder]] = {
    ErrorCode.order_too_large: lambda placed: with_order(placed, quantity=MAX_QUANTITY + 1),
    ErrorCode.unsupported_terms: lambda placed: with_order(placed, terms=placed.order.terms | 1 << 10),
    ErrorCode.nonce_out_of_range: lambda placed: with_order(placed, nonce=placed.order.nonce | 1 << 48),
    ErrorCode.fee_cap_out_of_range: lambda placed: with_order(placed, max_fee_bps=10_001),
    ErrorCode.unknown_scheme: lambda placed: replace(placed, scheme=4),
}
"""By the engine's code: what makes of an order of the form's one that is refused by it."""


def with_order(placed: c.PlaceOrder, **changes: Any) -> c.PlaceOrder:
    return replace(placed, order=replace(placed.order, **changes))


@pytest.mark.parametrize("bounds", [(MAX_QUANTITY, MAX_NOTIONAL)], indirect=True)
@pytest.mark.parametrize("code", ONLY_ELSEWHERE)
def test_what_the_engine_would_refuse_is_not_what_the_form_writes(
    market: EngineHarness, code: ErrorCode, tmp_path: Path
) -> None:
    draft = {"side": "buy", "price": "1000.0", "amount": "0.2"}
    around = {"bestBid": None, "bestAsk": None, "lastPrice": None, "now": market.at_ms, "keyExpiry": None}
    bounds = {"maxQuantity": str(MAX_QUANTITY), "maxNotional": str(MAX_NOTIONAL)}
    large = draft | {"amount": lots_text(MAX_QUANTITY + 1)}
    written, complained = judged(tmp_path, [{"draft": one, "around": around | bounds} for one in (draft, large)])
    assert complained["meant"] is None
    assert complained["complaints"]["amount"]["key"] == "form.too_large"
    place = c.PlaceOrder(order_of(written["meant"], PREVIEW_BPS), b"\x01" * 32, 0, b"\x07" * 65, TAKER, "")
    with pytest.raises(Refusal) as refused:
        market.apply(ONLY_ELSEWHERE[code](place))
    assert refused.value.code is code
    market.apply(place)


def test_every_reason_to_refuse_an_order_is_static_or_dynamic() -> None:
    sources = [ROOT / "exchange/engine" / f"{name}.py" for name in ("risk", "triggers", "exposure", "preview")]
    codes = {code for source in sources for code in re.findall(r"ErrorCode\.(\w+)", source.read_text())}
    assert codes - {ErrorCode.unknown_asset} == {code.name for code in STATIC | DYNAMIC}, "but for what limits refuse"
    assert not STATIC & DYNAMIC


def test_form_sends_nothing_that_is_refused_for_a_static_reason(
    market: EngineHarness, bounds: tuple[int, int], tmp_path: Path
) -> None:
    drafts = Drafts(seed=1, now_ms=market.at_ms, bounds=bounds)
    cases = [drafts.one() for _ in range(DRAFTS)]
    answers = judged(tmp_path, cases)
    wrong, accepted, complaints = [], 0, set()
    for number, (case, answer) in enumerate(zip(cases, answers, strict=True), start=1):
        complaints |= {complaint["key"] for complaint in answer["complaints"].values()}
        for leg, meant in enumerate((answer["meant"], answer["second"])):
            if meant is None:
                continue
            # each leg of a group would be alone here, so it is asked about without its group
            alone = meant | {"terms": str(int(meant["terms"]) & (1 << 96) - 1)}
            refusal = refusal_of(market, alone, 2 * number + leg)
            accepted += refusal is None
            if refusal is not None and refusal[1] in STATIC:
                wrong.append((refusal, case["draft"], meant))
    assert not wrong, wrong[:3]
    assert accepted > DRAFTS // 20
    assert len(complaints) >= 12, complaints
