"""Plays the tapes of a public benchmark, and compares the reports with those that it publishes. See tapes.py.

    python -m benchmarks.engine.public TAPE... [--players reference fast] [--json]

docs/performance.md says where the tapes come from. The last line is

    {TAPE: {"hashes": {PLAYER: hash}, "published": hash or null, "equal": true, "messages_per_second": {PLAYER: rate}}}

and it exits with 1 unless all hashes of a tape are the published one. A tape that is none of the five has none: then
`equal` says that the players agree.
"""

from __future__ import annotations

import argparse
import gc
import json
from pathlib import Path
from typing import Any

from benchmarks.engine.tape_players import PLAYERS
from benchmarks.engine.tapes import PUBLISHED, ReportHash, TapeError, count_of, pieces, read, scenario_of

PIECE = 50_000
PUBLISHED_MESSAGES = 1_996_097
"""Of each of the five tapes."""


def play(player: str, messages: bytes) -> tuple[float, str]:
    """CPU seconds, and the hash of the reports."""
    playing, reports, seconds = PLAYERS[player](), ReportHash(), 0.0
    for piece in pieces(messages, PIECE):
        gc.disable()
        spent, told = playing.play(piece)
        gc.enable()
        seconds += spent
        reports.add(told)
    return seconds, reports.hexdigest()


def judge(path: Path, players: list[str]) -> dict[str, Any]:
    """What the players make of a tape."""
    messages, scenario = read(path), scenario_of(path)
    count = count_of(messages)
    published = PUBLISHED[scenario] if scenario and count == PUBLISHED_MESSAGES else None
    played = {player: play(player, messages) for player in players}
    hashes = {player: found for player, (_, found) in played.items()}
    rates = {player: round(count / seconds) for player, (seconds, _) in played.items()}
    expected = {published} if published else set(list(hashes.values())[:1])
    equal = set(hashes.values()) == expected
    return {"hashes": hashes, "published": published, "equal": equal, "messages_per_second": rates}


def main() -> None:
    """Play each tape with each player."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tapes", nargs="+", type=Path)
    parser.add_argument("--players", nargs="*", default=list(PLAYERS), choices=list(PLAYERS))
    parser.add_argument("--json", action="store_true", help="print the last line only")
    arguments = parser.parse_args()
    verdicts: dict[str, dict[str, Any]] = {}
    for path in arguments.tapes:
        try:
            verdict = verdicts[path.stem] = judge(path, arguments.players)
        except (OSError, TapeError) as error:
            raise SystemExit(str(error)) from None
        if not arguments.json:
            of = f"as published, {verdict['published']}" if verdict["published"] else "by all players"
            rates = ", ".join(f"{player} {rate:,}/s" for player, rate in verdict["messages_per_second"].items())
            print(f"{path.stem}: {'equal' if verdict['equal'] else 'NOT equal'} {of}; {rates}", flush=True)
    print(json.dumps(verdicts))
    if not all(verdict["equal"] for verdict in verdicts.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
