"""What an approver is shown is what is approved: the message that the account signed, not the database's columns."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

import bizzan.cli.approvals as cli
from bizzan.approvals import ApprovalError, Refused, Waiting, find, read
from bizzan.cli.console import console
from bizzan.supervisor.errors import SupervisorError
from exchange.chain.signing import Key
from exchange.database.approvals import Approvals
from exchange.domain.deployment import checksum
from exchange.domain.instrument import Token
from tests.unit.contracts.test_deployment_file import DEPLOYMENT as ELSEWHERE

USDC, ETH, RECIPIENT = b"\x11" * 20, bytes(20), b"\x77" * 20
TOKENS = (
    Token(31_337, 0, checksum(USDC), 0, 6, 1),
    Token(31_337, 1, checksum(ETH), 1, 18, 10**10),
)
DEPLOYMENT = replace(ELSEWHERE, tokens=TOKENS)
OWNER, THIEF = Key(b"\x01" * 32), Key(b"\x02" * 32)
GIVEN = Approvals(2, (b"\x0a" * 20,))
VALUES: dict[str, bytes | int] = {
    "account": OWNER.address,
    "token": USDC,
    "amount": 600_000_000_000,
    "recipient": RECIPIENT,
    "max_fee": 0,
    "nonce": 5,
    "deadline": 2_000_000_000,
}


def stored(values: Mapping[str, bytes | int]) -> dict[str, Any]:
    """A message as the database has it."""
    return {key: "0x" + value.hex() if isinstance(value, bytes) else str(value) for key, value in values.items()}


def signed(key: Key = OWNER, **changes: bytes | int) -> Waiting | Refused:
    """What is read of a withdrawal with these values, signed by `key`."""
    values = VALUES | changes
    digest = DEPLOYMENT.domain.hash("Withdrawal", values)
    return read(DEPLOYMENT, digest, stored(values), key.sign(digest), GIVEN)


def reason(row: Waiting | Refused) -> str:
    assert isinstance(row, Refused)
    return row.reason


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `bizzan approvals` with these rows; what it printed, and what it approved."""

    def run(rows: list[Waiting | Refused], *words: str) -> str:
        monkeypatch.setattr(cli, "_deployment", lambda _: DEPLOYMENT)
        monkeypatch.setattr(cli, "_waiting", lambda *_: rows)
        monkeypatch.setattr(console, "size", (240, 25))
        result = CliRunner().invoke(cli.commands, words)
        if isinstance(result.exception, SupervisorError):
            raise result.exception
        return result.output

    return run


def test_a_signed_message_is_read() -> None:
    row = signed()
    assert isinstance(row, Waiting)
    assert (row.asset_id, row.amount, row.signed.recipient) == (0, 600_000_000_000, RECIPIENT)
    assert (row.needed, row.by) == (2, (checksum(b"\x0a" * 20),))


def test_a_transfer_is_read() -> None:
    values = {key: value for key, value in VALUES.items() if key != "recipient"}
    digest = DEPLOYMENT.domain.hash("FundingTransfer", values)
    row = read(DEPLOYMENT, digest, stored(values), OWNER.sign(digest), GIVEN)
    assert isinstance(row, Waiting)
    assert row.signed.recipient is None


def test_the_amount_is_in_ledger_units() -> None:
    row = signed(token=ETH, amount=3 * 10**18)
    assert isinstance(row, Waiting)
    assert row.amount == 3 * 10**8


def test_a_message_of_another_hash_is_refused() -> None:
    digest = DEPLOYMENT.domain.hash("Withdrawal", VALUES | {"amount": 1})
    row = read(DEPLOYMENT, digest, stored(VALUES), OWNER.sign(digest), GIVEN)
    assert reason(row) == "the stored message is not the one with this hash"


def test_a_message_that_its_account_did_not_sign_is_refused() -> None:
    assert "its account's key did not sign it" in reason(signed(THIEF))


def test_what_the_contract_at_the_account_takes_is_read() -> None:
    digest = DEPLOYMENT.domain.hash("Withdrawal", VALUES)
    row = read(DEPLOYMENT, digest, stored(VALUES), b"many signatures" * 20, GIVEN, code_says=True)
    assert isinstance(row, Waiting)
    assert row.by_code
    plain = signed()
    assert isinstance(plain, Waiting)
    assert not plain.by_code


def test_what_a_contract_takes_of_another_message_is_refused() -> None:
    digest = DEPLOYMENT.domain.hash("Withdrawal", VALUES | {"amount": 1})
    row = read(DEPLOYMENT, digest, stored(VALUES), b"signed", GIVEN, code_says=True)
    assert reason(row) == "the stored message is not the one with this hash"


def test_an_approver_sees_that_a_contract_signed(run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bizzan.approvals.approve", lambda *_: "0xabc")
    digest = DEPLOYMENT.domain.hash("Withdrawal", VALUES)
    row = read(DEPLOYMENT, digest, stored(VALUES), b"signed", GIVEN, code_says=True)
    assert f"{checksum(OWNER.address)} (contract)" in run([row], "list")
    assert "it can change its mind until it is paid" in run([row], "approve", "0x" + digest.hex(), "--yes")


def test_a_message_to_the_zero_address_is_refused() -> None:
    """The contract would take its approval for that of a funding transfer."""
    assert "zero address" in reason(signed(recipient=bytes(20)))


def test_an_unlisted_token_is_refused() -> None:
    assert "is not listed" in reason(signed(token=b"\x33" * 20))


@pytest.mark.parametrize("amount", [10**18 + 1, 2**256 - 1, 2**63 * 10**10])
def test_an_amount_that_custody_never_pays_is_refused(amount: int) -> None:
    assert "are no amount that custody pays" in reason(signed(token=ETH, amount=amount))


@pytest.mark.parametrize(
    "change",
    [{"amount": "[red]1"}, {"amount": float("inf")}, {"amount": "-1"}, {"recipient": "0x12"}, {"nonce": None}],
)
def test_what_is_no_message_is_refused(change: dict[str, Any]) -> None:
    assert reason(read(DEPLOYMENT, bytes(32), stored(VALUES) | change, bytes(65), GIVEN))


def test_a_refused_row_is_not_found() -> None:
    row = signed(THIEF)
    with pytest.raises(ApprovalError, match="cannot be approved: its account's key did not sign it"):
        find([row], "0x" + row.withdrawal_hash.hex())


def test_the_list_shows_what_was_signed_and_why_a_row_is_refused(run: Callable[..., str]) -> None:
    good, bad = signed(), signed(THIEF, nonce=6)
    shown = run([good, bad], "list")
    for text in (checksum(OWNER.address), checksum(RECIPIENT), "600000 USDC", "1 of 2", "2033-05-18 03:33:20"):
        assert text in shown
    assert f"refused: 0x{bad.withdrawal_hash.hex()}: its account's key did not sign it" in shown


def test_the_list_interprets_no_markup_and_no_control_characters(run: Callable[..., str]) -> None:
    message = stored(VALUES) | {"amount": "[bold]:warning:\x1b[2J"}
    shown = run([read(DEPLOYMENT, bytes(32), message, bytes(65), GIVEN)], "list")
    assert "[bold]:warning:" in shown
    assert "\x1b" not in shown


def test_a_deadline_after_all_calendars_is_shown_as_a_number(run: Callable[..., str]) -> None:
    assert str(2**64 - 1) in run([signed(deadline=2**64 - 1)], "list")


def test_a_refused_row_cannot_be_approved(run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bizzan.approvals.approve", lambda *_: pytest.fail("it was approved"))
    row = signed(THIEF)
    with pytest.raises(SupervisorError, match="cannot be approved"):
        run([row], "approve", "0x" + row.withdrawal_hash.hex(), "--yes")


def test_what_is_shown_is_what_is_approved(run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    approved: list[Waiting] = []

    def approve(_url: str, _deployment: object, _key: str, row: Waiting) -> str:
        approved.append(row)
        return "0xabc"

    monkeypatch.setattr("bizzan.approvals.approve", approve)
    row = signed()
    shown = run([row], "approve", "0x" + row.withdrawal_hash.hex()[:16], "--yes")
    assert approved == [row]
    assert f"{checksum(OWNER.address)} withdraws 600000 USDC to {checksum(RECIPIENT)}" in shown
    for line in ("amount: 600000000000", f"token: {checksum(USDC)}", "nonce: 5", "transaction 0xabc"):
        assert line in shown
