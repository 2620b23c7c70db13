"""Signatures checked on every core: what the processes of the pool do. Nothing here knows of connections."""

import os
import threading
import time
from collections.abc import Sequence

from exchange.domain.eip712 import Scheme
from exchange.domain.entry import SIGNED_ORDER_SIZE
from exchange.domain.frame import judge, unfold
from exchange.domain.order import PACKED_SIZE, Order
from exchange.domain.recovery import recover
from exchange.engine.commands import PlaceOrder
from exchange.journal.codec import encode_command

ATTEND_SECONDS = 0.5

Judged = tuple[bytes, bytes, int, int] | None
"""An order by itself as a command's bytes, with its signer, market and expiry; None where nobody signed it."""

FrameParts = tuple[bytes, int, bytes, bytes, bytes, bytes]
"""Separator, scheme, signer, root, signature, orders."""


def judge_frames(frames: Sequence[FrameParts]) -> list[str]:
    """What is wrong with each frame; nothing where it stands."""
    return [judge(*frame).flaw for frame in frames]


def judge_orders(separator: bytes, signed: bytes) -> list[Judged]:
    """Single orders, each packed with its signature behind it."""
    size = SIGNED_ORDER_SIZE
    packed = [signed[at : at + PACKED_SIZE] for at in range(0, len(signed), size)]
    digests = unfold(b"".join(packed), separator).digests
    judged: list[Judged] = []
    for index, order in enumerate(packed):
        digest = digests[32 * index : 32 * index + 32]
        signature = signed[size * index + PACKED_SIZE : size * (index + 1)]
        signer = recover(digest, signature)
        if signer is None:
            judged.append(None)
            continue
        scheme = Scheme.account if signer == order[:20] else Scheme.delegate
        command = PlaceOrder(Order.unpack(order), digest, int(scheme), signature, signer)
        judged.append((encode_command(command), signer, command.order.market, command.order.expiry))
    return judged


def attend(parent: int) -> None:
    """Called first in each process of the pool: it ends soon after its parent, however that ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ATTEND_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def warm_up() -> bool:
    """Called in each process of the pool once, so that the first order does not wait for its start."""
    return True
