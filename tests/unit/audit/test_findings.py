"""What findings show of others' words."""

from __future__ import annotations

from bizzan.audit.findings import plain


def test_what_others_wrote_moves_no_cursor_and_begins_no_line() -> None:
    assert plain("order: expired\x1b[2J\nevery line follows \ud800\u202e") == (
        r"order: expired\x1b[2J\nevery line follows \ud800\u202e"
    )
    assert plain("0x12, 订单 é") == "0x12, 订单 é"
