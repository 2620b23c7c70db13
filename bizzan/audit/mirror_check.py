"""AUD-2: the database says of the chain what the chain says, and of the journal what its replay says."""

from collections.abc import Iterator

from sqlalchemy import RowMapping

from bizzan.audit.comparing import Problem, compare
from bizzan.audit.evidence import Evidence
from bizzan.audit.journal_replay import Replay, ReplayedTrade
from exchange.domain.deployment import checksum
from exchange.engine.events import CloseReason
from exchange.sequencer.fold import order_status


def mirror(evidence: Evidence) -> Iterator[Problem]:
    """Rows of the chain against a fresh index and the logs; rows of the journal against its replay."""
    for difference in evidence.differences:
        kind = "is missing" if difference.kind == "missing" else "should not be there or differs"
        yield f"table {difference.table}", f"a row {kind}: {difference.row}"
    yield from _chain_balances(evidence)
    replay = evidence.replay
    if replay is None:
        return
    if replay.head != evidence.mirror.journal_head:
        yield f"table projection, seq {replay.seq}", "its head is not the journal's head at that sequence"
    yield from _balances(evidence, replay)
    yield from _orders(evidence, replay)
    yield from _trades(evidence, replay)
    yield from _batches(evidence, replay)
    yield from _fees(evidence, replay)


def _chain_balances(evidence: Evidence) -> Iterator[Problem]:
    rows = {(bytes(r["account"]), r["token_id"]): (r["trading"], r["funding"]) for r in evidence.mirror.chain_balances}
    trading, funding = evidence.chain.trading, evidence.chain.funding
    there = {key: (trading[key], funding[key]) for key in {*trading, *funding}}
    for (account, token_id), row, known in compare(rows, {k: v for k, v in there.items() if v != (0, 0)}):
        where = f"table chain_balance, account {checksum(account)}, token {token_id}"
        yield where, f"(trading, funding) is {row or 'absent'}, the chain's logs say {known or 'nothing'}"


def _balances(evidence: Evidence, replay: Replay) -> Iterator[Problem]:
    names = ("available", "held", "reserved", "unsettled", "deficit")
    rows = {(r["account_id"], r["asset_id"]): tuple(r[name] for name in names) for r in evidence.mirror.balances}
    known = {key: tuple(getattr(b, name) for name in names) for key, b in replay.balances.items()}
    for (account_id, asset_id), row, replayed in compare(rows, known):
        address = replay.accounts.get(account_id)
        where = f"table balance, account {account_id} ({checksum(address) if address else 'unknown'}), asset {asset_id}"
        yield where, f"({', '.join(names)}) is {row or 'absent'}, the journal gives {replayed or 'nothing'}"


def _orders(evidence: Evidence, replay: Replay) -> Iterator[Problem]:
    rows = {
        r["order_id"]: (r["account_id"], bytes(r["order_hash"]).hex(), r["status"], r["filled"], r["remaining"])
        for r in evidence.mirror.orders
    }
    known = {}
    for order_id, order in replay.orders.items():
        status = order_status(CloseReason(order.closed)) if order.closed else "open"
        known[order_id] = (
            order.accepted.account,
            order.accepted.order_hash.hex(),
            status,
            order.filled,
            order.remaining,
        )
    for order_id, row, replayed in compare(rows, known):
        yield f"table orders, order {order_id}", f"is {row or 'absent'}, the journal gives {replayed or 'nothing'}"


def _trades(evidence: Evidence, replay: Replay) -> Iterator[Problem]:
    rows = {r["trade_id"]: _trade_row(r) for r in evidence.mirror.trades}
    known = {trade_id: _trade_replayed(trade) for trade_id, trade in replay.trades.items()}
    for trade_id, row, replayed in compare(rows, known):
        yield f"table trade, trade {trade_id}", f"is {row or 'absent'}, the journal gives {replayed or 'nothing'}"


def _trade_row(row: RowMapping) -> tuple[object, ...]:
    names = ("seq", "market_id", "price", "quantity", "quote", "taker_side", "maker_order_id", "taker_order_id")
    return (*(row[name] for name in names), row["maker_fee"], row["taker_fee"], row["batch"], row["reversed_cause"])


def _trade_replayed(trade: ReplayedTrade) -> tuple[object, ...]:
    match = trade.match
    return (
        trade.seq,
        match.market,
        match.price,
        match.quantity,
        match.quote,
        match.taker_side,
        match.maker_order,
        match.taker_order,
        match.maker_fee,
        match.taker_fee,
        trade.batch or None,
        trade.reversed_cause,
    )


def _batches(evidence: Evidence, replay: Replay) -> Iterator[Problem]:
    rows = {
        r["batch"]: (r["from_seq"], r["to_seq"], bytes(r["prev_head"]).hex(), bytes(r["new_head"]).hex(), r["status"])
        for r in evidence.mirror.batches
    }
    known = {
        number: (b.from_seq, b.to_seq, b.prev_head.hex(), b.new_head.hex(), "final" if b.final_seq else "cut")
        for number, b in replay.batches.items()
    }
    for number, row, replayed in compare(rows, known):
        yield f"table batch, batch {number}", f"is {row or 'absent'}, the journal gives {replayed or 'nothing'}"


def _fees(evidence: Evidence, replay: Replay) -> Iterator[Problem]:
    rows = {
        r["seq"]: (r["market_id"], r["effective_at"], [tuple(rates) for rates in r["tiers"]], r["floor"])
        for r in evidence.mirror.fee_schedules
    }
    known = {seq: (a.market, a.effective_at, [*a.tiers], a.floor) for seq, a in replay.announced.items()}
    for seq, row, replayed in compare(rows, known):
        yield f"table fee_schedule, seq {seq}", f"is {row or 'absent'}, the journal gives {replayed or 'nothing'}"
    tiers = {r["seq"]: (r["account_id"], r["tier"], r["effective_at"]) for r in evidence.mirror.account_tiers}
    set_to = {seq: (t.account, t.tier, t.effective_at) for seq, t in replay.tiers.items()}
    for seq, change, told in compare(tiers, set_to):
        yield f"table account_tier, seq {seq}", f"is {change or 'absent'}, the journal gives {told or 'nothing'}"
