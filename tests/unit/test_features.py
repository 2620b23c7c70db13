"""What counts as which feature."""

from dataclasses import asdict

from bizzan.features import Features, count
from exchange.domain.eip712 import Scheme

KEY, WALLET = b"\1" * 20, b"\2" * 20


def test_each_execution_counts_as_what_authorised_it() -> None:
    executions = {
        (KEY, int(Scheme.account)): 1,
        (KEY, int(Scheme.delegate)): 2,
        (KEY, int(Scheme.bulk)): 4,
        (KEY, int(Scheme.bulk | Scheme.delegate)): 8,
        (WALLET, int(Scheme.delegate)): 16,
        (WALLET, int(Scheme.bulk | Scheme.delegate)): 32,
    }
    assert count(executions, {KEY: 3, WALLET: 5}, {WALLET}, 2, 7, 6, 9) == Features(
        executions=63,
        by_delegated_keys=2 + 8,
        of_contract_wallets=16 + 32,
        signed_in_bulk=4 + 8 + 32,
        triggered=6,
        amended_orders=9,
        sweeps=7,
        withdrawals=8,
        withdrawals_with_approvals=2,
        withdrawals_of_contract_wallets=5,
    )


def test_nothing_is_nothing() -> None:
    assert set(asdict(count({}, {}, (), 0, 0)).values()) == {0}
