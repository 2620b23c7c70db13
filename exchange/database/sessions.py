"""Sign-ins: challenges that are used once, and sessions known by the hash of their token only."""

from collections.abc import Collection
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from exchange.database.tables import session, siwe_nonce

Purpose = Literal["account", "operator"]
"""What a session is for: none does the work of the other."""


async def add_nonce(conn: AsyncConnection, nonce: str, now_ms: int, expires_at: int) -> None:
    """Remember a challenge, and forget those that are too old."""
    await conn.execute(delete(siwe_nonce).where(siwe_nonce.c.expires_at <= now_ms))
    await conn.execute(siwe_nonce.insert().values(nonce=nonce, expires_at=expires_at))


async def use_nonce(conn: AsyncConnection, nonce: str, now_ms: int) -> bool:
    """Use up a challenge; False when it is unknown, used or too old."""
    query = delete(siwe_nonce).where(siwe_nonce.c.nonce == nonce).returning(siwe_nonce.c.expires_at)
    expires_at = await conn.scalar(query)
    return expires_at is not None and expires_at > now_ms


async def add_session(
    conn: AsyncConnection,
    token_hash: bytes,
    address: bytes,
    now_ms: int,
    expires_at: int,
    purpose: Purpose = "account",
) -> None:
    """Remember a session, and forget those that ended."""
    await conn.execute(delete(session).where(session.c.expires_at <= now_ms))
    row = {"token_hash": token_hash, "address": address, "created_at": now_ms, "expires_at": expires_at}
    await conn.execute(session.insert().values(row | {"purpose": purpose}))


async def find_session(
    conn: AsyncConnection, token_hash: bytes, purpose: Purpose = "account"
) -> tuple[bytes, int] | None:
    """The address of a session for this purpose and when it ends, in milliseconds; None for an unknown token."""
    query = select(session.c.address, session.c.expires_at).where(
        session.c.token_hash == token_hash, session.c.purpose == purpose
    )
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else (row.address, row.expires_at)


async def living(conn: AsyncConnection, token_hashes: Collection[bytes], now_ms: int) -> list[bytes]:
    """Those of some sessions that have not ended."""
    query = select(session.c.token_hash).where(session.c.token_hash.in_(token_hashes), session.c.expires_at > now_ms)
    return list(await conn.scalars(query))


async def end_session(conn: AsyncConnection, token_hash: bytes) -> None:
    """Forget a session."""
    await conn.execute(delete(session).where(session.c.token_hash == token_hash))


async def end_sessions(conn: AsyncConnection, address: bytes, purpose: Purpose) -> None:
    """Forget all sessions of an address for this purpose."""
    await conn.execute(delete(session).where(session.c.address == address, session.c.purpose == purpose))


async def addresses(conn: AsyncConnection, purpose: Purpose, now_ms: int) -> list[bytes]:
    """Whose sessions for this purpose have not ended."""
    query = select(session.c.address).where(session.c.purpose == purpose, session.c.expires_at > now_ms).distinct()
    return list(await conn.scalars(query))
