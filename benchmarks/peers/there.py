"""Run another tool's side of a page of docs/coming_from, print its trades as JSON.

    python there.py TOOL CODE CANDLES

CODE is a file with the code of the page, CANDLES a CSV file of hours. The Python that runs this has
the tool, not tradenb. Other tools name an hour by its open; here it is the close, as in tradenb.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

HOUR = pd.Timedelta("1h")
Trades = list[tuple[Any, Any, str, float, float]]


def of_backtesting(code: str, hours: pd.DataFrame) -> Trades:
    """With `trade_on_close` an order is filled at the close that decided."""
    trades = run(code, hours=hours.rename(columns=str.title))["stats"]._trades
    return [
        (
            row.EntryTime + HOUR,
            row.ExitTime + HOUR,
            side(row.Size > 0),
            row.EntryPrice,
            row.ExitPrice,
        )
        for row in trades.itertuples()
    ]


def of_vectorbt(code: str, hours: pd.DataFrame) -> Trades:
    """Orders are filled at the close of their row; the slippage of the page is in their prices."""
    trades = run(code, close=hours.close)["portfolio"].trades.records_readable
    names = ["Entry Timestamp", "Exit Timestamp", "Direction", "Avg Entry Price", "Avg Exit Price"]
    found: Trades = []
    for opened, closed, way, entry, left in trades[trades.Status == "Closed"][names].to_numpy():
        worse = 0.001 if way == "Long" else -0.001
        prices = entry / (1 + worse), left / (1 - worse)
        found.append((opened + HOUR, closed + HOUR, way.lower(), *prices))
    return found


def of_backtrader(code: str, hours: pd.DataFrame) -> Trades:
    """Pair the two orders of turning around: one closes, one enters."""
    import backtrader

    found: Trades = []

    class Noted(backtrader.Analyzer):
        """Notes a trade when the position is back at nothing."""

        def notify_order(self, order: Any) -> None:
            """Note an order that filled."""
            if order.status != order.Completed:
                return
            at, done = pd.Timestamp(backtrader.num2date(order.created.dt)) + HOUR, order.executed
            if done.psize:
                self.opened = at, done.price
            else:
                entered, entry = self.opened
                found.append((entered, at, side(done.size < 0), entry, done.price))

    class Cerebro(backtrader.Cerebro):
        """The one of the page, with the analyser."""

        def run(self, **more: Any) -> Any:
            """Run as the page says."""
            self.addanalyzer(Noted)
            return super().run(**more)

    whole, backtrader.Cerebro = backtrader.Cerebro, Cerebro
    try:
        run(code, hours=hours)
    finally:
        backtrader.Cerebro = whole
    return found


def side(is_long: bool) -> str:
    return "long" if is_long else "short"


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run code with names, return all names that it leaves."""
    exec(code, names)  # noqa: S102 - the page is ours
    return names


TOOLS = {"backtesting": of_backtesting, "vectorbt": of_vectorbt, "backtrader": of_backtrader}


def main(tool: str, code: str, candles: str) -> None:
    hours = pd.read_csv(candles, index_col="time", parse_dates=["time"])
    hours.index = hours.index.tz_localize(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trades = TOOLS[tool](Path(code).read_text("utf-8"), hours)
    rows = [(*(pd.Timestamp(at).isoformat() for at in each[:2]), *each[2:]) for each in trades]
    print(json.dumps({"version": version(tool), "trades": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
