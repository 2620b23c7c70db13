"""What a refused packed command says: the core's numbers as codes and fields. The sentence is the reference's."""

from exchange.domain.errors import ErrorCode
from exchange.domain.frame_codes import OTHER, number_of

REFUSALS: dict[int, tuple[ErrorCode, str | None]] = {
    1: (ErrorCode.unknown_market, "market"),
    2: (ErrorCode.unknown_account, "account"),
    4: (ErrorCode.market_halted, "market"),
    5: (ErrorCode.unsupported_terms, "side"),
    6: (ErrorCode.unknown_scheme, "scheme"),
    7: (ErrorCode.wrong_signature, "signature"),
    8: (ErrorCode.terms_conflict, "trigger_price"),
    9: (ErrorCode.account_blocked, None),
    10: (ErrorCode.account_exiting, None),
    11: (ErrorCode.unknown_delegate, "signature"),
    12: (ErrorCode.too_many_open_orders, None),
    13: (ErrorCode.nonce_out_of_range, "nonce"),
    14: (ErrorCode.nonce_too_low, "nonce"),
    15: (ErrorCode.nonce_used, "nonce"),
    16: (ErrorCode.terms_conflict, "nonce"),
    17: (ErrorCode.duplicate_client_order_id, "client_order_id"),
    18: (ErrorCode.expired, "expiry"),
    19: (ErrorCode.expiry_too_far, "expiry"),
    20: (ErrorCode.price_off_tick, "price"),
    21: (ErrorCode.quantity_off_lot, "quantity"),
    22: (ErrorCode.below_min_notional, "quantity"),
    23: (ErrorCode.amount_out_of_range, "quantity"),
    24: (ErrorCode.price_out_of_band, "price"),
    25: (ErrorCode.fee_cap_out_of_range, "max_fee_bps"),
    26: (ErrorCode.below_min_notional, "quantity"),
    27: (ErrorCode.fee_cap_too_low, "max_fee_bps"),
    28: (ErrorCode.settlement_backlog, None),
    29: (ErrorCode.insufficient_balance, "quantity"),
    30: (ErrorCode.order_closed, "nonce"),
    31: (ErrorCode.unknown_order, "nonce"),
    34: (ErrorCode.terms_conflict, "nonce"),
    35: (ErrorCode.trading_stopped, None),
    33: (ErrorCode.account_frozen, None),
    36: (ErrorCode.order_too_large, "quantity"),
    37: (ErrorCode.too_much_open, "quantity"),
    38: (ErrorCode.unavailable, None),
    40: (ErrorCode.auction_call, "time_in_force"),
    41: (ErrorCode.terms_conflict, "displayed_quantity"),
    42: (ErrorCode.below_min_notional, "displayed_quantity"),
}
"""By number in risk.pxi. Terms that the core does not know (3) are refused by `packing`, which has no form for them;
in frames by the core."""

BY_PYTHON = 128
"""From here on the core's numbers are refusals of orders in frames that Python placed: their bytes, above this."""

FRAME_CODES = bytes(
    number_of(ErrorCode.unsupported_terms)
    if number == 3
    else number_of(REFUSALS[number][0])
    if number in REFUSALS
    else OTHER
    if number == 255
    else max(number - BY_PYTHON, 0)
    for number in range(256)
)
"""For each of the core's numbers, the byte that stands for it in the outcome of a frame; 0 stays 0."""


def number_in_core(code: int) -> int:
    """The core's number for an order's byte in the outcome of a frame; 0 stays 0."""
    return min(BY_PYTHON + code, 255) if code else 0
