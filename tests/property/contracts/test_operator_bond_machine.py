"""A stateful machine over the operator's bond, beside a Python twin.

OB1: the bond leaves by a contradiction or to the bonder after the delay. OB2: what came in is there, withdrawn,
rewarded or burnt. OB3: what one journal says never contradicts. OB4: nothing stops a report while the bond is there.
The operator signs an honest journal and a forged one; who holds both sides of a contradiction has it, nobody else.
"""

from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from exchange.domain.deployment import address_bytes
from exchange.domain.eip712 import Domain
from tests.unit.contracts.test_operator_bond import BOND, BONDER, BURNT, DELAY, REPORTER, SIGNER, STRANGER, create
from tests.utils.contracts import CHAIN_ID, NAME, reverts
from tests.utils.receipts import SignedJournal

LENGTH, FORKED = 12, 6
SEQ = st.integers(1, LENGTH)
CALLER = st.sampled_from((BONDER, SIGNER, REPORTER, STRANGER))
BONDS: list[Any] = []
Shown = tuple[tuple[object, ...], bool]
"""A claim, and whether it is of the forged journal."""


@pytest.fixture(scope="module", autouse=True)
def _deploy() -> None:
    BONDS[:] = [create()]


class BondMachine(RuleBasedStateMachine):
    """The twin: what is there, what went where, and when the bond was retired and slashed."""

    @initialize()
    def start(self) -> None:
        boa.env.sstore_trace.clear()
        self.bond = BONDS[0]
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        domain = Domain(NAME, CHAIN_ID, address_bytes(str(self.bond.address)))
        names = [f"order {i}" for i in range(1, LENGTH + 1)]
        self.honest = SignedJournal.of(domain, SIGNER, names)
        names[FORKED - 1] = "order of a friend"
        self.forged = SignedJournal.of(domain, SIGNER, names)
        self.there, self.added = BOND, BOND
        self.withdrawn = self.rewards = self.burnt = 0
        self.burnt_before = boa.env.get_balance(BURNT)
        self.retired_at: int | None = None
        self.slashed = False

    def teardown(self) -> None:
        self.anchor.__exit__(None, None, None)

    @rule(caller=CALLER, amount=st.sampled_from((0, 1, 9, 10, 10**17)))
    def add(self, caller: Any, amount: int) -> None:
        boa.env.set_balance(caller.address, 10**20)
        reason = "bond: slashed" if self.slashed else "bond: retired" if self.retired_at is not None else None
        reason = reason or (None if amount else "bond: nothing sent")
        if reason:
            with reverts(reason):
                self.bond.add(value=amount, sender=caller.address)
            return
        self.bond.add(value=amount, sender=caller.address)
        self.there += amount
        self.added += amount

    @rule(caller=CALLER)
    def retire(self, caller: Any) -> None:
        reason = None if caller is BONDER else "bond: only the bonder"
        reason = reason or ("bond: slashed" if self.slashed else None)
        reason = reason or ("bond: retired" if self.retired_at is not None else None)
        if reason:
            with reverts(reason):
                self.bond.retire(sender=caller.address)
            return
        self.bond.retire(sender=caller.address)
        self.retired_at = boa.env.timestamp

    @rule(caller=CALLER)
    def withdraw(self, caller: Any) -> None:
        reason = None if caller is BONDER else "bond: only the bonder"
        reason = reason or ("bond: not retired" if self.retired_at is None else None)
        reason = reason or ("bond: too early" if boa.env.timestamp < (self.retired_at or 0) + DELAY else None)
        reason = reason or (None if self.there else "bond: nothing left")
        if reason:
            with reverts(reason):
                self.bond.withdraw(STRANGER.address, sender=caller.address)
            return
        assert self.bond.withdraw(STRANGER.address, sender=caller.address) == self.there
        self.withdrawn += self.there
        self.there = 0

    @rule(seconds=st.sampled_from((1, DELAY - 1, DELAY)))
    def pass_time(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    @rule(caller=CALLER, seq=SEQ, data=st.data())
    def report(self, caller: Any, seq: int, data: st.DataObject) -> None:
        """Two statements about one place, of either journal, in any ranges and kinds."""
        (one, forged), (other, other_forged) = (self.claim(seq, data) for _ in range(2))
        differ = forged != other_forged and seq >= FORKED
        assert not differ or self.honest.line(seq).head != self.forged.line(seq).head
        reason = "bond: nothing left" if not self.there else None if differ else "report: no contradiction"
        if reason:
            with reverts(reason):
                self.bond.report(one, other, REPORTER.address, sender=caller.address)
            return
        reward = self.there // 10
        assert self.bond.report(one, other, REPORTER.address, sender=caller.address) == reward
        self.rewards += reward
        self.burnt += self.there - reward
        self.there, self.slashed = 0, True

    def claim(self, seq: int, data: st.DataObject) -> Shown:
        forged, shows = data.draw(st.booleans()), data.draw(st.booleans())
        journal = self.forged if forged else self.honest
        first = data.draw(st.integers(1, seq))
        if not shows:
            return journal.head_claim(first, seq), forged
        return journal.receipt(seq, first, data.draw(st.integers(seq, LENGTH))).claim(), forged

    @invariant()
    def ob2_what_came_in_is_somewhere(self) -> None:
        assert self.bond.bond() == self.there
        assert self.added == self.there + self.withdrawn + self.rewards + self.burnt
        assert boa.env.get_balance(BURNT) - self.burnt_before == self.burnt

    @invariant()
    def ob1_its_state_is_public(self) -> None:
        assert self.bond.retired_at() == (self.retired_at or 0)
        assert bool(self.bond.slashed_at()) == self.slashed


def run(examples: int, steps: int) -> None:
    """Run the machine."""
    run_state_machine_as_test(
        BondMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_bond_equals_its_twin() -> None:
    run(10, 25)


@pytest.mark.deep
def test_the_bond_equals_its_twin_for_long() -> None:
    run(500, 60)
