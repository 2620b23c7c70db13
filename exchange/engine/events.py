"""Events: what a command did. They carry everything that a mirror needs, as absolute values.

Accounts are integer account ids here (`AccountOpened` binds them to addresses). `order_id` is the
journal sequence of the order's record, and with it its place in a group or frame (`exchange.domain.order_id`).
Prices, quantities and amounts are as in `exchange.domain`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, dataclass_transform

from exchange.domain.instrument import Asset, Market

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def _event(cls: type[T]) -> type[T]:
    """A frozen dataclass to the type checker only: freezing at run time makes an event six times as slow to build."""
    return dataclass(slots=True)(cls)


class CloseReason(StrEnum):
    """Why an order left the book or never entered it."""

    filled = "filled"
    cancelled = "cancelled"
    cancelled_on_chain = "cancelled_on_chain"
    expired = "expired"
    unfilled = "unfilled"
    fok_unfilled = "fok_unfilled"
    post_only_would_take = "post_only_would_take"
    self_trade = "self_trade"
    too_many_fills = "too_many_fills"
    price_out_of_band = "price_out_of_band"
    market_delisted = "market_delisted"
    delegate_revoked = "delegate_revoked"
    account_exiting = "account_exiting"
    account_frozen = "account_frozen"
    debited = "debited"
    trade_reversed = "trade_reversed"
    unsettled_limit = "unsettled_limit"
    mass_cancelled = "mass_cancelled"
    countdown = "countdown"
    trading_stopped = "trading_stopped"
    amended = "amended"
    price_collar = "price_collar"
    group = "group"


@_event
class AssetListed:
    asset: Asset


@_event
class MarketListed:
    market: Market
    fee_account: int


@_event
class MarketChanged:
    """Status of a market, after the change."""

    market: int
    status: str


@_event
class AuctionStarted:
    """The market gathers orders until `ends_at`, in unix seconds; 0: until it is opened."""

    market: int
    ends_at: int


@_event
class AuctionPriced:
    """The auction trades at `price`, at which so many lots are bid and asked: the fewer of both. All 0: nobody meets.

    All of it follows in this record and those after it, unless something ends orders in between.
    """

    market: int
    price: int
    bids: int
    asks: int


@_event
class MarketBoundsChanged:
    """What is bounded in a market, after the change; see `SetMarketBounds`."""

    market: int
    collar_bps: int
    max_quantity: int
    max_notional: int
    max_open_orders: int
    max_open_notional: int
    band_bps: int


@_event
class AccountLimitsChanged:
    """What is bounded for one account in one quote asset, after the change; see `SetAccountLimits`."""

    account: int
    max_open_orders: int
    asset: int
    max_open_notional: int


@_event
class FeeRulesChanged:
    """What binds every schedule, after the change; see `SetFeeRules`."""

    fee_cap_bps: int
    notice_ms: int


@_event
class FeesAnnounced:
    """A market's fees for orders accepted from `effective_at` on; what was announced for then or later is void."""

    market: int
    effective_at: int
    tiers: tuple[tuple[int, int], ...]
    floor: int


@_event
class AccountTierSet:
    """An account's fee tier from `effective_at` on; what was set for then or later is void."""

    account: int
    tier: int
    effective_at: int


@_event
class LimitsChanged:
    """The engine's own limits, after the change; see `SetLimits`."""

    max_unsettled_ms: int
    max_open_orders: int
    max_fills: int


@_event
class AccountOpened:
    account: int
    address: bytes


@_event
class AccountChanged:
    """Account status: `active`, `exiting`, `frozen` (by its owner) or `blocked` (it has a deficit)."""

    account: int
    status: str
    min_nonce: int


@_event
class CountdownSet:
    """When the account's open orders end unless it is set again, in unix seconds; 0: never by this."""

    account: int
    at: int


@_event
class TradingStopChanged:
    """Whether the account's orders are refused, by its owner's wish and by the operator's, after the change."""

    account: int
    by_owner: bool
    by_operator: bool


@_event
class OrderAccepted:
    """The order is in the sequence. `remaining` equals `quantity`; rates and floor are fixed for its life."""

    order_id: int
    account: int
    market: int
    side: int
    price: int
    quantity: int
    nonce: int
    expiry: int
    max_fee_bps: int
    terms: int
    order_hash: bytes
    client_order_id: str
    scheme: int
    signature: bytes
    signer: bytes
    maker_fee_ppm: int
    taker_fee_ppm: int
    fee_floor: int


@_event
class OrderAmended:
    """The order, just accepted, takes the place of `replaced` on its nonce, and has only `remaining` left of what it
    says; with `kept_place` it also stands where that stood.
    """

    order_id: int
    account: int
    market: int
    replaced: int
    remaining: int
    kept_place: bool


@_event
class OrderTriggered:
    """The order has waited for the last price, which was `price` when its turn came, and works from now on."""

    order_id: int
    account: int
    market: int
    price: int


@_event
class TradeMatched:
    """One fill: maker and taker, at the maker's price. Fees are in quote ledger units.

    `taker_remaining` is in the measure of the taker's `quantity`: quote units if it is `buy_quote`; the `taker_side` of
    such an order is 0, as of any buyer.
    """

    trade_id: int
    market: int
    price: int
    quantity: int
    quote: int
    taker_side: int
    maker_order: int
    taker_order: int
    maker_account: int
    taker_account: int
    maker_fee: int
    taker_fee: int
    maker_remaining: int
    taker_remaining: int


@_event
class OrderReduced:
    """The order met its own account and was decremented by `quantity`, without a trade; `remaining` is left."""

    order_id: int
    account: int
    market: int
    quantity: int
    remaining: int


@_event
class OrderClosed:
    """The order works no more; `remaining` lots were not filled."""

    order_id: int
    account: int
    market: int
    reason: CloseReason
    remaining: int


@_event
class LevelChanged:
    """A price level's total open quantity in lots, after the change (0: gone). `side` is 0 bids, 1 asks."""

    market: int
    side: int
    price: int
    quantity: int


@_event
class BalanceChanged:
    """An account's balance in one asset, after the change.

    `available` can be traded; `held` backs open orders; `reserved` backs withdrawals; `unsettled`
    is what came in from trades that are not final yet (it can be traded, not withdrawn);
    `deficit` is owed after a reorg.
    """

    account: int
    asset: int
    available: int
    held: int
    reserved: int
    unsettled: int
    deficit: int


@_event
class Credited:
    """Money that came in on chain; `cause` names the log."""

    account: int
    asset: int
    amount: int
    cause: str


@_event
class Debited:
    """Money that went out on chain or was never there; `amount` was covered, `short` became deficit."""

    account: int
    asset: int
    amount: int
    short: int
    cause: str


@_event
class WithdrawalHeld:
    account: int
    asset: int
    amount: int
    withdrawal_hash: bytes
    nonce: int
    deadline: int
    message: str
    signature: bytes


@_event
class WithdrawalEnded:
    """`outcome` is `consumed` or `released`."""

    withdrawal_hash: bytes
    outcome: str
    cause: str


@_event
class ForcedReserved:
    account: int
    asset: int
    requested: int
    reserved: int
    request: str


@_event
class ForcedReleased:
    """A forced withdrawal has ended; `outcome` is `released` or `claimed`."""

    request: str
    outcome: str


@_event
class BatchCut:
    """Batch `batch` holds the trades in (from_seq, to_seq]; heads are the journal's at these sequences."""

    batch: int
    from_seq: int
    to_seq: int


@_event
class BatchFinalized:
    batch: int


@_event
class TradeReversed:
    """The trade never happened, for both sides. `because_of` is the trade whose reversal pulled it, or 0."""

    trade_id: int
    maker_account: int
    taker_account: int
    cause: str
    because_of: int


Event = (
    AssetListed
    | MarketListed
    | MarketChanged
    | AuctionStarted
    | AuctionPriced
    | MarketBoundsChanged
    | FeeRulesChanged
    | FeesAnnounced
    | AccountTierSet
    | AccountLimitsChanged
    | LimitsChanged
    | AccountOpened
    | AccountChanged
    | CountdownSet
    | TradingStopChanged
    | OrderAccepted
    | OrderAmended
    | OrderTriggered
    | TradeMatched
    | OrderReduced
    | OrderClosed
    | LevelChanged
    | BalanceChanged
    | Credited
    | Debited
    | WithdrawalHeld
    | WithdrawalEnded
    | ForcedReserved
    | ForcedReleased
    | BatchCut
    | BatchFinalized
    | TradeReversed
)
