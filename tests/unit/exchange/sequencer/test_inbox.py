"""Inbox rows become commands, and nothing else does."""

from typing import Any

import pytest

from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine import commands as c
from exchange.sequencer.inbox import INBOX_COMMANDS, dedup_key, kind_of, to_command, to_payload
from tests.unit.exchange.journal.samples import EVERY_COMMAND

FROM_INBOX = [command for command in EVERY_COMMAND if hasattr(command, "inbox_id")]
CREDIT: dict[str, Any] = {"account": "0x" + "11" * 20, "asset": 0, "amount": 5, "cause": "log"}


@pytest.mark.parametrize("command", FROM_INBOX, ids=lambda command: type(command).__name__)
def test_command_survives_its_row(command: Any) -> None:
    row = to_payload(command)
    assert "inbox_id" not in row
    assert to_command(command.inbox_id, kind_of(type(command)), row) == command


def test_only_commands_with_an_inbox_id_come_from_the_inbox() -> None:
    assert set(INBOX_COMMANDS.values()) == {type(command) for command in FROM_INBOX}
    for own in (c.Tick, c.ListAsset, c.ListMarket, c.SetLimits, c.PlaceOrder, c.HoldWithdrawal):
        assert kind_of(own) not in INBOX_COMMANDS


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"account": "11"}, ErrorCode.malformed, "account"),
        ({"account": "0x1"}, ErrorCode.malformed, "account"),
        ({"account": 5}, ErrorCode.malformed, "account"),
        ({"account": "0x11"}, ErrorCode.malformed, None),
        ({"amount": "5"}, ErrorCode.malformed, None),
        ({"amount": -5}, ErrorCode.malformed, None),
        ({"amount": 2**63}, ErrorCode.malformed, None),
        ({"amount": 2**200}, ErrorCode.malformed, None),
        ({"amount": 1.5}, ErrorCode.malformed, None),
        ({"amount": True}, ErrorCode.malformed, None),
        ({"cause": None}, ErrorCode.malformed, None),
        ({"inbox_id": 4}, ErrorCode.unknown_field, "inbox_id"),
        ({"note": ""}, ErrorCode.unknown_field, "note"),
    ],
)
def test_row_with_a_wrong_field_is_refused(change: dict[str, Any], code: ErrorCode, field: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        to_command(1, "credit", CREDIT | change)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_row_without_a_field_is_refused() -> None:
    with pytest.raises(Refusal, match="credit needs cause"):
        to_command(1, "credit", {name: value for name, value in CREDIT.items() if name != "cause"})


def test_credits_keep_the_key_under_which_the_indexer_posts_them() -> None:
    assert dedup_key(to_command(1, "credit", CREDIT)) == "log"
    assert dedup_key(c.SetExiting(9, b"\1" * 20, True)) == "replayed:9"
