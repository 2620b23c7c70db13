"""`bizzan audit fetch`: what was signed is fetched once and kept, and a server that cheats is told what it did."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bizzan.audit import fetch, raw_file, remote
from bizzan.audit.pieces import read_lines, receipt_at
from bizzan.cli.app import app
from exchange.chain.signing import Key
from exchange.domain.deployment import checksum
from exchange.domain.eip712 import Domain, keccak
from exchange.journal import publication
from exchange.journal.journal import Journal
from exchange.journal.publication import (
    INDEX_NAME,
    PUBLIC_NAME,
    RAW_NAME,
    only_writer,
    public_path,
    publish,
    read_index,
)
from exchange.journal.record import segment_path
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.unit.exchange.journal.test_recovery import COMMANDS, NOW_MS
from tests.utils.journal_server import JournalServer, journal_server, send, send_json

DOMAIN = Domain("Bizzan", 31_337, b"\xbb" * 20)
KEY = Key(keccak(b"receipts"))
RAW = "/v1/journal/13/raw"
HASHES = "/v1/journal/13/hashes"
PAGE = "/v1/journal"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pieces: 1 to 12, 13 to 24, 25 to 30."""
    monkeypatch.setattr(publication, "MAX_RECORDS", 12)
    return published(tmp_path, "honest", 30)


@pytest.fixture
def server(served: Path) -> Iterator[JournalServer]:
    with journal_server(served, DOMAIN) as running:
        yield running


def published(folder: Path, name: str, last: int, at_ms: int = NOW_MS) -> Path:
    """A journal of so many records, published; called again it goes on."""
    with Journal.open(folder / name) as journal:
        journal.append([(at_ms + number, COMMANDS[number]) for number in range(journal.seq, last)])
    out = folder / f"{name}-published"
    list(publish(folder / name, out, DOMAIN, KEY.sign, NOW_MS))
    return out


def run(server: JournalServer, folder: Path, *options: str) -> Result:
    """The command."""
    arguments = ["audit", "fetch", server.url, str(folder), "--signer", checksum(KEY.address), *options]
    return CliRunner().invoke(app, arguments)


def refusal(server: JournalServer, folder: Path, *options: str) -> str:
    """What the command says when it refuses."""
    done = run(server, folder, *options)
    assert done.exit_code == 1
    return str(done.exception)


def files(folder: Path) -> dict[str, bytes]:
    """All files but the locks."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_the_folder_is_what_the_exchange_published(server: JournalServer, served: Path, tmp_path: Path) -> None:
    done = run(server, tmp_path / "out", "--raw", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output.splitlines()[-1])
    assert (told["clean"], told["pieces"], told["raw_pieces"], told["journal_seq"]) == (True, 3, 3, 30)
    assert files(tmp_path / "out") == files(served)


def test_a_second_run_fetches_what_is_new(server: JournalServer, tmp_path: Path) -> None:
    run(server, tmp_path / "out", "--raw")
    published(tmp_path, "honest", 43)
    server.asked.clear()
    assert run(server, tmp_path / "out", "--raw").exit_code == 0
    assert {path for path in server.asked if path.startswith("/v1/journal/")} == {
        f"/v1/journal/{first}/{kind}" for first in (31, 43) for kind in ("raw", "hashes")
    }
    assert files(tmp_path / "out") == files(server.folder)
    server.asked.clear()
    assert run(server, tmp_path / "out", "--raw").exit_code == 0
    assert not [path for path in server.asked if path.startswith("/v1/journal/")]


def test_hashes_alone_need_no_sign_in_and_records_may_follow(server: JournalServer, tmp_path: Path) -> None:
    assert run(server, tmp_path / "out").exit_code == 0
    assert not (tmp_path / "out" / RAW_NAME).exists()
    assert not [path for path in server.asked if "auth" in path]
    replayed = CliRunner().invoke(app, ["audit", "replay", str(tmp_path / "out")])
    assert "has the hashes alone" in str(replayed.exception)
    assert run(server, tmp_path / "out", "--raw").exit_code == 0
    assert files(tmp_path / "out") == files(server.folder)


@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_a_receipt_is_held_against_the_folder(server: JournalServer, tmp_path: Path, raw: list[str]) -> None:
    run(server, tmp_path / "out", *raw)
    piece = read_index(tmp_path / "out")[1]
    given = receipt_at(DOMAIN, piece, read_lines(piece, public_path(tmp_path / "out", 13).read_bytes()), 15)
    arguments = ["--signer", checksum(KEY.address), "--journal", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["audit", "receipt", json.dumps(given.to_json()), *arguments])
    assert done.exit_code == 0, done.output
    other = published(tmp_path, "other", 30, NOW_MS + 1)
    done = CliRunner().invoke(app, ["audit", "receipt", json.dumps(given.to_json()), *arguments[:-1], str(other)])
    assert (done.exit_code, "another record" in done.output) == (1, True)


def test_what_a_crash_left_is_taken_up(server: JournalServer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(server, out, "--raw")
    index = out / INDEX_NAME
    index.write_bytes(index.read_bytes()[:-40])
    segment_path(out / RAW_NAME, 25).unlink()
    segment_path(out / RAW_NAME, 25).with_suffix(".segment.part").write_bytes(b"half")
    assert run(server, out, "--raw").exit_code == 0
    assert files(out) == files(server.folder)


def test_a_run_that_failed_keeps_what_was_right(server: JournalServer, tmp_path: Path) -> None:
    server.cheats[RAW] = lambda request: send(request, b"x" * 500)
    assert "sequences 13 to 24 are not those that were signed" in refusal(server, tmp_path / "out", "--raw")
    whole = [INDEX_NAME, f"{PUBLIC_NAME}/{1:020d}.hashes", f"{RAW_NAME}/{1:020d}.segment", f"{RAW_NAME}/durable"]
    assert sorted(files(tmp_path / "out")) == whole
    del server.cheats[RAW]
    assert run(server, tmp_path / "out", "--raw").exit_code == 0
    assert files(tmp_path / "out") == files(server.folder)


def test_two_at_once_are_refused(server: JournalServer, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with only_writer(tmp_path / "out"):
        assert "another process writes to" in refusal(server, tmp_path / "out")


# a server that cheats


@pytest.mark.parametrize("last", [30, 43])
def test_a_server_that_rewrote_what_was_fetched_is_proved_a_fraud(
    server: JournalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """In pieces of the same ranges, and in others."""
    out = tmp_path / "out"
    run(server, out)
    before = files(out)
    monkeypatch.setattr(publication, "MAX_RECORDS", 12 if last == 30 else 17)
    server.folder = published(tmp_path, "rewritten", last, NOW_MS + 1)
    done = run(server, out, "--json")
    assert done.exit_code == 1
    assert "signed two different records" in done.output
    told = json.loads(done.output.splitlines()[-1])
    assert told == {"clean": False, "contradiction": str(out / fetch.CONTRADICTION_NAME)}
    assert files(out).items() >= before.items(), "what was fetched stays"
    assert len(list((out / fetch.CONTRADICTION_NAME).glob("*.hashes"))) == 1
    deployment = replace(
        DEPLOYMENT, domain_name=DOMAIN.name, chain_id=DOMAIN.chain_id, receipt_signer=checksum(KEY.address)
    )
    deployment = replace(deployment, operator_bond=checksum(DOMAIN.contract))
    (tmp_path / "deployment.json").write_text(json.dumps(deployment.to_json()))
    statements = [str(out / "contradiction" / f"{name}.json") for name in ("held", "served")]
    options = ["--deployment", str(tmp_path / "deployment.json"), "--recipient", checksum(b"\x01" * 20)]
    done = CliRunner().invoke(app, ["audit", "fraud", *statements, *options])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"cast send {checksum(DOMAIN.contract)} 0x")


def test_a_rewritten_journal_that_is_not_signed_proves_nothing(server: JournalServer, tmp_path: Path) -> None:
    run(server, tmp_path / "out")
    other = published(tmp_path, "rewritten", 30, NOW_MS + 1)
    server.folder = other
    index = other / INDEX_NAME
    lines = [json.loads(line) | {"signature": "00" * 65} for line in index.read_text().splitlines()]
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "is signed by nobody" in refusal(server, tmp_path / "out")


def test_a_server_that_takes_back_what_was_fetched_is_told(server: JournalServer, tmp_path: Path) -> None:
    run(server, tmp_path / "out")
    server.folder = published(tmp_path, "short", 20)
    assert "publishes nothing at sequence 30 any more" in refusal(server, tmp_path / "out")


def test_other_cuts_of_the_same_records_are_no_fraud(
    server: JournalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(server, tmp_path / "out")
    monkeypatch.setattr(publication, "MAX_RECORDS", 17)
    shutil.rmtree(server.folder)
    server.folder = published(tmp_path, "honest", 30)
    assert "into another folder" in refusal(server, tmp_path / "out")
    assert not (tmp_path / "out" / "contradiction").exists()


def _pages(server: JournalServer, **changes: object) -> None:
    """Rewrite the second row of the first page."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        page = server.page(limit=500, after=0)
        page["pieces"][1] |= changes
        send_json(request, page)

    server.cheats[PAGE] = answer


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"first_seq": 14}, "sequences 14 to 24 after 12: a gap"),
        ({"first_seq": 12}, "sequences 12 to 24 after 12: a gap"),
        ({"last_seq": 12}, "a gap, or no piece"),
        ({"last_seq": 1 << 40}, "a gap, or no piece"),
        ({"head": "0x" + "11" * 32}, "13 to 24 is signed by 0x"),
        ({"signature": "0x" + "00" * 65}, "is signed by nobody, not by"),
        ({"public_sha256": "0x" + "11" * 32}, "has another sha256"),
        ({"raw_sha256": "0x" + "11" * 32}, "have another sha256"),
        ({"first_seq": "../../etc"}, "is not one of this API"),
        ({"head": "0x11\n"}, "is not one of this API"),
    ],
)
def test_a_wrong_row_is_named(server: JournalServer, tmp_path: Path, changes: dict[str, object], text: str) -> None:
    _pages(server, **changes)
    assert text in refusal(server, tmp_path / "out", "--raw")
    assert len(read_index(tmp_path / "out")) <= 1


def test_a_signature_for_another_bond_or_key_is_refused(server: JournalServer, tmp_path: Path) -> None:
    assert "names the bond" in refusal(server, tmp_path / "out", "--bond", checksum(b"\x01" * 20))
    server.domain = replace(DOMAIN, contract=b"\x01" * 20)
    assert "is signed by" in refusal(server, tmp_path / "out")


def _drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"1")
        time.sleep(0.01)


def _flood(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" " * (1 << 16))


def _stammer(request: BaseHTTPRequestHandler) -> None:
    """A header without an end."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        request.wfile.write(b"1")
        time.sleep(0.01)


@pytest.mark.parametrize("path", [PAGE, "/v1/exchange", "/v1/auth/nonce", HASHES])
def test_a_huge_answer_is_cut_off(server: JournalServer, tmp_path: Path, path: str) -> None:
    server.cheats[path] = _flood
    assert "no honest one is" in refusal(server, tmp_path / "out", "--raw")


def test_endless_records_are_cut_off(server: JournalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_file, "UNCHECKED_BYTES", 1 << 20)
    server.cheats[RAW] = _flood
    assert "are not those that were signed" in refusal(server, tmp_path / "out", "--raw")
    assert not list((tmp_path / "out").rglob("*.part"))


@pytest.mark.parametrize("way", [_drip, _stammer])
@pytest.mark.parametrize("path", [PAGE, HASHES, RAW])
def test_a_slow_answer_is_given_up(
    server: JournalServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    way: Callable[[BaseHTTPRequestHandler], None],
) -> None:
    monkeypatch.setattr(remote, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(remote, "PAUSES", (0.01,))
    server.cheats[path] = way
    assert "answers too slowly" in refusal(server, tmp_path / "out", "--raw")
    assert server.asked.count(path) == 2


def test_a_goal_that_is_never_reached_ends(server: JournalServer, tmp_path: Path) -> None:
    server.cheats[PAGE] = lambda request: send_json(request, {"pieces": [], "published_seq": 100})
    assert "published up to 100, and gives nothing after 0" in refusal(server, tmp_path / "out")


def test_what_fails_for_a_moment_is_asked_again(
    server: JournalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.01,))
    for path, status in ((PAGE, 429), (HASHES, 503), (RAW, 401)):

        def once(request: BaseHTTPRequestHandler, path: str = path, status: int = status) -> None:
            del server.cheats[path]
            send_json(request, {"code": "x", "message": "not now"}, status)

        server.cheats[path] = once
    assert run(server, tmp_path / "out", "--raw").exit_code == 0
    assert server.asked.count("/v1/auth/login") == 2
    assert files(tmp_path / "out") == files(server.folder)


def test_who_is_no_auditor_is_told_which_key_was_used(server: JournalServer, tmp_path: Path) -> None:
    server.cheats[RAW.replace("13", "1")] = lambda request: send_json(
        request, {"code": "forbidden", "message": "only auditors\x1b[2J"}, 403
    )
    text = refusal(server, tmp_path / "out", "--raw")
    assert "BIZZAN_KEYS__AUDITOR is 0xFABB0ac9d68B0B445fB7357272Ff202C5651694a's" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("url", ["ftp://exchange", "exchange.example", "http://"])
def test_no_address_is_named(tmp_path: Path, url: str) -> None:
    arguments = ["audit", "fetch", url, str(tmp_path), "--signer", checksum(KEY.address)]
    assert "no address of an API" in str(CliRunner().invoke(app, arguments).exception)


def test_an_altered_file_of_the_folder_is_noticed_before_it_is_relied_on(server: JournalServer, tmp_path: Path) -> None:
    run(server, tmp_path / "out")
    path = public_path(tmp_path / "out", 13)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert f"{path} is missing, or not as it was fetched" in refusal(server, tmp_path / "out", "--raw")
