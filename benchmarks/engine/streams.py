"""Seeded streams of orders and cancels for the engine's benchmarks. Every command of a stream is accepted.

mixed     50 accounts quote around a wandering price: of 10 commands about 5 rest, 3 cancel and 2 take
crash     a price that falls through thousands of levels and comes back, with sweeps on the way
million   the same traffic as mixed around a book of 1,000,000 resting orders of 1,000 accounts, or twice as many as
          there are commands if that is less
cancels   market makers who move their quotes: of 20 commands 10 rest, 9 cancel and 1 takes
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, Terms, TimeInForce
from exchange.engine import commands as c
from exchange.engine.engine import Engine
from exchange.engine.fast.packing import COMMAND_SIZE, EVENT_SIZE, pack_all

with suppress(ImportError):  # there was no compiler
    from exchange.engine.fast.engine import FastEngine

START_MS = 1_700_000_000_000
EXPIRY = 1_700_100_000
FEES = b"\xfe" * 20
MIDDLE = 5_000_000
TICK = 10
MARKET = Market(1, "BTC/USDC", 2, 0, 10_000, TICK, 0, 0, 200, 500, MIDDLE)
GTC, IOC = Terms().pack(), Terms(TimeInForce.ioc).pack()
MILLION = 1_000_000
CRASH_LEVELS = 4_000


@dataclass
class Stream:
    """Commands, after those of `before`, which are not measured."""

    name: str
    accounts: int
    before: list[c.Command] = field(default_factory=list)
    commands: list[c.Command] = field(default_factory=list)


def address(number: int) -> bytes:
    """An account's address, spread as real ones are."""
    return (number * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276B % (1 << 160)).to_bytes(20)


def seed(engine: Engine, accounts: int) -> Engine:
    """One market, and accounts with much money."""
    commands: list[c.Command] = [c.ListAsset(Asset(0, "USDC", 6)), c.ListAsset(Asset(2, "BTC", 8))]
    commands += [c.ListMarket(MARKET, FEES), c.SetLimits(0, 2 * MILLION, 200)]
    for number in range(accounts):
        for asset in (0, 2):
            inbox_id = number * 2 + asset // 2 + 1
            commands.append(c.Credit(inbox_id, address(number + 1), asset, 9 * 10**18 // accounts, "bench"))
    for command in commands:
        engine.apply(engine.seq + 1, START_MS, command)
    return engine


class Writer:
    """Writes a stream, and knows roughly what is open. Nonces count up per account, as clients count them."""

    def __init__(self, name: str, accounts: int, number: int) -> None:
        self.rng = random.Random(number)
        self.stream = Stream(name, accounts)
        self.addresses = [address(number + 1) for number in range(accounts)]
        self.nonces = [0] * accounts
        self.open: list[tuple[bytes, int]] = []
        self.count = 0

    def order(self, side: int, price: int, lots: int, terms: int) -> c.PlaceOrder:
        """An order of somebody."""
        who = self.rng.randrange(len(self.addresses))
        self.nonces[who] += 1
        self.count += 1
        account, nonce = self.addresses[who], self.nonces[who]
        if terms == GTC:
            self.open.append((account, nonce))
        order = Order(account, 1, side, price, lots, nonce, EXPIRY + nonce % 1_000, 0, 10, terms)
        order_hash = (self.count * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A1D5 % (1 << 255)).to_bytes(32)
        return c.PlaceOrder(order, order_hash, 0, b"\x07" * 65, account)

    def cancel(self) -> c.Command:
        """Somebody's order is cancelled, wherever it stands."""
        at = self.rng.randrange(len(self.open))
        self.open[at], self.open[-1] = self.open[-1], self.open[at]
        account, nonce = self.open.pop()
        return c.CancelOrder(account, nonce, b"", account)

    def quote(self, middle: int, takes: bool, width: int = 200) -> c.PlaceOrder:
        """An order beside the middle, or through it."""
        side = self.rng.randrange(2)
        away = self.rng.randrange(1, width) * TICK
        price = middle + (away if takes == (side == 0) else -away)
        return self.order(side, price, self.rng.randrange(1, 50), IOC if takes else GTC)


def mixed(count: int, resting: int = 0) -> Stream:
    """See above; with `resting` orders in the book before."""
    accounts = 1_000 if resting else 50
    w = Writer("million" if resting else "mixed", accounts, 7)
    w.stream.before = [w.quote(MIDDLE, False, 20_000) for _ in range(resting)]
    middle = MIDDLE
    for _ in range(count):
        draw = w.rng.random()
        w.stream.commands.append(w.cancel() if draw < 0.3 and w.open else w.quote(middle, draw > 0.8))
        middle = max(middle + w.rng.randrange(-2, 3) * TICK, MIDDLE // 2)
    return w.stream


def million(count: int) -> Stream:
    """See above; a short one has a smaller book."""
    return mixed(count, min(MILLION, 2 * count))


def cancels(count: int) -> Stream:
    """See above."""
    w = Writer("cancels", 50, 11)
    w.stream.before = [w.quote(MIDDLE, False) for _ in range(5_000)]
    for _ in range(count):
        draw = w.rng.random()
        w.stream.commands.append(w.cancel() if draw < 0.45 and w.open else w.quote(MIDDLE, draw > 0.95))
    return w.stream


def crash(count: int) -> Stream:
    """See above: sweeps take 20 levels each, and quotes follow the price down and up again."""
    w = Writer("crash", 50, 13)
    w.stream.before = [
        w.order(side, MIDDLE + (1 if side else -1) * step * TICK, 20, GTC)
        for step in range(1, CRASH_LEVELS)
        for side in (0, 1)
    ]
    depth, way = 0, 1
    for number in range(count):
        if number % 8 == 0:
            depth += 20 * way
            way = -1 if depth >= CRASH_LEVELS - 50 else 1 if depth <= 0 else way
            side = 1 if way > 0 else 0
            w.stream.commands.append(w.order(side, MIDDLE - depth * TICK, 800, IOC))
        else:
            w.stream.commands.append(w.quote(MIDDLE - depth * TICK, False, 400))
    return w.stream


STREAMS: dict[str, Callable[[int], Stream]] = {"mixed": mixed, "crash": crash, "million": million, "cancels": cancels}


def again(stream: Stream) -> Stream:
    """The stream as it comes a second time: every account's nonces go on, and order hashes are others."""
    used: Counter[bytes] = Counter()
    for command in (*stream.before, *stream.commands):
        if isinstance(command, c.PlaceOrder):
            used[command.order.account] = max(used[command.order.account], command.order.nonce)
    before, commands = ([_later(command, used) for command in part] for part in (stream.before, stream.commands))
    return Stream(stream.name, stream.accounts, before, commands)


def _later(command: c.Command, used: Counter[bytes]) -> c.Command:
    if isinstance(command, c.CancelOrder):
        return replace(command, nonce=command.nonce + used[command.account])
    assert isinstance(command, c.PlaceOrder)
    order_hash = bytes([command.order_hash[0] ^ 0x80]) + command.order_hash[1:]
    order = replace(command.order, nonce=command.order.nonce + used[command.order.account])
    return replace(command, order=order, order_hash=order_hash)


def finished(engine: FastEngine, placed: Iterable[tuple[bytes, int]]) -> FastEngine:
    """An engine that has lived: of what it has played nothing is open any more, and all trades are final."""
    engine.run_brief(START_MS, *pack_all(c.CancelOrder(account, nonce, b"", account) for account, nonce in placed))
    inbox_id, seq = engine.inbox_id, engine.seq
    for command in (c.CutBatch(inbox_id + 1, 1, seq), c.FinalizeBatch(inbox_id + 2, 1)):
        engine.apply(engine.seq + 1, START_MS, command)
    return engine


def accepted(stream: Stream) -> Stream:
    """The stream without what an engine refuses: cancels of orders that are gone, orders that nobody can pay."""
    engine = FastEngine()
    seed(engine, stream.accounts)
    buffer, blob = pack_all(stream.before)
    engine.run_packed(START_MS, buffer, blob)
    buffer, blob = pack_all(stream.commands)
    told = engine.run_packed(START_MS, buffer, blob).cast("q")
    words = EVENT_SIZE // 8
    refused = {told[at] >> 8 for at in range(0, len(told), words) if told[at] & 255 == 0}
    kept = [command for at, command in enumerate(stream.commands) if at not in refused]
    return Stream(stream.name, stream.accounts, stream.before, kept)


__all__ = ["COMMAND_SIZE", "STREAMS", "Stream", "accepted", "seed"]
