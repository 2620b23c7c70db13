"""The published journal over HTTP: hashes for everybody, the records for auditors, and how late it is."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from bizzan.audit.published import audit_journal
from bizzan.client.receipts import recover
from exchange.domain.deployment import address_bytes
from exchange.domain.order import Side
from exchange.domain.receipt import commit_digest
from exchange.journal.publication import INDEX_NAME, PUBLIC_NAME, RAW_NAME
from exchange.journal.record import segment_path
from tests.utils.api_stack import AUDITOR, DEPLOYMENT, WATCHER, ApiStack, signed_body
from tests.utils.sign_in import open_console, sign_in


async def piece_with(api: httpx.AsyncClient, seq: int) -> dict[str, Any]:
    """The piece in which a record is published, as soon as it is."""
    async with asyncio.timeout(60):
        while True:
            for piece in (await api.get("/v1/journal")).json()["pieces"]:
                if piece["first_seq"] <= seq <= piece["last_seq"]:
                    return dict(piece)
            await asyncio.sleep(0.1)


async def status_with(api: httpx.AsyncClient, seq: int) -> dict[str, Any]:
    """The status once it counts a record as published: its counts are some seconds old."""
    async with asyncio.timeout(60):
        while True:
            status = (await api.get("/v1/status")).json()
            if status["published_seq"] >= seq:
                return dict(status)
            await asyncio.sleep(0.2)


async def test_an_order_is_published_within_the_promise(api: httpx.AsyncClient, stack: ApiStack) -> None:
    wallet = await stack.trader()
    ack = (await api.post("/v1/orders", json=signed_body(wallet, Side.buy, 500_000, 3))).json()
    piece = await piece_with(api, ack["seq"])
    answer = await api.get(f"/v1/journal/{piece['first_seq']}/hashes")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "0x" + sha256(answer.content).hexdigest() == piece["public_sha256"]
    line = answer.text.splitlines()[ack["seq"] - piece["first_seq"]].split()
    assert line[0] == str(ack["seq"])
    assert "0x" + line[2] == ack["receipt"]["subject"]
    head, root, signature = (bytes.fromhex(piece[name][2:]) for name in ("head", "root", "signature"))
    digest = commit_digest(DEPLOYMENT.bond_domain, piece["first_seq"], piece["last_seq"], head, root)
    assert recover(digest, signature) == address_bytes(DEPLOYMENT.receipt_signer)
    status = await status_with(api, ack["seq"])
    assert status["publication_lag_seconds"] < 60
    assert "publisher" not in status["problems"]


async def test_auditors_get_the_records_and_others_do_not(
    api: httpx.AsyncClient, stack: ApiStack, tmp_path: Path
) -> None:
    wallet = await stack.trader()
    ack = (await api.post("/v1/orders", json=signed_body(wallet, Side.buy, 500_000, 3))).json()
    await piece_with(api, ack["seq"])
    pieces = [piece for piece in (await api.get("/v1/journal?limit=500")).json()["pieces"] if piece]
    url = f"/v1/journal/{pieces[0]['first_seq']}/raw"
    assert (await api.get(url)).status_code == 401
    answer = await api.get(url, headers=await sign_in(api, wallet))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    ordinary = await api.get(url, headers=await sign_in(api, WATCHER))
    assert (ordinary.status_code, ordinary.json()["code"]) == (403, "forbidden"), "an operator's, for trading"
    assert (await api.get(url, headers=await open_console(api, WATCHER))).status_code == 200
    unknown = await api.get(url, headers={"authorization": "Bearer nothing"})
    assert (unknown.status_code, unknown.json()["code"]) == (401, "unauthenticated")
    headers = await sign_in(api, AUDITOR)
    exchange = (await api.get("/v1/exchange")).json()
    lines, prev_head = [], "00" * 32
    for name in (RAW_NAME, PUBLIC_NAME):
        (tmp_path / name).mkdir()
    for piece in reversed(pieces):
        first = piece["first_seq"]
        raw = await api.get(f"/v1/journal/{first}/raw", headers=headers)
        assert "0x" + sha256(raw.content).hexdigest() == piece["raw_sha256"]
        segment_path(tmp_path / RAW_NAME, first).write_bytes(raw.content)
        hashes = await api.get(f"/v1/journal/{first}/hashes")
        (tmp_path / PUBLIC_NAME / f"{first:020d}.hashes").write_bytes(hashes.content)
        hexes = {name: piece[name][2:] for name in ("head", "root", "signature", "raw_sha256", "public_sha256")}
        own = {"chain_id": DEPLOYMENT.chain_id, "bond": exchange["operator_bond"], "prev_head": prev_head}
        seqs = {"first_seq": first, "last_seq": piece["last_seq"], "published_at_ms": piece["published_at"]}
        lines.append(json.dumps({**seqs, **own, **hexes}) + "\n")
        prev_head = hexes["head"]
    (tmp_path / INDEX_NAME).write_text("".join(lines))
    signer = address_bytes(exchange["receipt_signer"])
    found = await asyncio.to_thread(audit_journal, tmp_path, domain=DEPLOYMENT.bond_domain, signer=signer)
    assert {finding.check for finding in found.findings} <= {"causes"}  # what these tests credit cites no chain
    assert len(found.replay.orders) > 0


async def test_what_was_never_published_is_not_found(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/journal/999999999/hashes")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
