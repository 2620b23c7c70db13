"""The OpenAPI document against the running API: whatever it allows is answered as it says, and nothing breaks."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx

from tests.utils.api_stack import ApiStack
from tests.utils.sign_in import sign_in

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)


async def test_the_api_keeps_to_its_document(api: httpx.AsyncClient, stack: ApiStack, tmp_path: Path) -> None:
    """Schemathesis sends what the document allows, and what it forbids, to every path with a session of a trader."""
    headers = await sign_in(api, await stack.trader())
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("st")),
        "run",
        f"{stack.base_url}/openapi.json",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=10",
        "--seed=1",
        "--request-timeout=60",
        "--suppress-health-check=too_slow",  # of the machine, it says nothing of the document
        "--exclude-path=/v1/auth/logout",  # it would end the session of all other requests
        "--exclude-path=/v1/faucet",  # its transactions move the chain on, which nobody mirrors here
        f"--header=Authorization: {headers['authorization']}",
        "--no-color",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-8_000:]
