"""Sign-in with Ethereum (EIP-4361): the text a wallet signs to read its own account.

It moves no money and gives no right to: it opens a session for private reads and the account stream.
"""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

STATEMENT = "Sign in to read your account. This moves no money."
VALID_FOR = timedelta(minutes=5)


def login_message(base_url: str, address: str, chain_id: int, nonce: str, issued_at: datetime) -> str:
    """The message for the site at `base_url`; `address` with EIP-55 capitals, `issued_at` in UTC."""
    site = urlsplit(base_url)
    return (
        f"{site.netloc} wants you to sign in with your Ethereum account:\n"
        f"{address}\n\n"
        f"{STATEMENT}\n\n"
        f"URI: {site.scheme}://{site.netloc}\n"
        f"Version: 1\n"
        f"Chain ID: {chain_id}\n"
        f"Nonce: {nonce}\n"
        f"Issued At: {_text(issued_at)}\n"
        f"Expiration Time: {_text(issued_at + VALID_FOR)}"
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
