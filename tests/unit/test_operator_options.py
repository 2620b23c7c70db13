"""What the operator's commands say of an option that cannot be used: which it is, its bounds, and what to do."""

import sys

import pytest

from bizzan.cli.app import main

ACCOUNT = "0x" + "11" * 20
MOST = str(2**63)


def refusal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What a command that is refused prints; nothing listens where the database should be."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")
    monkeypatch.setattr(sys, "argv", ["bizzan", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 2)
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("reason", "flaw"),
    [
        ("no", "it has 2 characters"),
        ("x" * 501, "it has 501 characters"),
        ("two\nlines", "U+000A cannot be seen, or changes how the rest is seen: leave it out"),
        ("   ", "there must be something to see in it"),
        ("hid\u202eden", "U+202E cannot be seen, or changes how the rest is seen: leave it out"),
        ("not \udcff text", "U+DCFF cannot be seen, or changes how the rest is seen: leave it out"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("account", "stop", ACCOUNT),
        ("market", "halt", "BTC/USDC"),
        ("market", "open", "BTC/USDC"),
        ("fees", "tier", ACCOUNT, "1"),
        ("fees", "announce", "BTC/USDC", "--tier", "2:5"),
    ],
    ids=" ".join,
)
def test_reason_that_the_console_would_refuse_is_refused_in_words(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    reason: str,
    flaw: str,
) -> None:
    told = refusal(capsys, monkeypatch, *command, "--reason", reason)
    assert f"--reason is not for the log, where it stands for ever: {flaw}" in told
    assert "say why in one line of 3 to 500 characters, all of which can be seen" in told


@pytest.mark.parametrize(
    ("command", "option", "bounds"),
    [
        (
            ("account", "limit", ACCOUNT, "--max-open-orders", MOST),
            "--max-open-orders",
            "it must be 0 to 9223372036854775807, not",
        ),
        (("account", "limit", ACCOUNT, "--asset", MOST), "--asset", "it must be 0 to 9223372036854775807, not"),
        (("market", "bound", "1", "--collar-bps", "10000"), "--collar-bps", "it must be 0 to 9999, not"),
        (
            ("market", "bound", "1", "--max-quantity", MOST),
            "--max-quantity",
            "it must be 0 to 9223372036854775807, not",
        ),
        (("market", "auction", "1", "--seconds", MOST), "--seconds", "it must be 0 to 7776000, not"),
        (("fees", "tier", ACCOUNT, "1", "--after", MOST), "--after", "it must be 0 to 7776000, not"),
        (("fees", "tier", ACCOUNT, "16"), "number", "it must be 0 to 15, not"),
        (("fees", "batches", "--limit", "501"), "--limit", "it must be 1 to 500, not"),
        (("fees", "floor", "1", "--coin-price", "2", "--gas-price", "0"), "--gas-price", "it must be 1 to"),
        (("cases", "--limit", "0"), "--limit", "it must be 1 to 500, not"),
        (("approvals", "approve", "0x12", "--approver", "4"), "--approver", "it must be 1 to 3, not"),
        (("fees", "announce", "1", "--tier", "2:1e9999"), "1e9999", "a rate is 0 to 10000 basis points"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:40],
)
def test_number_that_no_command_holds_is_refused_by_its_option_and_bounds(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    option: str,
    bounds: str,
) -> None:
    told = refusal(capsys, monkeypatch, *command)
    assert option in told
    assert bounds in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "nothing was changed: give --max-open-orders, --max-open-notional or both"),
        (["--asset", "1", "--reason", "an account under inquiry"], "or --lift, to lift both"),
        (["--lift", "--max-open-orders", "5"], "nothing was changed: --lift lifts both limits"),
        (["--lift"], "the database cannot be used"),
        (["--max-open-orders", "0"], "the database cannot be used"),
        (["--max-open-notional", "5"], "the database cannot be used"),
    ],
    ids=" ".join,
)
def test_limits_of_an_account_are_lifted_only_by_who_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    assert told in refusal(capsys, monkeypatch, "account", "limit", ACCOUNT, *options)
