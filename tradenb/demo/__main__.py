"""The child of the demo: rehearses the day that the parent names, and ends."""

from __future__ import annotations

import json
import sys

from tradenb.demo import demo_strategy
from tradenb.demo.candle_origin import Origin
from tradenb.live import rehearse


def main() -> int:
    """Rehearse; 1 if that failed."""
    origin, symbol, start, end, folder = json.loads(sys.argv[1])
    source, _ = Origin(*origin).source()
    run = rehearse(
        symbol,
        strategy=demo_strategy(),
        exchange=source,
        start=start,
        end=end,
        speed=None,
        home=folder,
    )
    run.wait()
    run.raise_if_failed()
    return 0


if __name__ == "__main__":
    sys.exit(main())
