"""Commands: everything that can change the engine's state, and nothing else can.

A command is journaled with the sequence number and the time (milliseconds since 1970) at which it
was accepted. Accounts are named by address (20 bytes) in commands; the engine binds them to integer
account ids in order of appearance. Amounts are ledger units of the asset named.

Commands with an `inbox_id` come from the chain side (indexer, keeper, operator) through the
append-only inbox, in order, each once: an engine refuses an inbox id that is not above the last.
"""

from dataclasses import dataclass

from exchange.domain.frame import Verdict, flaw_of_amends, frame_digest, judge, weight_of
from exchange.domain.instrument import Asset, Market
from exchange.domain.order import PACKED_SIZE, Order


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A signed order whose signature has been checked. `signer` is the account or its delegate."""

    order: Order
    order_hash: bytes
    scheme: int
    signature: bytes
    signer: bytes
    client_order_id: str = ""


@dataclass(frozen=True)
class PlaceFrame:
    """Many packed orders of one account under one signature; see `exchange.domain.frame`.

    Journaled as it came, and possibly before its signature was checked: so whether it stands is judged from its own
    bytes whenever it is applied. One that does not stand takes its place in the journal and does nothing. An order of
    one that stands is accepted or refused as if it came alone; none of them has a client's id. `separator` is the
    domain's.
    """

    signer: bytes
    scheme: int
    separator: bytes
    root: bytes
    signature: bytes
    orders: bytes

    @property
    def count(self) -> int:
        """How many orders it holds."""
        return len(self.orders) // PACKED_SIZE

    @property
    def digest(self) -> bytes:
        """What was signed, as the frame says it: by this its receipt names it."""
        return frame_digest(self.separator, self.root, self.count)

    @property
    def weight(self) -> int:
        """As how many plain orders it counts where room is shared."""
        return self.count

    def judged(self) -> Verdict:
        """Whether it stands. Found once, in whatever thread asks first."""
        found: Verdict | None = self.__dict__.get("_verdict")
        if found is None:
            found = self._judge()
            object.__setattr__(self, "_verdict", found)
        return found

    def _judge(self) -> Verdict:
        return judge(self.separator, self.scheme, self.signer, self.root, self.signature, self.orders)


@dataclass(frozen=True)
class PlaceMixedFrame(PlaceFrame):
    """A frame whose orders have any terms but groups, and of which those amend that `amends` has a bit for.

    Such an order takes the place of the open order on its nonce, as an `AmendOrder` does, be that of the same frame.
    """

    amends: bytes

    @property
    def weight(self) -> int:
        """As above."""
        return weight_of(self.orders, self.amends)

    def _judge(self) -> Verdict:
        flaw = flaw_of_amends(self.amends, self.count)
        return Verdict.against(flaw) if flaw else super()._judge()


@dataclass(frozen=True, slots=True)
class AmendOrder(PlaceOrder):
    """A signed order that takes the place of the open order on its nonce, in the same market and on the same side.

    What was filled on the nonce counts for it, here as on chain.
    """


@dataclass(frozen=True, slots=True)
class PlaceGroup:
    """Both legs of a group, of which only one ever fills: taken together, in this order, or not at all.

    Each is an order like any other, signed by itself. The second's id has place 1 in the record.
    """

    first: PlaceOrder
    second: PlaceOrder

    @property
    def legs(self) -> tuple[PlaceOrder, PlaceOrder]:
        """The first, and the second."""
        return self.first, self.second


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel the open order on `nonce`; signed by the account or its delegate (EIP-712 `Cancel`)."""

    account: bytes
    nonce: int
    signature: bytes
    signer: bytes


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel every open order whose sequence is below `min_nonce`, and refuse such nonces for ever."""

    account: bytes
    min_nonce: int
    signature: bytes
    signer: bytes


@dataclass(frozen=True, slots=True)
class MassCancel:
    """Cancel the account's open orders in `market` (0: all) on `side` (2: both); EIP-712 `MassCancel`.

    `nonce` is the time in milliseconds. Signed by the account or its delegate.
    """

    account: bytes
    market: int
    side: int
    nonce: int
    signature: bytes
    signer: bytes


@dataclass(frozen=True, slots=True)
class SetCountdown:
    """Cancel the account's open orders `seconds` from now unless another comes before; 0 ends it. EIP-712 `Countdown`.

    `nonce` is the time in milliseconds. Signed by the account or its delegate.
    """

    account: bytes
    seconds: int
    nonce: int
    signature: bytes
    signer: bytes


@dataclass(frozen=True, slots=True)
class StopTrading:
    """Take no orders of the account and cancel its open ones, or take them again; EIP-712 `TradingStop`.

    `nonce` is the time in milliseconds. Signed by the account alone.
    """

    account: bytes
    stopped: bool
    nonce: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class HoldWithdrawal:
    """Reserve `amount` for a signed fast withdrawal (or transfer to funding), until consumed or released.

    `withdrawal_hash` is the EIP-712 digest; `message` is its JSON text, kept so that the keeper can
    submit it; `deadline` is in unix seconds.
    """

    account: bytes
    asset: int
    amount: int
    withdrawal_hash: bytes
    nonce: int
    deadline: int
    message: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes: expired orders leave the book, and the triggered order whose turn it is works."""


@dataclass(frozen=True, slots=True)
class ListAsset:
    """A new asset."""

    asset: Asset


@dataclass(frozen=True, slots=True)
class ListMarket:
    """A new market; fees are collected for `fee_account`."""

    market: Market
    fee_account: bytes


@dataclass(frozen=True, slots=True)
class SetLimits:
    """Limits that every later command obeys; journaled, because a replay must meet the same ones.

    `max_unsettled_ms`: the oldest unsettled trade may have this age before matching stops (0: any);
    `max_open_orders` per account; `max_fills` of one order when it is placed.
    """

    max_unsettled_ms: int
    max_open_orders: int
    max_fills: int


@dataclass(frozen=True, slots=True)
class SetFeeRules:
    """The highest rate that any schedule may have, and how long before it a rise is announced.

    The cap is the contract's. Neither is ever loosened: the cap only falls, the notice only grows.
    """

    fee_cap_bps: int
    notice_ms: int


@dataclass(frozen=True, slots=True)
class SetMarketStatus:
    """Open, halt or delist a market (a `MarketStatus` value). One that is in an auction trades first when it opens."""

    inbox_id: int
    market: int
    status: str


@dataclass(frozen=True, slots=True)
class StartAuction:
    """Gather orders in a market, which rest without matching until it opens: at `ends_at` (unix seconds), or 0, by
    `SetMarketStatus`. For a market in an auction it sets another end.
    """

    inbox_id: int
    market: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class SetMarketBounds:
    """What the operator bounds in a market; 0: nothing. `docs/orders.md` says what each does.

    `collar_bps` is around the last price; `max_quantity` (lots) and `max_notional` (quote ledger units) of one order;
    `max_open_orders` and `max_open_notional` of one account in this market. `band_bps` is the market's band from now
    on; None keeps the one that it has.
    """

    inbox_id: int
    market: int
    collar_bps: int
    max_quantity: int
    max_notional: int
    max_open_orders: int
    max_open_notional: int
    band_bps: int | None = None


@dataclass(frozen=True, slots=True)
class SetAccountLimits:
    """What the operator bounds for one account, beside what is bounded for all.

    `max_open_orders` in all markets together, in the place of the exchange's own bound; 0: that one.
    `max_open_notional` in ledger units of `asset`, of its open orders in all markets whose quote that is; 0: nothing.
    What was bounded in other assets stays.
    """

    inbox_id: int
    account: bytes
    max_open_orders: int
    asset: int
    max_open_notional: int


@dataclass(frozen=True, slots=True)
class AnnounceFees:
    """A market's fees for orders accepted from `effective_at` on (milliseconds; what is past counts as now).

    `tiers` are (maker, taker) in parts per million from tier 0, `floor` is in quote ledger units; see
    `exchange.domain.fees`. It replaces what was announced for that time or later. Within the notice nobody may come
    to pay more than was announced before.
    """

    inbox_id: int
    market: int
    effective_at: int
    tiers: tuple[tuple[int, int], ...]
    floor: int


@dataclass(frozen=True, slots=True)
class SetAccountTier:
    """An account's fee tier from `effective_at` on (milliseconds; what is past counts as now).

    A lower tier is a rise of fees, and needs the notice.
    """

    inbox_id: int
    account: bytes
    tier: int
    effective_at: int


@dataclass(frozen=True, slots=True)
class Credit:
    """Money arrived on chain: a deposit, or funding moved to trading. `cause` names the log."""

    inbox_id: int
    account: bytes
    asset: int
    amount: int
    cause: str


@dataclass(frozen=True, slots=True)
class Uncredit:
    """A reorg removed a credited deposit: take it back, at the price of orders, trades, then a deficit."""

    inbox_id: int
    account: bytes
    asset: int
    amount: int
    cause: str


@dataclass(frozen=True, slots=True)
class ReserveForced:
    """A forced withdrawal was requested on chain (`request` names it): reserve what can be reserved."""

    inbox_id: int
    account: bytes
    asset: int
    amount: int
    request: str


@dataclass(frozen=True, slots=True)
class ReleaseForced:
    """A forced withdrawal was cancelled, lapsed or removed by a reorg: its reserve is available again."""

    inbox_id: int
    request: str


@dataclass(frozen=True, slots=True)
class Debit:
    """Money left on chain for ever: consumes the reserve `request` if named, then whatever there is.

    Used for claimed forced withdrawals and claimed exits.
    """

    inbox_id: int
    account: bytes
    asset: int
    amount: int
    request: str
    cause: str


@dataclass(frozen=True, slots=True)
class ConsumeWithdrawal:
    """A fast withdrawal is final on chain: its hold is gone."""

    inbox_id: int
    withdrawal_hash: bytes
    cause: str


@dataclass(frozen=True, slots=True)
class ReleaseWithdrawal:
    """A fast withdrawal can never be mined any more (deadline past, final): its hold is available again."""

    inbox_id: int
    withdrawal_hash: bytes
    cause: str


@dataclass(frozen=True, slots=True)
class ObeyCancel:
    """A cancel was posted on chain: obey at once. `min_nonce` 0 cancels the single `nonce`."""

    inbox_id: int
    account: bytes
    nonce: int
    min_nonce: int


@dataclass(frozen=True, slots=True)
class ObeyRevocation:
    """A delegate was revoked on chain: cancel the orders it signed, and refuse more until it is allowed again."""

    inbox_id: int
    account: bytes
    delegate: bytes


@dataclass(frozen=True, slots=True)
class AllowDelegate:
    """A delegate was added on chain (or a reorg removed its revocation): its orders are taken again."""

    inbox_id: int
    account: bytes
    delegate: bytes


@dataclass(frozen=True, slots=True)
class SetExiting:
    """An exit was requested on chain (or a reorg removed the request): stop, or resume, the account."""

    inbox_id: int
    account: bytes
    exiting: bool


@dataclass(frozen=True, slots=True)
class SetFrozen:
    """Its owner froze an account on chain, or its thaw took effect (or a reorg removed either): stop, or resume, it."""

    inbox_id: int
    account: bytes
    frozen: bool


@dataclass(frozen=True, slots=True)
class SetTradingStop:
    """The operator stops an account's trading and cancels its open orders, or lets it go on. Withdrawals go on."""

    inbox_id: int
    account: bytes
    stopped: bool


@dataclass(frozen=True, slots=True)
class CutBatch:
    """Bind the trades in sequences (last cut, `to_seq`] to batch `batch`, the one after the last."""

    inbox_id: int
    batch: int
    to_seq: int


@dataclass(frozen=True, slots=True)
class FinalizeBatch:
    """Batch `batch` is final on chain: its trades can never be reversed and its proceeds be withdrawn."""

    inbox_id: int
    batch: int


@dataclass(frozen=True, slots=True)
class ReverseTrades:
    """Trades that can no longer settle, and the on-chain state that makes it so (`cause`)."""

    inbox_id: int
    trade_ids: tuple[int, ...]
    cause: str


Command = (
    PlaceOrder
    | PlaceFrame
    | PlaceMixedFrame
    | AmendOrder
    | PlaceGroup
    | CancelOrder
    | CancelAll
    | MassCancel
    | SetCountdown
    | StopTrading
    | HoldWithdrawal
    | Tick
    | ListAsset
    | ListMarket
    | SetLimits
    | SetFeeRules
    | SetMarketStatus
    | StartAuction
    | SetMarketBounds
    | AnnounceFees
    | SetAccountTier
    | SetAccountLimits
    | Credit
    | Uncredit
    | ReserveForced
    | ReleaseForced
    | Debit
    | ConsumeWithdrawal
    | ReleaseWithdrawal
    | ObeyCancel
    | ObeyRevocation
    | AllowDelegate
    | SetExiting
    | SetFrozen
    | SetTradingStop
    | CutBatch
    | FinalizeBatch
    | ReverseTrades
)
