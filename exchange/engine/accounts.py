"""Accounts and their balances: integers that only move, never appear.

A balance has four disjoint parts, in ledger units of its asset: `available`, `held` (backs open orders),
`reserved` (backs withdrawals) and `deficit` (owed after a reorg, counted negative). `unsettled` is not a
part but a label: what trades that are not final brought in, wherever it is now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from exchange.engine.timeline import Timeline

if TYPE_CHECKING:
    from exchange.engine.orders import OpenOrder

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED = 1_000
"""How many of an account's latest order hashes and client order ids are remembered, at least."""


class NonceSet:
    """Used nonces, 64 to a word. A nonce once added is in it for ever."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words: dict[int, int] = {}

    def __contains__(self, nonce: int) -> bool:
        return bool(self.words.get(nonce >> 6, 0) >> (nonce & 63) & 1)

    def add(self, nonce: int) -> None:
        """Mark `nonce` as used."""
        self.words[nonce >> 6] = self.words.get(nonce >> 6, 0) | 1 << (nonce & 63)


class Recent(Generic[K, V]):
    """A mapping that remembers at least its last `REMEMBERED` keys and at most twice as many."""

    __slots__ = ("old", "young")

    def __init__(self) -> None:
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value put last for `key`, or None when it was never put or is forgotten."""
        value = self.young.get(key)
        return self.old.get(key) if value is None else value

    def put(self, key: K, value: V) -> None:
        """Remember `value` for `key`."""
        self.young[key] = value
        if len(self.young) == REMEMBERED:
            self.old, self.young = self.young, {}


class Balance:
    """One account's money in one asset. `owed` is what forced withdrawals asked for and did not get yet."""

    __slots__ = ("account", "account_id", "asset", "available", "deficit", "held", "owed", "reserved", "unsettled")

    def __init__(self, account: "Account", asset: int) -> None:
        self.account = account
        self.account_id = account.account_id
        self.asset = asset
        self.available = 0
        self.held = 0
        self.reserved = 0
        self.unsettled = 0
        self.deficit = 0
        self.owed = 0

    @property
    def total(self) -> int:
        """What the account owns, net of what it owes."""
        return self.available + self.held + self.reserved - self.deficit

    @property
    def withdrawable(self) -> int:
        """What may leave now: available, less what is not settled for good."""
        return max(self.available - self.unsettled, 0)


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """An account's own limits: open orders in all markets (0: the exchange's), and by quote asset their notional."""

    max_open_orders: int
    max_open_notional: Mapping[int, int]


NO_LIMITS = AccountLimits(0, {})


class Account:
    """A trader, bound to one address. `orders` are the open ones by nonce, in no order.

    `holds` counts its fast withdrawals that are held. `top_nonce` is the highest sequence of the orders that the
    account's own key signed. `tiers` says which fee tier it has from when; None for tier 0. `owner_brake_nonce`,
    `brake_nonce`, `countdown` and `stops` are of `exchange.engine.brakes`: the nonces of the last brake that the owner
    and that a delegate signed, when the orders end, who stopped the trading. `groups` are the legs that wait for their
    second, by group.
    """

    __slots__ = (
        "account_id",
        "address",
        "balances",
        "brake_nonce",
        "client_order_ids",
        "countdown",
        "deficits",
        "exiting",
        "frozen",
        "groups",
        "holds",
        "min_nonce",
        "order_hashes",
        "orders",
        "owner_brake_nonce",
        "revoked",
        "stops",
        "tiers",
        "top_nonce",
        "used_groups",
        "used_nonces",
        "used_withdrawals",
    )

    def __init__(self, account_id: int, address: bytes) -> None:
        self.account_id = account_id
        self.address = address
        self.balances: dict[int, Balance] = {}
        self.orders: dict[int, OpenOrder] = {}
        self.min_nonce = 0
        self.top_nonce = 0
        self.holds = 0
        self.used_nonces = NonceSet()
        self.used_withdrawals = NonceSet()
        self.used_groups = NonceSet()
        self.groups: dict[int, OpenOrder] = {}
        self.exiting = False
        self.frozen = False
        self.owner_brake_nonce = 0
        self.brake_nonce = 0
        self.countdown = 0
        self.stops = 0
        self.deficits = 0
        self.revoked: set[bytes] = set()
        self.tiers: Timeline[int] | None = None
        self.order_hashes: Recent[bytes, int] = Recent()
        self.client_order_ids: Recent[str, bytes] = Recent()

    def tier(self, at_ms: int) -> int:
        """The fee tier of the orders accepted at a time."""
        return 0 if self.tiers is None else self.tiers.at(at_ms)

    @property
    def status(self) -> str:
        """`blocked` while any balance has a deficit, else `exiting`, else `frozen` by its owner, else `active`."""
        if self.deficits:
            return "blocked"
        if self.exiting:
            return "exiting"
        return "frozen" if self.frozen else "active"

    def balance(self, asset: int) -> Balance:
        """The balance in `asset`, made at its first use."""
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance(self, asset)
        return balance
