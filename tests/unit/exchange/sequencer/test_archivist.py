"""What may be archived: nothing that recovery, the projector or the publisher begins with."""

from pathlib import Path

from exchange.chain.signing import Key
from exchange.domain.eip712 import Domain, keccak
from exchange.journal.publication import publish
from exchange.journal.recovery import recover, take_snapshot
from exchange.journal.snapshot import SNAPSHOTS_KEPT
from exchange.sequencer.archivist import floor_of
from tests.unit.exchange.journal.test_publication import _append

DOMAIN = Domain("Bizzan", 31_337, b"\xbb" * 20)
KEY = Key(keccak(b"receipts"))
FAR = 1_000


def test_the_floor_is_the_least_that_anybody_begins_with(tmp_path: Path) -> None:
    journal, published = tmp_path / "journal", tmp_path / "published"
    _append(journal, 0, 30)
    assert floor_of(journal, None, FAR) == 0
    for seq in (20, 25):
        take_snapshot(journal, recover(journal, seq))
    assert floor_of(journal, None, FAR) == 20
    assert floor_of(journal, None, 12) == 12
    assert floor_of(journal, published, FAR) == 0
    (piece,) = publish(journal, published, DOMAIN, KEY.sign, 1)
    assert (piece.last_seq, floor_of(journal, published, FAR)) == (30, 20)
    for seq in range(27, 27 + SNAPSHOTS_KEPT):
        take_snapshot(journal, recover(journal, seq))
    assert floor_of(journal, published, FAR) == 27
    _append(journal, 30, 43)
    for seq in range(40, 40 + SNAPSHOTS_KEPT):
        take_snapshot(journal, recover(journal, seq))
    assert floor_of(journal, published, FAR) == 30
    assert floor_of(journal, None, FAR) == 40
