"""How soon the web app shows something, how soon it answers, and what it keeps, in a real browser on a real exchange.

    lcp_ms                largest contentful paint of the trade page, first visit: median and worst of `VISITS`
    javascript_kb         JavaScript that a first visit asks for by itself (gzip), as the build counts it
    diffs_per_second      changes of the book that the page got while the next two were measured
    paint_ms              from when another client of the stream had a change to the end of the frame in which the
                          ladder shows it: median, p95, worst; `arrival_ms` counts from its arrival in the page
    inp_ms                interaction to next paint while the book changes: the worst of `interactions`
    heap_kb_per_minute    growth of the page's JavaScript heap, each time after a garbage collection, by least squares;
                          `heap_mb` is the first and the last

The book is changed by signed orders through the exchange; the API sends at most 50 changes a second. All services,
the client that sends orders and the browser share this machine. Run: `bizzan bench web --json`, or
`python -m benchmarks.web --minutes 30` for memory alone, under the demo's traffic.
"""

import asyncio

from benchmarks.intake import own_stack
from benchmarks.web.measure import Figures, measure


def run(as_json: bool = False) -> Figures:
    """Measure on a stack of its own; the figures by name."""
    with own_stack(quiet=as_json) as settings:
        return asyncio.run(measure(settings, quiet=as_json))
