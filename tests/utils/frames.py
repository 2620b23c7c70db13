"""Signed frames for tests."""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

from exchange.domain.bulk import Tree
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.frame import pack_amends
from exchange.domain.order import Order
from exchange.engine.commands import PlaceFrame, PlaceMixedFrame
from exchange.journal.codec import encode_command
from exchange.sequencer.protocol import (
    MAX_ANSWER,
    FrameAck,
    FrameOutcomes,
    Frames,
    decode_from_engine,
    encode_frame,
    read_frame,
    unavailable,
)
from tests.utils.signing import Signer

DOMAIN = Domain("Bizzan", 31_337, b"\xcc" * 20)


def frame_of(
    signer: Signer, orders: Sequence[Order], domain: Domain = DOMAIN, account: bytes | None = None
) -> PlaceFrame:
    """Orders under one signature; of the signer's own account unless said otherwise."""
    tree = Tree(orders)
    delegated = account is not None and account != signer.raw
    scheme = Scheme.bulk | Scheme.delegate if delegated else Scheme.bulk
    signature = signer.key.sign(tree.digest(domain))
    packed = b"".join(order.pack() for order in orders)
    return PlaceFrame(signer.raw, int(scheme), domain.separator, tree.root, signature, packed)


def mixed_frame_of(
    signer: Signer,
    orders: Sequence[Order],
    amends: Collection[int] = (),
    domain: Domain = DOMAIN,
    account: bytes | None = None,
) -> PlaceMixedFrame:
    """Orders of any kind under one signature, of which those at some places amend."""
    plain = frame_of(signer, orders, domain, account)
    signed = (plain.signer, plain.scheme, plain.separator, plain.root, plain.signature, plain.orders)
    return PlaceMixedFrame(*signed, pack_amends(len(orders), amends))


async def submit_frame(socket: Path | str, frame: PlaceFrame) -> FrameAck:
    """Submit a frame, on a connection of its own, and wait until it is applied.

    Raises the engine's Refusal, and `unavailable` when the engine goes away.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
        try:
            writer.write(encode_frame(Frames(1, False, [encode_command(frame)])))
            answer = decode_from_engine(await read_frame(reader, MAX_ANSWER))
        finally:
            writer.close()
    except (OSError, EOFError):
        raise unavailable("the engine went away", 500) from None
    assert isinstance(answer, FrameOutcomes)
    outcome = answer.outcomes[0]
    if isinstance(outcome, FrameAck):
        return outcome
    raise outcome.refusal()
