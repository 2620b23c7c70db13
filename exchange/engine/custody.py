"""What happens to the money in the contract, as the engine follows it: in, set aside, out, taken back.

Only `credit` raises the sum of all balances of an asset, by what arrived on chain; only `uncredit`, `debit`
and `consume_withdrawal` lower it. `State.issued` keeps that sum, so that conservation can be checked.

An asset need not be listed for that: the contract's owner may list a token before the operator does, and what the
contract owes from then on must not be forgotten. It can be traded and withdrawn fast once it is listed here.
"""

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.accounts import Account
from exchange.engine.events import CloseReason
from exchange.engine.reversal import take_back
from exchange.engine.state import ForcedRequest, State, Withdrawal

NONCE_WIDTH = 64
ASSET_WIDTH = 32

MAX_HOLDS = 16
"""Fast withdrawals that one account may have held at a time: each costs the keeper work until its deadline."""


def credit(state: State, command: c.Credit) -> None:
    """Money arrived; it repays a deficit first."""
    issued = _check(state, command.asset, command.amount)
    if issued + command.amount > MAX_AMOUNT:
        raise Refusal(
            ErrorCode.amount_out_of_range,
            f"asset {command.asset} would exceed what the ledger counts",
            "amount",
            {"issued": str(issued)},
        )
    account = state.open_account(command.account)
    state.issued[command.asset] = issued + command.amount
    state.events.append(e.Credited(account.account_id, command.asset, command.amount, command.cause))
    state.give(account.balance(command.asset), command.amount)


def uncredit(state: State, command: c.Uncredit) -> None:
    """A credit was not real: take it back."""
    _check(state, command.asset, command.amount)
    account = state.account(command.account)
    _take(state, account, command.asset, command.amount, 0, command.cause)


def debit(state: State, command: c.Debit) -> None:
    """Money left for ever; a named forced withdrawal ends with it, and what it reserved pays first."""
    _check(state, command.asset, command.amount)
    account = state.account(command.account)
    paid = 0
    forced = state.forced.get(command.request)
    if forced is not None:
        if forced.balance is not account.balances.get(command.asset):
            raise Refusal(ErrorCode.unknown_withdrawal, "the request is another account's or asset's", "request")
        paid = min(forced.reserved, command.amount)
        _end_forced(state, forced, paid, "claimed")
    _take(state, account, command.asset, command.amount, paid, command.cause)


def reserve_forced(state: State, command: c.ReserveForced) -> None:
    """Set money aside from now on until the request is covered: what is available, in orders, or comes in later.

    Later money counts too, because the contract pays what the balance is when the request is claimed; if
    such money were traded instead, a claim could leave matched trades unsettled.
    """
    _check(state, command.asset, command.amount)
    if command.request in state.forced:
        raise Refusal(ErrorCode.duplicate_withdrawal, "this request is reserved for already", "request")
    account = state.open_account(command.account)
    balance = account.balance(command.asset)
    state.issued.setdefault(command.asset, 0)
    forced = ForcedRequest(command.request, balance, command.amount)
    state.forced[command.request] = forced
    balance.owed += command.amount
    state.tell_forced(forced)
    state.reserve_owed(balance)
    if balance.owed:
        state.close_all(account, CloseReason.debited, command.asset)


def release_forced(state: State, command: c.ReleaseForced) -> None:
    """The request is over and paid nothing."""
    forced = state.forced.get(command.request)
    if forced is None:
        raise Refusal(ErrorCode.unknown_withdrawal, "no such request is reserved for", "request")
    _end_forced(state, forced, 0, "released")


def hold_withdrawal(state: State, at_ms: int, command: c.HoldWithdrawal) -> None:
    """Reserve money for a signed fast withdrawal, out of what is settled and free."""
    _check(state, command.asset, command.amount)
    if command.asset not in state.assets:
        raise Refusal(
            ErrorCode.unknown_asset, f"asset {command.asset} is not listed", "asset", {"asset": command.asset}
        )
    account = state.account(command.account)
    _check_withdrawal(state, at_ms, account, command)
    balance = account.balance(command.asset)
    balance.available -= command.amount
    balance.reserved += command.amount
    state.touched_balances[balance] = None
    account.holds += 1
    account.used_withdrawals.add(command.nonce)
    state.withdrawals[command.withdrawal_hash] = Withdrawal(balance, command.amount, command.nonce, command.deadline)
    state.events.append(
        e.WithdrawalHeld(
            account.account_id,
            command.asset,
            command.amount,
            command.withdrawal_hash,
            command.nonce,
            command.deadline,
            command.message,
            command.signature,
        )
    )


def consume_withdrawal(state: State, command: c.ConsumeWithdrawal) -> None:
    """The withdrawal is final on chain: what it reserved has left."""
    withdrawal = _pop_withdrawal(state, command.withdrawal_hash)
    balance = withdrawal.balance
    balance.reserved -= withdrawal.amount
    state.issued[balance.asset] -= withdrawal.amount
    state.touched_balances[balance] = None
    state.events.append(e.WithdrawalEnded(command.withdrawal_hash, "consumed", command.cause))
    state.events.append(e.Debited(balance.account.account_id, balance.asset, withdrawal.amount, 0, command.cause))


def release_withdrawal(state: State, command: c.ReleaseWithdrawal) -> None:
    """The withdrawal can never happen: what it reserved is available again."""
    withdrawal = _pop_withdrawal(state, command.withdrawal_hash)
    withdrawal.balance.reserved -= withdrawal.amount
    state.events.append(e.WithdrawalEnded(command.withdrawal_hash, "released", command.cause))
    state.give(withdrawal.balance, withdrawal.amount)


def _check(state: State, asset: int, amount: int) -> int:
    """Refuse what can be no asset or an amount out of range; returns the sum of all balances of the asset."""
    if asset >> ASSET_WIDTH:
        raise Refusal(ErrorCode.unknown_asset, f"there is no asset {asset}", "asset", {"asset": asset})
    if not 0 < amount <= MAX_AMOUNT:
        raise Refusal(ErrorCode.amount_out_of_range, f"amount must be 1 to {MAX_AMOUNT}", "amount")
    return state.issued.get(asset, 0)


def _check_withdrawal(state: State, at_ms: int, account: Account, command: c.HoldWithdrawal) -> None:
    if command.withdrawal_hash in state.withdrawals:
        raise Refusal(ErrorCode.duplicate_withdrawal, "this withdrawal is held already", "withdrawal_hash")
    if command.nonce >> NONCE_WIDTH:
        raise Refusal(ErrorCode.nonce_out_of_range, "the nonce must be below 2**64", "nonce")
    if command.nonce in account.used_withdrawals:
        raise Refusal(ErrorCode.nonce_used, "a withdrawal with this nonce was taken before: use a new one", "nonce")
    if account.deficits:
        raise Refusal(ErrorCode.account_blocked, "the account has a deficit after a reorg: deposit to repay it")
    if account.exiting:
        raise Refusal(ErrorCode.account_exiting, "the account is leaving: the exit pays everything")
    if account.frozen:
        raise Refusal(ErrorCode.account_frozen, "its owner froze the account: unfreeze it, or exit")
    if account.holds >= MAX_HOLDS:
        raise Refusal(
            ErrorCode.too_many_withdrawals,
            f"at most {MAX_HOLDS} withdrawals are held at a time: wait until one is final or past its deadline",
            None,
            {"limit": MAX_HOLDS},
        )
    if command.deadline * 1_000 <= at_ms:
        raise Refusal(ErrorCode.withdrawal_deadline, "deadline is past", "deadline", {"now": at_ms // 1_000})
    balance = account.balances.get(command.asset)
    withdrawable = balance.withdrawable if balance is not None else 0
    if command.amount > withdrawable:
        raise Refusal(
            ErrorCode.insufficient_balance,
            f"{withdrawable} can be withdrawn now: orders hold, or trades have not settled, the rest",
            "amount",
            {"asset": command.asset, "needed": str(command.amount), "available": str(withdrawable)},
        )


def _pop_withdrawal(state: State, withdrawal_hash: bytes) -> Withdrawal:
    withdrawal = state.withdrawals.pop(withdrawal_hash, None)
    if withdrawal is None:
        raise Refusal(ErrorCode.unknown_withdrawal, "no such withdrawal is held", "withdrawal_hash")
    withdrawal.balance.account.holds -= 1
    return withdrawal


def _end_forced(state: State, forced: ForcedRequest, paid: int, outcome: str) -> None:
    """Forget a request; what it reserved beyond `paid` is available again."""
    del state.forced[forced.request]
    balance = forced.balance
    balance.owed -= forced.requested - forced.reserved
    balance.reserved -= forced.reserved
    state.events.append(e.ForcedReleased(forced.request, outcome))
    state.give(balance, forced.reserved - paid)


def _take(state: State, account: Account, asset: int, amount: int, paid: int, cause: str) -> None:
    """Lower the ledger by `amount`, of which `paid` is taken already."""
    state.issued[asset] = state.issued.get(asset, 0) - amount
    short = take_back(state, account.balance(asset), amount - paid, cause, CloseReason.debited) if amount > paid else 0
    state.events.append(e.Debited(account.account_id, asset, amount - short, short, cause))
