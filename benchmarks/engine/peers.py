"""Order books from PyPI, pinned in peers.lock and installed into an environment of their own (build/venvs/peers).

They know neither accounts nor money: what they can be compared with is a book alone.

    python -m benchmarks.engine.peers [--steps 100000] [--json]

plays the mixed stream through them and through the reference's book; all must make the same trades.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine.books import Trade, play_reference, without_idle
from benchmarks.engine.steps import Step, mixed

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build/venvs/peers"
LOCK = Path(__file__).with_name("peers.lock")
RUNS = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """A package and its version."""

    package: str
    version: str

    @property
    def name(self) -> str:
        """As it is told in figures."""
        return f"{self.package} {self.version}"


PEERS = (
    Peer("akhil4n-orderbook", "0.1.1"),
    Peer("lightmatchingengine", "2019.1.4"),
    Peer("pyorderbook", "0.4.9"),
)


def install() -> Path:
    """The peers' Python, made now if it is missing or not of this lock."""
    python, stamp, lock = ENVIRONMENT / "bin/python", ENVIRONMENT / ".stamp", LOCK.read_text()
    if not stamp.exists() or stamp.read_text() != lock:
        uv = [str(ROOT / ".tools/bin/uv"), "--quiet"]
        environment = {**os.environ, "UV_NO_CONFIG": "1", "UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never"}
        own = str(ROOT / ".venv/bin/python")
        venv = ["venv", "--no-project", "--allow-existing", "--python", own, str(ENVIRONMENT)]
        subprocess.run([*uv, *venv], check=True, env=environment)
        sync = ["pip", "sync", "--python", str(python), "--require-hashes", str(LOCK)]
        subprocess.run([*uv, *sync], check=True, env=environment)
        stamp.write_text(lock)
    return python


def play(peer: Peer, streams: dict[str, list[Step]]) -> dict[str, tuple[float, list[Trade]]]:
    """The peer's CPU seconds and trades for each stream."""
    worker = str(Path(__file__).with_name("peer_worker.py"))
    return play_apart([str(install()), worker, peer.package], streams)


def play_apart(worker: list[str], streams: dict[str, list[Step]]) -> dict[str, tuple[float, list[Trade]]]:
    """What a command line makes of the streams, in a process and a memory of its own; it is given two more paths."""
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "streams.json", Path(folder) / "played.json"
        path.write_text(json.dumps(streams))
        subprocess.run([*worker, str(path), str(output)], check=True, cwd=ROOT)
        answer: dict[str, Any] = json.loads(output.read_text())
    return {name: (seconds, [tuple(trade) for trade in trades]) for name, (seconds, trades) in answer.items()}


def compare(steps: list[Step], runs: int = RUNS) -> dict[str, Any]:
    """Steps a second of the reference's book and each peer, the best of some runs that take turns."""
    _, trades = play_reference(steps)
    best: dict[str, float] = {}
    equal = True
    own = [sys.executable, "-m", "benchmarks.engine.suite", "reference"]
    for _ in range(runs):
        played = {"reference": play_apart(own, {"": steps})[""]}
        played |= {peer.name: play(peer, {"": steps})[""] for peer in PEERS}
        for name, (seconds, made) in played.items():
            best[name] = min(best.get(name, seconds), seconds)
            equal = equal and made == trades
    reference = best.pop("reference")
    return {
        "reference": round(len(steps) / reference),
        "peers": {name: round(len(steps) / seconds) for name, seconds in best.items()},
        "times": {name: round(seconds / reference, 2) for name, seconds in best.items()},
        "equal": equal,
    }


def main() -> None:
    """Play the stream through all of them; trades that differ are an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    arguments = parser.parse_args()
    steps = without_idle(mixed(arguments.steps))
    figures = compare(steps)
    if not arguments.json:
        print(f"{len(steps):,} limit orders and cancels")
    print(json.dumps(figures))
    if not figures["equal"]:
        raise SystemExit("the trades differ")


if __name__ == "__main__":
    main()
