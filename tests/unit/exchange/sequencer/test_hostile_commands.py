"""No command that the codec lets through stops the engine: it is applied, or refused and leaves no trace.

Anything else raised while a group is applied ends the process, so a client could keep the engine down with it.
"""

from typing import Any, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.errors import Refusal
from exchange.domain.order import Order
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.journal.codec import COMMAND_KINDS, CodecError, decode_command, encode_command
from exchange.journal.reader import Record
from exchange.journal.receipts import leaf_of
from exchange.sequencer.fold import Fold
from exchange.sequencer.items import INTERNAL
from exchange.sequencer.protocol import EVENTS
from tests.unit.exchange.journal.test_recovery import COMMANDS, FEES, MAKER, NOW_MS, TAKER

SMALL = st.sampled_from([0, 1, 2, 3, 5, 20, 40])
U63 = st.one_of(SMALL, st.integers(0, 2**63 - 1))
U64 = st.one_of(SMALL, st.integers(0, 2**64 - 1), st.just(2**63 | 5))
ADDRESS = st.sampled_from([MAKER, TAKER, FEES, b"\7" * 20])
ORDER = st.builds(
    Order,
    account=ADDRESS,
    market=st.sampled_from([0, 1, 1, 1, 2**32 - 1]),
    side=st.sampled_from([0, 1, 2, 255]),
    price=st.one_of(st.sampled_from([600_000, 600_010, 0]), U64),
    quantity=st.one_of(st.sampled_from([2, 3]), U64),
    nonce=U64,
    expiry=st.sampled_from([0, NOW_MS // 1_000 + 60, 2**40 - 1]),
    trigger_price=st.sampled_from([0, 0, 0, 2**64 - 1]),
    max_fee_bps=st.sampled_from([0, 10, 10_000, 2**16 - 1]),
    terms=st.one_of(st.sampled_from([0, 1, 2, 3, 4]), st.integers(0, 2**128 - 1)),
)
FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    Order: ORDER,
    "nonce": U64,
    "min_nonce": U64,
    "account": ADDRESS,
    "signer": ADDRESS,
    "delegate": ADDRESS,
    "order_hash": st.binary(min_size=32, max_size=32),
    "withdrawal_hash": st.sampled_from([bytes(32), b"\1" * 32]),
    int: U63,
    int | None: st.one_of(st.none(), SMALL, U63),
    str: st.sampled_from(["", "a", "\0", "open", "halted", "\ud7ff" * 3]),
    bytes: st.binary(max_size=70),
    bool: st.booleans(),
    tuple[int, ...]: st.lists(SMALL, max_size=4).map(tuple),
    tuple[tuple[int, int], ...]: st.lists(st.tuples(U63, st.one_of(SMALL, U63)), max_size=3).map(tuple),
}
FIELDS[c.PlaceOrder] = st.builds(
    c.PlaceOrder, ORDER, FIELDS["order_hash"], U63, FIELDS[bytes], ADDRESS, client_order_id=FIELDS[str]
)


def _commands() -> st.SearchStrategy[c.Command]:
    kinds: list[st.SearchStrategy[c.Command]] = []
    for cls in COMMAND_KINDS.values():
        if cls not in INTERNAL:
            hints = get_type_hints(cls)
            kinds.append(
                st.builds(cls, **{name: FIELDS[name if name in FIELDS else hint] for name, hint in hints.items()})
            )
    return st.one_of(kinds)


@settings(max_examples=150, deadline=None)
@given(st.lists(_commands(), max_size=25))
def test_no_command_stops_the_engine_or_its_projection_or_its_publication(commands: list[c.Command]) -> None:
    engine = Engine()
    fold = Fold(lambda _seq: bytes(32))
    seq = 0
    for number, command in enumerate([*COMMANDS[:5], *commands]):
        try:
            received = decode_command(encode_command(command))
        except CodecError:
            continue
        before = engine.state_hash()
        try:
            events = engine.apply(seq + 1, NOW_MS + number, received)
        except Refusal:
            assert engine.state_hash() == before
            continue
        seq += 1
        record = Record(seq, NOW_MS + number, received, bytes(32))
        assert len(leaf_of(record)) == 32, "it can be published"
        fold.add(record, events)
        assert [EVENTS.decode(EVENTS.encode(event)) for event in events] == events
    assert Engine.load(engine.dump()).state_hash() == engine.state_hash()
    assert fold.finish().seq == seq
