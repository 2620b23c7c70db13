"""Sign-in with Ethereum (https://eips.ethereum.org/EIPS/eip-4361): the message names this site, this chain and
a nonce of ours that works once; the session it earns may read, never write. What opens the operator's console says so
in its statement, and opens nothing else."""

from __future__ import annotations

import asyncio
import gc
import secrets
from datetime import UTC, datetime
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from pydantic import ValidationError

from backend.auth import schemas
from backend.context import Api, now_ms
from backend.deps import token_hash
from backend.wire import address_of
from exchange.database import sessions
from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal
from exchange.settings import LOCAL_CHAIN_ID

if TYPE_CHECKING:
    from siwe import SiweMessage

log = structlog.get_logger()

NONCE_MS = 300_000
CLOCK_MARGIN_MS = 60_000
"""So far may a wallet's clock be ahead of ours."""
PREPARE_AFTER_SECONDS = 5.0
CONSOLE_PURPOSE = "Open the operator's console "
"""How what a message that opens the console says begins, and no other may."""


def console_statement(seconds: int) -> str:
    """What a message must say to open the console for so long; `web/src/features/wallet/siwe.ts` says the same."""
    return (
        f"{CONSOLE_PURPOSE}for {seconds // 60} minutes. An operator's session halts and opens markets, sets bounds, "
        "fees and tiers, stops accounts, reviews cases and announces, each logged under this address; any other role's "
        "only reads. It moves no money and signs no transaction."
    )


async def new_nonce(api: Api, host: str) -> schemas.NonceAnswer:
    """A fresh nonce, and what else the message must say."""
    nonce, now = secrets.token_hex(12), now_ms()
    async with api.writing() as connection:
        await sessions.add_nonce(connection, nonce, now, now + NONCE_MS)
    return schemas.NonceAnswer(
        nonce=nonce,
        domain=_domain(api, host),
        chain_id=api.domain.chain_id,
        expires_at=now + NONCE_MS,
        console_minutes=api.settings.operator_session_seconds // 60,
    )


async def login(api: Api, host: str, request: schemas.LoginRequest) -> schemas.LoginAnswer:
    """Check the message and open a session for private reads."""
    message = await authenticate(api, host, request)
    if message.statement and message.statement.startswith(CONSOLE_PURPOSE):
        raise _refuse("statement", "the message opens the operator's console: send it to /v1/operator/login")
    return await open_session(api, message.address, api.settings.session_seconds, "account")


async def console_address(api: Api, host: str, request: schemas.LoginRequest) -> bytes:
    """Check a message that opens the operator's console; who signed it."""
    if api.settings.domain is None and api.domain.chain_id != LOCAL_CHAIN_ID:
        raise Refusal(
            ErrorCode.forbidden,
            "the exchange must say under which name it opens its console (BIZZAN_API__DOMAIN): a message for a local "
            "name could have been signed for another site",
        )
    message = await authenticate(api, host, request)
    statement = console_statement(api.settings.operator_session_seconds)
    if message.statement != statement:
        raise _refuse("statement", f"the message's statement must be: {statement}")
    return address_of(message.address)


async def authenticate(api: Api, host: str, request: schemas.LoginRequest) -> SiweMessage:
    """Check the message and its signature. The nonce is used up by the attempt, whatever its outcome."""
    message = await asyncio.to_thread(_parse, request.message)
    now = now_ms()
    async with api.writing() as connection:
        known = await sessions.use_nonce(connection, message.nonce, now)
    if not known:
        raise _refuse("nonce", "the nonce is unknown, used or too old: ask for a new one at /v1/auth/nonce")
    _check(api, host, message, now)
    await _check_signature(api, message, request)
    return message


async def open_session(api: Api, address: str, seconds: int, purpose: sessions.Purpose) -> schemas.LoginAnswer:
    """A new session of an address."""
    token, now = secrets.token_urlsafe(32), now_ms()
    expires_at = now + seconds * 1_000
    async with api.writing() as connection:
        await sessions.add_session(connection, token_hash(token), address_of(address), now, expires_at, purpose)
    return schemas.LoginAnswer(token=token, address=address, expires_at=expires_at)


async def logout(api: Api, token: str) -> schemas.LogoutAnswer:
    """End a session."""
    session = token_hash(token)
    async with api.writing() as connection:
        await sessions.end_session(connection, session)
    api.logins.end(session)
    return schemas.LogoutAnswer(ended=True)


async def prepare() -> None:
    """Load what a sign-in needs once the rest has had time to start, so that nobody waits for it: about four seconds of
    a processor, in a thread that does not keep a worker from ending."""
    await asyncio.sleep(PREPARE_AFTER_SECONDS)
    Thread(target=_prepare, name="sign-in", daemon=True).start()


def _prepare() -> None:
    try:
        _message_type()
    except Exception:
        log.critical("sign_in_cannot_be_prepared", exc_info=True)
    else:
        log.info("sign_in_is_prepared")


@cache
def _message_type() -> type[SiweMessage]:
    """Building the package's grammars takes longer than the rest of the API's start."""
    from siwe import SiweMessage

    gc.freeze()  # as after the start: the grammars are many objects, and they stay
    loaded: type[SiweMessage] = SiweMessage
    return loaded


def _parse(text: str) -> SiweMessage:
    """The message; it must be exactly as EIP-4361 writes it, so that what was signed is what is read."""
    try:
        message = _message_type().from_message(text, abnf=False)
        exact = message.prepare_message() == text
    except ValidationError as error:
        raise _malformed(error.errors()[0]["msg"]) from None
    except (ValueError, TypeError) as error:
        raise _malformed(str(error)) from None
    if not exact:
        raise _malformed("it is not written as the standard says")
    return message


def _malformed(reason: str) -> Refusal:
    return Refusal(ErrorCode.malformed, f"message is not an EIP-4361 message: {reason[:200]}", "message")


def _refuse(part: str, reason: str) -> Refusal:
    return Refusal(ErrorCode.unauthenticated, reason, "message", {"part": part})


def _check(api: Api, host: str, message: SiweMessage, now: int) -> None:
    if message.domain not in _domains(api):
        raise _refuse("domain", f"the message must be for {_domain(api, host)}, not {message.domain[:80]}")
    if urlsplit(str(message.uri)).netloc != message.domain:
        raise _refuse("uri", f"the message's URI must be at {message.domain[:80]}, which it is for")
    if message.chain_id != api.domain.chain_id:
        raise Refusal(
            ErrorCode.wrong_chain,
            f"the message must be for chain {api.domain.chain_id}",
            "message",
            {"chain_id": api.domain.chain_id},
        )
    _check_times(message, now)


async def _check_signature(api: Api, message: SiweMessage, request: schemas.LoginRequest) -> None:
    """The account's own key made it; otherwise the account, when it is a contract, says that it is valid (EIP-1271)."""
    text, account = request.message.encode(), address_of(message.address)
    digest = keccak(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text)
    signature = bytes.fromhex(request.signature[2:])
    await api.wallets.check(account, digest, signature)


def _check_times(message: SiweMessage, now: int) -> None:
    if _milliseconds(message.issued_at) > now + CLOCK_MARGIN_MS:
        raise _refuse("issued_at", "the message was issued in the future: set your clock")
    if message.expiration_time is not None and _milliseconds(message.expiration_time) <= now:
        raise Refusal(ErrorCode.expired, "the message has expired: sign a new one", "message")
    if message.not_before is not None and _milliseconds(message.not_before) > now:
        raise _refuse("not_before", "the message is not valid yet")


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:  # a leap second, which the standard allows and Python does not know
        raise _malformed(f"there is no time {text[:40]}") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)


def _domains(api: Api) -> tuple[str, ...]:
    """The names under which this site is known; a proxy under another name cannot collect sign-ins."""
    if api.settings.domain is not None:
        return (api.settings.domain,)
    return tuple(f"{name}:{api.settings.port}" for name in (api.settings.host, "127.0.0.1", "localhost"))


def _domain(api: Api, host: str) -> str:
    known = _domains(api)
    return host if host in known else known[0]
