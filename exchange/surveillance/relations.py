"""Which accounts belong together: those that one key signs for, and those that one paid for, directly or in a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from exchange.surveillance.tape import Link

MOST_LINKED = 20
"""A key or payer of more accounts than that is a service, and says nothing about who belongs together."""


class Relations:
    """Groups of related accounts, by union of their links."""

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._parent: dict[bytes, bytes] = {}
        for link in links:
            self.add(link)

    def add(self, link: Link) -> None:
        """Join an account with everything that has the same key, and with the key where that is an account itself."""
        one, other = self._root(link.account), self._root(link.key)
        if one != other:
            self._parent[max(one, other)] = min(one, other)

    def related(self, one: bytes, other: bytes) -> bool:
        """Whether two different accounts belong together."""
        return one != other and self._root(one) == self._root(other)

    def _root(self, account: bytes) -> bytes:
        path = []
        while (parent := self._parent.get(account, account)) != account:
            path.append(account)
            account = parent
        for passed in path:
            self._parent[passed] = account
        return account


def relations_of(links: Iterable[Link]) -> Relations:
    """The groups that links make, without the keys and payers of very many."""
    by_key: defaultdict[bytes, set[Link]] = defaultdict(set)
    for link in links:
        if link.account != link.key:
            by_key[link.key].add(link)
    return Relations(link for same in by_key.values() if len(same) <= MOST_LINKED for link in same)
