"""What the console shows and does."""

import time

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.announcements.service import MOST_SHOWN, view
from backend.context import Api, now_ms, symbol_of
from backend.markets.service import market_view
from backend.operator import schemas
from backend.operator.commands import Check, entry_of, tell_engine
from backend.operator.staff import Staff
from backend.powers import Role
from backend.wire import address_of, checksum, hexed, integer
from exchange.database import announcements, balances, chain_events, operator_log, surveillance
from exchange.database.operator_log import Entry
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.instrument import Market

AMOUNT_BITS = 63


def session_view(staff: Staff) -> schemas.SessionView:
    """Who is signed in, and as what."""
    return schemas.SessionView(
        address=checksum(staff.address),
        roles=sorted(staff.roles),
        commands=Role.operator in staff.roles,
        until=staff.until,
        server_time=now_ms(),
    )


# markets


async def market_states(api: Api) -> schemas.MarketStates:
    """All markets, and why the contract halts one."""
    async with api.reading() as connection:
        halting = {
            market.market_id: await chain_events.halting(connection, api.domain.chain_id, market.market_id)
            for market in api.deployment.markets
        }
    states = []
    for market in api.deployment.markets:
        rules, halted = market_view(api, market), halting[market.market_id]
        states.append(
            schemas.MarketState(
                market_id=market.market_id,
                symbol=rules.symbol,
                status=rules.status,
                auction_ends_at=None if rules.auction is None else rules.auction.ends_at,
                halted_on_chain=None if halted is None else chain_events.HALTED_BY[halted.kind],
                band_bps=rules.band_bps,
                collar_bps=rules.collar_bps,
                max_quantity=rules.max_quantity,
                max_notional=rules.max_notional,
                max_open_orders=rules.max_open_orders,
                max_open_notional=rules.max_open_notional,
            )
        )
    return schemas.MarketStates(markets=states, live=api.feed.ready, server_time=now_ms())


async def halt(api: Api, staff: Staff, name: str, reason: str) -> schemas.Done:
    """Take no new orders in a market."""
    market = api.market(name)
    entry = entry_of(staff, "halt_market", symbol_of(market), reason)
    values = {"market": market.market_id, "status": "halted"}
    return await tell_engine(api, entry, "set_market_status", values, may_wait=True)


async def open_market(api: Api, staff: Staff, name: str, reason: str) -> schemas.Done:
    """Take orders again, unless the contract halts the market."""
    market = api.market(name)
    entry = entry_of(staff, "open_market", symbol_of(market), reason)
    values = {"market": market.market_id, "status": "open"}
    return await tell_engine(api, entry, "set_market_status", values, _not_halted(api, market))


async def start_auction(api: Api, staff: Staff, name: str, request: schemas.AuctionRequest) -> schemas.Done:
    """Gather orders, which trade at one price when the auction ends."""
    market = api.market(name)
    ends_at = int(time.time()) + request.seconds if request.seconds else 0
    entry = entry_of(staff, "start_auction", symbol_of(market), request.reason, ends_at=ends_at)
    values = {"market": market.market_id, "ends_at": ends_at}
    return await tell_engine(api, entry, "start_auction", values, _not_halted(api, market))


async def bound_market(api: Api, staff: Staff, name: str, request: schemas.BoundsRequest) -> schemas.Done:
    """Bound orders and accounts in a market, instead of what was bounded before."""
    market = api.market(name)
    values = {
        "collar_bps": request.collar_bps,
        "max_quantity": integer(request.max_quantity, "max_quantity", AMOUNT_BITS),
        "max_notional": integer(request.max_notional, "max_notional", AMOUNT_BITS),
        "max_open_orders": request.max_open_orders,
        "max_open_notional": integer(request.max_open_notional, "max_open_notional", AMOUNT_BITS),
    }
    if request.band_bps is not None:
        values["band_bps"] = request.band_bps
    said = {field: str(value) for field, value in values.items()}
    entry = entry_of(staff, "bound_market", symbol_of(market), request.reason, **said)
    return await tell_engine(api, entry, "set_market_bounds", {"market": market.market_id, **values})


async def announce_fees(api: Api, staff: Staff, name: str, request: schemas.FeesRequest) -> schemas.Done:
    """Announce the fees of orders to come in a market."""
    market = api.market(name)
    effective_at = _from_now(request.after_seconds)
    tiers = [[tier.maker_fee_ppm, tier.taker_fee_ppm] for tier in request.tiers]
    floor = integer(request.floor, "floor", AMOUNT_BITS)
    said = {"effective_at": effective_at, "tiers": tiers, "floor": str(floor)}
    entry = entry_of(staff, "announce_fees", symbol_of(market), request.reason, **said)
    values = {"market": market.market_id, "effective_at": effective_at, "tiers": tiers, "floor": floor}
    return await tell_engine(api, entry, "announce_fees", values)


def _from_now(after_seconds: int) -> int:
    """Milliseconds; 0, which counts as now, for at once."""
    return now_ms() + after_seconds * 1_000 if after_seconds else 0


def _not_halted(api: Api, market: Market) -> Check:
    """Refuses while the contract halts the market."""

    async def check(connection: AsyncConnection) -> None:
        halting = await chain_events.halting(connection, api.domain.chain_id, market.market_id)
        if halting is not None:
            raise Refusal(
                ErrorCode.market_halted,
                f"{symbol_of(market)} is halted on chain: {chain_events.HALTED_BY[halting.kind]} (block "
                f"{halting.block_number}), so its trades could not settle; it opens when nothing halts it there any "
                "more",
                "market",
                {"block_number": halting.block_number},
            )

    return check


# accounts


async def stop_account(api: Api, staff: Staff, address: str, stopped: bool, reason: str) -> schemas.Done:
    """Refuse an account's orders and cancel the open ones, or take its orders again."""
    owner = await _known_account(api, address)
    entry = entry_of(staff, "stop_account" if stopped else "resume_account", checksum(owner), reason)
    values = {"account": owner, "stopped": stopped}
    return await tell_engine(api, entry, "set_trading_stop", values, may_wait=stopped)


async def set_tier(api: Api, staff: Staff, address: str, request: schemas.TierRequest) -> schemas.Done:
    """Give an account a fee tier."""
    owner, effective_at = await _known_account(api, address), _from_now(request.after_seconds)
    said = {"tier": request.tier, "effective_at": effective_at}
    entry = entry_of(staff, "set_account_tier", checksum(owner), request.reason, **said)
    return await tell_engine(api, entry, "set_account_tier", {"account": owner, **said})


async def limit_account(api: Api, staff: Staff, address: str, request: schemas.LimitsRequest) -> schemas.Done:
    """Give an account limits of its own, or lift them."""
    owner = await _known_account(api, address)
    values = {
        "max_open_orders": request.max_open_orders,
        "asset": request.asset_id,
        "max_open_notional": integer(request.max_open_notional, "max_open_notional", AMOUNT_BITS),
    }
    said = {field: value if field == "asset" else str(value) for field, value in values.items()}
    entry = entry_of(staff, "limit_account", checksum(owner), request.reason, **said)
    return await tell_engine(api, entry, "set_account_limits", {"account": owner, **values})


async def _known_account(api: Api, address: str) -> bytes:
    """The account's address; refuses one that the engine does not know, or a typo would open an account."""
    owner = address_of(address)
    async with api.reading() as connection:
        if await balances.account_row(connection, owner) is None:
            raise Refusal(ErrorCode.unknown_account, f"there is no account {checksum(owner)}", "account")
    return owner


# cases of surveillance


async def review_case(api: Api, staff: Staff, case_id: int, request: schemas.ReviewRequest) -> schemas.Done:
    """Note what came out of looking at a case; the case itself never changes."""
    async with api.writing() as connection:
        if not await surveillance.exists(connection, case_id):
            raise Refusal(ErrorCode.not_found, f"there is no case {case_id}", "case")
        said = {"verdict": request.verdict}
        entry = Entry(staff.address, "review_case", str(case_id), request.reason, said, "done")
        logged = await operator_log.append(connection, entry)
    return _done(logged)


# announcements


async def post_announcement(api: Api, staff: Staff, request: schemas.PostAnnouncement) -> schemas.PostedAnnouncement:
    """Tell everybody something, from when until when."""
    now = now_ms()
    from_ms = now if request.from_ms is None else request.from_ms
    _check_times(now, from_ms, request.until_ms)
    async with api.writing() as connection:
        await operator_log.hold(connection)  # who counts while another posts would let both through
        if await announcements.standing(connection, now) >= MOST_SHOWN:
            raise Refusal(
                ErrorCode.too_many_announcements,
                f"{MOST_SHOWN} announcements stand already, and more are not shown: withdraw one first",
                None,
                {"max": MOST_SHOWN},
            )
        number = await announcements.post(connection, request.severity, request.texts, from_ms, request.until_ms)
        said = {
            "severity": request.severity,
            "texts": request.texts,
            "from_ms": from_ms,
            "until_ms": request.until_ms,
        }
        entry = Entry(staff.address, "post_announcement", str(number), request.reason, said, "done")
        logged = await operator_log.append(connection, entry)
    api.announced.forget()
    return schemas.PostedAnnouncement(announcement_id=number, **_done(logged).model_dump())


def _check_times(now: int, from_ms: int, until_ms: int) -> None:
    limit = now + schemas.MAX_SECONDS * 1_000
    if until_ms <= max(now, from_ms):
        raise Refusal(ErrorCode.expired, "until_ms must be after from_ms and after now", "until_ms")
    if until_ms > limit:
        raise Refusal(ErrorCode.expiry_too_far, "until_ms must be at most 90 days ahead", "until_ms", {"max": limit})


async def withdraw_announcement(api: Api, staff: Staff, number: int, reason: str) -> schemas.Done:
    """Show an announcement no more."""
    async with api.writing() as connection:
        if not await announcements.withdraw(connection, number, now_ms()):
            raise Refusal(
                ErrorCode.not_found, f"there is no announcement {number} that is shown, or will be", "announcement"
            )
        entry = Entry(staff.address, "withdraw_announcement", str(number), reason, {}, "done")
        logged = await operator_log.append(connection, entry)
    api.announced.forget()
    return _done(logged)


async def announcement_page(api: Api, before: int | None, limit: int) -> schemas.AnnouncementPage:
    """All announcements there were, latest first."""
    async with api.reading() as connection:
        rows = await announcements.page(connection, before, limit)
    kept = [
        schemas.KeptAnnouncement(**view(row).model_dump(), posted_at=row.posted_at, withdrawn_at=row.withdrawn_at)
        for row in rows
    ]
    return schemas.AnnouncementPage(
        announcements=kept,
        next_before=kept[-1].announcement_id if len(kept) == limit else None,
        server_time=now_ms(),
    )


# the log


async def log_page(
    api: Api, before: int | None, limit: int, action: str | None, subject: str | None
) -> schemas.LogPage:
    """The log, latest first."""
    async with api.reading() as connection:
        entries = await operator_log.page(connection, before, limit, action, subject)
        count, head = await operator_log.head(connection)
    return schemas.LogPage(
        log=[log_entry(entry) for entry in entries],
        next_before=entries[-1].entry_id if len(entries) == limit else None,
        entries=count,
        head=hexed(head),
        server_time=now_ms(),
    )


def log_entry(entry: Entry) -> schemas.LogEntry:
    """An entry as the API says it."""
    return schemas.LogEntry(
        entry_id=entry.entry_id,
        at=entry.at_ms,
        operator=checksum(entry.operator) if entry.operator else None,
        action=entry.action,
        subject=entry.subject,
        details=dict(entry.details),
        reason=entry.reason,
        follows=entry.follows,
        outcome=entry.outcome,
        prev_hash=hexed(entry.prev_hash),
        hash=hexed(entry.hash),
    )


def _done(entry: Entry) -> schemas.Done:
    return schemas.Done(entry_id=entry.entry_id, hash=hexed(entry.hash), outcome="done", seq=None)
