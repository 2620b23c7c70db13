"""Messages a second of the matching engine's two implementations, beside order books from PyPI, on the same streams.

    bizzan bench engine --json

The last line is

    {"reference": …, "reference_with_risk": …, "fast": …, "fast_with_risk": …,
     "fast_with_risk_unfollowed": …, "fast_with_risk_longer": {"streams": {name: …}, "best": …, "worst": …, …},
     "peers": {name: …}, "times_best_peer": {stream: …}, "equal": true}

in messages a second over all streams of steps.py: `reference` and `fast` are the books alone, as the peers are, and
`_with_risk` the engines as they are, with accounts, holds, fees and events. `equal` says that on every stream all of
them made the same trades: price, lots, maker and taker, in the same order. `fast_with_risk_longer` is what
`python -m benchmarks.engine.fast` finds: the fast engine as it is, by size of batch, on longer streams, a book of a
million orders among them; `best` and `worst` of the streams where nobody follows, `selective_…` where an API follows
and nobody listens to these accounts, `followed_…` where all events are told. Where nothing was compiled there is no
`fast…`, and standard error says so.

Each part of this package can be run by itself: reference and fast on commands, peers on steps, public on tapes.
"""

from typing import Any


def run(as_json: bool = False) -> dict[str, Any]:
    """Measure; the figures by name. Exits with an error if the trades differ."""
    from benchmarks.engine.suite import measure

    figures = measure(quiet=as_json)
    if not figures["equal"]:
        raise SystemExit("the engines made different trades")
    return figures
