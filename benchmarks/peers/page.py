"""Run both sides of the pages of docs/coming_from on the same candles and compare the trades.

    python -m benchmarks.peers.page TOOL [PYTHON]

PYTHON has the tool, this one if nothing is said. Ours begins with a side, the others with their
first crossing; from our first crossing on both turn around at the same closes, for the same prices.
`make peers` runs it for each tool. It ends with 1 if a trade differs; what is open at the end does
not count.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tradenb as tn

HERE = Path(__file__).resolve().parent
PAGES = HERE.parents[1] / "docs" / "coming_from"
TOOLS = {
    "backtesting": ("backtesting_py", "there.py"),
    "vectorbt": ("vectorbt", "there.py"),
    "backtrader": ("backtrader", "there.py"),
    "freqtrade": ("freqtrade", "freqtrade_backtest.py"),
}
THEIR_CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
OUR_CODE = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Deal(NamedTuple):
    """The closes at which a side was entered and left, and the prices, without slippage."""

    opened: str
    closed: str
    side: str
    entry: float
    exit: float


def ours(text: str) -> tuple[list[Deal], Any]:
    """Return the trades of our side of a page, and the hours that it saw."""
    names: dict[str, Any] = {}
    exec(OUR_CODE.findall(text)[0], names)  # noqa: S102 - the page is ours
    rows = names["result"].trades[["opened_at", "closed_at", "position", "entry", "exit"]]
    hours = tn.candles("BTCUSDT", exchange=names["market"], timeframe="1h")
    return [
        Deal(*(at.tz_localize(None).isoformat() for at in row[:2]), *row[2:])
        for row in rows.itertuples(index=False)
    ], hours


def theirs(tool: str, python: str, text: str, hours: Any) -> tuple[list[Deal], str]:
    """Return the trades of the other side of a page, and the version of the tool."""
    with tempfile.TemporaryDirectory() as folder:
        code, candles = Path(folder, "there.txt"), Path(folder, "hours.csv")
        code.write_text(THEIR_CODE.findall(text)[0], encoding="utf-8")
        hours.to_csv(candles)
        script = HERE / TOOLS[tool][1]
        said = subprocess.run(
            [Path(python).absolute(), str(script), tool, str(code), str(candles)],
            check=True, stdout=subprocess.PIPE, text=True, cwd=folder,
        )  # fmt: skip
    told = json.loads(said.stdout.splitlines()[-1])
    return [Deal(*row) for row in told["trades"]], told["version"]


def same(one: Deal, other: Deal) -> bool:
    return one[:3] == other[:3] and bool(np.allclose(one[3:], other[3:], rtol=1e-9, atol=0))


def main(tool: str, python: str) -> int:
    """Compare one page."""
    text = (PAGES / f"{TOOLS[tool][0]}.md").read_text("utf-8")
    (first, *left), hours = ours(text)
    others, version = theirs(tool, python, text, hours)
    right = [deal for deal in others if deal.opened > first.opened]
    equal = sum(map(same, left, right))
    print(f"{tool} {version}: {equal} trades are the same, of {len(left)} here, {len(right)} there")
    for one, other in zip(left, right, strict=False):
        if not same(one, other):
            print(f"  first difference: here {one}, there {other}")
            break
    return int(not equal == len(left) == len(right))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *sys.argv[2:] or [sys.executable]))
