"""Why the engine refuses orders, sorted by who can know it beforehand."""

from __future__ import annotations

from exchange.domain.errors import ErrorCode

STATIC = frozenset(
    {
        ErrorCode.price_off_tick,
        ErrorCode.quantity_off_lot,
        ErrorCode.below_min_notional,
        ErrorCode.amount_out_of_range,
        ErrorCode.order_too_large,
        ErrorCode.unsupported_terms,
        ErrorCode.terms_conflict,
        ErrorCode.expired,
        ErrorCode.expiry_too_far,
        ErrorCode.nonce_out_of_range,
        ErrorCode.fee_cap_out_of_range,
        ErrorCode.unknown_scheme,
    }
)
"""What stands in the order, in the market's rules or in the clock: a form can know it."""

DYNAMIC = frozenset(
    {
        ErrorCode.price_out_of_band,
        ErrorCode.insufficient_balance,
        ErrorCode.fee_cap_too_low,
        ErrorCode.market_halted,
        ErrorCode.auction_call,
        ErrorCode.too_many_open_orders,
        ErrorCode.too_much_open,
        ErrorCode.settlement_backlog,
        ErrorCode.account_blocked,
        ErrorCode.account_exiting,
        ErrorCode.account_frozen,
        ErrorCode.trading_stopped,
        ErrorCode.unknown_delegate,
        ErrorCode.wrong_signature,
        ErrorCode.nonce_too_low,
        ErrorCode.nonce_used,
        ErrorCode.group_used,
        ErrorCode.duplicate_client_order_id,
        ErrorCode.order_closed,
        ErrorCode.unknown_order,
        ErrorCode.unavailable,
    }
)
"""What depends on the market, the account, its other orders or the exchange: the engine says it."""
