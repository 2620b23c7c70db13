"""The replica of a book."""

from __future__ import annotations

from backend.stream.book import ASK, BID, Book


def test_levels_are_best_first_and_zero_removes() -> None:
    book = Book(1, [(90, 1), (100, 2)], [(110, 3), (105, 4)])
    assert book.levels(BID) == [(100, 2), (90, 1)]
    assert book.levels(ASK, 1) == [(105, 4)]
    book.change(2, ASK, 105, 0)
    book.change(3, BID, 101, 7)
    assert book.levels(ASK) == [(110, 3)]
    assert book.best(BID) == (101, 7)
    assert book.seq == 3


def test_removing_a_level_that_is_not_there_changes_nothing() -> None:
    book = Book(1)
    book.change(2, BID, 100, 0)
    assert book.levels(BID) == []
    assert book.best(BID) is None


def test_a_walk_takes_what_the_limit_allows() -> None:
    book = Book(1, [(100, 5), (99, 5)], [(101, 5), (102, 5)])
    assert book.walk(ASK, 101, 100) == (5, 505)
    assert book.walk(ASK, 102, 7) == (7, 5 * 101 + 2 * 102)
    assert book.walk(ASK, 100, 7) == (0, 0)
    assert book.walk(BID, 99, 6) == (6, 500 + 99)
