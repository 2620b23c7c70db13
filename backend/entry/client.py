"""One client of order entry: its session, and what every kind of message needs of it."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter

from backend.entry.bounds import RETRY_MS
from backend.entry.exchange import Exchange
from exchange.domain import entry as wire
from exchange.domain.eip712 import Scheme
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.frame_codes import ACCEPTED, number_of

CHECKED_SECONDS = 0.5


@dataclass(slots=True)
class Session:
    """Who trades here: `account`, by the key of `signer`, until `expires_at` (monotonic)."""

    account: bytes
    signer: bytes
    mac_key: bytes
    expires_at: float
    last_number: int = 0
    in_flight: int = 0
    brakes: int = 0
    """Messages under way that take orders back; they have room of their own."""
    checked_at: float = 0.0
    scope: tuple[int, int] | None = None
    """Markets (bit by number) and last expiry of a delegated key; None for the account's own."""

    @property
    def scheme(self) -> int:
        """How its frames are signed."""
        return int(Scheme.bulk if self.signer == self.account else Scheme.bulk | Scheme.delegate)


End = Callable[[ErrorCode, str], None]


class Once:
    """What is done when it is first called, and never again: giving back what a message holds."""

    __slots__ = ("_do",)

    def __init__(self, do: Callable[[], None]) -> None:
        self._do: Callable[[], None] | None = do

    def __call__(self) -> None:
        """Do it, unless it is done."""
        do, self._do = self._do, None
        if do is not None:
            do()


@dataclass(frozen=True, slots=True)
class Step:
    """What remains to be done with a message; `give_back` what it holds meanwhile."""

    work: Callable[[], Coroutine[None, None, None]]
    give_back: Once


class Client:
    """One connection's. `send` and `end` are what it does; `end` also forgets what was not looked at."""

    __slots__ = ("address", "end", "exchange", "has_left", "is_ended", "send", "session")

    def __init__(self, exchange: Exchange, send: Callable[[bytes], None], end: End) -> None:
        self.exchange = exchange
        self.send = send
        self.end = end
        self.address = ""
        self.session: Session | None = None
        self.has_left = False
        self.is_ended = False

    def leave(self) -> None:
        """The client is gone."""
        self.has_left = True
        if self.session is not None:
            self.exchange.door.leave(self.session.account)
            self.exchange.metrics.sessions.dec()
            self.session = None

    def refuse(self, number: int, code: ErrorCode, text: str, retry_ms: int = 0) -> None:
        """Say why a message was not taken."""
        self.exchange.metrics.refusals.labels(code.value).inc()
        self.send(wire.pack_refused(number, number_of(code), retry_ms, text))

    async def live_session(self) -> Session:
        """The session, if it may go on."""
        session = self.session
        if session is None:
            raise Refusal(ErrorCode.unauthenticated, "say hello and open a session first")
        now = monotonic()
        if now >= session.expires_at:
            raise Refusal(ErrorCode.unauthenticated, "the session has ended: connect again")
        self.exchange.door.check(session.signer)
        if session.scope is not None and now - session.checked_at > CHECKED_SECONDS:
            session.scope = await self.scope(session.account, session.signer)
            session.checked_at = now
        return session

    async def scope(self, account: bytes, signer: bytes) -> tuple[int, int]:
        """A delegated key's markets and last expiry. Refusal where it has none."""
        return await self.exchange.scope_of(account, signer)

    def begin(self, session: Session, orders: int) -> Once:
        """Count a message under way until what comes back is called. Refusal where there is no room for it."""
        limit = self.exchange.settings.frames_in_flight
        if session.in_flight >= limit:
            params: dict[str, str | int] = {"retry_after_ms": RETRY_MS}
            raise Refusal(ErrorCode.too_many_requests, f"at most {limit} messages are under way", None, params)
        if not self.exchange.link.connected:
            raise Refusal(ErrorCode.unavailable, "the engine is away", None, {"retry_after_ms": RETRY_MS})
        self.exchange.room.take(session.account, self.address, orders)
        session.in_flight += 1
        return Once(partial(self._finish, session, orders))

    def _finish(self, session: Session, orders: int) -> None:
        """A message is answered."""
        session.in_flight -= 1
        self.exchange.room.give(session.account, self.address, orders)

    def observe(self, kind: str, since: float) -> None:
        """A message that came then is acknowledged."""
        self.exchange.metrics.ack_seconds.labels(kind).observe(perf_counter() - since)

    def count_waste(self, session: Session, codes: bytes) -> None:
        """Orders of these codes were looked at; that the engine was away is not the account's doing."""
        accepted = codes.count(ACCEPTED)
        refused = len(codes) - accepted - codes.count(number_of(ErrorCode.unavailable))
        self.exchange.door.waste(session.account, refused, accepted)


def retry_of(refusal: Refusal) -> int:
    """After how many milliseconds to try again, 0 where that is no use."""
    value = refusal.params.get("retry_after_ms", 0)
    return value if isinstance(value, int) else 0
