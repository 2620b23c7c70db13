"""Every line of a log is one JSON object, also where a library writes it."""

import json
import subprocess
import sys

PROGRAM = """
import logging
from exchange.sequencer.logs import configure_logs
configure_logs("info", "api")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
logging.getLogger("uvicorn.error").info("nobody needs this")
try:
    raise ValueError("why")
except ValueError:
    logging.getLogger("asyncio").exception("it failed")
"""


def test_a_warning_of_a_library_is_json() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["event"] == "Invalid HTTP request received."
    assert (first["service"], first["level"], first["logger"]) == ("api", "warning", "uvicorn.error")
    assert "ValueError: why" in second["exception"]
    assert done.stderr == ""
