"""What the console shows beside markets and the log: health, withdrawals, jobs, accounts, cases."""

from typing import Any

from sqlalchemy import Row

from backend.accounts.service import account_view
from backend.context import Api, now_ms
from backend.operator import schemas
from backend.operator.service import log_entry
from backend.status.service import status_view
from backend.surveillance import service as surveillance
from backend.wire import address_of, checksum, hexed
from exchange.database import approvals, balances, console, operator_log
from exchange.database.console import JobsShown
from exchange.database.operator_log import Entry
from exchange.domain.instrument import MarketStatus

REVIEW = "review_case"


async def health(api: Api) -> schemas.ConsoleHealth:
    """How every process is, how far everything is, and what is halted."""
    services = await api.services.ask()
    halted = [
        api.name_of(market)
        for market in api.deployment.markets
        if api.feed.market(market.market_id).status is not MarketStatus.open
    ]
    return schemas.ConsoleHealth(
        services=[schemas.ServiceView(name=one.name, state=one.state, reason=one.reason) for one in services],
        status=await status_view(api),
        not_open=halted,
    )


# withdrawals that wait for approvals


async def withdrawals(api: Api) -> schemas.WaitingWithdrawals:
    """What waits for approvals, the first to lapse first, as its account signed it."""
    chain_id = api.domain.chain_id
    async with api.reading() as connection:
        rows = await approvals.waiting(connection)
        given = await approvals.of(connection, chain_id, [row.withdrawal_hash for row in rows])
        who = await approvals.approvers(connection, chain_id)
        threshold = await approvals.threshold(connection, chain_id)
    return schemas.WaitingWithdrawals(
        withdrawals=[_waiting(row, given[row.withdrawal_hash]) for row in rows],
        approvers=[checksum(approver) for approver in who],
        threshold=threshold,
        server_time=now_ms(),
    )


def _waiting(row: Row[Any], given: approvals.Approvals) -> schemas.WaitingWithdrawal:
    return schemas.WaitingWithdrawal(
        withdrawal_hash=hexed(row.withdrawal_hash),
        account=checksum(row.address),
        asset_id=row.asset_id,
        amount=str(row.amount),
        deadline=row.deadline,
        message={name: str(value) for name, value in row.message.items()},
        signature=hexed(row.signature),
        needed=given.needed,
        given_by=[checksum(approver) for approver in given.by],
        seen_at=row.seen_at,
    )


# the keepers' jobs


async def jobs(api: Api, shown: JobsShown, before: int | None, limit: int) -> schemas.JobPage:
    """What the keepers have to get mined, latest first, and what each duty waits for and costs."""
    async with api.reading() as connection:
        rows = await console.jobs(connection, shown, before, limit)
        duties = await console.duties(connection)
        costs = await console.costs(connection)
    now = now_ms()
    return schemas.JobPage(
        jobs=[_job(row, now) for row in rows],
        next_before=rows[-1].job_id if len(rows) == limit else None,
        duties=[
            schemas.DutyView(
                duty=row.duty,
                sender=checksum(row.sender),
                waiting=row.waiting,
                stuck=row.stuck,
                day_cost_wei=str(costs.get((row.duty, row.sender), 0)),
            )
            for row in duties
        ],
        server_time=now,
    )


def _job(row: Row[Any], now: int) -> schemas.JobView:
    waits = row.state in console.WAITING
    return schemas.JobView(
        job_id=row.job_id,
        duty=row.duty,
        key=row.key,
        sender=checksum(row.sender),
        state=row.state,
        succeeded=row.succeeded,
        attempts=row.attempts,
        stuck=waits and row.updated_at < now - console.STUCK_MS,
        cost_wei=str(int(row.cost)),
        tx_hash=None if row.tx_hash is None else hexed(row.tx_hash),
        block_number=row.block_number,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


# accounts


async def accounts(api: Api, prefix: str, before: int | None, limit: int) -> schemas.AccountList:
    """Accounts whose address begins so, the newest first."""
    digits = prefix.removeprefix("0x")
    whole = bytes.fromhex(digits[: len(digits) // 2 * 2])
    async with api.reading() as connection:
        rows = await console.accounts(connection, whole, before, limit)
    found = [schemas.AccountRow(account=checksum(row.address), status=row.status) for row in rows]
    return schemas.AccountList(
        accounts=[one for one in found if one.account[2:].lower().startswith(digits.lower())],
        next_before=rows[-1].account_id if len(rows) == limit else None,
        server_time=now_ms(),
    )


async def account(api: Api, address: str) -> schemas.AccountDetail:
    """One account: money, brakes, tier, open orders, and what operators did to it."""
    owner = address_of(address)
    async with api.reading() as connection:
        row = await balances.account_row(connection, owner)
        opened = {} if row is None else await console.open_orders(connection, row.account_id)
        tiers = [] if row is None else await console.tiers_of(connection, row.account_id)
        done = await operator_log.page(connection, None, 20, None, checksum(owner))
    return schemas.AccountDetail(
        account=await account_view(api, owner),
        open_orders={str(market): count for market, count in sorted(opened.items())},
        tiers=[schemas.TierFrom(tier=tier.tier, effective_at=tier.effective_at) for tier in tiers],
        log=[log_entry(entry) for entry in done],
    )


# cases of surveillance


async def cases(
    api: Api, before: int | None, limit: int, pattern: str | None, account: str | None
) -> schemas.ReviewedCasePage:
    """Cases, latest first, each with its last review."""
    page = await surveillance.page(api, before, limit, pattern, account)
    async with api.reading() as connection:
        reviews = await operator_log.latest(connection, REVIEW, [str(case.case_id) for case in page.cases])
    return schemas.ReviewedCasePage(
        cases=[
            schemas.ReviewedCase(**case.model_dump(), review=_review(reviews.get(str(case.case_id))))
            for case in page.cases
        ],
        **page.model_dump(exclude={"cases"}),
    )


def _review(entry: Entry | None) -> schemas.Review | None:
    if entry is None:
        return None
    return schemas.Review(
        entry_id=entry.entry_id,
        at=entry.at_ms,
        operator=checksum(entry.operator),
        verdict=entry.details["verdict"],
        reason=entry.reason,
    )
