"""Signing in over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from backend.auth.service import console_statement
from bizzan.client.wallet import Wallet


def message_for(wallet: Wallet, challenge: dict[str, Any], **changes: str) -> str:
    """The EIP-4361 message for an answer of `/v1/auth/nonce`; `changes` replace its parts."""
    parts = {
        "domain": challenge["domain"],
        "address": wallet.text_address,
        "uri": f"http://{challenge['domain']}",
        "chain_id": str(challenge["chain_id"]),
        "nonce": challenge["nonce"],
        "issued_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "more": "",
    } | changes
    return (
        f"{parts['domain']} wants you to sign in with your Ethereum account:\n{parts['address']}\n\n\n"
        f"URI: {parts['uri']}\nVersion: 1\nChain ID: {parts['chain_id']}\nNonce: {parts['nonce']}\n"
        f"Issued At: {parts['issued_at']}{parts['more']}"
    )


async def fresh_nonce(api: httpx.AsyncClient) -> dict[str, Any]:
    """A nonce and what else the message must say."""
    answer = await api.post("/v1/auth/nonce")
    assert answer.status_code == 200, answer.text
    nonce: dict[str, Any] = answer.json()
    return nonce


async def login(api: httpx.AsyncClient, wallet: Wallet, message: str) -> httpx.Response:
    """Send a message with the wallet's signature."""
    signature = "0x" + wallet.sign_text(message).hex()
    return await api.post("/v1/auth/login", json={"message": message, "signature": signature})


async def sign_in(api: httpx.AsyncClient, wallet: Wallet) -> dict[str, str]:
    """The header of a new session."""
    answer = await login(api, wallet, message_for(wallet, await fresh_nonce(api)))
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def console_login(api: httpx.AsyncClient, wallet: Wallet, **changes: str) -> httpx.Response:
    """Sign in at the operator's console."""
    challenge = await fresh_nonce(api)
    statement = changes.pop("statement", console_statement(challenge["console_minutes"] * 60))
    plain = message_for(wallet, challenge, **changes)
    message = plain.replace("\n\n\n", f"\n\n{statement}\n\n", 1)
    signature = "0x" + wallet.sign_text(message).hex()
    return await api.post("/v1/operator/login", json={"message": message, "signature": signature})


async def open_console(api: httpx.AsyncClient, wallet: Wallet) -> dict[str, str]:
    """The header of a new session of the console."""
    answer = await console_login(api, wallet)
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}
