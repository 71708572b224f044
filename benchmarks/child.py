"""What runs in processes of its own: a script as a user would write it, and its measurements.

    python -m benchmarks.child run FILE            import, load, run work W
    python -m benchmarks.child import              print CPU seconds of `import tradenb`
    python -m benchmarks.child modules [FILE]      print the heavy modules after import (and run)
    python -m benchmarks.child traced SMALL FILE   print the peak of what Python and numpy allocate
    python -m benchmarks.child resident SMALL FILE  print the growth of the process (Linux only)

The last two print bytes, beyond what the process had after a run on the small file.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

HEAVY = (
    "IPython",
    "asyncio",
    "ccxt",
    "ipywidgets",
    "nest_asyncio",
    "numpy",
    "pandas",
    "plotly",
    "pyarrow",
    "pydantic",
    "tqdm",
)


def run(path: str) -> None:
    import tradenb as tn

    @tn.strategy("crossing", every="5m")
    def crossing(ctx: Any) -> object:
        close = ctx.candles("5m", 50).close
        if close[-10:].mean() <= close.mean():
            return None
        price = ctx.price
        return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=1440)

    source = tn.file_exchange(path)
    result = tn.backtest.run("S00", strategy=crossing, exchange=source, progress=False)
    assert result.trade_list


def import_seconds() -> float:
    began = time.process_time()
    import tradenb  # noqa: F401 - its import is what is measured

    return time.process_time() - began


def modules(path: str | None = None) -> str:
    import_seconds()
    if path:
        run(path)
    return ", ".join(name for name in HEAVY if name in sys.modules) or "none"


def traced(small: str, path: str) -> int:
    import tracemalloc

    run(small)
    tracemalloc.start()
    run(path)
    return tracemalloc.get_traced_memory()[1]


def resident(small: str, path: str) -> int:
    run(small)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak so far
    before = _status("VmRSS")
    run(path)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def main(what: str, *paths: str) -> None:
    tasks: dict[str, Any] = {
        "run": run,
        "import": import_seconds,
        "modules": modules,
        "traced": traced,
        "resident": resident,
    }
    print(tasks[what](*paths))


if __name__ == "__main__":
    main(*sys.argv[1:])
