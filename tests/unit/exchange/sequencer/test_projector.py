"""Heads are found whether they are remembered or not."""

from pathlib import Path

import pytest

from exchange.engine.commands import Tick
from exchange.journal.journal import Journal
from exchange.journal.reader import Reader
from exchange.sequencer import projector
from exchange.sequencer.projector import RecentHeads


def test_heads_are_the_journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "HEADS_REMEMBERED", 4)
    with Journal.open(tmp_path, segment_bytes=500) as journal:
        placed = [journal.append([(n, Tick())])[0] for n in range(20)]
    heads = RecentHeads(Reader(tmp_path))
    for seq, head in placed[5:]:
        heads.add(seq, head)
    assert [heads.at(seq) for seq, _ in placed] == [head for _, head in placed]
    assert heads.at(0) == bytes(32)
