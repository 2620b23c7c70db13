"""Run as `python -m benchmarks.web`."""

import argparse
import asyncio
import json

from benchmarks.intake import own_stack
from benchmarks.web import __doc__ as text
from benchmarks.web import run
from benchmarks.web.memory import watch


def main() -> None:
    """Print the figures as the last line."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print nothing else")
    parser.add_argument("--minutes", type=int, help="watch the memory alone, so long, under the demo's traffic")
    options = parser.parse_args()
    if not options.minutes:
        print(json.dumps(run(options.json)))
        return
    with own_stack(options.json, demo=True) as settings:
        print(json.dumps(asyncio.run(watch(settings, options.minutes, options.json))))


if __name__ == "__main__":
    main()
