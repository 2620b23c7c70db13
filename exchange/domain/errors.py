"""Refusals, as data that translates.

Every refusal in the system is a `Refusal`: a stable `code`, the `field` that is wrong, the `params`
a sentence needs, and an English `message`. The API sends exactly these four; nothing else is ever
raised for a caller's mistake.

    Refusal
"""

from collections.abc import Mapping
from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable codes of refusals; a code is never renamed or reused."""

    malformed = "malformed"
    unknown_field = "unknown_field"
    body_too_large = "body_too_large"
    too_many_requests = "too_many_requests"
    too_many_subscriptions = "too_many_subscriptions"
    unauthenticated = "unauthenticated"
    forbidden = "forbidden"
    not_found = "not_found"
    method_not_allowed = "method_not_allowed"
    unavailable = "unavailable"
    internal = "internal"

    wrong_signature = "wrong_signature"
    wrong_chain = "wrong_chain"
    wrong_contract = "wrong_contract"
    unknown_scheme = "unknown_scheme"
    unknown_delegate = "unknown_delegate"
    delegate_expired = "delegate_expired"
    delegate_out_of_scope = "delegate_out_of_scope"
    expired = "expired"
    expiry_too_far = "expiry_too_far"
    nonce_used = "nonce_used"
    nonce_too_low = "nonce_too_low"
    nonce_out_of_range = "nonce_out_of_range"
    group_used = "group_used"
    duplicate_client_order_id = "duplicate_client_order_id"

    unknown_market = "unknown_market"
    market_halted = "market_halted"
    auction_call = "auction_call"
    market_exists = "market_exists"
    unknown_asset = "unknown_asset"
    asset_exists = "asset_exists"
    price_off_tick = "price_off_tick"
    price_out_of_band = "price_out_of_band"
    quantity_off_lot = "quantity_off_lot"
    below_min_notional = "below_min_notional"
    amount_out_of_range = "amount_out_of_range"
    order_too_large = "order_too_large"
    too_much_open = "too_much_open"
    fee_cap_too_low = "fee_cap_too_low"
    fee_cap_out_of_range = "fee_cap_out_of_range"
    fee_notice_too_short = "fee_notice_too_short"
    unsupported_terms = "unsupported_terms"
    terms_conflict = "terms_conflict"

    insufficient_balance = "insufficient_balance"
    account_blocked = "account_blocked"
    account_exiting = "account_exiting"
    trading_stopped = "trading_stopped"
    unknown_account = "unknown_account"
    unknown_order = "unknown_order"
    order_closed = "order_closed"
    too_many_open_orders = "too_many_open_orders"
    unknown_withdrawal = "unknown_withdrawal"
    duplicate_withdrawal = "duplicate_withdrawal"
    withdrawal_deadline = "withdrawal_deadline"
    too_many_withdrawals = "too_many_withdrawals"
    bad_recipient = "bad_recipient"
    settlement_backlog = "settlement_backlog"
    account_frozen = "account_frozen"
    recipient_not_allowed = "recipient_not_allowed"
    too_many_announcements = "too_many_announcements"

    inbox_out_of_order = "inbox_out_of_order"
    batch_out_of_order = "batch_out_of_order"
    unknown_batch = "unknown_batch"
    unknown_trade = "unknown_trade"

    # of the contract only: exchange.domain.contract_refusals
    token_full = "token_full"
    wrong_call = "wrong_call"
    deposits_closed = "deposits_closed"
    token_refused = "token_refused"
    too_little_gas = "too_little_gas"
    nothing_to_claim = "nothing_to_claim"
    insufficient_allowance = "insufficient_allowance"
    not_approved = "not_approved"
    needs_approvals = "needs_approvals"
    lapsed = "lapsed"
    not_requested = "not_requested"
    too_early = "too_early"
    already_done = "already_done"
    cancel_pending = "cancel_pending"
    bad_delegate = "bad_delegate"
    expiry_out_of_range = "expiry_out_of_range"
    delegate_only_widens = "delegate_only_widens"
    delegate_revoked = "delegate_revoked"
    overfilled = "overfilled"
    price_beyond_limit = "price_beyond_limit"
    sums_differ = "sums_differ"
    exchange_frozen = "exchange_frozen"
    not_launched = "not_launched"
    exchange_paused = "exchange_paused"
    duration_out_of_range = "duration_out_of_range"
    not_scheduled = "not_scheduled"
    bad_configuration = "bad_configuration"
    bad_listing = "bad_listing"
    contract_refused = "contract_refused"


class Refusal(Exception):
    """A command, request or transaction that is refused, and why.

    `params` holds only strings and integers, so that a client can build its own sentence.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        field: str | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.params: dict[str, str | int] = dict(params or {})

    def as_dict(self) -> dict[str, object]:
        """The four parts as the API sends them."""
        return {
            "code": self.code.value,
            "field": self.field,
            "params": self.params,
            "message": self.message,
        }
