"""Two legs of a group, sent one after the other: what the client hears never says less than what is open."""

from typing import Any

import pytest

from backend.orders import schemas, service
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine import commands
from exchange.sequencer.protocol import unavailable

ACK = schemas.Ack(seq=5, at=1, order_id=5, order_hash="0x" + "05" * 32, duplicate=False)
FULL, CLOSED = unavailable("too many commands wait", 500), Refusal(ErrorCode.order_closed, "closed", "nonce")
LOST = unavailable("the engine went away", 500, outcome="unknown")
LOW = Refusal(ErrorCode.insufficient_balance, "too little", "quantity")


async def placed(monkeypatch: pytest.MonkeyPatch, *outcomes: Refusal) -> tuple[Refusal, list[str]]:
    """What the client hears when the second leg, then the cancel of the first, is refused; and what was sent."""
    sent: list[str] = []
    undo = commands.CancelOrder(b"\x01" * 20, 1, b"", b"\x01" * 20)

    async def submit(api: object, kind: str, command: object, order_hash: bytes | None = None) -> schemas.Ack:
        sent.append(kind)
        if len(sent) > 1 and len(sent) <= 1 + len(outcomes):
            raise outcomes[len(sent) - 2]
        return ACK

    monkeypatch.setattr(service, "_submit", submit)
    with pytest.raises(Refusal) as caught:
        await service._place_legs(None, [(None, b""), (None, b"")], undo)  # type: ignore[arg-type,list-item]
    return caught.value, sent


@pytest.mark.parametrize(
    ("outcomes", "sent"),
    [((LOST,), 2), ((FULL, FULL), 3), ((LOW, LOST), 3), ((LOW, FULL), 3)],
)
async def test_an_answer_names_the_first_leg_where_it_may_be_open(
    monkeypatch: pytest.MonkeyPatch, outcomes: Any, sent: int
) -> None:
    refusal, kinds = await placed(monkeypatch, *outcomes)
    assert (refusal.code, len(kinds)) == (ErrorCode.unavailable, sent)
    assert {name: refusal.params[name] for name in ("outcome", "first_seq", "first_order_id", "first_order_hash")} == {
        "outcome": "unknown",
        "first_seq": 5,
        "first_order_id": 5,
        "first_order_hash": ACK.order_hash,
    }


@pytest.mark.parametrize("outcomes", [(LOW,), (FULL,), (LOW, CLOSED)])
async def test_a_second_leg_that_is_refused_is_the_answer_where_the_first_has_ended(
    monkeypatch: pytest.MonkeyPatch, outcomes: Any
) -> None:
    refusal, kinds = await placed(monkeypatch, *outcomes)
    assert (refusal, kinds) == (outcomes[0], ["place", "place", "cancel"])
