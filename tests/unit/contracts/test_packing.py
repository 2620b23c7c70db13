"""Proofs over all values that packed words keep their fields apart, from the contracts' sources as they are.

Each starts from any storage whatever, runs a function of the contract on symbols, and asks the solver for a value for
which the claim fails.
"""

from typing import Any

import pytest
import z3

from exchange.domain.order import Order
from tests.utils.contracts import World
from tests.utils.symbolic import TIME_BITS, Path, constant, prove, read, run, symbol, ways, word

ACCOUNT = symbol("account", 160)
KEY = ACCOUNT << 96


def lane(ledger: Any, account: Any, token_id: Any) -> Any:
    """A trading balance, as the view of the contract reads it."""
    (path,) = run("ledger", "_trading_balance", [account, token_id], Path(storage={"ledger._trading": ledger}))
    return path.returned


def gaps(ledger: Any, slot: Any) -> Any:
    """The bits of a slot that belong to no balance; in slot 0 of an account the highest is the mark."""
    bits = sum(1 << (64 * i + 63) for i in range(4))
    return z3.Select(ledger, slot) & word(bits)


# In make test a few pairs of lanes, in make test-deep all: the two tokens of a market differ.
PAIRS = [(i, j, one_slot) for i in range(4) for j in range(4) for one_slot in (True, False) if i != j or not one_slot]
FEW = [(0, 1, True), (3, 2, True), (2, 2, False)]


@pytest.mark.parametrize(
    ("lanes", "one_slot"),
    [pytest.param((i, j), one, marks=() if (i, j, one) in FEW else pytest.mark.deep) for i, j, one in PAIRS],
)
def test_a_trade_moves_two_balances_and_no_other_bit(lanes: tuple[int, int], one_slot: bool) -> None:
    group, other_group = symbol("group", 30), symbol("other_group", 30)
    debit_id = (group << 2) | word(lanes[0])
    credit_id = ((group if one_slot else other_group) << 2) | word(lanes[1])
    debit, credit = symbol("debit", 128), symbol("credit", 128)
    before = read(Path(), "ledger._trading")
    start = Path().given(z3.BoolVal(True) if one_slot else group != other_group)
    ends = ways("ledger", "_exchange", [KEY, debit_id, debit, credit_id, credit], start)
    somebody, other_id = symbol("somebody", 160), symbol("other_id", 32)
    for end in ends:
        after = read(end, "ledger._trading")
        prove(lane(after, ACCOUNT, debit_id) == lane(before, ACCOUNT, debit_id) - debit, end.holds)
        prove(lane(after, ACCOUNT, credit_id) == lane(before, ACCOUNT, credit_id) + credit, end.holds)
        elsewhere = z3.Or(somebody != ACCOUNT, z3.And(other_id != debit_id, other_id != credit_id))
        prove(z3.Implies(elsewhere, lane(after, somebody, other_id) == lane(before, somebody, other_id)), end.holds)
        slot = symbol("slot")
        prove(gaps(after, slot) == gaps(before, slot), end.holds)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("function", ["_credit", "_debit_trading"])
def test_a_credit_or_debit_changes_one_balance_and_no_other_bit(function: str, number: int) -> None:
    token_id, amount = (symbol("group", 30) << 2) | word(number), symbol("amount", 128)
    arguments = [ACCOUNT, token_id, amount, *([z3.BoolVal(False)] if function == "_credit" else [])]
    before = read(Path(), "ledger._trading")
    (end,) = ways("ledger", function, arguments)
    after = read(end, "ledger._trading")
    had, has = lane(before, ACCOUNT, token_id), lane(after, ACCOUNT, token_id)
    prove(has == (had + amount if function == "_credit" else had - amount), end.holds)
    prove(z3.ULT(has, 1 << 63), end.holds)
    somebody, other_id, slot = symbol("somebody", 160), symbol("other_id", 32), symbol("slot")
    elsewhere = z3.Or(somebody != ACCOUNT, other_id != token_id)
    prove(z3.Implies(elsewhere, lane(after, somebody, other_id) == lane(before, somebody, other_id)), end.holds)
    prove(gaps(after, slot) == gaps(before, slot), end.holds)


# the account's word


def state(words: Any, account: Any) -> dict[str, Any]:
    """The fields of an account, as the view of the contract reads them."""
    (path,) = run("accounts", "account_state", [account], Path(storage={"accounts._words": words}))
    fields: dict[str, Any] = path.returned
    return fields


NOW, DELAY = symbol("block.timestamp", TIME_BITS["timestamp"]), symbol("timing.DELAY", TIME_BITS["DELAY"])
AT, NONCE = symbol("at", 40), symbol("nonce", 48)
CHANGES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "_set_pending": ([ACCOUNT, NONCE, AT], {"pending_min_nonce": NONCE, "pending_min_nonce_at": AT}),
    "_set_exit_at": ([ACCOUNT, AT], {"exit_at": AT}),
    "_flag_cancels": ([ACCOUNT], {"has_cancels": z3.BoolVal(True)}),
    "_use_delegation_nonce": ([ACCOUNT, symbol("any_nonce")], {"delegation_nonce": symbol("any_nonce")}),
}


@pytest.mark.parametrize("function", CHANGES)
def test_a_change_of_an_accounts_word_changes_its_field_only(function: str) -> None:
    arguments, changed = CHANGES[function]
    before = read(Path(), "accounts._words")
    # what is written binds later than now, as the delay has it
    start = Path().given(z3.UGT(AT, NOW))
    ends = ways("accounts", function, arguments, start, "_mark")
    for end in ends:
        after = read(end, "accounts._words")
        had, has = state(before, ACCOUNT), state(after, ACCOUNT)
        for name in had:
            prove(has[name] == changed.get(name, had[name]), end.holds)
        somebody = symbol("somebody", 160)
        unchanged = z3.Select(after, somebody) == z3.Select(before, somebody)
        prove(z3.Implies(somebody != ACCOUNT, unchanged), end.holds)


def test_the_fields_of_an_accounts_word_do_not_overlap() -> None:
    """A word with one field at all ones shows zeros in every other, and together they show every bit that is used."""
    for bit in range(256):
        fields = state(z3.Store(read(Path(), "accounts._words"), ACCOUNT, word(1 << bit)), ACCOUNT)
        shown = [
            name
            for name, value in fields.items()
            if name != "min_nonce"
            and not z3.is_false(z3.simplify(value))
            and str(z3.simplify(value)) not in ("0", "False")
        ]
        assert len(shown) <= 1, (bit, shown)


# markets


def test_a_market_is_read_as_it_was_listed() -> None:
    base, quote, lot = symbol("base"), symbol("quote"), symbol("lot")
    start = Path().given(z3.ULE(symbol("registry._token_count"), 1 << 32))
    ends = ways("registry", "list_market", [base, quote, lot], start, "_check_operation")
    for end in ends:
        number = end.storage["registry._market_count"]
        (view,) = run("registry", "markets", [number], replace_storage(end))
        fields = {"base_token_id": base, "quote_token_id": quote, "lot_size": lot, "halted_at": word(0)}
        for name, value in fields.items():
            prove(view.returned[name] == value, end.holds)


@pytest.mark.parametrize("halted", [True, False])
def test_a_halt_changes_the_halt_only(halted: bool) -> None:
    market = symbol("market")
    arguments = [market, z3.BoolVal(halted)]
    (was,) = run("registry", "markets", [market])
    ends = ways("registry", "set_market_status", arguments, skip="_check_operation")
    for end in ends:
        (view,) = run("registry", "markets", [market], replace_storage(end))
        for name in ("base_token_id", "quote_token_id", "lot_size"):
            prove(view.returned[name] == was.returned[name], end.holds)
        expected = NOW + DELAY if halted else word(0)
        prove(view.returned["halted_at"] == expected, end.holds)


def replace_storage(end: Path) -> Path:
    """A fresh path that starts with what another left in storage."""
    return Path(storage=end.storage)


# delegates


def test_a_delegates_word_keeps_its_fields() -> None:
    delegate, markets, expiry, nonce = symbol("delegate", 160), symbol("markets"), symbol("expiry"), symbol("nonce")
    ends = ways("delegates", "_add", [ACCOUNT, delegate, markets, expiry, nonce], skip="_use_delegation_nonce")
    for end in ends:
        (view,) = run("delegates", "delegate_state", [ACCOUNT, delegate], replace_storage(end))
        prove(view.returned["markets"] == markets & word(2**176 - 1), end.holds)
        prove(view.returned["expiry"] == expiry, end.holds)
        prove(view.returned["revoked_at"] == 0, end.holds)


def test_a_revocation_keeps_the_other_fields() -> None:
    delegate = symbol("delegate", 160)
    (was,) = run("delegates", "delegate_state", [ACCOUNT, delegate])
    ends = ways("delegates", "_revoke", [ACCOUNT, delegate, symbol("nonce")], skip="_use_delegation_nonce")
    for end in ends:
        (view,) = run("delegates", "delegate_state", [ACCOUNT, delegate], replace_storage(end))
        for name in ("markets", "expiry"):
            prove(view.returned[name] == was.returned[name], end.holds)
        prove(view.returned["revoked_at"] == NOW + DELAY, end.holds)


# replay marks


def test_a_fill_changes_what_is_filled_on_its_own_nonce_only() -> None:
    nonce, other = symbol("nonce", 64), symbol("other", 64)
    somebody = symbol("somebody", 160)
    lots, quantity = symbol("lots", 64), symbol("quantity", 64)
    before = filled(Path(), somebody, other)
    ends = ways("replay", "_use", [KEY, nonce, lots, quantity], Path().given(lots != 0))
    assert len(ends) >= 3
    for end in ends:
        elsewhere = z3.Or(other != nonce, somebody != ACCOUNT)
        prove(filled(end, somebody, other) == before, z3.And(end.holds, elsewhere, in_range(other)))


def test_a_fill_counts_on_its_nonce_and_never_beyond_the_quantity() -> None:
    nonce, lots, quantity = symbol("nonce", 64), symbol("lots", 64), symbol("quantity", 64)
    all_filled = word(2**64 - 1)
    had = filled(Path(), ACCOUNT, nonce)
    single = z3.LShR(nonce, 63) == 1
    for end in ways("replay", "_use", [KEY, nonce, lots, quantity], Path().given(lots != 0)):
        has = filled(end, ACCOUNT, nonce)
        given = z3.And(end.holds, in_range(nonce))
        prove(had != all_filled, z3.And(given, untouched(nonce)))
        prove(z3.Implies(single, has == all_filled), given)
        total = had + lots
        sums = z3.If(total == quantity, has == all_filled, has == total)
        prove(z3.Implies(z3.Not(single), z3.And(z3.ULE(total, quantity), sums)), z3.And(given, untouched(nonce)))


def filled(path: Path, account: Any, nonce: Any) -> Any:
    """What the view of the contract says, as one term."""
    outcomes = run("replay", "filled", [account, nonce], Path(storage=path.storage))
    value = outcomes[-1].returned
    for outcome in outcomes[:-1]:
        value = z3.If(outcome.holds, outcome.returned, value)
    return value


def in_range(nonce: Any) -> Any:
    """A nonce that the contract takes."""
    return z3.ULT(nonce & word(2**63 - 1), 1 << 48)


def untouched(nonce: Any) -> Any:
    """A lane is counted only where its mark says so, which holds from the first fill on: with no mark it is zero."""
    sequence = nonce & word(2**63 - 1)
    mark = z3.LShR(z3.Select(read(Path(), "replay._marks"), KEY | z3.LShR(sequence, 7)), (sequence & 127) << 1) & 3
    count = z3.LShR(z3.Select(read(Path(), "replay._lanes"), KEY | z3.LShR(sequence, 2)), (sequence & 3) << 6)
    return z3.Implies(mark == 0, count & word(2**64 - 1) == 0)


# prices and sums


def test_no_product_of_an_orders_terms_can_wrap() -> None:
    head, body = symbol("head"), symbol("body")
    lots, quote, fee = symbol("lots", 64), symbol("quote", 64), symbol("fee", 64)
    ends = run("settlement", "_check_terms", [head, body, lots, quote, fee])
    assert len(ends) >= 2
    for end in ends:
        assert len(end.unchecked) >= 5
        for _, safe in end.unchecked:
            prove(safe)


def test_the_sums_of_a_section_meet_exactly_when_its_word_says_so() -> None:
    """Of at most 448 executions, each of 64 bits, in one word: lots, quote and fees never carry into one another."""
    lots_shift, quote_shift, limit = (constant("settlement", name) for name in ("LOTS_SHIFT", "QUOTE_SHIFT", "U80"))
    executions = constant("settlement", "MAX_EXECUTIONS")
    assert (lots_shift, quote_shift, executions) != (None, None, None)
    assert executions == 448
    lots, quote = (z3.SignExt(256 - 74, z3.BitVec(name, 74)) for name in ("net_lots", "net_quote"))
    fees = symbol("fees", 73)
    most = executions * (2**64 - 1)
    bounds = [z3.And(value <= most, value >= -most) for value in (lots, quote)]
    total = (lots << lots_shift) + (quote << quote_shift) + fees
    given = z3.And(*bounds, z3.ULE(fees, most))
    prove(z3.ULE(total, limit) == z3.And(lots == 0, quote == 0), given)
    prove(z3.Implies(z3.ULE(total, limit), total == fees), given)


# orders

WIDTHS = {
    "account": 160, "market": 32, "side": 8, "price": 64, "quantity": 64, "nonce": 64, "expiry": 40,
    "trigger_price": 64, "max_fee_bps": 16, "terms": 128,
}  # fmt: skip


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("ones", [False, True], ids=["among zeros", "among ones"])
def test_every_field_of_an_order_reaches_the_hash_as_it_is(world: World, name: str, ones: bool) -> None:
    """At the ends of its range, its neighbours all at zero or all at ones."""
    others = {field: (1 << width) - 1 if ones else 0 for field, width in WIDTHS.items()}
    top = (1 << WIDTHS[name]) - 1
    seen = set()
    for value in (0, 1, top >> 1, (top >> 1) + 1, top - 1, top):
        fields: dict[str, Any] = others | {name: value}
        order = Order(**(fields | {"account": fields["account"].to_bytes(20)}))
        head, body = order.words()
        assert (head | body) >> 256 == 0
        seen.add(bytes(world.custody.order_hash(head, body, order.terms)))
        assert world.domain.order_hash(order) in seen
    assert len(seen) == 6
