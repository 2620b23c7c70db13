"""Single orders as they were signed, in records of one size, which an engine over arrays applies without objects."""

from typing import NamedTuple


class Layout(NamedTuple):
    """Where in a record of `size` bytes its parts begin: the packed order (80 bytes), its hash (32), its scheme (1),
    its signature (65) and its signer (20)."""

    size: int
    order: int
    order_hash: int
    scheme: int
    signature: int
    signer: int
