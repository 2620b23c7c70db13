"""Which accounts the engine tells of where it tells only of followed ones: those of the connections' addresses."""

from collections import Counter
from collections.abc import Iterable

from exchange.engine.engine import Engine
from exchange.engine.events import AccountOpened
from exchange.sequencer.protocol import Committed


class Following:
    """Counts for each address how many connections follow it; each has a set of its own, which is changed here only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followers: Counter[bytes] = Counter()
        self._awaited: set[bytes] = set()
        """Addresses that are followed and have no account yet."""

    def begin(self, own: set[bytes], addresses: Iterable[bytes]) -> None:
        """A connection follows these as well."""
        for address in {*addresses} - own:
            own.add(address)
            self._followers[address] += 1
            if self._followers[address] == 1:
                self._find(address)

    def end(self, own: set[bytes], addresses: Iterable[bytes]) -> None:
        """It follows these no more."""
        for address in own.intersection(addresses):
            own.discard(address)
            self._followers[address] -= 1
            if not self._followers[address]:
                del self._followers[address]
                self._forget(address)

    def note(self, committed: Iterable[Committed]) -> None:
        """Accounts that are awaited may have opened."""
        if not self._awaited:
            return
        opened = (event for done in committed for event in done.events if isinstance(event, AccountOpened))
        for event in opened:
            if event.address in self._awaited:
                self._awaited.discard(event.address)
                self._engine.follow(event.account)

    def _find(self, address: bytes) -> None:
        account = self._engine.account(address)
        if account is None:
            self._awaited.add(address)
        else:
            self._engine.follow(account.account_id)

    def _forget(self, address: bytes) -> None:
        account = self._engine.account(address)
        self._awaited.discard(address)
        if account is not None:
            self._engine.unfollow(account.account_id)
