"""How much gas an account, a contract wallet, and all of them have in a day."""

import pytest

from keeper.gas_budget import DAY_MS, GasBudget, GasLimits, Spent

LIMITS = GasLimits(account=1_000, wallet=300, wallets=500)
ONE, TWO, THREE, FOUR = (bytes((number,)) * 20 for number in (1, 2, 3, 4))


def budget(*spent: Spent) -> GasBudget:
    return GasBudget(LIMITS, spent)


@pytest.mark.parametrize(("wallet", "limit"), [(False, 1_000), (True, 300)])
def test_an_account_spends_up_to_its_limit_and_no_further(wallet: bool, limit: int) -> None:
    spent = budget(Spent(7, ONE, wallet, limit - 100))
    assert spent.frees_at(ONE, wallet, 100) == 0
    assert spent.frees_at(ONE, wallet, 101) == 7 + DAY_MS
    assert spent.frees_at(TWO, wallet, 101) == 0


def test_as_much_is_free_as_is_a_day_old() -> None:
    spent = budget(*(Spent(at, ONE, False, 250) for at in (1, 2, 3, 4)))
    assert [spent.frees_at(ONE, False, gas) - DAY_MS for gas in (1, 250, 251, 1_000)] == [1, 1, 2, 4]
    spent.forget(DAY_MS)
    assert spent.frees_at(ONE, False, 1) == 1 + DAY_MS
    spent.forget(DAY_MS + 1)
    assert spent.frees_at(ONE, False, 250) == 0
    assert spent.frees_at(ONE, False, 251) == 2 + DAY_MS


def test_the_first_call_of_a_day_is_sent_whatever_it_costs() -> None:
    spent = budget()
    assert spent.frees_at(ONE, True, 5_000) == 0
    spent.spend(Spent(9, ONE, True, 5_000))
    assert spent.frees_at(ONE, True, 1) == 9 + DAY_MS
    assert spent.frees_at(ONE, True, 5_000) == 9 + DAY_MS


def test_contract_wallets_share_what_accounts_with_keys_do_not_touch() -> None:
    spent = budget(Spent(5, ONE, True, 250), Spent(6, TWO, True, 250), Spent(7, THREE, False, 900))
    assert spent.frees_at(FOUR, True, 1) == 5 + DAY_MS
    assert spent.frees_at(THREE, False, 100) == 0
    assert spent.frees_at(FOUR, False, 1_000) == 0


def test_nothing_is_remembered_of_what_is_a_day_old() -> None:
    spent = budget(*(Spent(at, at.to_bytes(20), True, 1) for at in range(100)))
    spent.forget(DAY_MS + 99)
    assert not spent._pools
