"""`bizzan audit receipt`: one receipt alone, offline, and against a journal."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bizzan.audit.receipts import parse_receipts, problems
from bizzan.cli.app import app, main
from bizzan.supervisor.errors import SupervisorError
from exchange.domain.deployment import checksum
from exchange.domain.receipt import Receipt, ReceiptError
from exchange.engine.engine import Engine
from exchange.journal.journal import Journal
from exchange.sequencer.committer import Committer
from exchange.sequencer.notary import Notary
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS
from tests.unit.exchange.sequencer.test_notary import DOMAIN, KEY, ORDERS, SETUP
from tests.unit.exchange.sequencer.test_notary import Engine as Recorder

SIGNER = checksum(KEY.address)


@pytest.fixture
async def receipt(tmp_path: Path) -> Receipt:
    """The third order's, with the journal in the test's folder."""
    with Journal.open(tmp_path) as journal, ThreadPoolExecutor(1) as executor:
        engine = Recorder(Committer(Engine(), journal, lambda: NOW_MS, executor, Notary(DOMAIN, KEY, tmp_path)))
        await engine.commit(*COMMANDS[:SETUP])
        await engine.commit(*ORDERS)
    return engine.receipts[2]


async def test_a_receipt_holds_alone_and_against_its_journal(receipt: Receipt, tmp_path: Path) -> None:
    assert list(problems(receipt, KEY.address, DOMAIN.contract, tmp_path)) == []


async def test_what_does_not_hold_is_said(receipt: Receipt, tmp_path: Path) -> None:
    assert "signed by" in next(problems(receipt, b"\x01" * 20))
    assert "another bond" in next(problems(receipt, KEY.address, b"\x01" * 20))
    late = Notary(DOMAIN, KEY, tmp_path)
    assert late.again(receipt.seq, ORDERS[0].order.account) is not None
    with Journal.open(tmp_path / "other") as journal:
        journal.append([(NOW_MS, command) for command in COMMANDS[:SETUP]])
    assert "skipped" in next(problems(receipt, KEY.address, None, tmp_path / "other"))
    with Journal.open(tmp_path / "other") as journal:
        journal.append([(NOW_MS, order) for order in (ORDERS[1], ORDERS[0], ORDERS[2])])
    assert "another record" in next(problems(receipt, KEY.address, None, tmp_path / "other"))
    assert "cannot be read" in next(problems(receipt, KEY.address, None, tmp_path / "missing"))


async def test_the_command_takes_files_acks_and_text(receipt: Receipt, tmp_path: Path) -> None:
    document = receipt.to_json()
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps([document, {"seq": receipt.seq, "receipt": document}]))
    assert parse_receipts(str(path)) == [receipt, receipt]
    runner = CliRunner()
    done = runner.invoke(
        app, ["audit", "receipt", json.dumps(document), "--signer", SIGNER, "--journal", str(tmp_path)]
    )
    assert (done.exit_code, "was taken there" in done.output) == (0, True)
    forged = json.dumps(replace(receipt, subject=bytes(32)).to_json())
    done = runner.invoke(app, ["audit", "receipt", forged, "--signer", SIGNER])
    assert (done.exit_code, "shows nothing" in done.output) == (1, True)


@pytest.mark.parametrize(
    "source", ["{", "[1]", "[]", "[" * 5_000, '{"receipt": null}', "/no/such/file"], ids=lambda text: text[:20]
)
def test_what_is_no_receipt_is_refused(source: str) -> None:
    with pytest.raises(ReceiptError):
        parse_receipts(source)
    done = CliRunner().invoke(app, ["audit", "receipt", source, "--signer", SIGNER])
    assert isinstance(done.exception, SupervisorError), "told in one line, with 1 as the exit code"


@pytest.mark.parametrize("name", ["name", "bond", "head", "seq", "path", "signature", "extra"])
async def test_half_a_character_in_a_receipt_is_refused_in_words(
    receipt: Receipt,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """JSON may hold one by its escape; no text does."""
    path = tmp_path / "receipt.json"
    document = receipt.to_json() | ({"\ud800": 1} if name == "extra" else {name: "\ud800"})
    path.write_text(json.dumps(document))
    monkeypatch.setattr(sys, "argv", ["bizzan", "audit", "receipt", str(path), "--signer", SIGNER])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert (ended.value.code, "Traceback" in told) == (1, False)
    assert (name if name != "extra" else r"'\ud800' is not a known field") in told
