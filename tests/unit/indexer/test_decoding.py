"""Decoding: the event table is the contract's ABI, and slicing words gives what eth-abi gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bizzan.contracts import exported_abi
from exchange.chain.abi import EVENTS, Event, decode
from exchange.chain.types import Log
from exchange.database.mirror import COLUMNS
from exchange.database.tables.chain import ORDER_EXECUTED_VIEW
from indexer.fold import Fold, fold_logs
from indexer.handlers import HANDLERS

MARKETS = {2: (1, 0, 100_000)}
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "uint256": st.integers(0, 2**63 - 1),
    "address": st.binary(min_size=20, max_size=20),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bool": st.booleans(),
}


def make_log(event: Event, values: list[Any], *, log_index: int = 3, block: int = 7) -> Log:
    """A log of `event`, encoded by eth-abi."""
    kinds = [kind for _, kind in event.fields]
    plain = ["0x" + v.hex() if kind == "address" else v for kind, v in zip(kinds, values, strict=True)]
    words = [encode([kind], [value]).hex() for kind, value in zip(kinds, plain, strict=True)]
    return Log(
        address="0x" + "c0" * 20,
        topics=(event.topic, *("0x" + word for word in words[: event.indexed])),
        data="0x" + encode(kinds[event.indexed :], plain[event.indexed :]).hex(),
        block_number=hex(block),
        block_hash=f"0x{block:064x}",
        transaction_hash="0x" + "ab" * 32,
        transaction_index="0x0",
        log_index=hex(log_index),
    )


def values_of(event: Event) -> st.SearchStrategy[list[Any]]:
    """Random fields of an event."""
    return st.tuples(*(KINDS[kind] for _, kind in event.fields)).map(list)


EVENT_AND_VALUES = st.sampled_from(sorted(EVENTS)).flatmap(
    lambda name: st.tuples(st.just(EVENTS[name]), values_of(EVENTS[name]))
)


def test_event_table_is_the_exported_abi() -> None:
    exported = {
        item["name"]: (
            tuple((field["name"], field["type"]) for field in item["inputs"]),
            sum(field["indexed"] for field in item["inputs"]),
        )
        for item in json.loads(json.dumps(exported_abi("Custody")))
        if item["type"] == "event"
    }
    assert {name: (event.fields, event.indexed) for name, event in EVENTS.items()} == exported


def test_indexed_fields_come_first_in_the_abi() -> None:
    for item in json.loads(json.dumps(exported_abi("Custody"))):
        if item["type"] == "event":
            flags = [field["indexed"] for field in item["inputs"]]
            assert flags == sorted(flags, reverse=True)


def test_every_event_has_a_handler() -> None:
    assert set(HANDLERS) == {event.topic for event in EVENTS.values()}


def test_view_of_executions_names_the_event() -> None:
    assert EVENTS["OrderExecuted"].topic[2:] in ORDER_EXECUTED_VIEW


@given(EVENT_AND_VALUES)
def test_decode_gives_what_eth_abi_encoded(case: tuple[Event, list[Any]]) -> None:
    event, values = case
    assert list(decode(event, make_log(event, values)).values()) == values


@given(EVENT_AND_VALUES)
def test_rows_have_the_columns_of_their_table(case: tuple[Event, list[Any]]) -> None:
    event, values = case
    if event.name in ("OrderExecuted", "FeesCollected"):
        return  # these need a market that exists; they have tests of their own
    fold = Fold(31_337, MARKETS)
    fold_logs(fold, [make_log(event, values)], HANDLERS)
    assert len(fold.logs) == 1
    for table, rows in fold.rows.items():
        assert [len(row.split("\t")) for row in rows] == [len(COLUMNS[table])]


@given(EVENT_AND_VALUES)
def test_row_holds_the_decoded_fields(case: tuple[Event, list[Any]]) -> None:
    event, values = case
    if event.name in ("OrderExecuted", "FeesCollected"):
        return
    fold = Fold(31_337, MARKETS)
    fold_logs(fold, [make_log(event, values)], HANDLERS)
    ((table, rows),) = [(name, rows) for name, rows in fold.rows.items() if rows]
    cells = dict(zip(COLUMNS[table], rows[0].split("\t"), strict=True))
    if table == "chain_status":
        cells |= json.loads(cells["params"])
    if event.name == "ExitClaimed":
        cells |= {"trading_amount": cells["amount"]}
    for (name, _), value in zip(event.fields, values, strict=True):
        assert cells[name] in _texts(value), name


def _texts(value: Any) -> tuple[Any, ...]:
    """How a value may stand in a row."""
    if isinstance(value, bool):
        return ("t" if value else "f", value)
    if isinstance(value, bytes):
        return ("\\\\x" + value.hex(), "0x" + value.hex())
    return (str(value),)


def execution(account: bytes, side: int, lots: int, quote: int, fee: int) -> Log:
    """A log of OrderExecuted in market 2."""
    amounts = side << 224 | 2 << 192 | lots << 128 | quote << 64 | fee
    return make_log(EVENTS["OrderExecuted"], [account, b"\x11" * 32, amounts])


@pytest.mark.parametrize("side", [0, 2])
def test_buyer_gets_base_and_pays_quote_and_fee(side: int) -> None:
    fold = Fold(31_337, MARKETS)
    fold_logs(fold, [execution(b"\x01" * 20, side, 5, 1_000, 3)], HANDLERS)
    assert fold.trading == {("01" * 20, 1): 500_000, ("01" * 20, 0): -1_003}


def test_seller_gives_base_and_gets_quote_less_fee() -> None:
    fold = Fold(31_337, MARKETS)
    fold_logs(fold, [execution(b"\x01" * 20, 1, 5, 1_000, 3)], HANDLERS)
    assert fold.trading == {("01" * 20, 1): -500_000, ("01" * 20, 0): 997}


@given(st.integers(1, 2**64 - 1), st.integers(1, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_batch_moves_money_and_makes_none(lots: int, quote: int, fee: int) -> None:
    fold = Fold(31_337, MARKETS)
    logs = [execution(b"\x01" * 20, 0, lots, quote, fee), execution(b"\x02" * 20, 1, lots, quote, 0)]
    logs.append(make_log(EVENTS["FeesCollected"], [2, b"\x03" * 20, fee]))
    fold_logs(fold, logs, HANDLERS)
    for token_id in (0, 1):
        assert sum(change for (_, token), change in fold.trading.items() if token == token_id) == 0


def test_market_listed_in_the_same_run_is_known_to_executions() -> None:
    fold = Fold(31_337, {})
    listing = make_log(EVENTS["MarketListed"], [2, 1, 0, 100_000])
    fold_logs(fold, [listing, execution(b"\x01" * 20, 0, 1, 10, 0)], HANDLERS)
    assert fold.trading["01" * 20, 1] == 100_000


def test_unknown_event_is_kept_raw_and_counted() -> None:
    log = make_log(EVENTS["Frozen"], [])
    log.topics = ("0x" + "99" * 32,)
    fold = Fold(31_337, {})
    fold_logs(fold, [log], HANDLERS)
    assert (fold.unknown, len(fold.logs)) == (1, 1)
    assert not any(fold.rows.values())
