"""The checks of the contracts' sources find what they are for."""

from pathlib import Path

import pytest

from scripts.check_reasons import Refusal, problems_of
from scripts.natspec_rules import SILENT, problems, program

GOOD = '''
event Paid:
    amount: uint256


@external
def pay(amount: uint256, deadline: uint256, rate: uint256):
    """
    @notice The caller pays what the amount is worth, rounded down.
    @param amount Token units.
    @param deadline Unix seconds.
    @param rate How many of the one make one of the other.
    """
    self._do_it(amount // rate)


@external
@view
def balance_of(account: address) -> uint256:
    """
    @notice Ledger units.
    """
    return 0


@internal
def _do_it(amount: uint256):
    log Paid(amount=amount)
'''


def found(folder: Path, source: str) -> list[str]:
    """What the rules say of a source, but for the list of silent functions, which are elsewhere."""
    path = folder / "Sample.vy"
    path.write_text(source)
    return [problem for problem in problems(program([path])) if "SILENT" not in problem or "Sample" in problem]


def test_a_function_that_says_everything_passes(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("said", "instead", "problem"),
    [
        ("@param amount Token units.", "", "Sample.pay does not say in which units its amounts are"),
        ("    @param rate How many of the one make one of the other.\n", "", "Sample.pay does not say what rate is"),
        ("@param rate", "@param rates", "Sample.pay describes rates, which it does not take"),
        ("Unix seconds.", "The end.", "Sample.pay does not say that its times are in seconds"),
        ("The caller pays", "Pay", "Sample.pay does not say who may call it"),
        (", rounded down", "", "Sample.pay does not say how it rounds"),
        ("log Paid(amount=amount)", "pass", "Sample.pay changes something and logs nothing"),
        (
            "@notice Ledger units.",
            "@notice All of it.",
            "Sample.balance_of does not say in which units its amounts are",
        ),
    ],
)
def test_what_is_missing_is_found(tmp_path: Path, said: str, instead: str, problem: str) -> None:
    assert said in GOOD
    assert problem in found(tmp_path, GOOD.replace(said, instead))


def test_an_exception_that_no_longer_exists_is_found(tmp_path: Path) -> None:
    path = tmp_path / "Sample.vy"
    path.write_text(GOOD)
    assert len([problem for problem in problems(program([path])) if "take it out" in problem]) == len(SILENT)


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("Order: Expired!", "is not of the shape 'subject: fact'"),
        ("order expired", "is not of the shape 'subject: fact'"),
        ("order: expired a very long time ago", "has more than 32 bytes"),
        ("order: never heard of", "has no row in exchange.domain.contract_refusals"),
        ("order: never heard of", "is expected by no test in tests/unit/contracts"),
    ],
)
def test_a_reason_out_of_order_is_found(reason: str, problem: str) -> None:
    assert problem in list(problems_of(reason, [Refusal(reason, "sample", "a == b")], set()))


def test_one_reason_for_two_conditions_is_found() -> None:
    reason = "order: expired"
    both = [Refusal(reason, "sample", condition) for condition in ("a == b", "a != c")]
    assert list(problems_of(reason, both[:1], {reason})) == []
    assert "is given for 2 conditions" in next(problems_of(reason, both, {reason}))
