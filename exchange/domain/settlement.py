"""From fills to calldata: executions in the six words that the contract reads.

    head   word 0 of the packed order
    body   word 1 of the packed order
    fill   terms 128 | lots 64 | quote 64
    tail   scheme 8 | zero 184 | fee 64
           in bulk: scheme 8 | zero 144 | start 16 | height 8 | index 16 | fee 64
    r, vs  the signature, compact (EIP-2098: the top bit of `vs` is the parity)

The paths of orders that were signed in bulk stand beside the executions in one list; `start` is where an order's path
begins in it.

Two rows of one trade, the buyer's and the seller's, are two fills. `lots`, `quote` and `fee` of an execution
are sums over the order's fills; the contract checks the sums in each section, a run of executions in one market.

    aggregate   one section per market: an order has one execution in the batch, but markets are not in time
    in_order    a section ends where the market changes: an order may have several, and nothing is spent before
                it came in, because an order spends only what was there when it was accepted
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from exchange.domain.bulk import SIGNATURE_SIZE, BulkSignature
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Order
from exchange.domain.order_id import age

_BULK = int(Scheme.bulk)  # a plain number, because each order asks for it

MAX_EXECUTIONS = 448
"""Executions the contract takes in one batch."""

MAX_PROOFS = 512
"""Hashes of paths the contract takes in one batch."""

Words = tuple[int, int, int, int, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of one trade. `order_id` names the order; `quote` excludes the `fee`, both in quote ledger units."""

    order_id: int
    order: Order
    scheme: int
    signature: bytes
    lots: int
    quote: int
    fee: int


@dataclass(frozen=True, slots=True)
class Execution:
    """What one order did in one section of a batch."""

    order: Order
    scheme: int
    signature: bytes
    lots: int
    quote: int
    fee: int

    @property
    def path(self) -> tuple[bytes, ...]:
        """The path in its tree if the order was signed in bulk, else nothing. ValueError if the signature has none."""
        return BulkSignature.unpack(self.signature).proof.path if self.scheme & Scheme.bulk else ()

    def words(self, start: int = 0) -> Words:
        """The struct as the contract's ABI takes it. `start` is where the path stands in the batch's list.

        OverflowError if a sum exceeds 64 bits, ValueError if the signature is not one of its scheme.
        """
        if (self.lots | self.quote | self.fee) >> 64:
            raise OverflowError("the fills of one order exceed 64 bits: split the batch")
        head, body = self.order.words()
        signature, place = self.signature, 0
        if self.scheme & Scheme.bulk:
            bulk = BulkSignature.unpack(self.signature)
            signature, place = bulk.signature, start << 24 | bulk.proof.height << 16 | bulk.proof.index
        r, vs = compact_signature(signature)
        fill = self.order.terms << 128 | self.lots << 64 | self.quote
        return head, body, fill, self.scheme << 248 | place << 64 | self.fee, r, vs


def pack(executions: Sequence[Execution]) -> tuple[list[Words], list[bytes]]:
    """The structs of a batch and the paths that they refer to. Executions of one order share its path."""
    words: list[Words] = []
    proofs: list[bytes] = []
    starts: dict[tuple[bytes, ...], int] = {}
    for execution in executions:
        path = execution.path
        if path not in starts:
            starts[path] = len(proofs)
            proofs += path
        words.append(execution.words(starts[path]))
    return words, proofs


def path_length(scheme: int, signature: bytes) -> int:
    """How many hashes an order brings into a batch."""
    return (len(signature) - SIGNATURE_SIZE) // 32 if scheme & _BULK else 0


def compact_signature(signature: bytes) -> tuple[bytes, bytes]:
    """`r` and `vs` of a 65-byte signature r, s, v with a low s. ValueError for anything else."""
    if len(signature) != SIGNATURE_SIZE:
        raise ValueError(f"a signature has {SIGNATURE_SIZE} bytes, not {len(signature)}")
    s, v = int.from_bytes(signature[32:64]), signature[64]
    if v not in (27, 28) or s >> 255:
        raise ValueError("a signature ends in 27 or 28 and has a low s")
    return signature[:32], ((v - 27) << 255 | s).to_bytes(32)


def aggregate(fills: Iterable[Fill]) -> list[Execution]:
    """One execution per order, by market, then in order of acceptance, as the orders of a nonce must settle.

    ValueError if a fill is empty.
    """
    sums: dict[int, tuple[Fill, int, int, int]] = {}
    for fill in fills:
        if fill.lots <= 0 or fill.quote <= 0 or fill.fee < 0:
            raise ValueError(f"a fill of order {fill.order_id} is empty or negative")
        first, lots, quote, fee = sums.get(fill.order_id, (fill, 0, 0, 0))
        sums[fill.order_id] = (first, lots + fill.lots, quote + fill.quote, fee + fill.fee)
    ordered = sorted(sums.values(), key=lambda item: (item[0].order.market, age(item[0].order_id)))
    return [
        Execution(first.order, first.scheme, first.signature, lots, quote, fee) for first, lots, quote, fee in ordered
    ]


def in_order(fills: Iterable[Fill]) -> list[Execution]:
    """One execution per order and section, for fills in journal order. ValueError if a fill is empty."""
    sections = groupby(fills, key=lambda fill: fill.order.market)
    return [execution for _, section in sections for execution in aggregate(section)]
