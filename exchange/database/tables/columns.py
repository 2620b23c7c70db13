"""What all tables share: one metadata, integers that stay integers, a comment on each column."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, LargeBinary, MetaData, Numeric, Text, TypeDecorator, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NOW_MS = text("(extract(epoch from clock_timestamp()) * 1000)::bigint")
"""The database's clock, in milliseconds since 1970."""


class Uint(TypeDecorator[int]):
    """A non-negative integer wider than 63 bits: NUMERIC in the database, `int` in Python."""

    impl = Numeric
    cache_ok = True

    def __init__(self, digits: int) -> None:
        super().__init__(digits, 0)
        self.digits = digits

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """The integer as the driver takes it."""
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """The integer, never a Decimal."""
        return None if value is None else int(value)


Amount = BigInteger
"""Ledger units of the asset, below 2**63."""


def token_amount() -> Uint:
    """Any 256-bit unsigned integer."""
    return Uint(78)


def u64() -> Uint:
    """Any 64-bit unsigned integer, nonces above all."""
    return Uint(20)


def chain_id(primary_key: bool = False) -> Column[int]:
    """The chain a row comes from."""
    return Column(
        "chain_id", BigInteger, primary_key=primary_key, nullable=False, comment="the chain this row comes from"
    )


def blob(name: str, comment: str, **options: Any) -> Column[bytes]:
    """A hash (32 bytes), an address (20) or other bytes; NOT NULL unless told otherwise."""
    return _column(name, LargeBinary, comment, options)


def integer(name: str, comment: str, **options: Any) -> Column[int]:
    """An integer of 63 bits; NOT NULL unless told otherwise."""
    return _column(name, options.pop("kind", BigInteger), comment, options)


def string(name: str, comment: str, **options: Any) -> Column[str]:
    """A text; NOT NULL unless told otherwise."""
    return _column(name, Text, comment, options)


def _column(name: str, kind: Any, comment: str, options: dict[str, Any]) -> Column[Any]:
    options.setdefault("nullable", False)
    make: Callable[..., Column[Any]] = Column
    return make(name, kind, comment=comment, **options)
