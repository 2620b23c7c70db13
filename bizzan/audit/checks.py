"""The checks. Each compares two independent sources and yields what differs, in order, first difference first.

AUD-1  custody     the contract owns at least what it owes, and owes exactly what its logs add up to
AUD-2  mirror      the database says of the chain what the chain says, and of the journal what its replay says
AUD-3  engine      the engine's balances are the chain's, plus what is not settled or not told yet
AUD-4  batches     replaying the journal gives exactly the batches on chain: heads, orders, amounts, none left out
AUD-5  credits     every credit and debit in the journal cites a log on chain, with its account, asset and amount
AUD-6  fees        every fill pays what the announced schedule asks; each batch on chain collects exactly these fees
AUD-7  matching    every trade follows price-time priority, no order is skipped, every reversal has its cause on chain,
                   and matching stops while settlement is behind (`backlog`)
AUD-8  obedience   exits, freezes, cancels and revocations on chain are in the journal soon after (`obedience`), and
                   nothing is there in the chain's name that the chain did not say (`unasked`)
AUD-9  outflow     limits, levels and approvers are what the logs add up to, and were kept (`outflow_check`)
AUD-10 operators   the operators' log is whole, and says of the engine what the journal says (`operators`)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from bizzan.audit import obedience, operators, outflow_check
from bizzan.audit.chain_ledger import ChainLedger, Executed, SettledBatch
from bizzan.audit.comparing import Problem, as_far_as_it_goes, compare
from bizzan.audit.evidence import Evidence
from bizzan.audit.findings import CheckResult, Finding
from bizzan.audit.journal_replay import Replay, ReplayedBatch, ReplayedTrade
from bizzan.audit.mirror_check import mirror
from bizzan.audit.reversals import CAUSE, reversals
from bizzan.audit.signed import unpaid, unsigned_holds
from bizzan.audit.told import ToldLedger, key_of
from bizzan.audit.unasked import unasked, unnamed_requests
from exchange.domain.deployment import Deployment, checksum
from exchange.domain.instrument import MarketStatus
from exchange.domain.order import Side
from exchange.domain.settlement import Fill, aggregate
from exchange.engine.commands import Command, ReverseTrades
from exchange.engine.events import TradeMatched
from exchange.engine.invariants import violations
from exchange.sequencer.inbox import to_command

Check = Callable[[Evidence], Iterator[Problem]]


def run_checks(evidence: Evidence) -> tuple[CheckResult, ...]:
    """All checks, in order, each as far as it goes. Those that need the journal say so when it cannot be replayed."""
    return tuple(
        CheckResult(
            name,
            compared(evidence),
            tuple(Finding(name, where, text) for where, text in as_far_as_it_goes(check(evidence))),
        )
        for name, check, compared in CHECKS
    )


# AUD-1


def custody(evidence: Evidence) -> Iterator[Problem]:
    """Token balance of the contract >= liabilities x unit; liabilities = sum of the ledger."""
    views, chain = evidence.views, evidence.chain
    for token in evidence.deployment.tokens:
        symbol, owed = _symbol(evidence.deployment, token.asset_id), views.liabilities[token.token_id]
        if views.held[token.token_id] < owed * token.unit:
            held = views.held[token.token_id]
            yield f"token {symbol}", f"the contract holds {held} token units and owes {owed * token.unit}"
        if owed != chain.total(token.token_id):
            text = f"liabilities are {owed}, the logs add up to {chain.total(token.token_id)}"
            yield f"token {symbol}", text
    for name, folded, answered in (
        ("trading", chain.trading, views.trading),
        ("funding", chain.funding, views.funding),
    ):
        for (account, token_id), amount in answered.items():
            if folded[account, token_id] != amount:
                where = f"{name} balance of {checksum(account)}, token {token_id}"
                yield where, f"the contract says {amount}, its logs add up to {folded[account, token_id]}"


# AUD-3


def engine(evidence: Evidence) -> Iterator[Problem]:
    """Engine's total = chain's trading balance + what the engine knows first - what it is not told yet."""
    replay = evidence.replay
    if replay is None:
        yield from _corrupt(evidence)
        return
    for text in violations(replay.engine.state):
        yield f"engine at journal sequence {replay.seq}", text
    expected = _settled(evidence)
    _add_unsettled(evidence, replay, expected)
    told = _told(replay).entries
    moved = {key_of(movement): movement for movement in evidence.chain.movements}
    for key in told.keys() | moved.keys():
        if key in told:
            expected[told[key].account, told[key].asset] += told[key].amount
        if key in moved:
            asset = evidence.asset_of(moved[key].token_id)
            expected[moved[key].account, asset] -= moved[key].amount
    totals = {
        (replay.accounts[account], asset): b.available + b.held + b.reserved - b.deficit
        for (account, asset), b in replay.balances.items()
    }
    for account, asset in sorted(expected.keys() | totals.keys()):
        has, should = totals.get((account, asset), 0), expected[account, asset]
        if has != should:
            where = f"account {checksum(account)}, asset {_symbol(evidence.deployment, asset)}"
            yield where, f"the engine has {has}, chain and unsettled trades give {should}"


def _settled(evidence: Evidence) -> Counter[tuple[bytes, int]]:
    """Trading balances on chain, by account and asset."""
    settled: Counter[tuple[bytes, int]] = Counter()
    for (account, token_id), amount in evidence.chain.trading.items():
        settled[account, evidence.asset_of(token_id)] += amount
    return settled


def _add_unsettled(evidence: Evidence, replay: Replay, expected: Counter[tuple[bytes, int]]) -> None:
    """Add what trades moved that stand and that no batch on chain holds yet."""
    mined = {batch.seq for batch in evidence.chain.batches}
    for trade in replay.trades.values():
        if trade.reversed_cause is not None or trade.batch in mined:
            continue
        listed = replay.markets[trade.match.market]
        market = listed.market
        expected[replay.accounts[listed.fee_account], market.quote_asset] += (
            trade.match.maker_fee + trade.match.taker_fee
        )
        for account_id, side, fee in _sides(trade.match):
            sign, account = (1 if side == Side.buy else -1), replay.accounts[account_id]
            expected[account, market.base_asset] += sign * trade.match.quantity * market.lot_size
            expected[account, market.quote_asset] -= sign * trade.match.quote + fee


def _sides(match: TradeMatched) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Account id, side and fee of maker and taker."""
    maker_side = Side.sell if match.taker_side == Side.buy else Side.buy
    return (
        (match.maker_account, maker_side, match.maker_fee),
        (match.taker_account, match.taker_side, match.taker_fee),
    )


# AUD-4


def batches(evidence: Evidence) -> Iterator[Problem]:
    """Each batch on chain is the one that the journal cut, and holds exactly its trades."""
    if evidence.replay is None:
        yield from _corrupt(evidence)
        return
    yield from refused(evidence.replay)
    yield from settled_as_matched(evidence.replay, evidence.chain)
    yield from final_too_early(evidence.replay, evidence.chain, evidence.mirror.finalized_number)


def refused(replay: Replay) -> Iterator[Problem]:
    """Commands in the journal that the audit's engine does not accept, and what it cannot be told at all."""
    for seq, refusal in replay.refused:
        yield f"journal sequence {seq}", f"the engine refuses this command: {refusal.code}: {refusal.message}"
    if replay.stopped is not None:
        yield replay.stopped


def settled_as_matched(replay: Replay, chain: ChainLedger) -> Iterator[Problem]:
    """Each batch on chain holds exactly the trades that the journal bound to it; what is called final is there."""
    by_batch: dict[int, list[ReplayedTrade]] = {}
    for trade in replay.trades.values():
        if trade.batch and trade.reversed_cause is None:
            by_batch.setdefault(trade.batch, []).append(trade)
    for expected, mined in enumerate(chain.batches, start=1):
        where = f"batch {mined.seq} on chain, {mined.place}"
        cut = replay.batches.get(mined.seq)
        if mined.seq != expected:
            yield where, f"the batch after {expected - 1} should be {expected}"
        elif cut is None:
            yield where, "the journal never cut this batch"
        else:
            yield from _batch(replay, where, cut, mined, by_batch.get(mined.seq, []))
    there = {mined.seq for mined in chain.batches}
    for batch in replay.batches.values():
        if batch.final_seq and batch.batch not in there:
            yield f"journal sequence {batch.final_seq}", f"calls batch {batch.batch} final, which is not on chain"


def final_too_early(replay: Replay, chain: ChainLedger, finalized_number: int) -> Iterator[Problem]:
    """Batches that the journal calls final, and whose blocks are not final yet."""
    for mined in chain.batches:
        cut = replay.batches.get(mined.seq)
        if cut is not None and cut.final_seq and mined.place.block_number > finalized_number:
            text = f"calls batch {mined.seq} final, which is in {mined.place}: final is block {finalized_number}"
            yield f"journal sequence {cut.final_seq}", text


def _batch(
    replay: Replay, where: str, cut: ReplayedBatch, mined: SettledBatch, trades: Iterable[ReplayedTrade]
) -> Iterator[Problem]:
    if mined.prev_head != cut.prev_head:
        yield where, f"starts at head {mined.prev_head.hex()}, the journal's at sequence {cut.from_seq} differs"
    if mined.new_head != cut.new_head:
        yield where, f"ends at head {mined.new_head.hex()}, the journal's at sequence {cut.to_seq} differs"
    if mined.announced != len(mined.executed):
        yield where, f"announces {mined.announced} executions, logs {len(mined.executed)}"
    known = {bytes(e.order_hash): e for e in _executions(replay, trades)}
    there = per_order(mined.executed)
    for order_hash, on_chain, replayed in compare(there, known):
        order = f"{where}, order 0x{order_hash.hex()}"
        if on_chain is None:
            yield order, f"is left out; the journal's trades give {_amounts(replayed)}"
        elif replayed is None:
            yield order, f"was executed with {_amounts(on_chain)}; the journal has no such trade in this batch"
        else:
            yield order, f"was executed with {_amounts(on_chain)}; the journal's trades give {_amounts(replayed)}"


def per_order(executed: Iterable[Executed]) -> dict[bytes, Executed]:
    """What each order did in a batch: the sums over its executions, of which it has one in each section at most."""
    sums: dict[bytes, Executed] = {}
    for each in executed:
        one = sums.get(each.order_hash)
        sums[each.order_hash] = (
            each
            if one is None
            else replace(one, lots=one.lots + each.lots, quote=one.quote + each.quote, fee=one.fee + each.fee)
        )
    return sums


def _executions(replay: Replay, trades: Iterable[ReplayedTrade]) -> Iterator[Executed]:
    """What the contract must have executed for these trades, one per order."""
    fills = []
    hashes = {}
    for trade in trades:
        match = trade.match
        for order_id, fee in ((match.maker_order, match.maker_fee), (match.taker_order, match.taker_fee)):
            placed = replay.orders[order_id].placed
            hashes[placed.order] = placed.order_hash
            fills.append(
                Fill(order_id, placed.order, placed.scheme, placed.signature, match.quantity, match.quote, fee)
            )
    for done in aggregate(fills):
        order = done.order
        yield Executed(order.account, hashes[order], order.side, order.market, done.lots, done.quote, done.fee)


def _amounts(executed: Executed | None) -> str:
    if executed is None:
        return "nothing"
    side = Side(executed.side).name
    amounts = f"{executed.lots} lots, quote {executed.quote}, fee {executed.fee}"
    return f"{side} in market {executed.market} by {checksum(executed.account)}: {amounts}"


# AUD-5


def credits_cite_logs(evidence: Evidence) -> Iterator[Problem]:
    """Money appears and disappears in the engine only because of a log, and by exactly its amount."""
    replay = evidence.replay
    if replay is None:
        yield from _corrupt(evidence)
        return
    told = _told(replay)
    for seq, command in told.strays:
        yield f"journal sequence {seq}", f"moves money and cites no log: {command}"
    told.add_all(_pending(evidence), replay.withdrawals, replay.accounts)
    moved = {key_of(movement): movement for movement in evidence.chain.movements}
    for key, entry in told.entries.items():
        movement = moved.get(key)
        there = (movement.account, evidence.asset_of(movement.token_id), movement.amount) if movement else None
        if entry.amount and there != (entry.account, entry.asset, entry.amount):
            cited = f"{entry.amount} of asset {entry.asset} for {checksum(entry.account)} by {key[1]}"
            on_chain = f"moves {there[2]} of asset {there[1]} for {checksum(there[0])}" if there else "is not on chain"
            yield f"journal sequence {entry.seq}", f"{cited}, which {on_chain}"
    yield from _untold(evidence, told)


def _untold(evidence: Evidence, told: ToldLedger) -> Iterator[Problem]:
    """Movements that are old enough and that nobody has told the engine of."""
    known = {key for key, entry in told.entries.items() if entry.amount}
    for movement in evidence.chain.movements:
        due = evidence.mirror.confirmed_number if movement.amount > 0 else evidence.mirror.finalized_number
        if movement.amount and movement.place.block_number <= due and key_of(movement) not in known:
            text = f"{movement.kind} of {movement.amount} for {checksum(movement.account)}: the engine was never told"
            yield str(movement.place), text


def _told(replay: Replay) -> ToldLedger:
    told = ToldLedger()
    told.add_all(((t.seq, t.command) for t in replay.told), replay.withdrawals, replay.accounts)
    return told


def _pending(evidence: Evidence) -> Iterator[tuple[int, Command]]:
    for row in evidence.mirror.pending:
        yield evidence.mirror.journal_seq + 1, to_command(row.id, row.kind, row.payload)


def _corrupt(evidence: Evidence) -> Iterator[Problem]:
    if evidence.corrupt is not None:
        yield evidence.corrupt


# AUD-6


def fees(evidence: Evidence) -> Iterator[Problem]:
    """What was charged is what the schedule asks; what was collected is what was charged, and for the same account."""
    replay = evidence.replay
    if replay is None:
        yield from _corrupt(evidence)
        return
    yield from replay.fees.problems
    yield from diverted(replay, evidence.chain.fee_account)
    yield from collected_as_charged(replay, evidence.chain)


def collected_as_charged(replay: Replay, chain: ChainLedger) -> Iterator[Problem]:
    """Each batch collects on chain the fees of its trades."""
    by_batch: dict[int, Counter[int]] = {}
    for trade in replay.trades.values():
        if trade.batch and trade.reversed_cause is None:
            sums = by_batch.setdefault(trade.batch, Counter())
            sums[trade.match.market] += trade.match.maker_fee + trade.match.taker_fee
    for mined in chain.batches:
        charged = {market: fee for market, fee in by_batch.get(mined.seq, Counter()).items() if fee}
        for market, collected, due in compare(mined.fees, charged):
            where = f"batch {mined.seq} on chain, {mined.place}"
            yield where, f"collects {collected or 0} in market {market}, the fees of its trades are {due or 0}"


def diverted(replay: Replay, fee_account: bytes) -> Iterator[Problem]:
    """Markets that go on, and for whose fees the engine credits another account than the contract does."""
    for market_id, listed in replay.markets.items():
        credited = replay.accounts[listed.fee_account]
        delisted = replay.engine.state.books[market_id].market.status is MarketStatus.delisted
        if credited != fee_account and not delisted:
            text = f"the engine credits its fees to {checksum(credited)}, the contract to {checksum(fee_account)}"
            yield f"market {market_id}", text


# AUD-7


def matching(evidence: Evidence) -> Iterator[Problem]:
    """Orders are signed, and meet what price and time say while settlement follows; what is undone has its cause."""
    if evidence.replay is None:
        yield from _corrupt(evidence)
        return
    if evidence.replay.signatures is not None:
        yield from evidence.replay.signatures.problems
        yield from unsigned_holds(unpaid(evidence.replay.signatures, evidence.chain), evidence.confirmed)
    yield from evidence.replay.priority.problems
    if evidence.replay.backlog is not None:
        yield from evidence.replay.backlog.problems
    yield from uncaused(evidence.replay)
    yield from reversals(evidence.replay, evidence.chain, evidence.cited)


def uncaused(replay: Replay) -> Iterator[Problem]:
    """Reversals that cite no state of the chain, and reserves that cite no request."""
    yield from unnamed_requests(replay)
    for told in replay.told:
        if isinstance(told.command, ReverseTrades) and not CAUSE.match(told.command.cause):
            trades = ", ".join(map(str, told.command.trade_ids))
            yield f"journal sequence {told.seq}", f"reverses trades {trades} and cites no block: {told.command.cause!r}"


# AUD-8


def obedient(evidence: Evidence) -> Iterator[Problem]:
    """The engine was told what accounts said on chain, in time; and of nothing that they did not say."""
    yield from obedience.obedience(evidence)
    if evidence.replay is not None:
        yield from unasked(evidence.replay, evidence.chain, _pending(evidence))


def _symbol(deployment: Deployment, asset_id: int) -> str:
    return deployment.asset(asset_id).symbol


def _count(evidence: Evidence) -> str:
    return f"{evidence.chain.logs} logs, {len(evidence.views.trading)} balances"


def _count_mirror(evidence: Evidence) -> str:
    there = evidence.mirror
    rows = len(there.balances) + len(there.orders) + len(there.trades) + len(there.batches)
    return f"{evidence.chain.logs} logs, {rows} rows of the journal"


def _count_engine(evidence: Evidence) -> str:
    return f"{len(evidence.mirror.balances)} balances"


def _count_batches(evidence: Evidence) -> str:
    executed = sum(len(batch.executed) for batch in evidence.chain.batches)
    return f"{len(evidence.chain.batches)} batches, {executed} executions"


def _count_credits(evidence: Evidence) -> str:
    return f"{len(evidence.chain.movements)} movements"


def _count_fees(evidence: Evidence) -> str:
    ledger = evidence.replay.fees if evidence.replay else None
    announced = sum(len(told) for told in ledger.schedules.values()) if ledger else 0
    return f"{ledger.fills if ledger else 0} fills, {announced} schedules"


def _count_matching(evidence: Evidence) -> str:
    ledger = evidence.replay.priority if evidence.replay else None
    return f"{ledger.trades if ledger else 0} trades"


CHECKS: tuple[tuple[str, Check, Callable[[Evidence], str]], ...] = (
    ("AUD-1 custody", custody, _count),
    ("AUD-2 mirror", mirror, _count_mirror),
    ("AUD-3 engine", engine, _count_engine),
    ("AUD-4 batches", batches, _count_batches),
    ("AUD-5 credits", credits_cite_logs, _count_credits),
    ("AUD-6 fees", fees, _count_fees),
    ("AUD-7 matching", matching, _count_matching),
    ("AUD-8 obedience", obedient, obedience.count),
    ("AUD-9 outflow", outflow_check.outflow, outflow_check.count),
    ("AUD-10 operators", operators.operators, operators.count),
)
