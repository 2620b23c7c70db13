"""What accounts ask for on chain that the engine must obey: exits, freezes, cancels, revocations; and by when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # that module reads the times of what is asked for here
    from bizzan.audit.chain_ledger import ChainLedger, Place

OBEY_BLOCKS = 100
"""So many blocks after its log a demand must be in the journal."""

Subject = tuple[str, bytes, object]
"""What is asked for, of which account, and which nonce, minimum nonce or key."""


@dataclass(frozen=True, slots=True)
class Demand:
    """An account stops something (`on`), or lets it go on."""

    place: Place
    on: bool


def deadlines(chain: ChainLedger, last_block: int) -> set[int]:
    """The blocks by which what was asked for must be obeyed, as far as they are there."""
    asked = {demand.place.block_number + OBEY_BLOCKS for each in demands(chain).values() for demand in each}
    return {number for number in asked if number <= last_block}


def timed_blocks(chain: ChainLedger, last_block: int) -> set[int]:
    """The blocks whose times say whether the engine was told in time, and not before: deadlines, and what goes on."""
    asked = {demand.place.block_number for each in demands(chain).values() for demand in each if not demand.on}
    return asked | deadlines(chain, last_block)


def demands(chain: ChainLedger) -> Mapping[Subject, Sequence[Demand]]:
    """What accounts asked for, by subject and in order."""
    found: dict[Subject, list[Demand]] = {}
    for kept in chain.kept:
        known = _SUBJECTS.get(kept.name)
        if known is not None:
            kind, field, on = known
            subject = kind, kept.values["account"], kept.values.get(field)
            found.setdefault(subject, []).append(Demand(kept.place, on))
    return found


_SUBJECTS: Mapping[str, tuple[str, str, bool]] = {
    "ExitRequested": ("exit", "", True),
    "ExitCancelled": ("exit", "", False),
    "AccountFrozen": ("freeze", "", True),
    "AccountUnfrozen": ("freeze", "", False),
    "NonceCancelled": ("cancel", "nonce", True),
    "NoncesCancelled": ("cancel-all", "min_nonce", True),
    "DelegateAdded": ("revocation", "delegate", False),
    "DelegateRevoked": ("revocation", "delegate", True),
}
