"""What receipts say of the journal's records: subjects and leaves, and single records found again."""

import threading
from pathlib import Path

from exchange.domain.receipt import (
    EMPTY,
    cancel_all_subject,
    cancel_subject,
    countdown_subject,
    frame_subject,
    group_subject,
    mass_cancel_subject,
    record_hash,
    trading_stop_subject,
)
from exchange.engine.commands import (
    CancelAll,
    CancelOrder,
    Command,
    HoldWithdrawal,
    MassCancel,
    PlaceFrame,
    PlaceGroup,
    PlaceMixedFrame,
    PlaceOrder,
    SetCountdown,
    StopTrading,
)
from exchange.journal.marker import read_marker
from exchange.journal.reader import Record, decode
from exchange.journal.segments import Segments


def subject_of(command: Command) -> bytes:
    """The hash of what a user signed; zeros for what no user signs."""
    match command:
        case PlaceOrder():
            return command.order_hash
        case PlaceGroup():
            return group_subject(command.first.order_hash, command.second.order_hash)
        case PlaceMixedFrame():
            return frame_subject(command.digest, command.orders, command.amends)
        case PlaceFrame():
            return frame_subject(command.digest, command.orders)
        case CancelOrder():
            return cancel_subject(command.account, command.nonce)
        case CancelAll():
            return cancel_all_subject(command.account, command.min_nonce)
        case MassCancel():
            return mass_cancel_subject(command.account, command.market, command.side, command.nonce)
        case SetCountdown():
            return countdown_subject(command.account, command.seconds, command.nonce)
        case StopTrading():
            return trading_stop_subject(command.account, command.stopped, command.nonce)
        case HoldWithdrawal():
            return command.withdrawal_hash
        case _:
            return EMPTY


def account_of(command: Command) -> bytes:
    """Whose record it is, of what a user signed; nothing for what no user signs."""
    match command:
        case PlaceOrder():
            return command.order.account
        case PlaceGroup():
            return command.first.order.account
        case PlaceFrame():
            return command.orders[:20]
        case CancelOrder() | CancelAll() | MassCancel() | SetCountdown() | StopTrading() | HoldWithdrawal():
            return command.account
        case _:
            return b""


def leaf_of(record: Record) -> bytes:
    """The leaf that stands for a record in every tree."""
    return record_hash(record.seq, record.at_ms, subject_of(record.command), record.head)


class RecordFinder:
    """Finds durable records by sequence. It remembers places within segments, so only the first look at one is slow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments = Segments(folder)
        self._lock = threading.Lock()

    def find(self, seq: int) -> Record:
        """The record at `seq`, its link of the chain checked. LookupError when it is not durable."""
        if not 1 <= seq <= read_marker(self._folder).seq:
            raise LookupError(f"sequence {seq} is not durable in {self._folder}")
        with self._lock:
            return decode(*self._segments.record(seq))
