"""Each fault that is planted in the contracts is noticed by the test that is named for it.

`make test` plants two of them, `make test-deep` all; that each can still be planted is checked always.
"""

import pytest

from tests.property.contracts.mutants import MUTANTS, UNIT, Mutant, plant, run_against

CANARIES = {"sums_not_compared", "claim_without_debit"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_planted(mutant: Mutant) -> None:
    assert mutant.source() != mutant.path.read_text()


def test_mutants_have_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20
    assert {mutant.name for mutant in MUTANTS} >= CANARIES


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(m, id=m.name, marks=() if m.name in CANARIES else pytest.mark.deep) for m in MUTANTS],
)
def test_a_mutant_is_killed_by_its_test(mutant: Mutant) -> None:
    failed, _, said = run_against(plant(mutant), mutant.killer)
    assert failed, f"{mutant.killer} did not notice {mutant.name}:\n{said}"


@pytest.mark.deep
def test_the_contract_itself_passes_every_killer() -> None:
    failed, passed, said = run_against(plant(None), *sorted({mutant.killer for mutant in MUTANTS}))
    assert failed == 0, said
    assert passed >= len(MUTANTS), UNIT
