"""The custody contract's ledger and the test tokens' balances, read from storage as it lies.

Some hundred times faster than asking the views, so that a machine can look at everything after every step. Where things
lie comes from the committed layout; `check_views` holds what is read here against the views.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import boa

from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import keccak
from scripts.print_storage_layout import COMMITTED, storage_layout
from tests.utils.contracts import ETHER, World

U63 = 2**63 - 1


@cache
def _slots(text: str) -> dict[str, int]:
    """Slots by name, from the text of a layout."""
    rows = [line.split() for line in text.splitlines() if "(transient)" not in line]
    return {row[1].removesuffix(":"): int(row[0]) for row in rows}


def slot_of(name: str) -> int:
    """Where a variable of the custody contract lies, by the committed layout."""
    return _slots(COMMITTED.read_text())[name]


@cache
def _token_slot() -> int:
    return _slots(storage_layout("test_tokens/TestToken"))["balanceOf"]


@cache
def entry(slot: int, *keys: int) -> int:
    """Where an entry of a map lies, or of a map of maps."""
    for key in keys:
        slot = int.from_bytes(keccak(slot.to_bytes(32) + key.to_bytes(32)))
    return slot


@cache
def _number(address: str) -> int:
    return int.from_bytes(address_bytes(address))


class Storage:
    """What the contract and the tokens of a world hold now."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.custody = str(world.custody.address)
        self.slots = _slots(COMMITTED.read_text())

    def _read(self, name: str, *keys: int) -> int:
        return int(boa.env.get_storage(self.custody, entry(self.slots[name], *keys)))

    def trading(self, account: str, token_id: int) -> int:
        """Trading balance in ledger units."""
        word = self._read("ledger._trading", _number(account) << 96 | token_id >> 2)
        return word >> 64 * (token_id & 3) & U63

    def funding(self, account: str, token_id: int) -> int:
        """Funding balance in ledger units."""
        return self._read("ledger._funding", _number(account), token_id)

    def liabilities(self, token_id: int) -> int:
        """The ledger's total."""
        return self._read("ledger._liabilities", token_id)

    def refused_eth(self, account: str) -> int:
        """What waits for a claimant."""
        return self._read("transfers._refused", _number(account))

    def batch_seq(self) -> int:
        """The number of the last batch."""
        return self._read("settlement._batch_seq")

    def frozen(self) -> bool:
        """Whether trading has ended."""
        return self._read("pausing._paused_until") == 2**256 - 1

    def wallet(self, address: str, token_id: int) -> int:
        """What an address holds outside, in token units."""
        if token_id == ETHER:
            return int(boa.env.get_balance(address))
        token = str(self.world.tokens[token_id].address)  # type: ignore[union-attr]
        return int(boa.env.get_storage(token, entry(_token_slot(), _number(address))))

    def check_views(self, accounts: list[str]) -> None:
        """Every view says what is read here."""
        custody: Any = self.world.custody
        assert (custody.batch_seq(), custody.frozen()) == (self.batch_seq(), self.frozen())
        for token_id in range(4):
            assert custody.liabilities(token_id) == self.liabilities(token_id)
            for account in accounts:
                assert custody.trading_balance(account, token_id) == self.trading(account, token_id)
                assert custody.funding_balance(account, token_id) == self.funding(account, token_id)
                assert self.world.wallet(account, token_id) == self.wallet(account, token_id)
        for account in accounts:
            assert custody.refused_eth(account) == self.refused_eth(account)
