"""OperatorBond: two statements that contradict each other take the bond, and nothing else does but its slow return."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from eth_abi.abi import encode

from bizzan.contracts import artifact
from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import Domain
from tests.utils.contracts import CHAIN_ID, NAME, REFUSING_CODE, at, reverts
from tests.utils.receipts import SignedJournal
from tests.utils.signing import Signer

DAY = 86_400
DELAY = 14 * DAY
BOND = 10**18 + 7
TYPES = ["string", "address", "address", "uint256"]
BURNT = "0x000000000000000000000000000000000000dEaD"
NOBODY = "0x" + "00" * 20
SIGNER, BONDER, REPORTER, STRANGER = map(Signer, ("receipts", "bonder", "reporter", "stranger"))


def create(signer: str = SIGNER.address, bonder: str = BONDER.address, delay: int = DELAY, value: int = BOND) -> Any:
    """A new bond."""
    code = bytes.fromhex(artifact("OperatorBond").bytecode.removeprefix("0x"))
    boa.env.set_balance(BONDER.address, 10**20)
    arguments = encode(TYPES, [NAME, signer, bonder, delay])
    address, _ = boa.env.deploy_code(sender=BONDER.address, bytecode=code + arguments, value=value)
    return at("OperatorBond", str(address))


@pytest.fixture(scope="module")
def deployed() -> Any:
    """One bond for the module."""
    return create()


@pytest.fixture
def bond(deployed: Any) -> Iterator[Any]:
    """The bond for one test."""
    boa.env.sstore_trace.clear()
    with boa.env.anchor():
        yield deployed


@pytest.fixture
def journal(bond: Any) -> SignedJournal:
    """Twenty records, to be signed honestly."""
    domain = Domain(NAME, CHAIN_ID, address_bytes(str(bond.address)))
    return SignedJournal.of(domain, SIGNER, [f"order {i}" for i in range(1, 21)])


@pytest.fixture
def forged(journal: SignedJournal) -> SignedJournal:
    """A journal of the same length, with another record 7, and so with other heads from there on."""
    names = [f"order {i}" if i != 7 else "order of a friend" for i in range(1, 21)]
    return SignedJournal.of(journal.domain, SIGNER, names)


def report(bond: Any, one: tuple[object, ...], other: tuple[object, ...]) -> int:
    """Report by the reporter, for itself."""
    return int(bond.report(one, other, REPORTER.address, sender=REPORTER.address))


def logged(bond: Any) -> list[tuple[Any, ...]]:
    """The bond's events of the last call: name, then values."""
    return [(type(event).__name__, *tuple(event)[1:]) for event in bond.get_logs()]


# what it is


def test_the_bond_is_what_was_sent_and_is_fixed(bond: Any) -> None:
    assert (bond.bond(), bond.signer(), bond.bonder(), bond.delay()) == (BOND, SIGNER.address, BONDER.address, DELAY)
    assert (bond.retired_at(), bond.slashed_at()) == (0, 0)
    assert bond.domain_separator() == Domain(NAME, CHAIN_ID, address_bytes(str(bond.address))).separator


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"signer": NOBODY}, "bond: no signer"),
        ({"bonder": NOBODY}, "bond: bad bonder"),
        ({"delay": 7 * DAY - 1}, "bond: delay out of range"),
        ({"delay": 90 * DAY + 1}, "bond: delay out of range"),
    ],
)
def test_deployment_reverts_for_what_is_no_bond(arguments: dict[str, Any], reason: str) -> None:
    with reverts(reason):
        create(**arguments)


@pytest.mark.parametrize("delay", [7 * DAY, 90 * DAY])
def test_delays_of_a_week_to_ninety_days_are_bonds(delay: int) -> None:
    assert create(delay=delay, value=0).bond() == 0


def test_anyone_adds(bond: Any) -> None:
    boa.env.set_balance(STRANGER.address, 5)
    bond.add(value=5, sender=STRANGER.address)
    assert logged(bond) == [("BondAdded", STRANGER.address, 5, BOND + 5)]
    assert bond.bond() == BOND + 5
    with reverts("bond: nothing sent"):
        bond.add(sender=STRANGER.address)


def test_plain_eth_is_refused(bond: Any) -> None:
    with pytest.raises(Revert):
        boa.env.raw_call(str(bond.address), sender=BONDER.address, value=1)


# contradictions


def test_two_records_in_one_place_take_the_bond(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    burnt = boa.env.get_balance(BURNT)
    reward = report(bond, journal.receipt(7, 5, 9).claim(), forged.receipt(7, 1, 20).claim())
    assert reward == BOND // 10
    assert logged(bond) == [("BondSlashed", REPORTER.address, REPORTER.address, 7, reward, BOND - reward)]
    assert boa.env.get_balance(REPORTER.address) == reward
    assert boa.env.get_balance(BURNT) - burnt == BOND - reward
    assert (bond.bond(), bond.slashed_at()) == (0, boa.env.timestamp)


@pytest.mark.parametrize("changes", [{"at_ms": 5}, {"subject": bytes(32)}, {"head": b"\x01" * 32}])
def test_any_word_of_a_record_contradicts(bond: Any, journal: SignedJournal, changes: dict[str, Any]) -> None:
    other = journal.with_line(8, **changes)
    assert report(bond, journal.receipt(8, 8, 8).claim(), other.receipt(8, 6, 11).claim()) == BOND // 10


def test_two_heads_after_one_record_take_the_bond(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    assert report(bond, journal.head_claim(3, 12), forged.head_claim(11, 12)) == BOND // 10


def test_a_head_contradicts_a_record(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    assert report(bond, journal.head_claim(3, 12), forged.receipt(12, 12, 14).claim()) == BOND // 10


def test_one_statement_that_contradicts_itself_takes_the_bond(bond: Any, journal: SignedJournal) -> None:
    lie = b"\x02" * 32
    assert report(bond, journal.head_claim(3, 12, lie), journal.receipt(12, 3, 12, lie).claim()) == BOND // 10


def test_a_retired_bond_is_taken_until_it_is_withdrawn(
    bond: Any, journal: SignedJournal, forged: SignedJournal
) -> None:
    bond.retire(sender=BONDER.address)
    boa.env.time_travel(seconds=DELAY + DAY)
    assert report(bond, journal.receipt(7, 7, 7).claim(), forged.receipt(7, 7, 7).claim()) == BOND // 10
    with reverts("bond: nothing left"):
        bond.withdraw(BONDER.address, sender=BONDER.address)


def test_a_bond_is_taken_once(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    claims = journal.receipt(7, 7, 7).claim(), forged.receipt(7, 7, 7).claim()
    report(bond, *claims)
    with reverts("bond: nothing left"):
        report(bond, *claims)
    with reverts("bond: slashed"):
        bond.add(value=1, sender=BONDER.address)
    with reverts("bond: slashed"):
        bond.retire(sender=BONDER.address)


def test_a_reporter_that_refuses_eth_stops_only_itself(
    bond: Any, journal: SignedJournal, forged: SignedJournal
) -> None:
    claims = journal.receipt(7, 7, 7).claim(), forged.receipt(7, 7, 7).claim()
    boa.env.set_code(STRANGER.address, REFUSING_CODE)
    with pytest.raises(boa.BoaError):
        bond.report(*claims, STRANGER.address, sender=REPORTER.address)
    assert report(bond, *claims) == BOND // 10


# what is none


def test_receipts_of_one_journal_never_contradict(bond: Any, journal: SignedJournal) -> None:
    for one, other in (((1, 20), (7, 7)), ((5, 9), (7, 12)), ((7, 7), (1, 7)), ((2, 8), (2, 8))):
        with reverts("report: no contradiction"):
            report(bond, journal.receipt(7, *one).claim(), journal.receipt(7, *other).claim())
    with reverts("report: no contradiction"):
        report(bond, journal.head_claim(1, 7), journal.receipt(7, 4, 9).claim())
    with reverts("report: no contradiction"):
        report(bond, journal.head_claim(1, 7), journal.head_claim(7, 7))


def test_different_sequences_never_contradict(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    with reverts("report: different sequences"):
        report(bond, journal.receipt(7, 5, 9).claim(), forged.receipt(8, 5, 9).claim())


def test_only_the_receipt_key_is_believed(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    other = replace(forged, signer=STRANGER)
    with reverts("claim: wrong signer"):
        report(bond, journal.receipt(7, 5, 9).claim(), other.receipt(7, 5, 9).claim())


@pytest.mark.parametrize("domain", [Domain(NAME, 2, b"\0" * 20), Domain("Other", CHAIN_ID, b"\0" * 20)])
def test_statements_for_another_chain_or_bond_are_not_believed(
    bond: Any, journal: SignedJournal, forged: SignedJournal, domain: Domain
) -> None:
    there = replace(forged, domain=domain)
    with reverts("claim: wrong signer"):
        report(bond, journal.receipt(7, 5, 9).claim(), there.receipt(7, 5, 9).claim())


def test_a_record_is_shown_at_its_own_place(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    good, receipt = journal.receipt(7, 5, 9).claim(), forged.receipt(7, 5, 9)
    for wrong, reason in (
        (receipt.path[:-1], "claim: path too short"),
        ((*receipt.path, bytes(32)), "claim: path too long"),
        ((bytes(32), *receipt.path[1:]), "claim: record not in tree"),
    ):
        with reverts(reason):
            report(bond, good, (*receipt.claim()[:10], list(wrong)))
    moved = list(forged.receipt(8, 5, 9).claim())
    moved[6] = 7
    with reverts("claim: record not in tree"):
        report(bond, good, tuple(moved))


def test_a_claim_is_about_its_own_range(bond: Any, journal: SignedJournal, forged: SignedJournal) -> None:
    outside = list(forged.receipt(9, 5, 9).claim())
    outside[6] = 10
    with reverts("claim: sequence out of range"):
        report(bond, journal.receipt(10, 10, 10).claim(), tuple(outside))
    inside = list(forged.head_claim(5, 9))
    inside[6] = 8
    with reverts("claim: head of another sequence"):
        report(bond, journal.receipt(8, 8, 8).claim(), tuple(inside))


# the way back


def test_the_bond_comes_back_the_delay_after_it_retired(bond: Any) -> None:
    with reverts("bond: not retired"):
        bond.withdraw(BONDER.address, sender=BONDER.address)
    bond.retire(sender=BONDER.address)
    assert logged(bond) == [("BondRetired", boa.env.timestamp + DELAY)]
    with reverts("bond: retired"):
        bond.retire(sender=BONDER.address)
    with reverts("bond: retired"):
        bond.add(value=1, sender=BONDER.address)
    boa.env.time_travel(seconds=DELAY - 1)
    with reverts("bond: too early"):
        bond.withdraw(STRANGER.address, sender=BONDER.address)
    boa.env.time_travel(seconds=1)
    assert bond.withdraw(STRANGER.address, sender=BONDER.address) == BOND
    assert logged(bond) == [("BondWithdrawn", STRANGER.address, BOND)]
    assert (boa.env.get_balance(STRANGER.address), bond.bond()) == (BOND, 0)


def test_nobody_but_the_bonder_takes_it_back(bond: Any) -> None:
    for someone in (STRANGER, SIGNER, REPORTER):
        with reverts("bond: only the bonder"):
            bond.retire(sender=someone.address)
    bond.retire(sender=BONDER.address)
    boa.env.time_travel(seconds=DELAY)
    for someone in (STRANGER, SIGNER, REPORTER):
        with reverts("bond: only the bonder"):
            bond.withdraw(someone.address, sender=someone.address)
