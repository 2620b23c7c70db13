"""Nonces that are never used twice, also after a restart, and cheap to settle.

The contract keeps the marks of 128 nonces, the counts of four orders that were filled in parts, or 256 single-fill
bits in one storage slot, side by side for neighbouring nonces: nonces that follow one another are the cheapest. They
need not start at zero. So each process starts at the time of its start in milliseconds (41 bits of the 48 there are)
and counts on from there: nothing is written to disk, and a process that signs fewer than 1,000 orders a second never
meets the range of the next. Both kinds of nonces are counted apart, so that each fills its own slots.
"""

from exchange.domain.order import NONCE_LIMIT, SINGLE_FILL


class Nonces:
    """Counts nonces of one account from `start` (48 bits; usually the time in milliseconds)."""

    def __init__(self, start: int) -> None:
        if not 0 <= start < NONCE_LIMIT:
            raise ValueError(f"a nonce starts below 2**48, not at {start}")
        self._multiple = start
        self._single = start

    def next(self, *, single_fill: bool = False) -> int:
        """The next nonce; with the top bit set for an order that may execute once."""
        if single_fill:
            self._single += 1
            return self._checked(self._single) | SINGLE_FILL
        self._multiple += 1
        return self._checked(self._multiple)

    def raise_to(self, minimum: int) -> None:
        """Skip everything below `minimum`: the account's minimum nonce after a cancel-all."""
        self._multiple = max(self._multiple, minimum - 1)
        self._single = max(self._single, minimum - 1)

    @staticmethod
    def _checked(nonce: int) -> int:
        if nonce >= NONCE_LIMIT:
            raise ValueError("the account's nonces are used up: use another account")
        return nonce
