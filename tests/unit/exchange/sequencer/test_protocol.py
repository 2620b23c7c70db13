"""Every event survives the socket; what does not belong there is refused."""

from typing import get_args

import pytest

from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Asset
from exchange.engine import events as e
from exchange.engine.engine import Engine
from exchange.sequencer.protocol import (
    EVENTS,
    MAX_FRAME,
    Ack,
    Outcomes,
    ProtocolError,
    Refused,
    Submit,
    decode_from_client,
    decode_from_engine,
    encode_frame,
)
from tests.unit.exchange.journal.samples import MARKET
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS

HASH, ADDRESS = bytes(32), bytes(20)


def _every_event() -> list[e.Event]:
    """At least one event of every class."""
    engine = Engine()
    events = [event for seq, command in enumerate(COMMANDS, 1) for event in engine.apply(seq, NOW_MS, command)]
    return [
        *events,
        e.AssetListed(Asset(0, "USDC", 6)),
        e.MarketListed(MARKET, 1),
        e.MarketChanged(1, "halted"),
        e.FeeRulesChanged(100, 3_600_000),
        e.FeesAnnounced(1, 2**40, ((200, 500), (0, 25)), 7),
        e.AccountTierSet(1, 2, 2**40),
        e.OrderReduced(1, 1, 1, 3, 4),
        e.OrderTriggered(1, 1, 1, 3),
        e.OrderAmended(2, 1, 1, 1, 3, True),
        e.MarketBoundsChanged(1, 500, 10, 20, 3, 40, 2_000),
        e.AccountLimitsChanged(1, 50, 0, 2**62),
        e.AuctionStarted(1, 1_900_000_000),
        e.AuctionPriced(1, 100, 8, 5),
        e.CountdownSet(1, 2**40),
        e.TradingStopChanged(1, True, False),
        e.LimitsChanged(1, 2, 3),
        e.AccountChanged(1, "blocked", 2**48),
        e.Debited(1, 0, 5, 1, "log"),
        e.WithdrawalHeld(1, 0, 5, HASH, 1, 2, "{}", b"\1" * 65),
        e.WithdrawalEnded(HASH, "consumed", "log"),
        e.ForcedReserved(1, 0, 5, 4, "request"),
        e.ForcedReleased("request", "claimed"),
        e.BatchCut(1, 0, 9),
        e.BatchFinalized(1),
        e.TradeReversed(1, 2, 3, "cause", 0),
    ]


def test_every_event_survives_encoding() -> None:
    events = _every_event()
    assert {type(event) for event in events} == set(get_args(e.Event))
    for event in events:
        assert EVENTS.decode(EVENTS.encode(event)) == event


def test_messages_survive_framing() -> None:
    refusal = Refusal(ErrorCode.nonce_used, "used", "nonce", {"nonce": "5", "count": 2})
    for outcome in (Ack(1, 2), Ack(1, 2, 1, True), Refused.of(refusal)):
        frame = encode_frame(Outcomes(7, [outcome]))
        assert int.from_bytes(frame[:4]) == len(frame) - 4
        assert decode_from_engine(frame[4:]) == Outcomes(7, [outcome])
    assert Refused.of(refusal).refusal().as_dict() == refusal.as_dict()
    assert decode_from_client(encode_frame(Submit(1, [b"x"]))[4:]) == Submit(1, [b"x"])


@pytest.mark.parametrize("body", [b"", b"\xc0", b"\x93\x04\x01\x90", b"\x93\x01\x01\x91\x05", b"\x92\x02\x01"])
def test_other_messages_are_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_from_client(body)


def test_too_large_a_frame_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="at most"):
        encode_frame(Submit(1, [bytes(MAX_FRAME)]))
