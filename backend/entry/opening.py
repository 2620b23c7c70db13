"""How a client comes in: hello, challenge, session."""

import asyncio
import os
from collections.abc import Callable
from time import monotonic, time

from coincurve import PrivateKey

from backend.entry.client import Client, Session
from exchange.domain import entry as wire
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.recovery import SIGNATURE_SIZE

MIRROR_PAUSES = (0.0, 0.1, 0.4, 1.5)
"""Seconds between looks for an account of which the database may hear a moment later than the engine."""
MAX_LOOKING = 16
"""So many accounts at once are looked for more than once."""


class Opening:
    """One client's. `opened` is told how many seconds a session lasts that was opened."""

    def __init__(self, client: Client, opened: Callable[[int], None]) -> None:
        self._client = client
        self._exchange = client.exchange
        self._opened = opened
        self._challenge = b""
        self._asked_for = b""

    def hello(self, body: bytes) -> None:
        """Answer with the challenge that a session is opened with."""
        settings = self._exchange.settings
        self._asked_for = wire.unpack_hello(body)
        self._challenge = os.urandom(32)
        challenge = wire.Challenge(
            self._challenge,
            self._exchange.domain.separator,
            1 << 10,
            settings.frames_in_flight,
            settings.session_seconds,
        )
        self._client.send(wire.message(wire.Kind.challenge, challenge.pack()))

    async def open(self, body: bytes) -> None:
        """Open the session whose challenge is signed; Refusal or ProtocolError."""
        challenge, self._challenge = self._challenge, b""
        if self._client.session is not None or not challenge:
            raise wire.ProtocolError("a session is opened once, after a hello and with its challenge")
        if len(body) != wire.KEY_SIZE + SIGNATURE_SIZE:
            raise wire.ProtocolError(f"open has {wire.KEY_SIZE + SIGNATURE_SIZE} bytes, here are {len(body)}")
        key, signature, account = body[: wire.KEY_SIZE], body[wire.KEY_SIZE :], self._asked_for
        self._exchange.door.begin_opening(self._client.address)
        digest = wire.session_digest(self._exchange.domain, account, challenge, key)
        signer = await self._exchange.court.find_signer((self._client.address, account), digest, signature)
        if not signer:
            raise Refusal(ErrorCode.wrong_signature, "the signature is nobody's", "signature")
        self._exchange.door.check(signer)
        if not self._exchange.knows(account):
            await self._wait_until_known(account)
        scope = None
        if signer != account:
            async with self._exchange.opening:
                scope = await self._client.scope(account, signer)
        if self._client.has_left or self._client.is_ended:  # it went away meanwhile, and is not counted any more
            return
        mine = PrivateKey()
        try:
            mac_key = wire.shared_key(mine, key, challenge)
        except ValueError:
            raise wire.ProtocolError("the session's public key is no point of the curve") from None
        self._exchange.door.enter(account, signer)
        self._exchange.metrics.sessions.inc()
        seconds = self._exchange.settings.session_seconds
        now = monotonic()
        self._client.session = Session(account, signer, mac_key, now + seconds, checked_at=now, scope=scope)
        self._opened(seconds)
        expires_ms = int(_now_ms() + 1_000 * seconds)
        self._client.send(wire.pack_opened(mine.public_key.format(), expires_ms))

    async def _wait_until_known(self, account: bytes) -> None:
        """Refusal of an account without a deposit; one that was credited just now may take a moment to be mirrored.

        It is looked for again only while few wait: a look more for each of a crowd would delay everybody's first.
        """
        exchange = self._exchange
        exchange.looking += 1
        try:
            for pause in MIRROR_PAUSES if exchange.looking <= MAX_LOOKING else MIRROR_PAUSES[:1]:
                await asyncio.sleep(pause)
                async with exchange.opening:
                    if self._client.has_left or exchange.knows(account) or await exchange.is_known(account):
                        return
        finally:
            exchange.looking -= 1
        raise Refusal(ErrorCode.unknown_account, "the account has no deposit that was credited", "account")


def _now_ms() -> float:
    return time() * 1_000
