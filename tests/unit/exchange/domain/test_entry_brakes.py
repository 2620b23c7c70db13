"""What takes orders back, as it travels to order entry: its bytes, what is signed, what its receipt is of."""

from dataclasses import replace

import pytest

from exchange.domain import entry as wire
from exchange.domain.entry import Brake, Kind
from exchange.domain.receipt import (
    cancel_all_subject,
    cancel_subject,
    countdown_subject,
    mass_cancel_subject,
    trading_stop_subject,
)
from tests.utils.frames import DOMAIN
from tests.utils.signing import Signer

OWNER = Signer("owner")
SIGNATURE = bytes(range(65))
LARGEST = (1 << 64) - 1
BRAKES = [
    (Brake(Kind.cancel, 1, {"nonce": LARGEST}, SIGNATURE), cancel_subject(OWNER.raw, LARGEST)),
    (
        Brake(Kind.mass_cancel, LARGEST, {"market": 7, "side": 2, "nonce": 9}, SIGNATURE),
        mass_cancel_subject(OWNER.raw, 7, 2, 9),
    ),
    (Brake(Kind.countdown, 3, {"seconds": 86_400, "nonce": 9}, SIGNATURE), countdown_subject(OWNER.raw, 86_400, 9)),
    (Brake(Kind.cancel_all, 4, {"min_nonce": LARGEST}, SIGNATURE), cancel_all_subject(OWNER.raw, LARGEST)),
    (Brake(Kind.trading_stop, 5, {"stopped": 1, "nonce": 9}, SIGNATURE), trading_stop_subject(OWNER.raw, True, 9)),
    (Brake(Kind.trading_stop, 6, {"stopped": 0, "nonce": 9}, SIGNATURE), trading_stop_subject(OWNER.raw, False, 9)),
]
EVERY_BRAKE = pytest.mark.parametrize(("brake", "subject"), BRAKES, ids=[Kind(one.kind).name for one, _ in BRAKES])


def body(brake: Brake) -> bytes:
    packed = brake.pack()
    assert int.from_bytes(packed[:4]) == len(packed) - 4
    assert packed[4] == brake.kind
    return packed[5:]


@EVERY_BRAKE
def test_a_brake_comes_as_it_was_sent(brake: Brake, subject: bytes) -> None:
    assert Brake.unpack(brake.kind, body(brake)) == brake
    assert wire.number_in(brake.kind, body(brake)) == brake.number
    assert wire.is_brake(brake.kind)


@EVERY_BRAKE
def test_its_receipt_is_of_what_the_journal_has(brake: Brake, subject: bytes) -> None:
    assert brake.subject(OWNER.raw) == subject


@EVERY_BRAKE
def test_what_is_cut_short_or_goes_on_is_refused_at_every_length(brake: Brake, subject: bytes) -> None:
    whole = body(brake)
    name = Kind(brake.kind).name
    for size in (*range(len(whole)), len(whole) + 1):
        with pytest.raises(wire.ProtocolError, match=f"{name} has {len(whole)} bytes, here are {size}"):
            Brake.unpack(brake.kind, (whole + b"\0")[:size])


@EVERY_BRAKE
def test_every_field_is_under_the_signature_and_the_account_is(brake: Brake, subject: bytes) -> None:
    digests = {brake.digest(DOMAIN, OWNER.raw), brake.digest(DOMAIN, Signer("other").raw)}
    for name, value in brake.fields.items():
        digests.add(replace(brake, fields={**brake.fields, name: value ^ 1}).digest(DOMAIN, OWNER.raw))
    assert len(digests) == 2 + len(brake.fields)


@pytest.mark.parametrize("stopped", [2, 255])
def test_trading_is_stopped_or_it_is_not(stopped: int) -> None:
    brake = Brake(Kind.trading_stop, 5, {"stopped": stopped, "nonce": 9}, SIGNATURE)
    with pytest.raises(wire.ProtocolError, match=f"stopped is 1 to stop trading or 0 to start it again, not {stopped}"):
        Brake.unpack(brake.kind, body(brake))


@pytest.mark.parametrize("side", [3, 255])
def test_orders_are_cancelled_on_one_side_or_on_both(side: int) -> None:
    brake = Brake(Kind.mass_cancel, 5, {"market": 1, "side": side, "nonce": 9}, SIGNATURE)
    with pytest.raises(wire.ProtocolError, match=rf"side is 0 \(buy\), 1 \(sell\) or 2 \(both\), not {side}"):
        Brake.unpack(brake.kind, body(brake))


def test_orders_and_answers_are_no_brakes() -> None:
    brakes = {kind for kind in Kind if wire.is_brake(kind)}
    assert brakes == {Kind.cancel, Kind.mass_cancel, Kind.countdown, Kind.cancel_all, Kind.trading_stop}
