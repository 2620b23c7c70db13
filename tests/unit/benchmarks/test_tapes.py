"""Tapes of the public benchmark: every player reports what its documentation says."""

import hashlib
import json
import random
import sys
from pathlib import Path

import pytest

from benchmarks.engine import public
from benchmarks.engine.tape_players import PLAYERS
from benchmarks.engine.tapes import (
    CANCEL,
    MODIFY,
    NEW,
    PUBLISHED,
    Message,
    ReportHash,
    TapeError,
    packed,
    pieces,
    read,
    scenario_of,
    write,
)

BUY, SELL = 0, 1


def numbered(messages: list[tuple[int, int, int, int, int, int]]) -> list[Message]:
    """Messages (kind, side, immediate, lots, order, price) in their order."""
    return [
        (kind, side, ioc, lots, at, order, price, 0)
        for at, (kind, side, ioc, lots, order, price) in enumerate(messages)
    ]


EVERY_REPORT = numbered(
    [
        (NEW, SELL, 0, 10, 1, 101),
        (NEW, SELL, 0, 5, 2, 101),
        (NEW, SELL, 0, 7, 3, 102),
        (NEW, BUY, 0, 12, 4, 101),  # takes all of 1 and part of 2
        (NEW, BUY, 1, 9, 5, 101),  # takes what is left of 2, the rest is cancelled
        (NEW, BUY, 1, 4, 6, 100),  # meets nobody
        (NEW, BUY, 0, 3, 7, 99),
        (NEW, BUY, 0, 4, 8, 99),
        (MODIFY, BUY, 0, 4, 7, 99),  # loses its place to 8
        (NEW, SELL, 1, 5, 9, 99),
        (MODIFY, BUY, 0, 6, 7, 102),  # crosses
        (CANCEL, BUY, 0, 3, 7, 99),  # was filled
        (MODIFY, BUY, 0, 6, 7, 99),
        (CANCEL, SELL, 0, 7, 3, 102),  # one lot is left of it
        (CANCEL, SELL, 0, 7, 3, 102),
        (CANCEL, SELL, 0, 1, 77, 1),  # never seen
        (NEW, BUY, 0, 2, 10, 50),
        (MODIFY, BUY, 0, 3, 10, 51),
        (CANCEL, BUY, 0, 2, 10, 50),  # tells the price to which it was modified
    ]
)

EXPECTED = """\
0,0,1,1,101,10
0,1,1,2,101,5
0,2,1,3,102,7
0,3,0,4,101,12
1,3,101,10,1,4
1,3,101,2,2,4
0,4,0,5,101,9
1,4,101,3,2,5
2,4,0,5,101
0,5,0,6,100,4
2,5,0,6,100
0,6,0,7,99,3
0,7,0,8,99,4
3,8,0,7,99,4
0,9,1,9,99,5
1,9,99,4,8,9
1,9,99,1,7,9
1,10,102,6,3,7
3,10,0,7,102,6
4,11,7
5,12,7
2,13,1,3,102
4,14,3
4,15,77
0,16,0,10,50,2
3,17,0,10,51,3
2,18,0,10,51"""


def random_tape(number: int, count: int) -> list[Message]:
    """Orders that cross now and then, some immediate, modified up or down in price, cancelled once or twice."""
    rng = random.Random(number)
    messages: list[tuple[int, int, int, int, int, int]] = []
    placed: list[tuple[int, int]] = []
    for order in range(1, count):
        side, price = rng.randrange(2), 500 + rng.randrange(-20, 21)
        placed.append((order, side))
        messages.append((NEW, side, int(rng.random() < 0.15), rng.randrange(1, 100), order, price))
        if rng.random() < 0.7:
            gone, its_side = rng.choice(placed[-30:])
            kind = rng.choice((CANCEL, MODIFY))
            messages.append((kind, its_side, 0, rng.randrange(1, 100), gone, 500 + rng.randrange(-20, 21)))
    return numbered(messages)


@pytest.mark.parametrize("player", PLAYERS)
def test_every_report_is_as_documented(player: str) -> None:
    _, reports = PLAYERS[player]().play(EVERY_REPORT)
    assert [",".join(map(str, report)) for report in reports] == EXPECTED.splitlines()


def test_hash_is_that_of_the_lines() -> None:
    hashed = ReportHash()
    lines = [tuple(map(int, line.split(","))) for line in EXPECTED.splitlines()]
    for at in range(0, len(lines), 4):
        hashed.add(lines[at : at + 4])
        hashed.add([])
    assert hashed.hexdigest() == hashlib.sha256(EXPECTED.encode()).hexdigest()
    assert hashed.count == len(lines)


@pytest.mark.parametrize("number", range(3))
def test_all_players_agree_on_a_random_tape(number: int, tmp_path: Path) -> None:
    path = tmp_path / "random.bin"
    write(path, random_tape(number, 400))
    verdict = public.judge(path, list(PLAYERS))
    assert verdict["equal"]
    assert verdict["published"] is None
    assert set(verdict["hashes"]) == set(PLAYERS)


def test_pieces_do_not_change_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = packed(random_tape(5, 300))
    whole = {player: public.play(player, tape)[1] for player in PLAYERS}
    monkeypatch.setattr(public, "PIECE", 7)
    assert {player: public.play(player, tape)[1] for player in PLAYERS} == whole


def test_tape_that_differs_from_the_published_is_not_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders_static_s23_n1000000.bin"
    write(path, EVERY_REPORT)
    monkeypatch.setattr(public, "PUBLISHED_MESSAGES", len(EVERY_REPORT))
    monkeypatch.setattr(sys, "argv", ["public", str(path), "--players", "fast", "--json"])
    with pytest.raises(SystemExit, match="1"):
        public.main()
    verdict = json.loads(capsys.readouterr().out)[path.stem]
    assert verdict["published"] == PUBLISHED["static"]
    assert not verdict["equal"]


def test_tape_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "orders_swing-25_s23_n10.bin"
    write(path, EVERY_REPORT)
    assert [message for piece in pieces(read(path), 5) for message in piece] == EVERY_REPORT
    assert scenario_of(path) == "swing-25"
    assert scenario_of(tmp_path / "mine.bin") is None


@pytest.mark.parametrize("data", [b"", b"MEBW_001" + bytes(8), bytes(16) + bytes(40)])
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(data)
    with pytest.raises(TapeError, match="no tape"):
        read(path)


@pytest.mark.parametrize(
    "message",
    [
        (3, BUY, 0, 1, 0, 1, 1, 0),
        (NEW, 2, 0, 1, 0, 1, 1, 0),
        (NEW, BUY, 0, 0, 0, 1, 1, 0),
        (NEW, BUY, 0, 1, 0, 1, 0, 0),
        (NEW, BUY, 0, 1, 0, 1 << 28, 1, 0),
    ],
)
def test_fast_book_refuses_what_is_no_message(message: Message) -> None:
    with pytest.raises(ValueError, match="message 0"):
        PLAYERS["fast"]().play([message])
