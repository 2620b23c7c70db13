"""What the contracts say when they refuse, and what a person is told: one table from reason to stable code and advice.

A reason is the text of a revert, like `order: expired`. Every reason of every contract has one row and one code; a code
may stand for several reasons. `docs/errors.md` is written from this table, and `scripts/check_reasons.py` holds the
table, the contracts, the tests and that document together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from exchange.domain.errors import ErrorCode

_ERROR_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)


@dataclass(frozen=True, slots=True)
class ContractRefusal:
    """A reason of a contract: its stable code, what it means, and what to do about it."""

    reason: str
    code: ErrorCode
    meaning: str
    advice: str


_Row = ContractRefusal
_ROWS = (
    # amounts and the ledger
    _Row(
        "amount: not whole ledger units",
        ErrorCode.amount_out_of_range,
        "The amount is not a whole number of the token's ledger units.",
        "Use a multiple of the token's `unit`.",
    ),
    _Row(
        "amount: too large",
        ErrorCode.amount_out_of_range,
        "The amount is more than a token's ledger can ever hold.",
        "Ask for less.",
    ),
    _Row("amount: zero", ErrorCode.amount_out_of_range, "The amount is zero.", "Use a positive amount."),
    _Row(
        "ledger: balance overflow",
        ErrorCode.amount_out_of_range,
        "The balance would need more than 64 bits.",
        "Withdraw first, or trade less.",
    ),
    _Row(
        "ledger: token is full",
        ErrorCode.token_full,
        "The sum of all balances of the token would need more than 63 bits.",
        "Deposit less.",
    ),
    _Row(
        "ledger: too little funding",
        ErrorCode.insufficient_balance,
        "The funding balance is less than the amount.",
        "Read `funding_balance` and use at most that.",
    ),
    _Row(
        "ledger: too little trading",
        ErrorCode.insufficient_balance,
        "The trading balance is less than the amount.",
        "Wait until trades settle, or use at most `trading_balance`.",
    ),
    _Row(
        "ledger: zero amount",
        ErrorCode.amount_out_of_range,
        "Nothing arrived in the contract, or less than one ledger unit.",
        "Deposit more; the token may keep a fee on transfers.",
    ),
    # deposits and transfers
    _Row(
        "deposit: bad account",
        ErrorCode.bad_recipient,
        "The account to credit is the zero address or the contract itself.",
        "Name the account that shall own the money.",
    ),
    _Row(
        "deposit: use deposit_eth",
        ErrorCode.wrong_call,
        "ETH is not deposited by `deposit`.",
        "Call `deposit_eth` and send the ETH along.",
    ),
    _Row(
        "token: deposits closed",
        ErrorCode.deposits_closed,
        "The owner has closed deposits of this token.",
        "Withdrawals go on; deposit another token.",
    ),
    _Row(
        "token: refused",
        ErrorCode.token_refused,
        "The token answered false.",
        "Check balance and allowance, and whether the token's issuer blocks either side.",
    ),
    _Row(
        "transfer: bad recipient",
        ErrorCode.bad_recipient,
        "The recipient is the zero address or the contract itself.",
        "Name another recipient.",
    ),
    _Row(
        "transfer: too little gas",
        ErrorCode.too_little_gas,
        "So little gas is left that the receiver of ETH might not get what it may spend.",
        "Send the transaction with more gas.",
    ),
    _Row(
        "claim: nothing to claim",
        ErrorCode.nothing_to_claim,
        "No refused ETH waits for the caller.",
        "Read `refused_eth`; it belongs to the account that was paid out, or to the submitter for its fee.",
    ),
    _Row(
        "transfer: not allowed",
        ErrorCode.insufficient_allowance,
        "The test token was not allowed to be moved by the caller.",
        "Call the token's `approve` first.",
    ),
    _Row(
        "transfer: too little balance",
        ErrorCode.insufficient_balance,
        "The sender has less of the test token.",
        "Send less, or fetch some from the faucet.",
    ),
    _Row(
        "faucet: over the limit",
        ErrorCode.amount_out_of_range,
        "The test token mints less at once.",
        "Ask for at most `faucet_limit`.",
    ),
    _Row("wallet: only the owner", ErrorCode.forbidden, "The test wallet obeys its owner.", "Call as its owner."),
    # fast withdrawals
    _Row(
        "withdraw: fee over the cap",
        ErrorCode.fee_cap_too_low,
        "The fee is more than what the account signed, or than the amount.",
        "Sign a higher `max_fee`, or submit with a lower fee.",
    ),
    _Row(
        "withdraw: nonce out of range",
        ErrorCode.nonce_out_of_range,
        "The nonce needs more than 64 bits.",
        "Use a smaller nonce.",
    ),
    _Row(
        "withdraw: nonce used",
        ErrorCode.nonce_used,
        "A withdrawal or funding transfer with this nonce was executed.",
        "Sign again with a fresh nonce, if it was not this one.",
    ),
    _Row(
        "withdraw: not approved",
        ErrorCode.not_approved,
        "The approval is not the co-signer's, for exactly this withdrawal and fee.",
        "Ask the API for the approval again, or withdraw without it by `request_withdraw`.",
    ),
    _Row(
        "withdraw: past the deadline",
        ErrorCode.withdrawal_deadline,
        "The signed deadline is over.",
        "Sign again with a later deadline.",
    ),
    # forced withdrawals and exits
    _Row(
        "request: less than requested",
        ErrorCode.insufficient_balance,
        "The balance is less than requested, and the caller is not the account.",
        "The account itself can claim what is there; others wait.",
    ),
    _Row("request: lapsed", ErrorCode.lapsed, "The claim window is over.", "Request again."),
    _Row(
        "request: none",
        ErrorCode.not_requested,
        "There is no open request for this token.",
        "Call `request_withdraw` first.",
    ),
    _Row(
        "request: one is open",
        ErrorCode.duplicate_withdrawal,
        "An earlier request for this token has not lapsed.",
        "Claim or cancel it first.",
    ),
    _Row("request: too early", ErrorCode.too_early, "The delay is not over.", "Claim from `claimable_at` on."),
    _Row(
        "exit: not requested",
        ErrorCode.not_requested,
        "The account has not asked to leave.",
        "Call `request_exit` first.",
    ),
    _Row(
        "exit: nothing to claim",
        ErrorCode.nothing_to_claim,
        "The account has nothing of this token.",
        "Claim another token.",
    ),
    _Row(
        "exit: requested before",
        ErrorCode.already_done,
        "The account's exit was requested before.",
        "Claim it when it is due, or cancel it.",
    ),
    _Row("exit: too early", ErrorCode.too_early, "The delay is not over.", "Claim from `exit_at` on."),
    # cancels
    _Row(
        "cancel: another is pending",
        ErrorCode.cancel_pending,
        "An earlier `cancel_all` does not bind yet, and the caller is not the account.",
        "Wait, or let the account itself replace it.",
    ),
    _Row(
        "cancel: not above the minimum",
        ErrorCode.nonce_too_low,
        "Every nonce below that number is closed already.",
        "Nothing to do, or name a higher number.",
    ),
    _Row(
        "cancel: posted before", ErrorCode.already_done, "A cancel of this nonce was posted before.", "Nothing to do."
    ),
    _Row(
        "cancel: too far",
        ErrorCode.nonce_out_of_range,
        "One `cancel_all` may rise by less than 2^44, to less than 2^48.",
        "Name a lower number.",
    ),
    # delegates
    _Row(
        "delegate: bad address",
        ErrorCode.bad_delegate,
        "The delegate is the zero address or the account itself.",
        "Name another key.",
    ),
    _Row(
        "delegate: expiry out of range",
        ErrorCode.expiry_out_of_range,
        "The expiry is over, or needs more than 40 bits.",
        "Name a time to come.",
    ),
    _Row(
        "delegate: may only widen",
        ErrorCode.delegate_only_widens,
        "A known key's markets and expiry may only grow.",
        "Revoke the key and add another one.",
    ),
    _Row(
        "delegate: nonce too high",
        ErrorCode.nonce_out_of_range,
        "One delegation may rise by less than 2^44, to less than 2^48.",
        "Use `delegation_nonce` plus one.",
    ),
    _Row(
        "delegate: nonce too low",
        ErrorCode.nonce_too_low,
        "A delegation or revocation with this nonce or a higher one was posted.",
        "Sign again with `delegation_nonce` plus one.",
    ),
    _Row(
        "delegate: order outlives key",
        ErrorCode.delegate_expired,
        "The order expires later than the key that signed it.",
        "Sign with an earlier expiry, or prolong the key.",
    ),
    _Row(
        "delegate: out of scope",
        ErrorCode.delegate_out_of_scope,
        "The key may not trade in this market.",
        "Sign with another key, or widen its markets.",
    ),
    _Row(
        "delegate: revoked",
        ErrorCode.delegate_revoked,
        "The key was revoked, and the delay is over.",
        "Sign with another key.",
    ),
    _Row(
        "delegate: revoked for ever", ErrorCode.delegate_revoked, "A revoked key never comes back.", "Add another key."
    ),
    _Row(
        "delegate: unknown", ErrorCode.unknown_delegate, "The account never named this key.", "Add the delegate first."
    ),
    # signatures
    _Row(
        "signature: high s",
        ErrorCode.wrong_signature,
        "The signature has its second form, with a high `s`.",
        "Sign with the low `s`, as wallets do.",
    ),
    _Row("signature: invalid", ErrorCode.wrong_signature, "The signature belongs to no key.", "Sign again."),
    _Row(
        "signature: missing",
        ErrorCode.wrong_signature,
        "There is no signature and the caller is not the account.",
        "Call as the account, or pass its signature.",
    ),
    _Row(
        "signature: not 65 bytes",
        ErrorCode.wrong_signature,
        "The signature is not r, s and v in 65 bytes.",
        "Pass r (32), s (32), v (1).",
    ),
    _Row(
        "signature: wallet refused",
        ErrorCode.wrong_signature,
        "The account is a contract that does not confirm the signature (EIP-1271).",
        "Sign as the wallet's owners do, or call from the wallet itself.",
    ),
    _Row(
        "signature: wrong signer",
        ErrorCode.wrong_signature,
        "The signature is by another key, or of another message.",
        "Check chain, contract, nonce and every field that was signed.",
    ),
    # orders in a batch
    _Row(
        "order: account exited",
        ErrorCode.account_exiting,
        "The account has left.",
        "The trade is reversed; cancel the exit to trade again.",
    ),
    _Row(
        "order: cancelled",
        ErrorCode.order_closed,
        "A posted cancel of the nonce binds.",
        "The trade is reversed; place a new order.",
    ),
    _Row(
        "order: executed before",
        ErrorCode.nonce_used,
        "The single-fill order was executed before.",
        "Place a new order with a fresh nonce.",
    ),
    _Row(
        "order: expired",
        ErrorCode.expired,
        "The order's expiry and the grace after it are over.",
        "The trade is reversed; place a new order.",
    ),
    _Row(
        "order: expiry too far",
        ErrorCode.expiry_too_far,
        "The expiry is more than 30 days ahead, or one day for a delegated key.",
        "Sign an earlier expiry.",
    ),
    _Row(
        "order: fee over the cap",
        ErrorCode.fee_cap_too_low,
        "The fee is more than the order allows, or than the contract ever does.",
        "Sign a higher `max_fee_bps`; the operator keeps its schedule under `fee_cap_bps()`.",
    ),
    _Row(
        "order: must be single fill",
        ErrorCode.terms_conflict,
        "A `buy_quote` order needs a nonce with its top bit set.",
        "Set the top bit of the nonce.",
    ),
    _Row(
        "order: nonce closed",
        ErrorCode.nonce_too_low,
        "The nonce is below the account's minimum.",
        "Sign with a higher nonce.",
    ),
    _Row(
        "order: nonce filled",
        ErrorCode.nonce_used,
        "An order on this nonce was filled whole, which closes the nonce.",
        "Place a new order with a fresh nonce.",
    ),
    _Row(
        "order: nonce out of range",
        ErrorCode.nonce_out_of_range,
        "The nonce, without its top bit, needs more than 48 bits.",
        "Use a smaller nonce.",
    ),
    _Row(
        "order: nothing filled",
        ErrorCode.amount_out_of_range,
        "An execution of nothing.",
        "An execution has lots and quote units.",
    ),
    _Row(
        "order: overfilled",
        ErrorCode.overfilled,
        "More than the signed quantity would be filled on this nonce.",
        "The trade is reversed; use a fresh nonce for a new order.",
    ),
    _Row(
        "order: price too high",
        ErrorCode.price_beyond_limit,
        "A buyer would pay more than it signed.",
        "The exchange must settle within the limit.",
    ),
    _Row(
        "order: price too low",
        ErrorCode.price_beyond_limit,
        "A seller would get less than it signed.",
        "The exchange must settle within the limit.",
    ),
    _Row(
        "order: unknown scheme",
        ErrorCode.unknown_scheme,
        "The execution names a scheme of signatures that does not exist.",
        "Use the account's or a delegate's, alone or in bulk.",
    ),
    _Row(
        "order: unknown side",
        ErrorCode.unsupported_terms,
        "The order's side is neither buy, sell nor buy_quote.",
        "Sign with a known side.",
    ),
    _Row(
        "order: wrong signer",
        ErrorCode.wrong_signature,
        "The signature is by another key, or of another order.",
        "Check chain, contract and every field that was signed.",
    ),
    _Row(
        "bulk: height out of range",
        ErrorCode.wrong_signature,
        "A tree of orders has 1 to 10 levels.",
        "Sign between 2 and 1,024 orders at once.",
    ),
    _Row(
        "bulk: index out of range",
        ErrorCode.wrong_signature,
        "A tree of that height has no such place.",
        "Name the order's place in the tree that was signed.",
    ),
    _Row(
        "bulk: path out of range",
        ErrorCode.wrong_signature,
        "The execution's path is not among the proofs of the batch.",
        "The batch carries the path of every order that was signed in bulk.",
    ),
    # batches
    _Row(
        "settle: sums differ",
        ErrorCode.sums_differ,
        "In a section, what is bought is not what is sold, or what is paid is not what is received.",
        "The exchange must list whole trades.",
    ),
    _Row(
        "settle: wrong head",
        ErrorCode.batch_out_of_order,
        "The batch does not start at the stored head of the journal.",
        "The exchange must settle the next batch.",
    ),
    _Row(
        "settle: wrong seq",
        ErrorCode.batch_out_of_order,
        "The batch is not the next one.",
        "The exchange must settle the next batch.",
    ),
    # what protects an account
    _Row(
        "account: frozen",
        ErrorCode.account_frozen,
        "The account's owner froze it: no fast withdrawal, no use of funding and no new delegate.",
        "Unfreeze it and wait for the delay, or leave by a forced withdrawal or exit.",
    ),
    _Row(
        "account: frozen before",
        ErrorCode.already_done,
        "The account is frozen and not about to thaw.",
        "Nothing to do.",
    ),
    _Row(
        "account: not frozen",
        ErrorCode.not_requested,
        "The account is not frozen, or is about to thaw.",
        "Nothing to do.",
    ),
    _Row(
        "account: wrong freeze nonce",
        ErrorCode.nonce_used,
        "The signed freeze is not for the number of freezes so far.",
        "Sign it again with `account_guards(account).freeze_nonce`.",
    ),
    _Row(
        "order: account frozen",
        ErrorCode.account_frozen,
        "The account's owner froze it, and the freeze binds settlement.",
        "The trade must be reversed.",
    ),
    _Row(
        "allow list: no change",
        ErrorCode.already_done,
        "The allow-list or its entry is as asked for already, or will be.",
        "Nothing to do.",
    ),
    _Row(
        "allow list: bad recipient",
        ErrorCode.bad_recipient,
        "The zero address cannot be on an allow-list.",
        "Name another recipient.",
    ),
    _Row(
        "recipient: not on the allow list",
        ErrorCode.recipient_not_allowed,
        "The account's allow-list is on, and this recipient is not on it, or not yet.",
        "Name a listed recipient, or call `allow_recipient` and wait for the delay.",
    ),
    # outflow limits
    _Row(
        "withdraw: needs approvals",
        ErrorCode.needs_approvals,
        "The amount is above what may leave now, and too few approvers have approved it.",
        "Wait for approvals or for the level to drain, or leave by a forced withdrawal.",
    ),
    _Row(
        "approval: not an approver",
        ErrorCode.forbidden,
        "Only an approver may approve withdrawals.",
        "Sign with an approver's key.",
    ),
    _Row(
        "approval: given before",
        ErrorCode.already_done,
        "This approver has approved this withdrawal already.",
        "Nothing to do.",
    ),
    _Row(
        "approval: no change",
        ErrorCode.already_done,
        "The approver is appointed, or dismissed, already.",
        "Nothing to do.",
    ),
    _Row(
        "approval: holds a role",
        ErrorCode.bad_configuration,
        "The new approver is an operator or the co-signer.",
        "Use another key.",
    ),
    _Row(
        "approval: zero address",
        ErrorCode.bad_configuration,
        "The zero address cannot approve.",
        "Name another approver.",
    ),
    _Row(
        "approval: too many approvers",
        ErrorCode.bad_configuration,
        "There are 15 approvers.",
        "Dismiss one first.",
    ),
    _Row(
        "approval: fewer than threshold",
        ErrorCode.bad_configuration,
        "There would be fewer approvers than approvals are needed.",
        "Appoint another approver, or lower the threshold first.",
    ),
    _Row(
        "approval: a limit is set",
        ErrorCode.bad_configuration,
        "While a token has a limit, at least one approval must be needed.",
        "End the limits first.",
    ),
    _Row(
        "outflow: nobody approves",
        ErrorCode.bad_configuration,
        "A limit needs somebody who approves what is above it.",
        "Appoint approvers and set the threshold first.",
    ),
    _Row(
        "outflow: limit out of range",
        ErrorCode.bad_configuration,
        "The limit needs more than 63 bits.",
        "Use a smaller limit.",
    ),
    _Row(
        "deposit: permit refused",
        ErrorCode.insufficient_allowance,
        "The token took no permit, and the allowance is less than the amount.",
        "Sign the permit again with the token's own domain, nonce and deadline, or call `approve`.",
    ),
    _Row(
        "permit: expired",
        ErrorCode.expired,
        "The permit's deadline has passed.",
        "Sign another.",
    ),
    _Row(
        "permit: wrong signer",
        ErrorCode.wrong_signature,
        "The permit is not signed by the owner, over these fields and its next nonce.",
        "Sign it again with the token's own domain and `nonces(owner)`.",
    ),
    # deposit addresses
    _Row(
        "custody: no code",
        ErrorCode.bad_configuration,
        "There is no contract at the custody contract's address.",
        "Deploy the custody contract first.",
    ),
    _Row(
        "deposit address: not factory",
        ErrorCode.forbidden,
        "Only the factory of deposit addresses may call this.",
        "Call the factory.",
    ),
    _Row(
        "recover: bad recipient",
        ErrorCode.bad_recipient,
        "The recipient is the zero address, the deposit address or the custody contract.",
        "Name another recipient.",
    ),
    _Row(
        "recover: nothing to recover",
        ErrorCode.nothing_to_claim,
        "The deposit address holds nothing of this token.",
        "Nothing to do.",
    ),
    _Row(
        "recover: recipient refused",
        ErrorCode.bad_recipient,
        "The recipient does not take ETH.",
        "Name another recipient.",
    ),
    _Row(
        "sweep: nothing to sweep",
        ErrorCode.nothing_to_claim,
        "The deposit address holds less than one ledger unit of this token.",
        "Send more, or sweep later.",
    ),
    # running
    _Row(
        "custody: frozen",
        ErrorCode.exchange_frozen,
        "The exchange has ended for ever.",
        "Leave by `claim_exit`, which is immediate.",
    ),
    _Row("custody: not launched", ErrorCode.not_launched, "Deposits are not open yet.", "Wait for the launch."),
    _Row(
        "custody: paused",
        ErrorCode.exchange_paused,
        "The guardian paused deposits and settlement.",
        "Try again after `paused_until`; withdrawals go on.",
    ),
    _Row(
        "freeze: done before",
        ErrorCode.already_done,
        "The exchange is frozen already.",
        "Leave by `claim_exit`, which is immediate.",
    ),
    _Row("freeze: not launched", ErrorCode.not_launched, "The exchange was never launched.", "Nothing to do."),
    _Row(
        "freeze: operator was seen",
        ErrorCode.too_early,
        "The operator settled or sent a heartbeat within the silence.",
        "Freeze from `last_seen` plus `silence` on, or leave by `request_exit`.",
    ),
    _Row("launch: done before", ErrorCode.already_done, "The exchange was launched before.", "Nothing to do."),
    _Row(
        "pause: duration out of range",
        ErrorCode.duration_out_of_range,
        "The pause is nothing, or longer than `pause_max`.",
        "Name a duration within `windows`.",
    ),
    _Row(
        "pause: frozen",
        ErrorCode.exchange_frozen,
        "A frozen exchange neither pauses nor resumes.",
        "Leave by `claim_exit`, which is immediate.",
    ),
    _Row("pause: not paused", ErrorCode.already_done, "There is no pause to end.", "Nothing to do."),
    _Row(
        "pause: too soon after another",
        ErrorCode.too_early,
        "Pauses cannot be chained.",
        "Pause from `pause_ready_at` on.",
    ),
    # roles
    _Row(
        "guardian: not the guardian", ErrorCode.forbidden, "Only the guardian may call this.", "Call as the guardian."
    ),
    _Row(
        "operator: not the operator", ErrorCode.forbidden, "Only the operator may call this.", "Call as the operator."
    ),
    _Row("owner: lapsed", ErrorCode.lapsed, "The announcement was not used within 14 days.", "Announce it again."),
    _Row(
        "owner: not launched",
        ErrorCode.not_launched,
        "Before the launch nothing needs to be announced.",
        "Call the function itself.",
    ),
    _Row(
        "owner: not proposed",
        ErrorCode.forbidden,
        "The caller is not the proposed owner.",
        "Let the owner propose it first.",
    ),
    _Row(
        "owner: not scheduled",
        ErrorCode.not_scheduled,
        "The call was not announced by its exact calldata, or was used.",
        "Announce it by `schedule` and wait for the timelock.",
    ),
    _Row("owner: not the owner", ErrorCode.forbidden, "Only the owner may call this.", "Call as the owner."),
    _Row("owner: too early", ErrorCode.too_early, "The timelock is not over.", "Call from `operation_ready_at` on."),
    # deployment
    _Row(
        "name: extension differs",
        ErrorCode.bad_configuration,
        "The two halves of the contract have different names.",
        "Deploy both with one name.",
    ),
    _Row(
        "roles: approver operates",
        ErrorCode.bad_configuration,
        "The new operator or co-signer is an approver.",
        "Use another key.",
    ),
    _Row(
        "roles: co-signer operates",
        ErrorCode.bad_configuration,
        "The co-signer is the operator or the standby.",
        "Use three different keys.",
    ),
    _Row(
        "roles: fee account is custody",
        ErrorCode.bad_configuration,
        "The fee account is the contract itself.",
        "Name another account.",
    ),
    _Row(
        "roles: standby operates",
        ErrorCode.bad_configuration,
        "The standby is the operator.",
        "Use three different keys.",
    ),
    _Row(
        "roles: zero address",
        ErrorCode.bad_configuration,
        "A role that must be held is the zero address.",
        "Name its holder.",
    ),
    _Row(
        "windows: claim out of range",
        ErrorCode.bad_configuration,
        "The claim window is nothing, or longer than 90 days.",
        "Choose another.",
    ),
    _Row(
        "windows: delay out of range",
        ErrorCode.bad_configuration,
        "The delay is nothing, or longer than 30 days.",
        "Choose another.",
    ),
    _Row(
        "fees: cap out of range",
        ErrorCode.bad_configuration,
        "The fee cap is more than 10,000 basis points.",
        "Choose a lower one.",
    ),
    _Row(
        "fees: extension differs",
        ErrorCode.bad_configuration,
        "The two halves of the contract have different fee caps.",
        "Deploy both with one.",
    ),
    _Row(
        "windows: extension differs",
        ErrorCode.bad_configuration,
        "The two halves of the contract have different windows.",
        "Deploy both with one set.",
    ),
    _Row(
        "windows: grace out of range",
        ErrorCode.bad_configuration,
        "The grace is longer than 30 days.",
        "Choose a shorter one.",
    ),
    _Row(
        "windows: pause too long",
        ErrorCode.bad_configuration,
        "The longest pause is not shorter than delay and grace.",
        "Choose a shorter one.",
    ),
    _Row(
        "windows: silence too long",
        ErrorCode.bad_configuration,
        "The silence is longer than 90 days.",
        "Choose a shorter one.",
    ),
    _Row(
        "windows: silence too short",
        ErrorCode.bad_configuration,
        "The silence is not longer than the timelock.",
        "Choose a longer one.",
    ),
    _Row(
        "windows: timelock too short",
        ErrorCode.bad_configuration,
        "The timelock is not longer than delay and claim window.",
        "Choose a longer one.",
    ),
    # listings
    _Row("market: halted", ErrorCode.market_halted, "The market's halt binds.", "Trade another market."),
    _Row("market: halted before", ErrorCode.already_done, "The market is halted already.", "Nothing to do."),
    _Row("market: listed before", ErrorCode.market_exists, "The pair has a market.", "Use that one."),
    _Row(
        "market: lot out of range",
        ErrorCode.bad_listing,
        "A lot is nothing, or needs more than 63 bits.",
        "Choose another lot size.",
    ),
    _Row("market: not listed", ErrorCode.unknown_market, "There is no such market.", "See `market_count`."),
    _Row("market: one token", ErrorCode.bad_listing, "Base and quote are one token.", "Name two tokens."),
    _Row(
        "market: too many",
        ErrorCode.bad_listing,
        "There are as many markets as a delegation can name.",
        "No more can be listed in this contract.",
    ),
    _Row(
        "token: decimals out of range",
        ErrorCode.bad_listing,
        "The token has more than 36 decimals.",
        "It cannot be listed.",
    ),
    _Row("token: listed before", ErrorCode.asset_exists, "The token is listed.", "Use its id."),
    _Row("token: no code", ErrorCode.bad_listing, "There is no contract at the token's address.", "Name a token."),
    _Row("token: not listed", ErrorCode.unknown_asset, "There is no such token.", "See `token_count`."),
    _Row(
        "token: too many",
        ErrorCode.bad_listing,
        "There are as many tokens as ids.",
        "No more can be listed in this contract.",
    ),
    _Row(
        "token: unit out of range",
        ErrorCode.bad_listing,
        "The unit is nothing, or more than 10^30.",
        "Choose another unit.",
    ),
    # the operator's bond
    _Row("bond: no signer", ErrorCode.bad_configuration, "The bond would stand for no key.", "Name the receipt key."),
    _Row(
        "bond: bad bonder",
        ErrorCode.bad_configuration,
        "Nobody could take the bond back.",
        "Name an address of the operator's own.",
    ),
    _Row(
        "bond: delay out of range",
        ErrorCode.bad_configuration,
        "The bond's delay is less than 7 days or more than 90.",
        "Choose a delay within that.",
    ),
    _Row("bond: slashed", ErrorCode.already_done, "The bond was slashed.", "Deploy another, with another key."),
    _Row(
        "bond: retired",
        ErrorCode.already_done,
        "The bond was retired, for ever.",
        "Deploy another, or wait for the delay and withdraw.",
    ),
    _Row("bond: nothing sent", ErrorCode.amount_out_of_range, "No ETH came with the call.", "Send some."),
    _Row("bond: nothing left", ErrorCode.nothing_to_claim, "The bond is empty.", "Nothing can be done."),
    _Row("bond: only the bonder", ErrorCode.forbidden, "The caller is not the bonder.", "Use the bonder's key."),
    _Row("bond: not retired", ErrorCode.not_requested, "The bond still stands.", "Call `retire`, then wait."),
    _Row(
        "bond: too early",
        ErrorCode.too_early,
        "The delay after `retire` is not over.",
        "Wait until `retired_at` plus `delay`.",
    ),
    _Row(
        "report: different sequences",
        ErrorCode.wrong_call,
        "The claims are about two places in the journal.",
        "Show two claims with one `seq`.",
    ),
    _Row(
        "report: no contradiction",
        ErrorCode.wrong_call,
        "Both claims can be true.",
        "Nothing is wrong; keep the receipts.",
    ),
    _Row(
        "claim: sequence out of range",
        ErrorCode.wrong_call,
        "The claim's record is not within its range.",
        "Use the receipt as it was given.",
    ),
    _Row(
        "claim: wrong signer",
        ErrorCode.wrong_signature,
        "The receipt key of this bond did not sign it.",
        "Check chain, bond and every field.",
    ),
    _Row(
        "claim: head of another sequence",
        ErrorCode.wrong_call,
        "A range says the head after its last record only.",
        "Set `seq` to `last_seq`, or show the record.",
    ),
    _Row(
        "claim: path too long",
        ErrorCode.wrong_call,
        "The path has more hashes than the range's tree is high.",
        "Use the receipt as it was given.",
    ),
    _Row(
        "claim: path too short",
        ErrorCode.wrong_call,
        "The path has fewer hashes than the range's tree is high.",
        "Use the receipt as it was given.",
    ),
    _Row(
        "claim: record not in tree",
        ErrorCode.wrong_call,
        "Record and path do not lead to the root.",
        "Use the receipt as it was given.",
    ),
)

CONTRACT_REFUSALS: Mapping[str, ContractRefusal] = {row.reason: row for row in _ROWS}
"""Every reason of our own contracts."""


def contract_refusal(reason: str) -> ContractRefusal:
    """What a reason means. One that is not ours, such as a token's, or none at all, is `contract_refused`."""
    known = CONTRACT_REFUSALS.get(reason)
    if known is not None:
        return known
    said = f"The call was refused: {reason}." if reason else "The call was refused without a reason."
    return ContractRefusal(reason, ErrorCode.contract_refused, said, "Look at what the token or wallet demands.")


def reason_of(output: bytes) -> str:
    """The reason in the data that a reverted call returned; empty when there is none."""
    if output[:4] != _ERROR_SELECTOR or len(output) < 68:
        return ""
    size = int.from_bytes(output[36:68])
    return output[68 : 68 + size].decode(errors="replace")


def refusal_of_cause(cause: str) -> ContractRefusal | None:
    """What the reason in a reversal's cause means, which is `block 0x..: reason`; None when there is no such thing."""
    place, separator, reason = cause.partition(": ")
    return contract_refusal(reason) if separator and place.startswith("block 0x") else None
