"""What the engine was told of the chain, by the log that each command cites.

The indexer names a log as `credit:0x<block hash>:<log index>:<generation>` (or `debit:`), and the command that takes
it back by the same name and `:undo`. Signed withdrawals are named by their hash. A command that cites nothing of the
kind is kept apart: nobody but the chain may create money.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bizzan.audit.chain_ledger import Movement
from exchange.engine import commands as c
from exchange.engine.events import WithdrawalHeld

Key = tuple[str, str]
"""`log` and `block hash:log index`, or `withdrawal` and its hash."""

_CAUSE = re.compile(r"^(credit|debit):(0x[0-9a-f]{64}:\d+):\d+(?::undo)?$")
WITHDRAWAL_KINDS = ("withdrawn", "moved_to_funding")


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of a log in the engine: account, asset, and the net amount (0: taken back)."""

    account: bytes
    asset: int
    amount: int
    seq: int


@dataclass(slots=True)
class ToldLedger:
    """Net amounts by log. `strays` are commands that move money and cite no log, with their sequence."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    strays: list[tuple[int, c.Command]] = field(default_factory=list)

    def add_all(
        self,
        commands: Iterable[tuple[int, c.Command]],
        held: Mapping[bytes, WithdrawalHeld],
        addresses: Mapping[int, bytes],
    ) -> None:
        """Add commands with their sequence; `held` and `addresses` say what a withdrawal's hash stands for."""
        for seq, command in commands:
            match command:
                case c.Credit():
                    self._add(seq, command, command.amount)
                case c.Uncredit() | c.Debit():
                    self._add(seq, command, -command.amount)
                case c.ConsumeWithdrawal(withdrawal_hash=digest) if digest in held:
                    hold = held[digest]
                    self._put(("withdrawal", digest.hex()), seq, addresses[hold.account], hold.asset, -hold.amount)
                case _:
                    pass

    def copy(self) -> ToldLedger:
        """An independent copy."""
        return ToldLedger(dict(self.entries), list(self.strays))

    def _add(self, seq: int, command: c.Credit | c.Uncredit | c.Debit, amount: int) -> None:
        cause = _CAUSE.match(command.cause)
        if cause is None:
            self.strays.append((seq, command))
        else:
            self._put(("log", cause[2]), seq, command.account, command.asset, amount)

    def _put(self, key: Key, seq: int, account: bytes, asset: int, amount: int) -> None:
        known = self.entries.get(key)
        self.entries[key] = Entry(account, asset, amount + (known.amount if known else 0), seq)


def key_of(movement: Movement) -> Key:
    """The name under which the engine is told of a movement."""
    if movement.kind in WITHDRAWAL_KINDS:
        return "withdrawal", movement.withdrawal_hash.hex()
    return "log", f"{movement.place.block_hash}:{movement.place.log_index}"
