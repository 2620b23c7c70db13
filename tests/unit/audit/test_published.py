"""`bizzan audit replay`: an honest journal passes, and each kind of unfairness is found with a counterexample."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import boa
import pytest
from typer.testing import CliRunner

from bizzan.audit.chain_ledger import ChainLedger
from bizzan.audit.priority import PriorityLedger
from bizzan.audit.published import JournalAudit, audit_journal, published_receipt, report_calldata
from bizzan.audit.receipts import problems
from bizzan.cli.app import app
from bizzan.supervisor.errors import SupervisorError
from exchange.chain.signing import Key
from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.eip712 import Domain, keccak
from exchange.domain.order import Terms, TimeInForce, TriggerType
from exchange.domain.receipt import Receipt, ReceiptError, RecordTree, commit_digest
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.engine.events import CloseReason
from exchange.journal.journal import Journal
from exchange.journal.marker import MARKER_NAME
from exchange.journal.publication import INDEX_NAME, RAW_NAME, publish, read_index
from exchange.journal.reader import Reader, Record
from exchange.journal.receipts import leaf_of, subject_of
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.unit.contracts.test_operator_bond import BOND, STRANGER, create
from tests.utils.contracts import CHAIN_ID, NAME
from tests.utils.engine import BTC, MAKER, OTHER, TAKER, USDC, EngineHarness, reasons

KEY = Key(keccak(b"receipts"))
DOMAIN = DEPLOYMENT.bond_domain
LOG = "credit:0x" + "ab" * 32 + ":{}:0"
PRICE = 5_000_000
Edit = Callable[[c.Command, list[e.Event]], list[e.Event]]


class Hostile(Engine):
    """An engine that tells something else than it does."""

    def __init__(self, edit: Edit) -> None:
        super().__init__()
        self._edit = edit

    def apply(self, seq: int, at_ms: int, command: c.Command) -> list[e.Event]:
        return self._edit(command, super().apply(seq, at_ms, command))


@pytest.fixture
def day() -> EngineHarness:
    """Two makers at one price, a third at a worse one, and a taker who meets the first of them."""
    x = EngineHarness()
    for number, account in enumerate((MAKER, OTHER, TAKER)):
        for asset in (USDC, BTC):
            cause = LOG.format(10 * number + asset)
            x.apply(c.Credit(next(x.inbox_ids), account, asset, 10**12, cause))
    x.sell(MAKER, PRICE, 100)
    x.sell(OTHER, PRICE, 100)
    x.sell(OTHER, PRICE + 10, 100)
    x.buy(TAKER, PRICE, 100)
    return x


def write(x: EngineHarness, folder: Path, *more: c.Command) -> Path:
    """The day as a journal."""
    with Journal.open(folder) as journal:
        for _, at_ms, command in x.kept:
            journal.append([(at_ms, command)])
        journal.append([(x.at_ms, command) for command in more])
    return folder


def published(journal: Path) -> Path:
    """The journal, published beside itself."""
    out = journal.parent / f"{journal.name}-published"
    list(publish(journal, out, DOMAIN, KEY.sign, 1))
    return out


def audit(folder: Path, **options: object) -> JournalAudit:
    """The audit with the bond and key of the tests."""
    return audit_journal(folder, domain=DOMAIN, signer=KEY.address, **options)  # type: ignore[arg-type]


def texts(audit: JournalAudit) -> str:
    """All findings."""
    return "\n".join(map(str, audit.findings))


def receipt(records: list[Record], seq: int, domain: Domain = DOMAIN) -> Receipt:
    """An honest receipt for one record out of all."""
    tree, last = RecordTree([leaf_of(record) for record in records]), records[-1]
    record = records[seq - 1]
    return Receipt(
        domain,
        1,
        last.seq,
        last.head,
        seq,
        record.at_ms,
        subject_of(record.command),
        record.head,
        tuple(tree.path(seq - 1)),
        KEY.sign(commit_digest(domain, 1, last.seq, last.head, tree.root)),
    )


def test_an_honest_journal_passes_with_every_receipt(day: EngineHarness, tmp_path: Path) -> None:
    journal = write(day, tmp_path / "journal")
    records = list(Reader(journal).read())
    receipts = [receipt(records, record.seq) for record in records]
    found = audit(published(journal), receipts=receipts)
    assert texts(found) == ""
    assert (found.replay.priority.trades, len(found.pieces)) == (1, 1)
    assert texts(audit(journal, receipts=receipts)) == ""


# the six


def test_a_reordered_pair_is_found(day: EngineHarness, tmp_path: Path) -> None:
    first, second = _sells(day)[:2]
    found = audit(
        write(day, tmp_path / "journal"),
        engine=Hostile(_trades(lambda match: replace(match, maker_order=second, maker_account=_account(day, OTHER)))),
    )
    assert f"order {second} at {PRICE}, and order {first} stood before it at the same price" in texts(found)


def test_a_skipped_order_is_found_by_its_receipt_and_in_the_engine(day: EngineHarness, tmp_path: Path) -> None:
    records = list(Reader(write(day, tmp_path / "journal")).read())
    skipped = _sells(day)[0]
    given = receipt(records, skipped)
    fork = EngineHarness.__new__(EngineHarness)
    fork.kept = [each for each in day.kept if each[0] != skipped]
    fork.at_ms = day.at_ms
    forged = published(write(fork, tmp_path / "forged"))
    found = audit(forged, receipts=[given])
    assert f"receipt for sequence {skipped}: 0x{given.subject.hex()} was acknowledged there" in texts(found)
    assert "the order was skipped or moved" in texts(found)

    def forget(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        last = isinstance(command, c.PlaceOrder) and command.order.price == PRICE + 10
        return [] if last else events

    found = audit(tmp_path / "journal", engine=Hostile(forget))
    assert "the order is in the journal and was skipped" in texts(found)


def test_a_fill_at_a_worse_price_than_available_is_found(day: EngineHarness, tmp_path: Path) -> None:
    best, _, worse = _sells(day)

    def worsen(match: e.TradeMatched) -> e.TradeMatched:
        quote = match.quantity * (PRICE + 10)
        return replace(match, maker_order=worse, maker_account=_account(day, OTHER), price=PRICE + 10, quote=quote)

    found = audit(write(day, tmp_path / "journal"), engine=Hostile(_trades(worsen)))
    assert f"order {worse} at {PRICE + 10}, and order {best} stood at the better price {PRICE}" in texts(found)
    assert "beyond the limit" in texts(found)


def test_a_forged_line_is_found_with_and_without_new_hashes(day: EngineHarness, tmp_path: Path) -> None:
    out = published(write(day, tmp_path / "journal"))
    segment = next((out / "raw").glob("*.segment"))
    data = bytearray(segment.read_bytes())
    data[-40] ^= 1
    segment.write_bytes(bytes(data))
    found = texts(audit(out))
    assert "the line is not what was journaled" in found
    assert "is not the file that was published" in found

    seq, at_ms, command = day.kept[-1]
    assert isinstance(command, c.PlaceOrder)
    day.kept[-1] = (seq, at_ms, replace(command, client_order_id="forged"))
    forged = published(write(day, tmp_path / "forged"))
    (forged / "index.jsonl").write_text((out / "index.jsonl").read_text())
    found = texts(audit(forged))
    assert "signed is" in found
    assert "do not lead to the signed root" in found


def test_a_reversal_or_a_credit_without_its_cause_is_found(day: EngineHarness, tmp_path: Path) -> None:
    inbox = day.engine.inbox_id
    honest = c.ReverseTrades(inbox + 1, (1,), "block 0x" + "cd" * 32 + ": order: expired")
    assert texts(audit(write(day, tmp_path / "honest", honest))) == ""
    found = texts(audit(write(day, tmp_path / "forged", replace(honest, cause="the operator says so"))))
    assert "reverses trades 1 and cites no block: 'the operator says so'" in found
    gift = c.Credit(inbox + 1, MAKER, USDC, 5, "a gift")
    assert "moves money and cites no log" in texts(audit(write(day, tmp_path / "gift", gift)))


def test_a_fee_off_the_schedule_is_found(day: EngineHarness, tmp_path: Path) -> None:
    found = audit(
        write(day, tmp_path / "journal"),
        engine=Hostile(_trades(lambda match: replace(match, taker_fee=match.taker_fee + 1))),
    )
    assert "the schedule of its acceptance asks" in texts(found)
    assert [finding.check for finding in found.findings] == ["fees"]


# and more


def test_a_signed_piece_of_another_key_or_out_of_line_is_found(day: EngineHarness, tmp_path: Path) -> None:
    out = published(write(day, tmp_path / "journal"))
    found = audit_journal(out, domain=DOMAIN, signer=b"\x01" * 20)
    assert f"is signed by {checksum(KEY.address)}" in texts(found)
    index = out / "index.jsonl"
    piece = json.loads(index.read_text())
    index.write_text(json.dumps(piece | {"first_seq": 2}) + "\n")
    assert "does not follow sequence 0" in texts(audit(out))


def test_pieces_that_were_fetched_one_by_one_are_read_as_far_as_the_index_goes(
    day: EngineHarness, tmp_path: Path
) -> None:
    folder = published(write(day, tmp_path / "journal"))
    (folder / RAW_NAME / MARKER_NAME).unlink()
    whole = audit(folder)
    assert not whole.findings, texts(whole)
    assert whole.replay.seq == read_index(folder)[-1].last_seq
    last = sorted((folder / RAW_NAME).glob("*.segment"))[-1]
    last.write_bytes(last.read_bytes()[:-1])
    assert "is not the file that was published" in texts(audit(folder))


@pytest.mark.parametrize("kept", [1, 0])
def test_records_that_no_piece_signs_are_found(
    day: EngineHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr("exchange.journal.publication.MAX_RECORDS", 10)
    out = published(write(day, tmp_path / "journal"))
    index, last = out / INDEX_NAME, len(day.kept)
    lines = index.read_text().splitlines(keepends=True)
    assert len(lines) == 2
    index.write_text("".join(lines[:kept]))
    first = 11 if kept else 1
    assert f"pieces: sequences {first} to {last}: no piece signs them" in texts(audit(out))
    index.unlink()
    assert f"pieces: sequences 1 to {last}: no piece signs them" in texts(audit(out))


def test_a_piece_of_another_bond_or_chain_is_found(day: EngineHarness, tmp_path: Path) -> None:
    out = published(write(day, tmp_path / "journal"))
    index = out / INDEX_NAME
    piece = json.loads(index.read_text())
    for field in ({"bond": "0x" + "11" * 20}, {"chain_id": 7}):
        index.write_text(json.dumps(piece | field) + "\n")
        assert f"the deployment has the bond {checksum(DOMAIN.contract)} on chain {DOMAIN.chain_id}" in texts(
            audit(out)
        )


@pytest.mark.parametrize(
    "field",
    [
        {"signature": "zz" * 65},
        {"signature": 5},
        {"head": None},
        {"head": 5},
        {"prev_head": "00"},
        {"last_seq": "17"},
        {"last_seq": 17.0},
        {"last_seq": 0},
        {"first_seq": 0},
        {"last_seq": 10**30},
        {"last_seq": 2**62},
        {"published_at_ms": True},
        {"unknown": 1},
    ],
)
def test_a_line_of_the_index_that_is_no_piece_hides_no_other_finding(
    day: EngineHarness, tmp_path: Path, field: dict[str, object]
) -> None:
    out = published(write(day, tmp_path / "journal", c.ReverseTrades(day.engine.inbox_id + 1, (1,), "because")))
    index = out / INDEX_NAME
    index.write_text(json.dumps(json.loads(index.read_text()) | field) + "\n")
    _names_line_and_cause(audit(out))


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, "[" * 4_000, '{"head":' * 500, "null", "9" * 4_000, "\0"],
    ids=["long", "lists", "objects", "null", "digits", "zero"],
)
def test_a_line_of_the_index_that_is_no_object_hides_no_other_finding(
    day: EngineHarness, tmp_path: Path, line: str
) -> None:
    out = published(write(day, tmp_path / "journal", c.ReverseTrades(day.engine.inbox_id + 1, (1,), "because")))
    (out / INDEX_NAME).write_text(line + "\n")
    _names_line_and_cause(audit(out))


def _names_line_and_cause(found: JournalAudit) -> None:
    assert "line 1 is no piece" in texts(found)
    assert "cites no block" in texts(found)
    assert "no piece signs them" in texts(found)


def test_a_time_that_goes_back_is_found_and_what_follows_is_judged(day: EngineHarness, tmp_path: Path) -> None:
    seq, at_ms, command = day.kept[-2]
    day.kept[-2] = (seq, 1, command)
    found = audit(write(day, tmp_path / "journal"))
    assert texts(found) == (
        f"replay: journal sequence {seq}: the engine refuses this command: malformed: its time, 1 ms, is before that "
        f"of the record before it, {at_ms} ms"
    )
    assert found.replay.priority.trades == 1


def test_fees_without_a_tier_are_found(day: EngineHarness, tmp_path: Path) -> None:
    announced = c.AnnounceFees(day.engine.inbox_id + 1, 1, day.at_ms, (), 0)
    found = texts(audit(write(day, tmp_path / "journal", announced)))
    assert "announces fees of market 1 without a single tier" in found
    assert "the engine refuses this command" in found


def test_what_nobody_can_sign_is_found(day: EngineHarness, tmp_path: Path) -> None:
    cancel = c.MassCancel(MAKER, 1, 2**31, day.at_ms, b"\x07" * 65, MAKER)
    found = texts(audit(write(day, tmp_path / "journal", cancel), custody=DEPLOYMENT))
    assert "holds what nobody can sign: side does not fit uint8" in found
    assert "it cannot have been signed: side does not fit uint8" in found


def test_a_record_that_nobody_can_sign_hides_no_fraud_in_its_piece(
    day: EngineHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = len(day.kept)
    given = receipt(list(Reader(write(day, tmp_path / "journal")).read()), last)
    day.kept.pop()
    cancel = c.MassCancel(MAKER, 1 << 40, 0, day.at_ms, b"\x07" * 65, MAKER)
    monkeypatch.setattr(
        "exchange.journal.publication.subject_of",
        lambda command: b"\x11" * 32 if command == cancel else subject_of(command),
    )
    forged = published(write(day, tmp_path / "forged", cancel))
    assert [text[:41] for text in problems(given, KEY.address, None, forged)] == [
        "the journal has another record at sequenc"
    ]
    other = published_receipt(forged, DOMAIN, last)
    assert other is not None
    assert list(problems(other, KEY.address)) == []
    assert report_calldata(given, other, STRANGER.raw)


def test_the_chain_is_read_after_the_journal(day: EngineHarness, tmp_path: Path) -> None:
    steps: list[str] = []

    def note(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        steps.append("record")
        return events

    def read_chain() -> ChainLedger:
        steps.append("chain")
        return ChainLedger(DEPLOYMENT)

    audit(published(write(day, tmp_path / "journal")), engine=Hostile(note), read_chain=read_chain)
    assert steps == ["record"] * len(day.kept) + ["chain"]


def test_a_record_that_breaks_a_judge_is_found_and_the_chain_is_read_to_its_end(
    day: EngineHarness, tmp_path: Path
) -> None:
    def fail(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        if getattr(getattr(command, "order", None), "price", 0) == PRICE + 10:
            raise OverflowError("too large")
        return events

    found = audit(published(write(day, tmp_path / "journal")), engine=Hostile(fail))
    assert "cannot be replayed, and nothing after it is: OverflowError: too large" in texts(found)
    assert len(found.findings) == 1
    assert len(found.leaves) == len(day.kept)


def test_a_receipt_beyond_the_journal_is_found(day: EngineHarness, tmp_path: Path) -> None:
    records = list(Reader(write(day, tmp_path / "journal")).read())
    day.kept.pop()
    found = audit(write(day, tmp_path / "shorter"), receipts=[receipt(records, len(records))])
    assert "was acknowledged, the journal ends at" in texts(found)


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda x: _trades(lambda match: replace(match, price=PRICE - 10)), "stood at 5000000"),
        (lambda x: _trades(lambda match: replace(match, quantity=99, quote=99 * PRICE)), "is of 99 lots, both orders"),
        (lambda x: _trades(lambda match: replace(match, quote=1)), "has the quote 1"),
        (lambda x: _trades(lambda match: replace(match, maker_remaining=1)), "what was signed leaves"),
        (lambda x: _without(e.TradeMatched), "ends as filled with 100 lots unfilled"),
        (lambda x: _ending(CloseReason.unfilled), "ends unfilled, and order"),
        (lambda x: _dropping(_sells(x)[0], CloseReason.cancelled), "and nothing in the journal says so"),
        (lambda x: _dropping(_sells(x)[0], CloseReason.expired), "and nothing in the journal says so"),
        (lambda x: _dropping(_sells(x)[0], CloseReason.debited), "and nothing in the journal says so"),
        (lambda x: _resting(), "stood against it"),
    ],
)
def test_every_other_hand_in_the_book_is_found(
    day: EngineHarness, tmp_path: Path, edit: Callable[[EngineHarness], Edit], text: str
) -> None:
    assert text in texts(audit(write(day, tmp_path / "journal"), engine=Hostile(edit(day))))


@pytest.fixture
def stops() -> EngineHarness:
    """Two stops below the price, the nearer one the later, and a trade that reaches both; then their turns."""
    x = EngineHarness()
    for number, account in enumerate((MAKER, OTHER, TAKER)):
        for asset in (USDC, BTC):
            cause = LOG.format(10 * number + asset)
            x.apply(c.Credit(next(x.inbox_ids), account, asset, 10**12, cause))
    for account, trigger in ((TAKER, PRICE - 200), (OTHER, PRICE - 100)):
        terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
        x.sell(account, PRICE - 900, 5, terms=terms, trigger_price=trigger)
    for price in (PRICE - 200, PRICE - 300, PRICE - 400):
        x.buy(MAKER, price, 5)
    x.sell(OTHER, PRICE - 200, 5)
    return x


def test_an_honest_cascade_passes(stops: EngineHarness, tmp_path: Path) -> None:
    assert len([event for event in stops.turns() if isinstance(event, e.OrderTriggered)]) == 2
    assert texts(audit(write(stops, tmp_path / "journal"))) == ""


def test_a_trailing_order_whose_market_halts_in_its_turn_passes(stops: EngineHarness, tmp_path: Path) -> None:
    stops.turns()
    trails = Terms(TimeInForce.ioc, trigger_type=TriggerType.trailing, trail_bps=1).pack()
    stops.sell(TAKER, PRICE - 90_000, 5, terms=trails)
    for price in (PRICE, PRICE - 1_000):
        stops.buy(MAKER, price, 5)
        stops.sell(OTHER, price, 5)
    for status in ("halted", "open"):
        stops.apply(c.SetMarketStatus(next(stops.inbox_ids), 1, status))
        turns = [event for event in stops.apply(c.Tick()) if isinstance(event, e.OrderTriggered)]
    assert len(turns) == 1
    assert texts(audit(write(stops, tmp_path / "journal"))) == ""


def test_a_trigger_out_of_turn_is_found(stops: EngineHarness, tmp_path: Path) -> None:
    stops.turns()
    first, second = _sells(stops)[:2]

    def swap(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [
            replace(event, order_id=first)
            if isinstance(event, e.OrderTriggered) and event.order_id == second
            else event
            for event in events
        ]

    found = texts(audit(write(stops, tmp_path / "journal"), engine=Hostile(swap)))
    assert f"order {first} is triggered, and the turn was {second}'s" in found


def test_a_trigger_that_is_passed_over_is_found(stops: EngineHarness, tmp_path: Path) -> None:
    def forget(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [] if isinstance(command, c.Tick) else events

    stops.turns()
    found = texts(audit(write(stops, tmp_path / "journal"), engine=Hostile(forget)))
    assert "was to work, and did not" in found


def test_a_trigger_before_its_price_is_found(stops: EngineHarness, tmp_path: Path) -> None:
    stops.turns()

    def higher(command: c.Command) -> c.Command:
        if isinstance(command, c.PlaceOrder) and command.order.trigger_price == PRICE - 200:
            return replace(command, order=replace(command.order, trigger_price=PRICE - 450))
        return command

    journal = write(stops, tmp_path / "journal")
    honest = audit(journal).replay
    ledger = PriorityLedger()
    engine = Engine()
    for record in Reader(journal).read():
        ledger.happened(record._replace(command=higher(record.command)), engine.apply(*record[:3]))
    assert any("is triggered, and the turn was" in text for _, text in ledger.problems)
    assert honest.priority.problems == []


def test_an_order_that_comes_before_a_trigger_cannot_be_replayed(stops: EngineHarness, tmp_path: Path) -> None:
    found = texts(audit(write(stops, tmp_path / "journal", stops.order(MAKER, 0, PRICE, 5))))
    assert "a triggered order works first" in found


@pytest.fixture
def change(day: EngineHarness) -> EngineHarness:
    """The second seller asks for less, and so keeps the place, before the third comes; then a taker meets it."""
    old = day.engine.open_orders(OTHER)[0].placed.order
    order = replace(old, quantity=60)
    day.apply(c.AmendOrder(order, keccak(repr(order).encode()), 0, b"\x07" * 65, OTHER))
    day.sell(MAKER, PRICE, 100)
    day.buy(TAKER, PRICE, 70)
    return day


def test_an_honest_amend_passes(change: EngineHarness, tmp_path: Path) -> None:
    assert texts(audit(write(change, tmp_path / "journal"))) == ""


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda event: replace(event, kept_place=False), "loses the place of"),
        (lambda event: replace(event, remaining=100), "it may fill 60"),
        (lambda event: replace(event, replaced=1), "does not stand here"),
    ],
)
def test_a_wrong_amend_is_found(
    change: EngineHarness, tmp_path: Path, edit: Callable[[e.OrderAmended], e.OrderAmended], text: str
) -> None:
    def tell(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [edit(event) if isinstance(event, e.OrderAmended) else event for event in events]

    assert text in texts(audit(write(change, tmp_path / "journal"), engine=Hostile(tell)))


@pytest.fixture
def auction(day: EngineHarness) -> EngineHarness:
    """Orders that gather and trade at one price, in two parts."""
    day.apply(c.SetLimits(0, 100, 1))
    day.apply(c.StartAuction(next(day.inbox_ids), 1, 0))
    day.buy(TAKER, PRICE + 400, 130)
    day.buy(MAKER, PRICE + 200, 50)
    day.sell(MAKER, PRICE + 300, 20)
    day.apply(c.SetMarketStatus(next(day.inbox_ids), 1, "open"))
    day.turns()
    day.buy(TAKER, PRICE + 10, 5)
    return day


def test_an_honest_auction_passes(auction: EngineHarness, tmp_path: Path) -> None:
    found = audit(write(auction, tmp_path / "journal"))
    assert texts(found) == ""
    assert found.replay.priority.trades == 5


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (
            lambda event: replace(event, price=PRICE + 200),
            "for 180 lots, -20 left over; at 5000010 it is 180",
        ),
        (lambda event: replace(event, price=PRICE), "left over; at 5000010 it is 180 lots"),
        (lambda event: replace(event, bids=170), "bid and asked at 5000010: it is 180 and 200"),
        (lambda event: replace(event, market=2), "market 2 has a price of an auction, and is in none"),
        (lambda event: replace(event, price=PRICE + 15), "is off the tick"),
    ],
)
def test_a_wrong_price_of_an_auction_is_found(
    auction: EngineHarness, tmp_path: Path, edit: Callable[[e.AuctionPriced], e.AuctionPriced], text: str
) -> None:
    def tell(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [edit(event) if isinstance(event, e.AuctionPriced) else event for event in events]

    assert text in texts(audit(write(auction, tmp_path / "journal"), engine=Hostile(tell)))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda match: replace(match, price=PRICE), "the auction's price is 5000010"),
        (lambda match: replace(match, quantity=1), "is of 1 lots, both orders allow"),
        (lambda match: replace(match, maker_fee=match.maker_fee + 1), "the schedule of its acceptance asks"),
        (
            lambda match: replace(match, maker_order=match.taker_order, taker_order=match.maker_order),
            "is the maker, and came after order",
        ),
    ],
)
def test_a_wrong_trade_of_an_auction_is_found(
    auction: EngineHarness, tmp_path: Path, edit: Callable[[e.TradeMatched], e.TradeMatched], text: str
) -> None:
    def tell(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        ticked = isinstance(command, c.Tick)
        return [edit(event) if ticked and isinstance(event, e.TradeMatched) else event for event in events]

    assert text in texts(audit(write(auction, tmp_path / "journal"), engine=Hostile(tell)))


def test_an_auction_that_is_not_finished_is_found(auction: EngineHarness, tmp_path: Path) -> None:
    def forget(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [] if isinstance(command, c.Tick) else events

    found = texts(audit(write(auction, tmp_path / "journal"), engine=Hostile(forget)))
    assert "the auction of market 1 was to trade, and did not" in found
    assert "the order comes before the auction of market 1 has traded" in found


def test_an_auction_that_opens_with_orders_left_is_found(auction: EngineHarness, tmp_path: Path) -> None:
    def early(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        opens = isinstance(command, c.SetMarketStatus)
        return [*events, e.MarketChanged(1, "open")] if opens else events

    found = texts(audit(write(auction, tmp_path / "journal"), engine=Hostile(early)))
    assert "180 lots that meet in its auction did not trade" in found


@pytest.fixture
def pair(day: EngineHarness) -> EngineHarness:
    """A sale at a profit and a stop as legs of one group; then the first fills."""
    day.sell(OTHER, PRICE, 10, terms=Terms(group=7).pack())
    terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=7).pack()
    day.sell(OTHER, PRICE - 900, 10, terms=terms, trigger_price=PRICE - 500)
    day.buy(TAKER, PRICE, 104)
    return day


def test_an_honest_group_passes(pair: EngineHarness, tmp_path: Path) -> None:
    assert texts(audit(write(pair, tmp_path / "journal"))) == ""


def test_a_group_whose_other_leg_stays_is_found(pair: EngineHarness, tmp_path: Path) -> None:
    def keep(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [event for event in events if getattr(event, "reason", "") != CloseReason.group]

    limit, stop = _sells(pair)[-2:]
    found = texts(audit(write(pair, tmp_path / "journal"), engine=Hostile(keep)))
    assert f"order {limit} decides its group, and order {stop}, the other leg, stays" in found


def test_a_group_that_ends_for_nothing_is_found(pair: EngineHarness, tmp_path: Path) -> None:
    limit = _sells(pair)[-2]

    def end(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        ended = e.OrderClosed(limit, _account(pair, OTHER), 1, CloseReason.group, 10)
        return [*events, ended] if getattr(getattr(command, "order", None), "trigger_price", 0) else events

    found = texts(audit(write(pair, tmp_path / "journal"), engine=Hostile(end)))
    assert f"order {limit} ends for its group, and no other leg of it filled, worked or ended" in found


def test_a_group_whose_legs_fill_both_is_found(pair: EngineHarness, tmp_path: Path) -> None:
    limit, stop = _sells(pair)[-2:]

    def both(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        kept = [event for event in events if getattr(event, "reason", "") != CloseReason.group]
        if len(kept) == len(events):
            return events
        return [*kept, e.OrderTriggered(stop, _account(pair, OTHER), 1, PRICE)]

    found = texts(audit(write(pair, tmp_path / "journal"), engine=Hostile(both)))
    assert f"orders {limit} and {stop} are legs of one group, and both filled or worked" in found


def test_a_third_leg_is_found(pair: EngineHarness, tmp_path: Path) -> None:
    """The engine refuses it; one that took it would be seen to."""
    journal = write(pair, tmp_path / "journal")
    ledger, engine = PriorityLedger(), Engine()
    third = Terms(group=7).pack()
    for record in Reader(journal).read():
        command = record.command
        events = engine.apply(*record[:3])
        if isinstance(command, c.PlaceOrder) and command.order.terms == 0 and command.order.account == OTHER:
            command = replace(command, order=replace(command.order, terms=third))
            events = [replace(event, terms=third) if isinstance(event, e.OrderAccepted) else event for event in events]
        ledger.happened(record._replace(command=command), events)
    assert any("which was decided before, or has two" in text for _, text in ledger.problems)


def test_a_fill_or_kill_that_the_collar_keeps_from_its_last_lots_is_no_finding(
    day: EngineHarness, tmp_path: Path
) -> None:
    day.apply(c.SetMarketBounds(next(day.inbox_ids), 1, 100, 0, 0, 0, 0))
    day.sell(MAKER, PRICE + 10_000, 5)
    day.sell(MAKER, PRICE + 60_000, 5)
    events = day.buy(TAKER, PRICE + 70_000, 500, tif=TimeInForce.fok)
    assert reasons(events) == [(day.engine.seq, "price_collar")]
    assert not texts(audit(write(day, tmp_path / "journal")))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda event: event, ""),
        (lambda event: replace(event, collar_bps=0), "the order ends at the collar, and nothing stood beyond it"),
        (lambda event: replace(event, collar_bps=1), "beyond the collar around"),
    ],
)
def test_a_wrong_collar_is_found(
    day: EngineHarness, tmp_path: Path, edit: Callable[[e.MarketBoundsChanged], e.MarketBoundsChanged], text: str
) -> None:
    day.apply(c.SetMarketBounds(next(day.inbox_ids), 1, 100, 0, 0, 0, 0))
    day.sell(MAKER, PRICE + 60_000, 5)
    day.sell(OTHER, PRICE + 10_000, 5)
    day.buy(TAKER, PRICE + 70_000, 500)

    def tell(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [edit(event) if isinstance(event, e.MarketBoundsChanged) else event for event in events]

    found = texts(audit(write(day, tmp_path / "journal"), engine=Hostile(tell)))
    assert text in found
    assert bool(text) == bool(found)


def test_what_is_published_otherwise_takes_the_bond(day: EngineHarness, tmp_path: Path) -> None:
    """From a receipt and the published journal to the call, and the contract obeys it."""
    bond = create(signer=checksum(KEY.address))
    domain = Domain(NAME, CHAIN_ID, address_bytes(str(bond.address)))
    records = list(Reader(write(day, tmp_path / "journal")).read())
    seq = _sells(day)[0]
    given = receipt(records, seq, domain)
    day.kept = [each for each in day.kept if each[0] != seq]
    out = tmp_path / "published"
    list(publish(write(day, tmp_path / "forged"), out, domain, KEY.sign, 1))
    there = replace(
        DEPLOYMENT, chain_id=CHAIN_ID, operator_bond=str(bond.address), receipt_signer=checksum(KEY.address)
    )
    (tmp_path / "deployment.json").write_text(json.dumps(there.to_json()))
    (tmp_path / "receipt.json").write_text(json.dumps(given.to_json()))
    arguments = ["audit", "fraud", str(tmp_path / "receipt.json"), str(out), "--recipient", STRANGER.address]
    done = CliRunner().invoke(app, [*arguments, "--deployment", str(tmp_path / "deployment.json")])
    assert done.exit_code == 0, done.exception
    calldata = bytes.fromhex(done.output.split()[-1].removeprefix("0x"))
    boa.env.raw_call(str(bond.address), sender=STRANGER.address, data=calldata)
    assert (bond.bond(), boa.env.get_balance(STRANGER.address)) == (0, BOND // 10)
    with pytest.raises(ReceiptError, match="do not contradict"):
        report_calldata(given, given, bytes(20))


def test_the_command_says_it_and_exits(day: EngineHarness, tmp_path: Path) -> None:
    journal = write(day, tmp_path / "journal")
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps(replace(DEPLOYMENT, receipt_signer=checksum(KEY.address)).to_json()))
    runner, out = CliRunner(), str(published(journal))
    done = runner.invoke(app, ["audit", "replay", out, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output.splitlines()[-1])["trades"] == 1
    done = runner.invoke(app, ["audit", "replay", out, "--deployment", str(deployment), "--json"])
    findings = json.loads(done.output.splitlines()[-1])["findings"]  # no real signatures, and nothing of limits
    assert (done.exit_code, {finding["check"] for finding in findings}) == (1, {"signatures", "backlog"})
    forged = write(day, tmp_path / "forged", c.ReverseTrades(day.engine.inbox_id + 1, (1,), "because"))
    done = runner.invoke(app, ["audit", "replay", str(forged), "--unsigned"])
    assert (done.exit_code, "cites no block" in done.output) == (1, True)
    assert "fills: one finding" in done.output
    done = runner.invoke(app, ["audit", "replay", out, "--deployment", str(tmp_path / "nowhere.json")])
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (2, True), (
        "a slip is named, and no audit is begun"
    )


@pytest.mark.parametrize("name", ["empty", "journal", "raw"])
def test_a_folder_where_nothing_is_published_is_no_clean_journal(day: EngineHarness, tmp_path: Path, name: str) -> None:
    """Also that of the raw records alone, which no piece signs."""
    (tmp_path / "empty").mkdir()
    out = published(write(day, tmp_path / "journal"))
    folder = out / "raw" if name == "raw" else tmp_path / name
    done = CliRunner().invoke(app, ["audit", "replay", str(folder)])
    assert isinstance(done.exception, SupervisorError)
    assert f"there is no published journal in {folder}: it has no index.jsonl" in str(done.exception)
    done = CliRunner().invoke(app, ["audit", "replay", str(folder), "--unsigned"])
    assert ("every line follows" in done.output) is (name != "empty")


def _sells(x: EngineHarness) -> list[int]:
    """The ids of the sells, in order."""
    return [seq for seq, _, command in x.kept if isinstance(command, c.PlaceOrder) and command.order.side == 1]


def _account(x: EngineHarness, address: bytes) -> int:
    return x.engine.state.by_address[address].account_id


def _trades(change: Callable[[e.TradeMatched], e.TradeMatched]) -> Edit:
    """Tell other trades."""

    def edit(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [change(event) if isinstance(event, e.TradeMatched) else event for event in events]

    return edit


def _without(kind: type) -> Edit:
    """Keep something quiet."""
    return lambda command, events: [event for event in events if not isinstance(event, kind)]


def _is_taking(command: c.Command) -> bool:
    return isinstance(command, c.PlaceOrder) and command.order.side == 0


def _ending(reason: CloseReason) -> Edit:
    """The taker is told to have met nobody."""

    def edit(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        if not _is_taking(command):
            return events
        accepted = [event for event in events if isinstance(event, e.OrderAccepted)]
        order = accepted[0]
        return [*accepted, e.OrderClosed(order.order_id, order.account, order.market, reason, order.quantity)]

    return edit


def _resting() -> Edit:
    """The taker is told to rest where it crosses."""

    def edit(command: c.Command, events: list[e.Event]) -> list[e.Event]:
        return [event for event in events if isinstance(event, e.OrderAccepted)] if _is_taking(command) else events

    return edit


def _dropping(order_id: int, reason: CloseReason) -> Edit:
    """A resting order is taken out of the book before the taker comes."""

    def edit(command: c.Command, events: Iterable[e.Event]) -> list[e.Event]:
        dropped = [e.OrderClosed(order_id, 1, 1, reason, 100)] if _is_taking(command) else []
        return [*dropped, *events]

    return edit
