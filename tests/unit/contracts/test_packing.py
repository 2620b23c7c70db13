"""Proofs over all values that packed words keep their fields apart, from the contracts' sources as they are.

Each starts from any storage whatever, runs a function of the contract on symbols, and asks the solver for a value for
which the claim fails.
"""

from typing import Any

import pytest
import z3
from vyper import ast as vyper_ast

from exchange.domain.eip712 import Scheme
from exchange.domain.order import Order
from exchange.domain.settlement import Execution
from tests.utils.contracts import World
from tests.utils.symbolic import (
    CHECKED,
    TIME_BITS,
    Path,
    constant,
    prove,
    reachable,
    read,
    run,
    symbol,
    ways,
    word,
    written,
)

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


LOTS, QUOTE, FEE = symbol("lots", 64), symbol("quote", 64), symbol("fee", 64)


def test_what_an_execution_adds_to_its_section_keeps_lots_and_quote_apart() -> None:
    """The word whose sums the proof above is about."""
    packed = written("settlement", "_execute", vyper_ast.AnnAssign, "sums", {"lots": LOTS, "quote": QUOTE})
    prove(packed == (LOTS << 160) + (QUOTE << 80))


def test_an_executions_log_keeps_its_amounts_apart() -> None:
    side, market_id = symbol("side", 8), symbol("market_id", 32)
    fill = symbol("fill")
    variables = {"side": side, "market_id": market_id, "fee": FEE, "execution": {"fill": fill}}
    amounts = written("settlement", "_execute", vyper_ast.Log, "amounts", variables)
    fields = ((224, 32, side), (192, 32, market_id), (128, 64, z3.LShR(fill, 64)), (64, 64, fill), (0, 64, FEE))
    for shift, width, value in fields:
        ones = word((1 << width) - 1)
        prove(z3.LShR(amounts, shift) & ones == value & ones)


# orders in bulk


def test_a_place_in_a_tree_is_read_from_bits_of_its_own() -> None:
    tail, length = symbol("tail"), symbol("proof_length")
    (end,) = ways("bulk", "_place", [tail, length])
    index, height, start = end.returned
    fields = ((index, 64, 16), (height, 80, 8), (start, 88, 16))
    for value, shift, width in fields:
        prove(value == z3.LShR(tail, shift) & word((1 << width) - 1), end.holds)
    scheme, fee = z3.LShR(tail, 248), tail & word(2**64 - 1)
    whole = (scheme << 248) | (start << 88) | (height << 80) | (index << 64) | fee
    prove(tail == whole, end.holds)
    prove(z3.And(z3.UGE(height, 1), z3.ULE(height, 10), z3.ULT(index, word(1) << height)), end.holds)
    prove(z3.And(z3.UGE(start + height, start), z3.ULE(start + height, length)), end.holds)


ORDER = Order(bytes(20), 1, 0, 1, 1, 1, 1, 0, 0, 0)


def test_a_place_is_packed_as_it_is_read() -> None:
    """At the ends of every field: what the exchange packs is what the contract reads."""
    for height in (1, 2, 9, 10):
        for index in {0, 1, (1 << height) - 1}:
            for start in (0, 1, 511, 2**16 - 1):
                signature = bytes(64) + b"\x1b" + index.to_bytes(2) + bytes(32 * height)
                execution = Execution(ORDER, Scheme.bulk, signature, 1, 1, 2**64 - 1)
                tail = execution.words(start)[3]
                (end,) = run("bulk", "_place", [word(tail), word(2**17)])
                assert [z3.simplify(value).as_long() for value in end.returned] == [index, height, start]
                assert reachable(end.holds)


# outflow

LIMIT, LEVEL = symbol("limit", 63), symbol("level", 80)
TOKEN = symbol("token_id", 32)
MOST = (2**63 - 1) * 86_400
"""The highest level there can be: the highest limit over a whole window."""


def outflow(path: Path, token_id: Any) -> tuple[Any, Any, Any]:
    """The fields of a token's word: limit, time and level."""
    packed = z3.Select(read(path, "outflow._words"), token_id)
    return packed & word(2**64 - 1), z3.LShR(packed, 64) & word(2**40 - 1), z3.LShR(packed, 104)


def test_an_outflows_word_keeps_its_fields() -> None:
    other = symbol("other", 32)
    (end,) = ways("outflow", "_set", [TOKEN, LIMIT, LEVEL])
    limit, at, level = outflow(end, TOKEN)
    prove(z3.And(limit == LIMIT, at == NOW, level == LEVEL), end.holds)
    before = z3.Select(read(Path(), "outflow._words"), other)
    prove(z3.Implies(other != TOKEN, z3.Select(read(end, "outflow._words"), other) == before), end.holds)


def test_a_level_only_falls_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """So what drains never makes a level that a word could not hold; the product of limit and time may be anything."""
    monkeypatch.setitem(CHECKED, "Mult", lambda left, right: (symbol("product"), ()))
    packed = symbol("packed")
    (end,) = run("outflow", "_level", [packed])
    prove(z3.ULE(end.returned, z3.LShR(packed, 104)))


@pytest.mark.parametrize("function", ["_leave", "_enter"])
def test_what_leaves_and_enters_changes_a_level_within_its_bounds_and_no_limit(function: str) -> None:
    """From any level that there can be to another such; `_level` is anything that the proof above allows."""
    start, digest = Path(), [symbol("digest")] if function == "_leave" else []
    limit, _, level = outflow(start, TOKEN)
    drained = symbol("drained")
    given = z3.And(z3.ULE(limit, 2**63 - 1), z3.ULE(level, MOST), z3.ULE(drained, level))
    arguments = [TOKEN, symbol("amount", 63), *digest]
    ends = ways("outflow", function, arguments, start.given(given), {"_level": drained, "_check_approved": word(0)})
    assert len(ends) >= 2
    for end in ends:
        limit_then, at, level_then = outflow(end, TOKEN)
        prove(limit_then == limit, end.holds)
        prove(z3.ULE(level_then, MOST), end.holds)
        prove(z3.Or(at == NOW, level_then == level), end.holds)


def test_a_new_limit_keeps_the_level() -> None:
    limit, _, level = outflow(Path(), TOKEN)
    drained = symbol("drained")
    given = z3.And(z3.ULE(limit, 2**63 - 1), z3.ULE(level, MOST), z3.ULE(drained, level))
    skip = {"_check_operation": word(0), "_level": drained}
    for end in ways("outflow", "set_outflow_limit", [TOKEN, symbol("limit")], Path().given(given), skip):
        prove(outflow(end, TOKEN)[0] == symbol("limit"), end.holds)
        prove(outflow(end, TOKEN)[2] == drained, end.holds)


# guards

SENDER = symbol("msg.sender")
GUARDS: dict[str, tuple[list[Any], Any, set[str]]] = {
    "_freeze": ([ACCOUNT], ACCOUNT, {"frozen_at", "frozen_until", "freeze_nonce"}),
    "unfreeze_account": ([], SENDER, {"frozen_until"}),
    "set_allow_list": ([z3.Bool("enabled")], SENDER, {"allow_list_until"}),
}


def guards(path: Path, account: Any) -> dict[str, Any]:
    """An account's protection, as the view of the contract reads it."""
    (view,) = run("guards", "account_guards", [account], Path(storage=path.storage))
    fields: dict[str, Any] = view.returned
    return fields


@pytest.mark.parametrize("function", GUARDS)
def test_a_guard_changes_its_own_fields_only(function: str) -> None:
    arguments, account, changed = GUARDS[function]
    before = guards(Path(), account)
    # nobody freezes 2**40 times: each takes a delay, or a block
    start = Path().given(z3.ULT(before["freeze_nonce"], 2**40 - 1))
    for end in ways("guards", function, arguments, start, "_flag_freezes"):
        after = guards(end, account)
        for name in before.keys() - changed:
            prove(after[name] == before[name], end.holds)
        if "freeze_nonce" in changed:
            prove(after["freeze_nonce"] == before["freeze_nonce"] + 1, end.holds)
        for name in changed - {"freeze_nonce"}:
            meant = z3.Or(after[name] == before[name], after[name] == 2**40 - 1, after[name] == NOW + DELAY)
            prove(meant, end.holds)
        prove(z3.LShR(z3.Select(read(end, "guards._words"), account), 160) == 0, z3.And(end.holds, clean(account)))


def clean(account: Any) -> Any:
    """Nothing stands above the word's fields."""
    return z3.LShR(z3.Select(read(Path(), "guards._words"), account), 160) == 0


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
