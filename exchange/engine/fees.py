"""Fee schedules and tiers: announced before they count, so that nobody pays more without having been told in time.

The one rule: *from now until the notice has passed, nobody pays more at any time than was announced for that time
before.* A change that only lowers may count at once; a rise counts after the notice; an announcement may be taken
back, but not so that it makes anything dearer within the notice.
"""

from dataclasses import astuple
from typing import TypeVar

from exchange.domain.amount import MAX_AMOUNT
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.fees import MAX_TIERS, FeeRules, Schedule
from exchange.domain.utc import utc
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.engine.state import State
from exchange.engine.timeline import MAX_ANNOUNCED, Timeline

T = TypeVar("T")


def set_fee_rules(state: State, command: c.SetFeeRules) -> None:
    """Tighten what binds every schedule; no schedule that is known may be beyond it."""
    now, rules = state.fee_rules, FeeRules(command.fee_cap_bps, command.notice_ms)
    if not 0 <= rules.fee_cap_bps <= now.fee_cap_bps:
        raise Refusal(ErrorCode.fee_cap_out_of_range, f"fee_cap_bps must be 0 to {now.fee_cap_bps}", "fee_cap_bps")
    if not now.notice_ms <= rules.notice_ms <= MAX_AMOUNT >> 1:
        raise Refusal(ErrorCode.fee_notice_too_short, f"notice_ms must be at least {now.notice_ms}", "notice_ms")
    for book in state.books.values():
        for _, schedule in book.schedules.entries:
            for flaw in schedule.flaws(rules.fee_cap_bps):
                raise Refusal(ErrorCode.fee_cap_out_of_range, f"{book.market.symbol}: {flaw}", "fee_cap_bps")
    state.fee_rules = rules
    state.events.append(e.FeeRulesChanged(*astuple(rules)))


def announce_fees(state: State, at_ms: int, command: c.AnnounceFees) -> None:
    """A market's fees from a time on."""
    book = state.book(command.market)
    schedule = Schedule(tuple((maker, taker) for maker, taker in command.tiers), command.floor)
    check_schedule(state, schedule)
    from_ms = _start(state, at_ms, command.effective_at, book.schedules)
    for known in _told(state, at_ms, from_ms, book.schedules):
        if schedule.raises(known):
            raise _too_short(state, at_ms)
    book.announce(at_ms, from_ms, schedule)
    state.events.append(e.FeesAnnounced(command.market, from_ms, schedule.tiers, schedule.floor))


def set_account_tier(state: State, at_ms: int, command: c.SetAccountTier) -> None:
    """An account's tier from a time on; a lower tier is a rise of its fees."""
    account = state.account(command.account)
    if not 0 <= command.tier < MAX_TIERS:
        raise Refusal(ErrorCode.amount_out_of_range, f"tier must be 0 to {MAX_TIERS - 1}", "tier")
    tiers = account.tiers or Timeline([(0, 0)])
    from_ms = _start(state, at_ms, command.effective_at, tiers)
    if any(command.tier < known for known in _told(state, at_ms, from_ms, tiers)):
        raise _too_short(state, at_ms)
    account.tiers = tiers
    tiers.announce(at_ms, from_ms, command.tier)
    state.events.append(e.AccountTierSet(account.account_id, command.tier, from_ms))


def check_schedule(state: State, schedule: Schedule) -> None:
    """Refuse what is no schedule, or beyond the cap."""
    for flaw in schedule.flaws(state.fee_rules.fee_cap_bps):
        raise Refusal(ErrorCode.fee_cap_out_of_range, flaw, "tiers")


def _start(state: State, at_ms: int, effective_at: int, timeline: Timeline[T]) -> int:
    """From when an announcement counts; Refusal when too many wait before it."""
    from_ms = max(effective_at, at_ms)
    if sum(at_ms < known < from_ms for known, _ in timeline.entries) >= MAX_ANNOUNCED:
        raise Refusal(ErrorCode.amount_out_of_range, f"at most {MAX_ANNOUNCED} changes wait at a time", "effective_at")
    return from_ms


def _told(state: State, at_ms: int, from_ms: int, timeline: Timeline[T]) -> list[T]:
    """What was announced for the times that an announcement changes within the notice."""
    return timeline.between(from_ms, at_ms + state.fee_rules.notice_ms)


def _too_short(state: State, at_ms: int) -> Refusal:
    earliest = at_ms + state.fee_rules.notice_ms
    return Refusal(
        ErrorCode.fee_notice_too_short,
        f"somebody would pay more before {utc(earliest)} ({earliest} ms) than was announced: a rise counts from then "
        f"on at the earliest, which is {state.fee_rules.notice_ms // 1_000} s after it is announced",
        "effective_at",
        {"earliest": str(earliest), "notice_ms": str(state.fee_rules.notice_ms)},
    )
