"""The sign-in text is what an EIP-4361 library reads."""

import json
from datetime import UTC, datetime

import httpx
from siwe import SiweMessage

from bizzan.client.api import BizzanClient
from bizzan.client.login import login_message
from bizzan.client.wallet import Wallet


def test_message_is_read_and_its_signature_verified() -> None:
    wallet = Wallet.create()
    issued_at = datetime.now(UTC)
    text = login_message("http://127.0.0.1:8000", wallet.text_address, 31_337, "abcdefgh12345678", issued_at)
    message = SiweMessage.from_message(text)
    assert message.prepare_message() == text
    assert (message.domain, message.chain_id, message.nonce) == ("127.0.0.1:8000", 31_337, "abcdefgh12345678")
    message.verify("0x" + wallet.sign_text(text).hex(), domain="127.0.0.1:8000", nonce="abcdefgh12345678")


async def test_login_whose_answer_is_lost_is_done_again_with_a_new_nonce() -> None:
    used: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/auth/nonce":
            nonce = {"nonce": f"abcdefgh{len(used)}", "domain": "x", "chain_id": 1, "expires_at": 1}
            return httpx.Response(200, json=nonce)
        message = json.loads(request.content)["message"]
        if message in used:
            refusal = {"code": "unauthenticated", "message": "used", "field": "message", "params": {"part": "nonce"}}
            return httpx.Response(401, json=refusal)
        used.append(message)
        if len(used) == 1:
            raise httpx.ReadTimeout("the answer is lost", request=request)
        return httpx.Response(200, json={"token": "t", "address": "0x00", "expires_at": 1})

    wallet = Wallet.create()
    client = BizzanClient("http://127.0.0.1:8000", wallet)
    await client.transport._http.aclose()
    client.transport._http = httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(serve))
    session = await client.login()
    await client.close()
    assert (session.token, client.transport.token, len(used)) == ("t", "t", 2)
