"""Orders as the mirror has them, for their owner."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.context import Api
from backend.orders import schemas
from backend.wire import checksum, hexed
from exchange.database import orders, positions
from exchange.domain.eip712 import Scheme
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import Order, Terms
from exchange.domain.order_id import order_id, seq_of

_CLIENT = "client:"


def order_view(address: bytes, row: Row[Any]) -> schemas.OrderView:
    """An order as JSON carries it."""
    order = Order.unpack(row.packed)
    terms = Terms.unpack(order.terms)
    return schemas.OrderView(
        order_id=row.order_id,
        order_hash=hexed(row.order_hash),
        client_order_id=row.client_order_id,
        account=checksum(address),
        market=row.market_id,
        side=schemas.SIDE_NAMES[row.side],
        price=str(row.price),
        quantity=str(row.quantity),
        filled=str(row.filled),
        remaining=str(row.remaining),
        nonce=str(row.nonce),
        expiry=row.expiry,
        trigger_price=str(order.trigger_price),
        max_fee_bps=row.max_fee_bps,
        terms=str(row.terms),
        time_in_force=terms.time_in_force.name,
        post_only=terms.post_only,
        self_trade=terms.self_trade.name,
        displayed_quantity=str(terms.displayed_quantity),
        trigger_type=terms.trigger_type.name,
        trail_bps=terms.trail_bps,
        triggered_at=row.triggered_at,
        group=terms.group,
        scheme=scheme_name(row.scheme),
        signer=checksum(row.signer),
        maker_fee_ppm=row.maker_fee_ppm,
        taker_fee_ppm=row.taker_fee_ppm,
        fee_floor=str(row.fee_floor),
        status=row.status,
        close_reason=row.close_reason,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def scheme_name(scheme: int) -> schemas.SchemeName:
    """How an order was signed; who signed a bulk order, its signer says."""
    if scheme & Scheme.bulk:
        return "bulk"
    return "delegate" if scheme & Scheme.delegate else "account"


async def order_page(
    api: Api, address: bytes, market: str | None, status: str | None, before: int | None, limit: int
) -> schemas.OrderPage:
    """Orders of one account, latest first."""
    market_id = None if market is None else api.market(market).market_id
    async with api.reading() as connection:
        owner = await orders.account_id(connection, address)
        rows = (
            []
            if owner is None
            else await orders.of_account(
                connection, owner, market_id=market_id, status=status, before=before, limit=limit
            )
        )
        position = await positions.read(connection, api.domain.chain_id)
    return schemas.OrderPage(
        orders=[order_view(address, row) for row in rows],
        next_before=rows[-1].order_id if len(rows) == limit else None,
        journal_seq=position.journal_seq,
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
    )


async def one_order(api: Api, address: bytes, name: str) -> schemas.OrderAnswer:
    """One order by id, hash or client order id. Refuses an unknown one, and one of somebody else alike."""
    async with api.reading() as connection:
        owner = await orders.account_id(connection, address)
        row = None if owner is None else await _find(connection, owner, name)
        position = await positions.read(connection, api.domain.chain_id)
    if row is None:
        raise Refusal(
            ErrorCode.unknown_order,
            f"you have no order {name} (mirrored up to sequence {position.journal_seq})",
            "order",
            {"journal_seq": position.journal_seq},
        )
    return schemas.OrderAnswer(
        order=order_view(address, row),
        journal_seq=position.journal_seq,
        indexed_block=position.indexed_block,
        finalized_block=position.finalized_block,
    )


async def legs_of(api: Api, address: bytes, order: schemas.OrderView) -> list[str]:
    """The hashes of both legs of a group that came in one record, if an order is one of them."""
    if not order.group:
        return []
    async with api.reading() as connection:
        owner = await orders.account_id(connection, address)
        if owner is None:
            return []
        rows = [await orders.by_id(connection, owner, order_id(seq_of(order.order_id), index)) for index in (0, 1)]
    found = [hexed(row.order_hash) for row in rows if row is not None]
    return found if len(found) == len(rows) else []


async def _find(connection: AsyncConnection, owner: int, name: str) -> Row[Any] | None:
    if name.startswith(_CLIENT):
        return await orders.by_client_order_id(connection, owner, name.removeprefix(_CLIENT))
    if name.startswith("0x") and len(name) == 66:
        try:
            return await orders.by_hash(connection, owner, bytes.fromhex(name[2:]))
        except ValueError:
            raise Refusal(ErrorCode.malformed, "the order's hash is not hexadecimal", "order") from None
    if name.isascii() and name.isdecimal() and int(name) < 1 << 63:
        return await orders.by_id(connection, owner, int(name))
    return await orders.by_client_order_id(connection, owner, name)
