"""What a competent cheat can do to matching, and that an auditor's command line finds it, with a counterexample.

Every journal is whole, hashed and signed anew, every batch is one that the contract accepts. Each fraud says what shows
it: the journal alone, the chain beside it (`--rpc`), or the receipt of the user who was wronged. Without that it stays
unseen, which is tested too; docs/fairness.md has the same table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bizzan.cli.app import app
from bizzan.deployer import default_config, deploy
from bizzan.supervisor.anvil import Anvil
from exchange.domain.deployment import Deployment, address_bytes, checksum
from exchange.domain.eip712 import Value
from exchange.domain.order import Side
from exchange.engine import commands as c
from exchange.sequencer.seed import unsettled_limit_ms
from exchange.settings import load_settings
from tests.integration.audit.operator_desk import (
    FIRST,
    LOTS,
    MARKET,
    SECOND,
    STRANGER,
    TAKER,
    Case,
    Commands,
    Desk,
    dearer,
    instead,
    moved,
    orders_in,
    without,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "fairness.md"


class Evidence(StrEnum):
    """What it takes to see a fraud, as docs/fairness.md names it."""

    journal = "the journal"
    chain = "the chain"
    receipt = "a receipt"


@dataclass(frozen=True)
class Fraud:
    """A fraud by its name in docs/fairness.md; `says` is what the counterexample must name."""

    name: str
    evidence: Evidence
    commit: Callable[[Desk], Case]
    says: Callable[[Desk], tuple[str, ...]]


@pytest.fixture(scope="module")
def deployment(anvil: Anvil) -> Deployment:
    """The real contracts."""
    settings = load_settings()
    return deploy(anvil.url, settings.key("owner"), config=default_config(settings))


@pytest.fixture(scope="module")
def _opened(anvil: Anvil, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(anvil, deployment, tmp_path_factory.mktemp("opened"))
    desk.open()
    return desk


@pytest.fixture
def desk(_opened: Desk, tmp_path: Path) -> Iterator[Desk]:
    """The operator after an honest day, with nothing settled; the chain goes back after the test."""
    snapshot = _opened.node.rpc("evm_snapshot")
    yield replace(_opened, folder=tmp_path)
    _opened.node.rpc("evm_revert", snapshot)


def auditor(desk: Desk, case: Case, *, chain: bool, receipts: bool) -> tuple[int, str]:
    """Run `bizzan audit replay` with the evidence at hand."""
    deployment, given = desk.files(case)
    command = ["audit", "replay", str(case.published), "--deployment", str(deployment)]
    command += ["--rpc", desk.node.url] if chain else []
    command += ["--receipts", str(given)] if receipts and case.receipts else []
    done = CliRunner().invoke(app, command)
    return done.exit_code, done.output


def hash_of(desk: Desk, place: int) -> str:
    """The hash of one of the day's orders: the two at the best price, the worse one, the taker."""
    placed = desk.day[orders_in(desk.day)[place] - 1]
    assert isinstance(placed, c.PlaceOrder)
    return "0x" + placed.order_hash.hex()


# the frauds: what the operator does, in the order of docs/fairness.md


def reorder_in_matching(desk: Desk) -> Case:
    first, second, *_ = orders_in(desk.day)
    return Case(desk.publish(desk.settle(desk.day, moved(desk.day, second, first))))


def reorder_in_the_journal(desk: Desk) -> Case:
    first, second, *_ = orders_in(desk.day)
    receipts = [desk.receipt(desk.day, first), desk.receipt(desk.day, second)]
    forged = moved(desk.day, second, first)
    return Case(desk.publish(desk.settle(forged)), receipts)


def skip_in_matching(desk: Desk) -> Case:
    return Case(desk.publish(desk.settle(desk.day, without(desk.day, orders_in(desk.day)[0]))))


def skip_in_the_journal(desk: Desk) -> Case:
    first = orders_in(desk.day)[0]
    forged = without(desk.day, first)
    return Case(desk.publish(desk.settle(forged)), [desk.receipt(desk.day, first)])


def fill_at_a_worse_price(desk: Desk) -> Case:
    first, second, *_ = orders_in(desk.day)
    return Case(desk.publish(desk.settle(desk.day, without(without(desk.day, second), first))))


def change_a_copy(desk: Desk) -> Case:
    case = Case(desk.publish(desk.settle(desk.day)))
    segment = next((case.published / "raw").glob("*.segment"))
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    return case


def renamed(command: c.Command) -> c.Command:
    """An order with another client's id, which its user did not sign."""
    assert isinstance(command, c.PlaceOrder)
    return replace(command, client_order_id="forged")


def forge_a_line(desk: Desk) -> Case:
    first = orders_in(desk.day)[0]
    forged = instead(desk.day, first, renamed)
    return Case(desk.publish(desk.settle(forged)), [desk.receipt(desk.day, first)])


def forge_a_settled_line(desk: Desk) -> Case:
    settled, first = desk.settle(desk.day), orders_in(desk.day)[0]
    return Case(desk.publish(instead(settled, first, renamed)))


def sign_for_a_user(desk: Desk) -> Case:
    forged = replace(desk.order(STRANGER, Side.sell, desk.price, FIRST), scheme=0, signer=FIRST.raw)
    return Case(desk.publish(instead(desk.day, orders_in(desk.day)[0], lambda _: forged)))


def name_a_delegate(desk: Desk) -> Case:
    forged = desk.order(STRANGER, Side.sell, desk.price, FIRST)
    return Case(desk.publish(instead(desk.day, orders_in(desk.day)[0], lambda _: forged)))


def cancel_for_a_user(desk: Desk) -> Case:
    cancel = c.CancelOrder(
        FIRST.raw, 1, STRANGER.sign(desk.deployment.domain, "Cancel", account=FIRST.raw, nonce=1), b""
    )
    forged: Commands = [*desk.day[:-1], replace(cancel, signer=FIRST.raw), desk.day[-1]]
    return Case(desk.publish(desk.settle(forged)))


def hold_for_a_user(desk: Desk) -> Case:
    """With a message that is well formed, but only the operator ever signed."""
    token, domain = desk.deployment.token_of_asset(0), desk.deployment.domain
    deadline, who = desk.at_ms // 1_000 + 900, FIRST.raw
    values: dict[str, Value] = {"account": who, "token": address_bytes(token.address), "amount": 10**6 * token.unit}
    values |= {"recipient": who, "max_fee": 1, "nonce": 1, "deadline": deadline}
    text = json.dumps({name: checksum(value) if isinstance(value, bytes) else value for name, value in values.items()})
    signature, digest = STRANGER.sign(domain, "Withdrawal", **values), domain.hash("Withdrawal", values)
    forged = c.HoldWithdrawal(who, 0, 10**6, digest, 1, deadline, text, signature)
    return Case(desk.publish([*desk.day, forged]))


def reverse(desk: Desk, cause: str) -> Case:
    return Case(desk.publish([*desk.day, c.ReverseTrades(desk.inbox_id, (1,), cause)]))


def invent_a_credit(desk: Desk, cause: str) -> Case:
    gift = c.Credit(desk.inbox_id, STRANGER.raw, 0, 10**12, cause)
    return Case(desk.publish([*desk.day, gift]))


def charge_more(desk: Desk) -> Case:
    return Case(desk.publish(desk.settle(desk.day, dearer(desk.day))))


def raise_fees_at_once(desk: Desk) -> Case:
    raised = c.AnnounceFees(desk.inbox_id, MARKET, desk.at_ms, ((300, 900),), 0)
    last = len(desk.day)
    return Case(desk.publish([*desk.day[: last - 1], raised, desk.day[-1]]))


def let_trades_age(desk: Desk) -> Case:
    """As listed with no limit on the age of unsettled trades; so every order replays as accepted."""
    told = [replace(each, max_unsettled_ms=0) if isinstance(each, c.SetLimits) else each for each in desk.day]
    return Case(desk.publish(told))


def match_before_a_limit(desk: Desk) -> Case:
    return Case(desk.publish([each for each in desk.day if not isinstance(each, c.SetLimits)]))


def end_an_order_early(desk: Desk) -> Case:
    """The last order may have one fill only, and those behind it as many as ever."""
    told = next(each for each in desk.day if isinstance(each, c.SetLimits))
    return Case(desk.publish([*desk.day[:-1], replace(told, max_fills=1), desk.day[-1], told]))


def invent_a_demand(desk: Desk, kind: type, *values: object) -> Case:
    """What the second seller is said to have asked for on chain."""
    return Case(desk.publish([*desk.day, kind(desk.inbox_id, SECOND.raw, *values)]))


def feign_a_settlement(desk: Desk) -> Case:
    """The day's batch is cut and called final, and nobody sends it to the contract: the backlog is gone."""
    cut = c.CutBatch(desk.inbox_id, 1, len(desk.day))
    return Case(desk.publish([*desk.day, cut, c.FinalizeBatch(desk.inbox_id + 1, 1)]))


def expired_reason(desk: Desk) -> str:
    return f"block {desk.head()}: order: expired"


INVENTED = "0x" + "cd" * 32


FRAUDS = [
    Fraud(
        "an order is met before one that stood before it",
        Evidence.chain,
        reorder_in_matching,
        lambda desk: (
            "batches: batch 1 on chain, block ",
            f"order {hash_of(desk, 0)}: is left out; the journal's trades give sell in market 1 by {FIRST.address}: ",
            f"order {hash_of(desk, 1)}: was executed with sell in market 1 by {SECOND.address}: {LOTS} lots",
        ),
    ),
    Fraud(
        "two orders change places after they were acknowledged",
        Evidence.receipt,
        reorder_in_the_journal,
        lambda desk: (
            f"receipts: receipt for sequence {orders_in(desk.day)[0]}: {hash_of(desk, 0)} was acknowledged there",
            f"receipts: receipt for sequence {orders_in(desk.day)[1]}: {hash_of(desk, 1)} was acknowledged there",
            "the journal has another record, head 0x",
        ),
    ),
    Fraud(
        "an order in the journal is passed over",
        Evidence.chain,
        skip_in_matching,
        lambda desk: (f"order {hash_of(desk, 0)}: is left out", f"order {hash_of(desk, 1)}: was executed with sell"),
    ),
    Fraud(
        "an acknowledged order is left out of the journal",
        Evidence.receipt,
        skip_in_the_journal,
        lambda desk: (f"{hash_of(desk, 0)} was acknowledged there", "the order was skipped or moved"),
    ),
    Fraud(
        "an order is filled at a worse price than there was",
        Evidence.chain,
        fill_at_a_worse_price,
        lambda desk: (
            f"order {hash_of(desk, 3)}: was executed with buy in market 1 by {TAKER.address}: {LOTS} lots, "
            f"quote {LOTS * (desk.price + desk.tick)}",
            f"the journal's trades give buy in market 1 by {TAKER.address}: {LOTS} lots, quote {LOTS * desk.price}",
        ),
    ),
    Fraud(
        "a line is changed in a copy of the journal",
        Evidence.journal,
        change_a_copy,
        lambda desk: (", offset ", "the line is not what was journaled", "is not the file that was published"),
    ),
    Fraud(
        "a line is changed, and every hash and signature made anew",
        Evidence.receipt,
        forge_a_line,
        lambda desk: (f"{hash_of(desk, 0)} was acknowledged there", "the journal has another record, head 0x"),
    ),
    Fraud(
        "a line is changed after its batch was settled",
        Evidence.chain,
        forge_a_settled_line,
        lambda desk: ("batch 1 on chain", "ends at head ", f"the journal's at sequence {len(desk.day)} differs"),
    ),
    Fraud(
        "an order that its account never signed",
        Evidence.journal,
        sign_for_a_user,
        lambda desk: (
            f"signatures: journal sequence {orders_in(desk.day)[0]}: the order 0x",
            f"is said to be signed by {FIRST.address}, and is signed by {STRANGER.address}",
        ),
    ),
    Fraud(
        "a cancel that its account never signed",
        Evidence.journal,
        cancel_for_a_user,
        lambda desk: (
            f"signatures: journal sequence {len(desk.day)}: it is said to be signed by {FIRST.address}, "
            f"and is signed by {STRANGER.address}",
        ),
    ),
    Fraud(
        "a key signs for an account that never named it",
        Evidence.chain,
        name_a_delegate,
        lambda desk: (f"{STRANGER.address} signs for {FIRST.address}, which never named it a delegate on chain",),
    ),
    Fraud(
        "money is held for a withdrawal that its account never signed",
        Evidence.chain,
        hold_for_a_user,
        lambda desk: (
            f"signatures: journal sequence {len(desk.day) + 1}: the withdrawal 0x",
            f"the key of {FIRST.address} did not sign it, nor does a contract there say so",
        ),
    ),
    Fraud(
        "a trade is reversed without a cause",
        Evidence.journal,
        lambda desk: reverse(desk, "the operator says so"),
        lambda desk: (
            f"causes: journal sequence {len(desk.day) + 1}: reverses trades 1 and cites no block: ",
            "'the operator says so'",
        ),
    ),
    Fraud(
        "a reversal cites a block that is not there",
        Evidence.chain,
        lambda desk: reverse(desk, f"block {INVENTED}: order: expired"),
        lambda desk: (
            f"reverses trades 1 and cites block {INVENTED} for 'order: expired': the chain has no such block",
        ),
    ),
    Fraud(
        "a reversal's block does not bear out its reason",
        Evidence.chain,
        lambda desk: reverse(desk, expired_reason(desk)),
        lambda desk: (
            f"reverses trades 1 and cites block {desk.head()} (",
            "for 'order: expired': trade 1: its orders settle until ",
            " s of grace), the block is of ",
        ),
    ),
    Fraud(
        "a credit without a deposit",
        Evidence.journal,
        lambda desk: invent_a_credit(desk, "a gift"),
        lambda desk: (f"causes: journal sequence {len(desk.day) + 1}: moves money and cites no log",),
    ),
    Fraud(
        "a credit cites a deposit that is not there",
        Evidence.chain,
        lambda desk: invent_a_credit(desk, f"credit:{INVENTED}:0:0"),
        lambda desk: (
            f"causes: journal sequence {len(desk.day) + 1}: cites {10**12} of asset 0 for {STRANGER.address} by "
            f"{INVENTED}:0, and the chain says nothing of it",
        ),
    ),
    Fraud(
        "an order ends by a cancel on chain that its account never posted",
        Evidence.chain,
        lambda desk: invent_a_demand(desk, c.ObeyCancel, 1, 0),
        lambda desk: (
            f"demands: journal sequence {len(desk.day) + 1}: ObeyCancel",
            f"the chain has no NonceCancelled of 1 by {SECOND.address}",
        ),
    ),
    Fraud(
        "an account is stopped that neither froze itself nor leaves",
        Evidence.chain,
        lambda desk: invent_a_demand(desk, c.SetFrozen, True),
        lambda desk: (
            f"demands: journal sequence {len(desk.day) + 1}: SetFrozen",
            f"the chain has no AccountFrozen of {SECOND.address} that no other command cites",
        ),
    ),
    Fraud(
        "money is reserved for a forced withdrawal that nobody requested",
        Evidence.chain,
        lambda desk: invent_a_demand(desk, c.ReserveForced, 0, 10**15, f"reserve:{INVENTED}:0:0"),
        lambda desk: (
            f"demands: journal sequence {len(desk.day) + 1}: ReserveForced",
            f"the chain has no WithdrawalRequested at {INVENTED}:0",
        ),
    ),
    Fraud(
        "a fee above the schedule is collected",
        Evidence.chain,
        charge_more,
        lambda desk: (
            f"order {hash_of(desk, 3)}: was executed with buy in market 1 by {TAKER.address}: {LOTS} lots, "
            f"quote {LOTS * desk.price}, fee ",
            "fees: batch 1 on chain",
            "collects ",
            "the fees of its trades are ",
        ),
    ),
    Fraud(
        "fees rise without notice",
        Evidence.journal,
        raise_fees_at_once,
        lambda desk: (
            f"fees: journal sequence {len(desk.day)}: raises the fees of market {MARKET} without notice",
            "the notice is ",
        ),
    ),
    Fraud(
        "matching goes on although settlement is behind",
        Evidence.journal,
        let_trades_age,
        lambda desk: (
            "backlog: journal sequence ",
            "has matching stop at no age of the oldest unsettled trade: the deployment's windows say "
            f"{unsettled_limit_ms(desk.deployment.windows)} ms",
        ),
    ),
    Fraud(
        "a batch is called final that was never settled, so that matching goes on",
        Evidence.chain,
        feign_a_settlement,
        lambda desk: (f"batches: journal sequence {len(desk.day) + 2}: calls batch 1 final, which is not on chain",),
    ),
    Fraud(
        "nothing says when matching stops",
        Evidence.journal,
        match_before_a_limit,
        lambda desk: (
            f"backlog: journal sequence {orders_in(desk.day)[0] - 1}: the first order is accepted before any command "
            "says when matching stops (SetLimits)",
        ),
    ),
    Fraud(
        "one order may have fewer fills than others",
        Evidence.journal,
        end_an_order_early,
        lambda desk: (f"backlog: journal sequence {len(desk.day)}: lets one order have 1 fills, the first said ",),
    ),
]


def test_an_honest_day_passes_with_every_evidence(desk: Desk) -> None:
    honest = desk.settle(desk.day)
    case = Case(desk.publish(honest), [desk.receipt(honest, seq) for seq in orders_in(honest)])
    assert (code := auditor(desk, case, chain=True, receipts=True))[0] == 0, code[1]
    assert "4 orders, 1 trades, 2 fills: every line follows" in code[1]


def test_a_batch_that_is_cut_and_not_settled_yet_passes(desk: Desk) -> None:
    cut = c.CutBatch(desk.inbox_id, 1, len(desk.day))
    code, output = auditor(desk, Case(desk.publish([*desk.day, cut])), chain=True, receipts=False)
    assert code == 0, output


def test_batches_that_the_published_journal_does_not_reach_are_named(desk: Desk) -> None:
    honest = desk.settle(desk.day)
    code, output = auditor(desk, Case(desk.publish(honest[:-1]), []), chain=True, receipts=False)
    assert code == 0, output
    assert "1 batches on chain come after the journal's last and are not checked" in " ".join(output.split())


@pytest.mark.parametrize("fraud", FRAUDS, ids=lambda fraud: fraud.name)
def test_every_fraud_is_found_by_what_shows_it_and_by_nothing_less(fraud: Fraud, desk: Desk) -> None:
    case = fraud.commit(desk)
    needed = {"chain": fraud.evidence is Evidence.chain, "receipts": fraud.evidence is Evidence.receipt}
    code, output = auditor(desk, case, **needed)
    assert (code, [text for text in fraud.says(desk) if text not in output]) == (1, []), output
    if fraud.evidence is not Evidence.journal:
        without_it, output = auditor(desk, case, chain=not needed["chain"], receipts=not needed["receipts"])
        assert without_it == 0, output


@pytest.mark.parametrize(
    "fraud", [fraud for fraud in FRAUDS if fraud.evidence is Evidence.receipt], ids=lambda f: f.name
)
def test_the_wronged_user_finds_it_with_the_receipt_alone(fraud: Fraud, desk: Desk) -> None:
    """`bizzan audit receipt`, with the address of the receipt key and the published journal."""
    case = fraud.commit(desk)
    for receipt in case.receipts:
        _, given = desk.files(Case(case.published, [receipt]))
        command = ["audit", "receipt", str(given), "--signer", desk.deployment.receipt_signer]
        held = CliRunner().invoke(app, command)
        assert (held.exit_code, "was taken there" in held.output) == (0, True), held.output
        done = CliRunner().invoke(app, [*command, "--journal", str(case.published)])
        expected = f"the journal has another record at sequence {receipt.seq}: one at {desk.at_ms} ms, head 0x"
        found = f"acknowledged was 0x{receipt.subject.hex()} at {receipt.at_ms} ms, head 0x{receipt.record_head.hex()}"
        assert (done.exit_code, expected in done.output, found in done.output) == (1, True, True), done.output


def test_the_document_says_of_every_fraud_what_shows_it() -> None:
    rows = [line.strip("| \n").split(" | ")[:2] for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    assert [[fraud.name, fraud.evidence.value] for fraud in FRAUDS] == [
        row for row in rows if row[0] in {fraud.name for fraud in FRAUDS}
    ]
