"""Order ids: an order is named by its place in the journal.

    id = record's sequence | place among the record's orders << 40

An order in a record of its own has that record's sequence as its id. Ids stay below 2**50, so that every reader of JSON
takes them whole. Orders are older or younger by sequence, then by place: `age` sorts them so.
"""

INDEX_SHIFT = 40
SEQ_LIMIT = 1 << INDEX_SHIFT
_SEQ_MASK = SEQ_LIMIT - 1
_RANK_SHIFT = 24


def order_id(seq: int, index: int) -> int:
    """The id of the order at a place of the group or frame in record `seq`."""
    return seq | index << INDEX_SHIFT


def seq_of(number: int) -> int:
    """The sequence of the record that an order came with."""
    return number & _SEQ_MASK


def index_of(number: int) -> int:
    """Its place in that record's group or frame; 0 for an order by itself."""
    return number >> INDEX_SHIFT


def age(number: int) -> tuple[int, int]:
    """What sorts ids by acceptance."""
    return number & _SEQ_MASK, number >> INDEX_SHIFT


def rank_of(number: int) -> int:
    """An id as a number that sorts by acceptance."""
    return (number & _SEQ_MASK) << _RANK_SHIFT | number >> INDEX_SHIFT


def id_of(rank: int) -> int:
    """The id behind such a number."""
    return (rank & (1 << _RANK_SHIFT) - 1) << INDEX_SHIFT | rank >> _RANK_SHIFT
