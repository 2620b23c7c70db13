"""The table from a contract's reason to a stable code and advice."""

import pytest
from eth_abi.abi import encode

from exchange.domain.contract_refusals import CONTRACT_REFUSALS, contract_refusal, reason_of, refusal_of_cause
from exchange.domain.errors import ErrorCode


def revert(reason: str) -> bytes:
    """What `assert False, reason` returns."""
    return bytes.fromhex("08c379a0") + encode(["string"], [reason])


@pytest.mark.parametrize("reason", sorted(CONTRACT_REFUSALS))
def test_every_reason_is_known_from_the_bytes_of_its_revert(reason: str) -> None:
    refusal = contract_refusal(reason_of(revert(reason)))
    assert refusal.reason == reason
    assert refusal.code is not ErrorCode.contract_refused
    for sentence in (refusal.meaning, refusal.advice):
        assert sentence[0].isupper() or sentence[0] == "`"
        assert sentence.endswith(".")


def test_a_reason_has_one_row() -> None:
    assert [row.reason for row in CONTRACT_REFUSALS.values()] == list(CONTRACT_REFUSALS)


@pytest.mark.parametrize("output", [b"", b"\x08\xc3\x79\xa0", bytes(100), bytes.fromhex("4e487b71") + bytes(32)])
def test_a_revert_without_a_text_has_no_reason(output: bytes) -> None:
    assert reason_of(output) == ""
    assert contract_refusal("").code is ErrorCode.contract_refused


def test_a_strange_reason_is_told_as_it_is() -> None:
    refusal = contract_refusal("Pausable: paused")
    assert (refusal.code, refusal.reason) == (ErrorCode.contract_refused, "Pausable: paused")
    assert "Pausable: paused" in refusal.meaning


def test_a_cut_text_does_not_end_the_reading() -> None:
    assert reason_of(revert("order: expired")[:72]) == "orde"
    assert reason_of(bytes.fromhex("08c379a0") + bytes(32) + (2**255).to_bytes(32) + b"\xff") == "�"


def test_a_reversals_cause_has_the_code_of_its_reason() -> None:
    refusal = refusal_of_cause("block 0xab: order: account exited")
    assert refusal is not None
    assert refusal.code is ErrorCode.account_exiting
    assert refusal_of_cause("a deposit fell out of the chain") is None
