"""What became of each order of a frame, in one byte: 0 accepted, otherwise why it was refused.

Numbers are never reused.
"""

from collections.abc import Mapping

from exchange.domain.errors import ErrorCode

ACCEPTED = 0

CODES: Mapping[int, ErrorCode] = {
    1: ErrorCode.unknown_market,
    2: ErrorCode.unknown_account,
    3: ErrorCode.unsupported_terms,
    4: ErrorCode.market_halted,
    5: ErrorCode.unknown_scheme,
    6: ErrorCode.wrong_signature,
    7: ErrorCode.terms_conflict,
    8: ErrorCode.account_blocked,
    9: ErrorCode.account_exiting,
    10: ErrorCode.unknown_delegate,
    11: ErrorCode.too_many_open_orders,
    12: ErrorCode.nonce_out_of_range,
    13: ErrorCode.nonce_too_low,
    14: ErrorCode.nonce_used,
    15: ErrorCode.expired,
    16: ErrorCode.expiry_too_far,
    17: ErrorCode.price_off_tick,
    18: ErrorCode.quantity_off_lot,
    19: ErrorCode.below_min_notional,
    20: ErrorCode.amount_out_of_range,
    21: ErrorCode.price_out_of_band,
    22: ErrorCode.fee_cap_out_of_range,
    23: ErrorCode.fee_cap_too_low,
    24: ErrorCode.settlement_backlog,
    25: ErrorCode.insufficient_balance,
    26: ErrorCode.account_frozen,
    27: ErrorCode.trading_stopped,
    28: ErrorCode.unavailable,
    29: ErrorCode.too_many_requests,
    30: ErrorCode.delegate_expired,
    31: ErrorCode.delegate_out_of_scope,
    32: ErrorCode.malformed,
    33: ErrorCode.unauthenticated,
    34: ErrorCode.body_too_large,
    35: ErrorCode.duplicate_client_order_id,
    36: ErrorCode.wrong_chain,
    37: ErrorCode.forbidden,
    38: ErrorCode.order_too_large,
    39: ErrorCode.too_much_open,
    40: ErrorCode.auction_call,
    50: ErrorCode.order_closed,
    51: ErrorCode.unknown_order,
}
OTHER = 255
"""A refusal that has no number of its own yet."""

_NUMBERS = {code: number for number, code in CODES.items()}


def number_of(code: ErrorCode) -> int:
    """The byte that stands for a refusal."""
    return _NUMBERS.get(code, OTHER)


def code_of(number: int) -> ErrorCode | None:
    """The refusal that a byte stands for; None for an accepted order."""
    return None if number == ACCEPTED else CODES.get(number, ErrorCode.internal)
