"""The sign-in text is what an EIP-4361 library reads."""

from datetime import UTC, datetime

from siwe import SiweMessage

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
