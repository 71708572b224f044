"""Run both sides of docs/coming_from/backtesting_py.md on the same candles and compare the trades.

backtesting.py names a candle by its open, enters at crossings only, and begins with the first
candle; from our first entry on both turn around at the same closes. `make peers` runs it.
"""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

import tradenb as tn

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming_from" / "backtesting_py.md"
THERE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
HERE = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```", re.MULTILINE | re.DOTALL)


def entries() -> tuple[list[Any], list[Any]]:
    """Return the close times at which each side enters."""
    text = PAGE.read_text("utf-8")
    ours: dict[str, Any] = {}
    exec(HERE.findall(text)[0], ours)  # noqa: S102 - the page is ours
    hours = tn.candles("BTCUSDT", exchange=ours["market"], timeframe="1h")
    theirs: dict[str, Any] = {"hours": hours.rename(columns=str.title)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(THERE.findall(text)[0], theirs)  # noqa: S102 - the page is ours
    opened = pd.to_datetime(theirs["stats"]._trades.EntryTime, utc=True) + pd.Timedelta("1h")
    left = list(ours["result"].trades.opened_at)
    # The first of ours is the side at the start, for which there was no crossing.
    return left[1:], [at for at in opened if at > left[0]]


if __name__ == "__main__":
    left, right = entries()
    print(f"{PAGE.name}: {len(left)} entries here, {len(right)} there, equal: {left == right}")
    sys.exit(left != right)
