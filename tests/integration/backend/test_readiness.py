"""What the API says while the parts behind it are away, and after they are back."""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from bizzan.supervisor.ports import free_port
from exchange.database.engine import migrate
from tests.utils.api_stack import ApiStack
from tests.utils.local_stack import make_postgres, open_folder
from tests.utils.waiting import wait_for


def _get(url: str) -> tuple[int, dict[str, Any]]:
    """Status and body of an answer; status 0 while nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def test_readyz_names_what_is_away_and_forgets_it_when_it_is_back() -> None:
    """Nothing but the database runs at first; then that is killed and started again."""
    with open_folder() as data, tempfile.TemporaryDirectory(prefix="bzn-", dir="/tmp") as folder:
        server = make_postgres(data)
        server.start()
        server.wait_ready()
        url = server.create_database("ready")
        migrate(url)
        stack = ApiStack(Path(folder), url, f"http://127.0.0.1:{free_port()}")
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        stack.spawn("api", "backend.main", {"BIZZAN_API__PORT": str(port)})

        def problems() -> set[str]:
            status, body = _get(f"{base}/readyz")
            assert status in (0, 503)
            return set(body.get("problems", ()))

        try:
            wait_for(lambda: problems() == {"engine", "chain"}, "readyz without engine and chain")
            assert _get(f"{base}/healthz") == (200, {"status": "ok"})
            assert _get(f"{base}/v1/markets/1/book")[1]["code"] == "unavailable"
            server.kill()
            wait_for(lambda: "database" in problems(), "readyz without database")
            status, error = _get(f"{base}/v1/status")
            assert (status, error["code"]) == (503, "unavailable")
            server.start()
            server.wait_ready()
            wait_for(lambda: problems() == {"engine", "chain"}, "readyz with the database back")
            assert _get(f"{base}/v1/status")[0] == 200
        finally:
            stack.kill()
            server.stop()
            server.remove()
