"""What happens to a signed command: checked here, decided by the engine.

The worker checks what needs no state: shape, domain, digest, key recovery, the delegate's scope. Then
the engine decides, journals and acknowledges; its refusals pass through unchanged.
"""

from functools import lru_cache
from time import perf_counter, time

from msgspec import structs

from backend.context import Api
from backend.orders import schemas
from backend.receipts.service import receipt_of
from backend.signatures import recover, wrong_signature
from backend.status.watch import Watch
from backend.wire import address_of, checksum, hexed, integer
from exchange.domain.bulk import BulkSignature, Proof
from exchange.domain.deployment import Windows
from exchange.domain.eip712 import Scheme
from exchange.domain.errors import ErrorCode, Refusal
from exchange.domain.order import NONCE_LIMIT, SINGLE_FILL, Order, Side, Terms
from exchange.domain.order_id import order_id
from exchange.engine import commands
from exchange.engine.brakes import BOTH_SIDES
from exchange.sequencer.seed import unsettled_limit_ms

_SIDES = {side.name: int(side) for side in Side}
_CANCELLED_SIDES = {"buy": int(Side.buy), "sell": int(Side.sell), "both": BOTH_SIDES}
_MAX_FEE_BPS = (1 << 16) - 1
_unpack_terms = lru_cache(maxsize=4_096)(Terms.unpack)


def order_of(body: schemas.OrderFields) -> Order:
    """The order in a request; refuses numbers that do not fit the signed type, by field."""
    if body.max_fee_bps > _MAX_FEE_BPS:
        raise Refusal(
            ErrorCode.fee_cap_out_of_range,
            f"max_fee_bps must be at most {_MAX_FEE_BPS}",
            "max_fee_bps",
            {"max": _MAX_FEE_BPS},
        )
    order = Order(
        address_of(body.account),
        body.market,
        _SIDES[body.side],
        integer(body.price, "price"),
        integer(body.quantity, "quantity"),
        nonce_of(body.nonce, "nonce"),
        body.expiry,
        integer(body.trigger_price, "trigger_price"),
        body.max_fee_bps,
        integer(body.terms, "terms", 128),
    )
    try:
        _unpack_terms(order.terms)
    except ValueError as error:
        raise Refusal(ErrorCode.unsupported_terms, str(error), "terms") from None
    return order


def nonce_of(text: str, field: str) -> int:
    """A nonce: below 2**48, with or without the single-fill bit."""
    value = int(text)
    if value >> 64 or value & ~SINGLE_FILL >= NONCE_LIMIT:
        raise Refusal(
            ErrorCode.nonce_out_of_range, f"{field} must be below 2**48, apart from the single-fill bit 2**63", field
        )
    return value


async def place(api: Api, body: schemas.PlaceOrder) -> schemas.Ack:
    """Check a signed order and hand it to the engine; the answer comes when it is durable."""
    return await _place(api, "place", commands.PlaceOrder, body)


async def amend(api: Api, body: schemas.PlaceOrder) -> schemas.Ack:
    """Check a signed order and have it take the place of the open one on its nonce."""
    return await _place(api, "amend", commands.AmendOrder, body)


async def place_group(api: Api, body: schemas.PlaceGroup) -> schemas.GroupAck:
    """Place two legs of a group, in one command: both are taken, or neither."""
    _check_legs(order_of(body.first), order_of(body.second))
    first, first_hash = await _signed(api, commands.PlaceOrder, body.first)
    second, second_hash = await _signed(api, commands.PlaceOrder, body.second)
    api.limits.account_writes.take(first.order.account, 2)
    ack = await _submit(api, "place_group", commands.PlaceGroup(first, second), first_hash)
    beside = structs.replace(ack, order_id=order_id(ack.seq, 1), order_hash=hexed(second_hash))
    return schemas.GroupAck(first=ack, second=beside)


def _check_legs(first: Order, second: Order) -> None:
    groups = [_unpack_terms(order.terms).group for order in (first, second)]
    if not groups[0] or groups[0] != groups[1]:
        raise Refusal(ErrorCode.terms_conflict, "both legs must name the same group", "group")
    if (first.account, first.market) != (second.account, second.market):
        raise Refusal(ErrorCode.terms_conflict, "both legs must be of one account, in one market", "second")
    if first.nonce == second.nonce:
        raise Refusal(ErrorCode.nonce_used, "both legs have the same nonce", "nonce")


async def _place(api: Api, kind: str, command: type[commands.PlaceOrder], body: schemas.PlaceOrder) -> schemas.Ack:
    signed, order_hash = await _signed(api, command, body)
    api.limits.account_writes.take(signed.order.account)
    return await _submit(api, kind, signed, order_hash)


async def _signed(
    api: Api, command: type[commands.PlaceOrder], body: schemas.PlaceOrder
) -> tuple[commands.PlaceOrder, bytes]:
    """The command for a signed order that passes every check that needs no engine, and the order's hash."""
    api.check_domain(body.chain_id, address_of(body.contract))
    order = order_of(body)
    if order.market not in api.feed.books:
        raise Refusal(ErrorCode.unknown_market, f"there is no market {order.market}: see /v1/markets", "market")
    if not _unpack_terms(order.terms).post_only:
        check_heard(api.watch, api.deployment.windows, int(time()))
    order_hash = api.domain.order_hash(order)
    signature = bytes.fromhex(body.signature[2:])
    if body.scheme == "bulk":
        in_bulk = _bulk_signature(body, signature)
        signer = recover(in_bulk.digest(api.domain, order), signature)
        signature = in_bulk.pack()
    else:
        if body.path or body.index:
            raise wrong_signature("only an order of scheme bulk has an index and a path", "path")
        signer = recover(order_hash, signature)
    scheme = await _check_signer(api, body.scheme, order, signer)
    return command(order, order_hash, scheme, signature, signer, body.client_order_id), order_hash


def check_heard(watch: Watch, windows: Windows, now: int) -> None:
    """Refuse to take while the chain is not heard: an exit or a claim may have been made since, and bind by now.

    The engine obeys at the first block that is indexed. What it matches before that must settle before what it did
    not hear binds, so the silence may last as long as a trade may wait for its settlement.
    """
    silence, limit_ms = watch.silence(now), unsettled_limit_ms(windows)
    if 1_000 * silence > limit_ms:
        raise Refusal(
            ErrorCode.settlement_backlog,
            "the chain is not heard: only post_only orders and cancels are taken",
            None,
            {"silent_ms": 1_000 * silence},
        )


async def _check_signer(api: Api, scheme: str, order: Order, signer: bytes) -> int:
    bulk = Scheme.bulk if scheme == "bulk" else Scheme.account
    if scheme == "account":
        check_account(order.account, signer)
    if scheme == "account" or (bulk and signer == order.account):
        return int(bulk)
    try:
        await api.delegates.check(order.account, signer, order.market, order.expiry)
    except Refusal as refusal:
        raise _with_bulk_hint(refusal) if bulk else refusal from None
    return int(bulk | Scheme.delegate)


def _with_bulk_hint(refusal: Refusal) -> Refusal:
    """A wrong path leads to another root, and so to the address of nobody: who sees one shall look there too."""
    if refusal.code != ErrorCode.unknown_delegate:
        return refusal
    hint = "in bulk, another path, index or field than signed gives such an address too: check them against the tree"
    return Refusal(refusal.code, f"{refusal.message}; {hint}", refusal.field, refusal.params)


def _bulk_signature(body: schemas.PlaceOrder, signature: bytes) -> BulkSignature:
    try:
        return BulkSignature(signature, Proof(body.index, tuple(bytes.fromhex(each[2:]) for each in body.path)))
    except ValueError as error:
        raise wrong_signature(str(error), "path") from None


def check_account(account: bytes, signer: bytes) -> None:
    """Refuse a signature that the account's own key did not make."""
    if signer != account:
        raise wrong_signature(
            f"the key of {checksum(signer)} made it, over these fields, and not that of {checksum(account)}"
        )


async def cancel(api: Api, body: schemas.CancelOrder) -> schemas.Ack:
    """Cancel the open order on a nonce; signed by the account or a live delegate."""
    return await _submit(api, "cancel", await _signed_cancel(api, body))


async def _signed_cancel(api: Api, body: schemas.CancelOrder) -> commands.CancelOrder:
    account = address_of(body.account)
    nonce = nonce_of(body.nonce, "nonce")
    signer, signature = await _cancel_signer(api, body, "Cancel", {"account": account, "nonce": nonce})
    return commands.CancelOrder(account, nonce, signature, signer)


async def cancel_all(api: Api, body: schemas.CancelAll) -> schemas.Ack:
    """Cancel every order below a nonce; signed by the account or a live delegate."""
    account = address_of(body.account)
    minimum = nonce_of(body.min_nonce, "min_nonce")
    signer, signature = await _cancel_signer(api, body, "CancelAll", {"account": account, "min_nonce": minimum})
    return await _submit(api, "cancel_all", commands.CancelAll(account, minimum, signature, signer))


async def mass_cancel(api: Api, body: schemas.MassCancel) -> schemas.Ack:
    """Cancel the orders of a market and side; signed by the account or a live delegate."""
    account, side = address_of(body.account), _CANCELLED_SIDES[body.side]
    nonce = integer(body.nonce, "nonce")
    message: dict[str, int | bytes] = {"account": account, "market": body.market, "side": side, "nonce": nonce}
    signer, signature = await _cancel_signer(api, body, "MassCancel", message)
    command = commands.MassCancel(account, body.market, side, nonce, signature, signer)
    return await _submit(api, "mass_cancel", command)


async def countdown(api: Api, body: schemas.Countdown) -> schemas.Ack:
    """End all orders after a silence; signed by the account or a live delegate."""
    account, nonce = address_of(body.account), integer(body.nonce, "nonce")
    message: dict[str, int | bytes] = {"account": account, "seconds": body.seconds, "nonce": nonce}
    signer, signature = await _cancel_signer(api, body, "Countdown", message)
    return await _submit(api, "countdown", commands.SetCountdown(account, body.seconds, nonce, signature, signer))


async def trading_stop(api: Api, body: schemas.TradingStop) -> schemas.Ack:
    """Stop the account's trading, or let it go on; signed by the account alone."""
    api.check_domain(body.chain_id, address_of(body.contract))
    account, nonce = address_of(body.account), integer(body.nonce, "nonce")
    signature = bytes.fromhex(body.signature[2:])
    digest = api.domain.hash("TradingStop", {"account": account, "stopped": int(body.stopped), "nonce": nonce})
    check_account(account, recover(digest, signature))
    api.limits.account_writes.take(account)
    return await _submit(api, "trading_stop", commands.StopTrading(account, body.stopped, nonce, signature))


async def _cancel_signer(
    api: Api,
    body: schemas.CancelOrder | schemas.CancelAll | schemas.MassCancel | schemas.Countdown,
    kind: str,
    message: dict[str, int | bytes],
) -> tuple[bytes, bytes]:
    api.check_domain(body.chain_id, address_of(body.contract))
    signature = bytes.fromhex(body.signature[2:])
    signer = recover(api.domain.hash(kind, message), signature)
    account = address_of(body.account)
    if signer != account:
        if not await api.delegates.known(account, signer):
            check_account(account, signer)
        await api.delegates.check(account, signer, None, None)
    api.limits.account_writes.take(account)
    return signer, signature


async def _submit(
    api: Api,
    kind: str,
    command: commands.Command,
    order_hash: bytes | None = None,
) -> schemas.Ack:
    started = perf_counter()
    try:
        ack = await api.engine.submit(command)
    except Refusal as refusal:
        api.metrics.commands.labels(kind, refusal.code.value).inc()
        raise
    api.metrics.commands.labels(kind, "ok").inc()
    api.metrics.command_seconds.observe(perf_counter() - started)
    return schemas.Ack(
        seq=ack.seq,
        at=ack.at_ms,
        order_id=ack.order_id,
        order_hash=None if order_hash is None else hexed(order_hash),
        duplicate=ack.duplicate,
        receipt=receipt_of(api.deployment, ack),
    )


async def preview(api: Api, body: schemas.OrderFields) -> schemas.Preview:
    """What an order would meet and pay now, as the engine says. Nothing is reserved."""
    order = order_of(body)
    market = api.feed.market(order.market)
    told = await api.engine.preview(order)
    return schemas.Preview(
        market=order.market,
        side=body.side,
        tier=told.tier,
        maker_fee_ppm=told.maker_fee_ppm,
        taker_fee_ppm=told.taker_fee_ppm,
        fee_floor=str(told.floor),
        max_fee_bps=told.needed_fee_bps,
        fee_cap_bps=told.fee_cap_bps,
        notional=str(told.notional),
        maker_fee=str(told.maker_fee),
        taker_fee=str(told.taker_fee),
        worst_fee=str(told.worst_fee),
        holds_asset=market.base_asset if order.side == Side.sell else market.quote_asset,
        holds_amount=str(told.needs),
        fills_now=str(told.fills),
        fills_now_quote=str(told.quote),
        fills_now_fee=str(told.fee),
        book_seq=api.feed.books[order.market].seq,
    )
