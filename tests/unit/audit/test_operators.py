"""The operators' log against the journal: what an honest exchange leaves passes, and each lie is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bizzan.audit.journal_replay import Replay, Told
from bizzan.audit.operators import against_journal
from exchange.database.operator_log import Asked, Entry, Outcome
from exchange.domain.deployment import checksum
from exchange.engine import commands as c
from exchange.sequencer.inbox import kind_of, to_payload
from tests.integration.sequencer.engine_process import DEPLOYMENT

MARKET = DEPLOYMENT.markets[0]
SYMBOL = MARKET.symbol.replace("/", "-")
WHO = b"\x0a" * 20
REFUSED = {"code": "unknown_market", "message": "there is none"}

HALT = c.SetMarketStatus(5, MARKET.market_id, "halted")
OPEN = c.SetMarketStatus(5, MARKET.market_id, "open")
COMMANDS: Sequence[tuple[c.Command, str, str, Mapping[str, Any]]] = [
    (HALT, "halt_market", SYMBOL, {}),
    (OPEN, "open_market", SYMBOL, {}),
    (c.SetMarketStatus(5, MARKET.market_id, "delisted"), "delist_market", SYMBOL, {}),
    (c.StartAuction(5, MARKET.market_id, 77), "start_auction", SYMBOL, {"ends_at": 77}),
    (
        c.SetMarketBounds(5, MARKET.market_id, 100, 2**60, 3, 4, 0),
        "bound_market",
        SYMBOL,
        {
            "collar_bps": "100",
            "max_quantity": str(2**60),
            "max_notional": "3",
            "max_open_orders": "4",
            "max_open_notional": "0",
        },
    ),
    (
        c.AnnounceFees(5, MARKET.market_id, 0, ((1, 2), (0, 1)), 9),
        "announce_fees",
        SYMBOL,
        {"effective_at": 0, "tiers": [[1, 2], [0, 1]], "floor": "9"},
    ),
    (c.SetAccountTier(5, WHO, 1, 0), "set_account_tier", checksum(WHO), {"tier": 1, "effective_at": 0}),
    (
        c.SetMarketBounds(5, MARKET.market_id, 0, 0, 0, 0, 0, 500),
        "bound_market",
        SYMBOL,
        {
            "collar_bps": "0",
            "max_quantity": "0",
            "max_notional": "0",
            "max_open_orders": "0",
            "max_open_notional": "0",
            "band_bps": "500",
        },
    ),
    (
        c.SetAccountLimits(5, WHO, 50, 0, 2**60),
        "limit_account",
        checksum(WHO),
        {"max_open_orders": "50", "asset": 0, "max_open_notional": str(2**60)},
    ),
    (c.SetTradingStop(5, WHO, True), "stop_account", checksum(WHO), {}),
    (c.SetTradingStop(5, WHO, False), "resume_account", checksum(WHO), {}),
]


def entry_of(command: c.Command) -> Entry:
    """What the log says was asked."""
    _, action, subject, details = next(known for known in COMMANDS if known[0] == command)
    return Entry(b"\1" * 20, action, subject, "a test", details, entry_id=3)


def asked(
    command: c.Command = HALT, outcome: Outcome | None = "applied", posted: c.Command | None = None, **row: Any
) -> Asked:
    """An entry, its outcome (at sequence 9), and its command, which is at id 5 of the inbox unless said otherwise."""
    entry, there = entry_of(command), posted or command
    details = REFUSED if outcome == "refused" else {"seq": 9} if outcome == "applied" else {}
    closed = outcome and Entry(entry.operator, entry.action, entry.subject, "", details, outcome, 3, entry_id=4)
    known: dict[str, Any] = {
        "inbox_id": 5,
        "kind": kind_of(type(there)),
        "payload": to_payload(there),
        "refusal": None,
    } | row
    return Asked(entry, closed or None, **known)


LOST: Mapping[str, Any] = {"inbox_id": None, "kind": "", "payload": {}}
"""Of a command, in an inbox that was made anew of the journal."""


def found(entries: Sequence[Asked], journal: Sequence[c.Command], keys: Mapping[int, str] | None = None) -> list[str]:
    """What is said of a journal with these commands from sequence 9 on."""
    replay = Replay(operated=[Told(seq, command) for seq, command in enumerate(journal, start=9)])
    return [f"{where}: {text}" for where, text in against_journal(entries, keys or {}, replay, DEPLOYMENT)]


@pytest.mark.parametrize("command", [command for command, *_ in COMMANDS], ids=lambda command: type(command).__name__)
def test_a_command_that_was_asked_and_applied_passes(command: c.Command) -> None:
    assert found([asked(command)], [command]) == []
    assert found([asked(command, None)], [command]) == [], "nobody has noted yet what became of it"
    assert found([asked(command, **LOST)], [command], {5: "replayed:5"}) == [], "after a rebuild"
    assert found([asked(command, "unknown", **LOST)], [command], {5: "replayed:5"}) == [], "it was not noted before it"
    assert found([asked(command, "refused", refusal=REFUSED)], []) == []
    assert found([asked(command, None)], []) == [], "it waits"


@pytest.mark.parametrize("command", [command for command, *_ in COMMANDS], ids=lambda command: type(command).__name__)
def test_a_command_without_an_entry_is_found(command: c.Command) -> None:
    _, action, subject, _ = next(known for known in COMMANDS if known[0] == command)
    for entries in ([], [asked(command, "refused", refusal=REFUSED)], [asked(command, "unknown", **LOST)]):
        journal = [command] * (2 if entries and entries[0].inbox_id is None else 1)
        said = found(entries, journal)
        assert len(said) == 1
        assert f"{action} {subject}" in said[0]
        assert "has no entry in the operators' log that was applied there" in said[0]


def test_a_halt_and_an_opening_by_the_chain_need_no_entry() -> None:
    for command in (HALT, OPEN):
        assert found([], [command], {5: "halted:1:0"}) == found([], [command], {5: "replayed:5"}) == []
    delisted = c.SetMarketStatus(5, MARKET.market_id, "delisted")
    assert len(found([], [delisted], {5: "halted:1:0"})) == 1, "the chain delists nothing"
    assert len(found([], [c.SetTradingStop(5, WHO, True)], {5: "halted:1:0"})) == 1


def test_an_entry_that_says_something_else_than_its_command_is_found() -> None:
    (said,) = found([asked(HALT, None, posted=OPEN)], [])
    assert said == (
        f"operators' log, entry 3: asks for halt_market {SYMBOL}, its command in the engine's inbox for "
        f"open_market {SYMBOL}"
    )
    (said,) = found([asked(HALT, None, payload={"market": "x"})], [])
    assert "its command in the engine's inbox for set_market_status" in said


def test_an_outcome_that_the_journal_does_not_bear_out_is_found() -> None:
    assert found([asked(HALT)], []) == [
        "operators' log, entry 3: is logged as applied at sequence 9, where the journal has no command of an operator"
    ]
    other, missing = found([asked(HALT)], [OPEN])
    assert f"where the journal has open_market {SYMBOL}" in other
    assert f"open_market {SYMBOL} has no entry" in missing
    (said,) = found([asked(HALT, **LOST), asked(HALT, **LOST)], [HALT])
    assert "where the journal has another entry's command" in said
    assert "where the journal has another entry's command" in found([asked(HALT, inbox_id=6)], [HALT])[0]


def test_a_refusal_that_the_inbox_does_not_bear_out_is_found() -> None:
    (said,) = found([asked(HALT, "refused")], [])
    assert "is logged as refused with" in said
    assert "the engine's inbox says None" in said
    (said,) = found([asked(HALT, "unknown")], [])
    assert said == "operators' log, entry 3: is logged as unknown, though its command is in the engine's inbox"
