"""How many commands a second the reference engine applies, with holds, fees, self-trade prevention and events.

    python -m benchmarks.engine.reference [--commands 300000] [--json]

The stream is seeded: 50 accounts quote around a wandering price; of every 10 commands about 5 rest, 3 cancel
and 2 take. The last line is {"commands_per_second": ..., "trades_per_second": ...}, the best of three runs, by
CPU time.
"""

import argparse
import gc
import json
import random
import time

from exchange.domain.instrument import Asset, Market
from exchange.domain.order import Order, Terms, TimeInForce
from exchange.engine import commands as c
from exchange.engine.engine import Engine

START_MS = 1_700_000_000_000
ACCOUNTS = [number.to_bytes(20) for number in range(1, 51)]
FEES = b"\xfe" * 20
MARKET = Market(1, "BTC/USDC", 2, 0, 10_000, 10, 0, 0, 200, 500, 5_000_000)
GTC = Terms().pack()
IOC = Terms(TimeInForce.ioc).pack()


def seeded() -> Engine:
    """An engine with one market and 50 rich accounts."""
    engine = Engine()
    listings: list[c.Command] = [
        c.ListAsset(Asset(0, "USDC", 6)),
        c.ListAsset(Asset(2, "BTC", 8)),
        c.ListMarket(MARKET, FEES),
    ]
    credits = [
        c.Credit(number * 2 + asset // 2 + 1, account, asset, 10**16, "bench")
        for number, account in enumerate(ACCOUNTS)
        for asset in (0, 2)
    ]
    for command in [*listings, c.SetLimits(0, 1_000_000, 200), *credits]:
        engine.apply(engine.seq + 1, START_MS, command)
    return engine


def stream(count: int, seed: int = 7) -> list[c.Command]:
    """`count` commands; cancels name orders that are open at that point."""
    rng = random.Random(seed)
    engine = seeded()
    commands: list[c.Command] = []
    open_orders: list[tuple[bytes, int]] = []
    middle = 5_000_000
    for nonce in range(1, count + 1):
        draw = rng.random()
        command: c.Command
        if draw < 0.3 and open_orders:
            account, cancelled = open_orders.pop(rng.randrange(len(open_orders)))
            command = c.CancelOrder(account, cancelled, b"", account)
        else:
            account, side = rng.choice(ACCOUNTS), rng.randrange(2)
            takes = draw > 0.8
            away = rng.randrange(1, 200) * 10
            price = middle + (away if takes == (side == 0) else -away)
            lots, terms = rng.randrange(1, 50), IOC if takes else GTC
            order = Order(account, 1, side, price, lots, nonce, 1_700_100_000, 0, 10, terms)
            command = c.PlaceOrder(order, nonce.to_bytes(32), 0, b"\x07" * 65, account)
            if not takes:
                open_orders.append((account, nonce))
        commands.append(command)
        middle = max(middle + rng.randrange(-2, 3) * 10, 1_000_000)
    return _accepted(engine, commands)


def _accepted(engine: Engine, commands: list[c.Command]) -> list[c.Command]:
    accepted = []
    for command in commands:
        if isinstance(command, c.CancelOrder):
            account = engine.account(command.account)
            if account is None or command.nonce not in account.orders:
                continue
        engine.apply(engine.seq + 1, START_MS, command)
        accepted.append(command)
    return accepted


def run(commands: list[c.Command]) -> tuple[float, int]:
    """CPU seconds and trades for the whole stream."""
    engine = seeded()
    first = engine.seq + 1
    gc.collect()
    gc.disable()
    started = time.process_time()
    for seq, command in enumerate(commands, first):
        engine.apply(seq, START_MS, command)
    seconds = time.process_time() - started
    gc.enable()
    return seconds, engine.state.last_trade


def main() -> None:
    """Run three times and print the best."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=300_000)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    arguments = parser.parse_args()
    commands = stream(arguments.commands)
    seconds, trades = min(run(commands) for _ in range(3))
    if not arguments.json:
        print(f"{len(commands):,} commands, {trades:,} trades, best of three {seconds:.2f} CPU s")
    print(
        json.dumps(
            {"commands_per_second": round(len(commands) / seconds), "trades_per_second": round(trades / seconds)}
        )
    )


if __name__ == "__main__":
    main()
