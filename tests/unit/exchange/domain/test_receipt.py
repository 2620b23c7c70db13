"""Receipts: one user checks one alone; whatever is changed in it, it shows nothing."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.chain.signing import recover
from exchange.domain import hashing
from exchange.domain import receipt as receipts
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.receipt import Receipt, ReceiptError, RecordTree, record_hash, record_hashes
from tests.utils.receipts import SignedJournal
from tests.utils.signing import Signer

DOMAIN = Domain("Bizzan", 31_337, b"\x0b" * 20)
SIGNER = Signer("receipts")
JOURNAL = SignedJournal.of(DOMAIN, SIGNER, [f"order {i}" for i in range(1, 40)])


@given(st.integers(1, 39), st.integers(1, 39), st.data())
def test_every_record_of_every_range_has_a_receipt(first: int, last: int, data: st.DataObject) -> None:
    first, last = min(first, last), max(first, last)
    receipt = JOURNAL.receipt(data.draw(st.integers(first, last)), first, last)
    receipt.check(SIGNER.raw, recover, JOURNAL.line(receipt.seq).subject)
    assert Receipt.from_json(receipt.to_json()) == receipt


@given(st.data())
def test_receipts_of_one_journal_never_contradict(data: st.DataObject) -> None:
    seq = data.draw(st.integers(1, 39))
    one, other = (
        JOURNAL.receipt(seq, data.draw(st.integers(1, seq)), data.draw(st.integers(seq, 39))) for _ in range(2)
    )
    assert not one.contradicts(other)
    assert one.contradicts(JOURNAL.with_line(seq, at_ms=7).receipt(seq, seq, seq))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", Domain("Bizzan", 1, b"\x0b" * 20)),
        ("domain", Domain("Bizzan", 31_337, b"\x0c" * 20)),
        ("domain", Domain("Other", 31_337, b"\x0b" * 20)),
        ("first_seq", 4),
        ("first_seq", 6),
        ("last_seq", 11),
        ("head", bytes(32)),
        ("seq", 8),
        ("at_ms", 5),
        ("subject", bytes(32)),
        ("record_head", bytes(32)),
        ("path", ()),
        ("path", (bytes(32),) * 3),
        ("path", (bytes(32),) * 4),
        ("signature", bytes(65)),
    ],
)
def test_a_changed_receipt_shows_nothing(name: str, value: object) -> None:
    receipt = JOURNAL.receipt(7, 5, 12)
    receipt.check(SIGNER.raw, recover)
    with pytest.raises(ReceiptError):
        replace(receipt, **{name: value}).check(SIGNER.raw, recover)  # type: ignore[arg-type]


def test_a_receipt_is_for_one_message_and_one_key() -> None:
    receipt = JOURNAL.receipt(7, 5, 12)
    with pytest.raises(ReceiptError, match="is for 0x"):
        receipt.check(SIGNER.raw, recover, JOURNAL.line(8).subject)
    with pytest.raises(ReceiptError, match="is signed by 0x"):
        receipt.check(Signer("somebody").raw, recover)


def test_a_range_whose_head_is_not_its_last_records_is_refused() -> None:
    with pytest.raises(ReceiptError, match="contradicts itself"):
        JOURNAL.receipt(12, 5, 12, head=b"\x01" * 32).check(SIGNER.raw, recover)


def test_a_free_place_of_a_tree_is_no_record() -> None:
    tree = RecordTree([record_hash(1, 1, bytes(32), bytes(32))] * 3)
    assert tree.path(2)[0] == bytes(32)
    with pytest.raises(ValueError, match="one record at least"):
        RecordTree([])


def test_compiled_and_in_python_records_and_trees_have_the_same_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(count: int) -> tuple[list[bytes], RecordTree]:
        subjects, heads = ([sha256(b"%d %d" % (count, i + at)).digest() for i in range(count)] for at in (0, 1_000))
        hashes = record_hashes((1 << 63) - 3, (1 << 53) + count, subjects, heads)
        return hashes, RecordTree(hashes)

    assert hashing.keccak(b"") == keccak(b""), "the compiled module is there"
    counts = (*range(1, 40), 64, 65, 255, 256, 257, 1_024)
    compiled = [made(count) for count in counts]
    monkeypatch.setattr(receipts, "IS_COMPILED", False)
    for count, (hashes, tree) in zip(counts, compiled, strict=True):
        plain_hashes, plain_tree = made(count)
        assert hashes == plain_hashes
        assert tree.root == plain_tree.root
        assert [tree.path(i) for i in range(count)] == [plain_tree.path(i) for i in range(count)]


def test_what_is_no_row_of_hashes_is_not_hashed() -> None:
    for leaves in (b"", bytes(31), bytes(33)):
        with pytest.raises(ValueError, match="32 bytes each"):
            hashing.record_tree(leaves)
    for subjects, heads, kind in ((bytes(31), bytes(31), 32), (bytes(32), bytes(64), 32), (bytes(32), bytes(32), 31)):
        with pytest.raises(ValueError, match="of 32 bytes"):
            hashing.record_hashes(1, 1, subjects, heads, bytes(kind))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seq", "7", "seq must be an integer"),
        ("seq", 1 << 64, "seq must be an integer"),
        ("seq", True, "seq must be an integer"),
        ("head", "0x12", "head must be 32 bytes"),
        ("head", "zz", "head must be 32 bytes"),
        ("signature", None, "signature must be 65 bytes"),
        ("path", "x", "path must be a list"),
        ("path", ["0x" + "00" * 32] * 33, "path must be a list of at most 32"),
        ("bond", "0x12", "bond must be"),
        ("name", "a\ud800b", r"name must be text in Unicode, not 'a\\ud800b'"),
        ("name", 7, "name must be text in Unicode, not 7"),
    ],
)
def test_a_malformed_receipt_is_refused_by_field(name: str, value: object, message: str) -> None:
    document = JOURNAL.receipt(7, 5, 12).to_json()
    with pytest.raises(ReceiptError, match=message):
        Receipt.from_json(document | {name: value})


def test_fields_are_neither_missing_nor_unknown() -> None:
    document = JOURNAL.receipt(7, 5, 12).to_json()
    with pytest.raises(ReceiptError, match="'extra' is not a known field"):
        Receipt.from_json(document | {"extra": 1})
    del document["head"]
    with pytest.raises(ReceiptError, match="head is missing"):
        Receipt.from_json(document)
