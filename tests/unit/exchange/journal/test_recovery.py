"""Recovery gives the same engine from any snapshot, and passes over those that cannot be used."""

from pathlib import Path

import pytest

from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, Side
from exchange.engine import commands as c
from exchange.journal.errors import CorruptJournal, ReplayError
from exchange.journal.journal import Journal
from exchange.journal.reader import Reader
from exchange.journal.recovery import recover, take_snapshot, verify
from exchange.journal.snapshot import SNAPSHOTS_KEPT, list_snapshots, read_snapshot

MAKER, TAKER, FEES = b"\1" * 20, b"\2" * 20, b"\3" * 20
MARKET = Market(1, "BTC/USDC", 2, 0, 10_000, 10, 1_000_000, 0, 200, 500, 600_000)
NOW_MS = 1_700_000_000_000


def _place(account: bytes, nonce: int, side: Side) -> c.PlaceOrder:
    order = Order(account, 1, side, 600_000, 2 + nonce % 3, nonce, NOW_MS // 1_000 + 3_600, 0, 10, 0)
    return c.PlaceOrder(order, bytes([nonce, side]) * 16, 0, b"\1" * 65, account)


COMMANDS: list[c.Command] = [
    c.ListAsset(Asset(0, "USDC", 6)),
    c.ListAsset(Asset(2, "BTC", 8)),
    c.ListMarket(MARKET, FEES),
    c.Credit(1, MAKER, 0, 10**12, "a"),
    c.Credit(2, TAKER, 2, 10**12, "b"),
    *(_place(*who) for nonce in range(1, 20) for who in ((MAKER, nonce, Side.buy), (TAKER, nonce, Side.sell))),
]


def _write(folder: Path, commands: list[c.Command], segment_bytes: int = 2_000) -> None:
    with Journal.open(folder, segment_bytes) as journal:
        journal.append([(NOW_MS + n, command) for n, command in enumerate(commands)])


def test_recovery_from_every_snapshot_gives_the_same_state(tmp_path: Path) -> None:
    _write(tmp_path, COMMANDS)
    expected = verify(tmp_path).engine.state_hash()
    for seq in (1, 5, 17, len(COMMANDS)):
        take_snapshot(tmp_path, recover(tmp_path, seq))
        recovered = recover(tmp_path)
        assert (recovered.snapshot_seq, recovered.replayed) == (seq, len(COMMANDS) - seq)
        assert (recovered.engine.state_hash(), recovered.flaws) == (expected, [])
    assert len(list_snapshots(tmp_path)) == SNAPSHOTS_KEPT
    assert verify(tmp_path).seq == len(COMMANDS)


def test_flipped_byte_in_a_snapshot_is_named_and_costs_nothing(tmp_path: Path) -> None:
    _write(tmp_path, COMMANDS)
    expected = recover(tmp_path).engine.state_hash()
    path = take_snapshot(tmp_path, recover(tmp_path, 20))
    data = bytearray(path.read_bytes())
    for offset in range(0, len(data), 7):
        data[offset] ^= 4
        path.write_bytes(data)
        with pytest.raises(CorruptJournal, match="checksum") as caught:
            verify(tmp_path)
        assert (caught.value.path, caught.value.seq) == (path, 20)
        data[offset] ^= 4
    path.write_bytes(bytes(data[:-1]))
    recovered = recover(tmp_path)
    assert recovered.engine.state_hash() == expected
    assert [flaw.path for flaw in recovered.flaws] == [path]


def test_snapshot_of_another_journal_is_passed_over(tmp_path: Path) -> None:
    _write(tmp_path / "one", COMMANDS)
    _write(tmp_path / "other", [*COMMANDS[:-1], c.Tick()])
    foreign = take_snapshot(tmp_path / "other", recover(tmp_path / "other"))
    (tmp_path / "one" / foreign.name).write_bytes(foreign.read_bytes())
    assert read_snapshot(foreign).seq == len(COMMANDS)
    recovered = recover(tmp_path / "one")
    assert recovered.snapshot_seq == 0
    assert "head is not the journal's" in str(recovered.flaws[0])


def test_recovery_to_an_earlier_sequence_stops_there(tmp_path: Path) -> None:
    _write(tmp_path, COMMANDS)
    recovered = recover(tmp_path, 9)
    assert (recovered.seq, recovered.engine.seq) == (9, 9)
    assert recovered.head == Reader(tmp_path).head_at(9)
    with pytest.raises(CorruptJournal, match="ends at sequence"):
        recover(tmp_path, len(COMMANDS) + 1)


def test_record_that_the_engine_refuses_is_named(tmp_path: Path) -> None:
    _write(tmp_path, [*COMMANDS, c.Credit(2, MAKER, 0, 1, "an inbox id twice")])
    with pytest.raises(ReplayError, match=f"record {len(COMMANDS) + 1}"):
        recover(tmp_path)
