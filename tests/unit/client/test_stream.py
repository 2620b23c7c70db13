"""A channel's messages prove that none is missing; the book follows them."""

from typing import Any

from bizzan.client.book import BookReplica
from bizzan.client.stream import Channels, Message

CHANNEL = "book.BTC-USDC"


def message(kind: str, seq: int, prev_seq: int | None = None) -> dict[str, Any]:
    return {"type": kind, "channel": CHANNEL, "seq": seq, "prev_seq": prev_seq}


def test_diffs_before_the_snapshot_are_dropped() -> None:
    assert Channels().accept(message("diff", 5, 4)) is False


def test_messages_that_follow_one_another_are_passed_on() -> None:
    channels = Channels()
    assert channels.accept(message("snapshot", 5)) is True
    assert channels.accept(message("diff", 9, 5)) is True
    assert channels.accept(message("diff", 10, 9)) is True


def test_gap_is_noticed_once_and_ends_with_the_next_snapshot() -> None:
    channels = Channels()
    channels.accept(message("snapshot", 5))
    assert channels.accept(message("diff", 9, 7)) is None
    assert channels.accept(message("diff", 10, 9)) is False
    assert channels.accept(message("snapshot", 12)) is True
    assert channels.accept(message("diff", 13, 12)) is True


def test_new_connection_waits_for_a_snapshot() -> None:
    channels = Channels()
    channels.accept(message("snapshot", 5))
    channels.forget()
    assert channels.accept(message("diff", 6, 5)) is False


def test_book_takes_snapshot_and_changes() -> None:
    book = BookReplica()
    book.apply(Message("snapshot", CHANNEL, 1, {"bids": [["10", "5"], ["9", "1"]], "asks": [["12", "2"]]}))
    book.apply(Message("diff", CHANNEL, 2, {"bids": [["10", "0"], ["11", "3"]], "asks": []}))
    assert book.bids() == [(11, 3), (9, 1)]
    assert book.asks() == [(12, 2)]
    assert book.seq == 2


def test_snapshot_replaces_the_book() -> None:
    book = BookReplica()
    book.apply(Message("snapshot", CHANNEL, 1, {"bids": [["10", "5"]], "asks": []}))
    book.apply(Message("snapshot", CHANNEL, 8, {"bids": [], "asks": [["12", "2"]]}))
    assert (book.bids(), book.asks(), book.seq) == ([], [(12, 2)], 8)
