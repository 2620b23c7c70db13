"""An exchange that serves a published journal over HTTP as the API does, and that tests teach to cheat."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from exchange.domain.deployment import checksum
from exchange.domain.eip712 import Domain
from exchange.journal.publication import RAW_NAME, Piece, public_path, read_index
from exchange.journal.record import segment_path

TOKEN = "of an auditor"
_HEXES = ("head", "root", "signature", "raw_sha256", "public_sha256")

Handler = Callable[[BaseHTTPRequestHandler], None]


def row_of(piece: Piece) -> dict[str, Any]:
    """A piece as the API tells of it."""
    row: dict[str, Any] = {name: "0x" + getattr(piece, name) for name in _HEXES}
    return row | {"first_seq": piece.first_seq, "last_seq": piece.last_seq, "published_at": piece.published_at_ms}


class JournalServer:
    """What it serves, and from which folder; `cheats` answer for it at their paths."""

    def __init__(self, folder: Path, domain: Domain) -> None:
        self.folder = folder
        self.domain = domain
        self.url = ""
        self.cheats: dict[str, Handler] = {}
        self.asked: list[str] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        url = urlsplit(request.path)
        self.asked.append(url.path)
        if url.path in self.cheats:
            self.cheats[url.path](request)
        elif url.path == "/v1/exchange":
            bond = checksum(self.domain.contract)
            send_json(request, {"name": self.domain.name, "chain_id": self.domain.chain_id, "operator_bond": bond})
        elif url.path == "/v1/journal":
            query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
            send_json(request, self.page(**query))
        elif url.path == "/v1/auth/nonce":
            send_json(request, {"nonce": "once", "domain": "here", "chain_id": self.domain.chain_id})
        elif url.path == "/v1/auth/login":
            send_json(request, {"token": TOKEN, "address": "", "expires_at": 0})
        else:
            self._send_file(request, *url.path.split("/")[-2:])

    def page(self, limit: int, after: int = 0, before: int = 1 << 63) -> dict[str, Any]:
        """A page of pieces."""
        pieces = read_index(self.folder)
        rows = [row_of(piece) for piece in pieces if after < piece.first_seq < before]
        return {"pieces": rows[:limit] if before == 1 << 63 else rows[-limit:], "published_seq": pieces[-1].last_seq}

    def _send_file(self, request: BaseHTTPRequestHandler, first_seq: str, kind: str) -> None:
        if kind == "hashes":
            send(request, public_path(self.folder, int(first_seq)).read_bytes())
        elif request.headers["authorization"] == f"Bearer {TOKEN}":
            send(request, segment_path(self.folder / RAW_NAME, int(first_seq)).read_bytes())
        else:
            send_json(request, {"code": "unauthenticated", "message": "sign in"}, 401)


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    """A whole answer."""
    request.send_response(status)
    request.send_header("content-length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def send_json(request: BaseHTTPRequestHandler, answer: object, status: int = 200) -> None:
    """A whole answer in JSON."""
    send(request, json.dumps(answer).encode(), status)


@contextmanager
def journal_server(folder: Path, domain: Domain) -> Iterator[JournalServer]:
    """The server, in threads of its own."""
    server = JournalServer(folder, domain)

    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            try:
                server.answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # who asked had enough

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield server
        http.shutdown()
        thread.join()
