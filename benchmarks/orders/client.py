"""A client of the binary entry that costs next to nothing: signed beforehand, answers timed and hardly looked at."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from coincurve import PrivateKey

from benchmarks.orders.stack import DOMAIN, PRICE
from bizzan.client.wallet import Wallet
from exchange.domain import entry as wire
from exchange.domain.bulk import bulk_digest
from exchange.domain.frame import unfold
from exchange.domain.order import Order, Side, Terms, TimeInForce, TriggerType
from exchange.engine.commands import PlaceOrder

IN_FLIGHT = 24
ROOM = {16: 4, 64: 16, 256: 24}
"""How many orders of a frame rest, and how many take."""


@dataclass(slots=True)
class Trader:
    """An account that buys or sells, and its next nonce."""

    wallet: Wallet
    sells: bool
    nonce: int = 1

    def orders(self, count: int, room: int, expiry: int) -> list[Order]:
        """Of each message the first rest, as many then take, and the others meet nobody."""
        side = Side.sell if self.sells else Side.buy
        rest, take = (PRICE, PRICE - 10) if self.sells else (PRICE - 10, PRICE)
        away = PRICE + 1_000 if self.sells else PRICE - 1_000
        made = []
        for index in range(count):
            price = rest if index < room else take if index < 2 * room else away
            tif = TimeInForce.gtc if index < room else TimeInForce.ioc
            made.append(Order(self.wallet.address, 1, side, price, 2, self.nonce + index, expiry, 0, 10, int(tif)))
        self.nonce += count
        return made

    def stop(self) -> PlaceOrder:
        """An order that waits for a price which no trade reaches, as order entry hands it to the engine."""
        expiry, self.nonce = int(time.time()) + 3_600, self.nonce + 1
        terms = Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss).pack()
        price = PRICE - 20_000 if self.sells else PRICE + 20_000
        side = Side.sell if self.sells else Side.buy
        order = Order(self.wallet.address, 1, side, price, 2, self.nonce - 1, expiry, price, 10, terms)
        signature = self.wallet.sign_digest(DOMAIN.order_hash(order))
        return PlaceOrder(order, DOMAIN.order_hash(order), 0, signature, self.wallet.address)


class Connection(asyncio.Protocol):
    """A session that sends what is made and times what comes back, as cheaply as it can."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.handshake: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.on_message: Callable[[int, bytes], None] = lambda kind, body: self.handshake.put_nowait((kind, body))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take messages apart."""
        self.buffer += data
        at, view = 0, bytes(self.buffer)
        while len(view) - at >= 4:
            size = int.from_bytes(view[at : at + 4])
            if len(view) - at < 4 + size:
                break
            self.on_message(view[at + 4], view[at + 5 : at + 4 + size])
            at += 4 + size
        del self.buffer[:at]

    def send(self, data: bytes) -> None:
        """Send."""
        assert self.transport is not None
        self.transport.write(data)

    async def open(self, trader: Trader) -> bytes:
        """Open the session; the key of its MAC."""
        self.send(wire.hello(trader.wallet.address))
        kind, body = await self.handshake.get()
        assert kind == wire.Kind.challenge, body
        challenge, mine = wire.Challenge.unpack(body).challenge, PrivateKey()
        key = mine.public_key.format()
        digest = wire.session_digest(DOMAIN, trader.wallet.address, challenge, key)
        self.send(wire.message(wire.Kind.open, key + trader.wallet.sign_digest(digest)))
        kind, body = await self.handshake.get()
        assert kind == wire.Kind.opened, body
        return wire.shared_key(mine, wire.unpack_opened(body)[0], challenge)


@dataclass(slots=True)
class Lane:
    """One connection with its trader, and the number of its last message."""

    connection: Connection
    trader: Trader
    mac_key: bytes
    number: int = 0

    def frames(self, count: int, size: int, with_mac: bool) -> list[bytes]:
        """Signed frames, whole messages."""
        expiry, made = int(time.time()) + 3_600, []
        for _ in range(count):
            self.number += 1
            packed = b"".join(order.pack() for order in self.trader.orders(size, ROOM[size], expiry))
            tree = unfold(packed, DOMAIN.separator)
            signature = self.trader.wallet.sign_digest(bulk_digest(DOMAIN.separator, tree.root, tree.height))
            frame = wire.FrameMessage(self.number, tree.root, signature, packed)
            made.append(frame.pack(self.mac_key if with_mac else None))
        return made

    def singles(self, count: int, size: int) -> list[bytes]:
        """Messages of `size` single orders."""
        expiry, made = int(time.time()) + 3_600, []
        for _ in range(count):
            self.number += 1
            orders = self.trader.orders(size, ROOM[size], expiry)
            sign = self.trader.wallet.sign_digest
            made.append(wire.pack_orders(self.number, [o.pack() + sign(DOMAIN.order_hash(o)) for o in orders]))
        return made


@dataclass(slots=True)
class Rush:
    """What a rush or a pace found: seconds until all were acknowledged, and until all were matched; latencies in ms."""

    acked: float = 0.0
    matched: float = 0.0
    refused: int = 0
    latencies: list[float] | None = None


async def drive(lanes: Sequence[Lane], messages: Sequence[list[bytes]], early: bool, per_second: float = 0.0) -> Rush:
    """Send each lane's messages, as fast as a window allows or at a pace, and wait until all is matched."""
    found, total = Rush(latencies=[]), sum(map(len, messages))
    left, started = {"ack": total, "match": total}, time.perf_counter()
    done = asyncio.get_running_loop().create_future()
    due: list[dict[int, float]] = [{} for _ in lanes]
    queues = [iter(own) for own in messages]
    ack_kind = wire.Kind.journaled if early else None

    def receive(lane: int, kind: int, body: bytes) -> None:
        now = time.perf_counter()
        if kind in (wire.Kind.journaled, wire.Kind.outcome, wire.Kind.orders_outcome):
            number = int.from_bytes(body[:8])
            if ack_kind is None or kind == ack_kind:
                assert found.latencies is not None
                found.latencies.append((now - due[lane].pop(number, now)) * 1_000)
                left["ack"] -= 1
                found.acked = now - started
            if kind == wire.Kind.journaled:
                return
            codes = body[26:][: int.from_bytes(body[24:26])] if kind == wire.Kind.outcome else b""
            found.refused += len(codes) - codes.count(0)
        elif kind == wire.Kind.refused:
            raise RuntimeError(f"refused: {wire.Refused.unpack(body)}")
        left["match"] -= 1
        found.matched = now - started
        if not per_second and (following := next(queues[lane], None)) is not None:
            lanes[lane].connection.send(following)
        if not left["match"]:
            done.set_result(None)

    for index, lane in enumerate(lanes):
        lane.connection.on_message = lambda kind, body, index=index: receive(index, kind, body)  # type: ignore[misc]
    if not per_second:
        for index, lane in enumerate(lanes):
            for _, message in zip(range(IN_FLIGHT), queues[index], strict=False):
                lane.connection.send(message)
        await done
        return found
    for number in range(total):
        moment = started + number / per_second
        while (pause := moment - time.perf_counter()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(pause)
        index = number % len(lanes)
        message = next(queues[index])
        due[index][int.from_bytes(message[5:13])] = moment
        lanes[index].connection.send(message)
    await done
    return found
