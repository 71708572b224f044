"""What a golden case says about figures, compared with a result."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

EXCURSION = ("mae_percent", "mfe_percent", "r_multiple")
FIRST_EXCURSION = 9
DRAWDOWNS = 10


def figure_differences(result: Any, expect: Mapping[str, Any]) -> list[str]:
    """What a result and the expectation do not agree on: numbers to a relative 1e-9."""
    found = []
    money = expect.get("money") or {}
    wanted = sorted({*expect["stats"], *money} - {"balance"})
    found += differing("names", [sorted(result.stats.index)], [wanted])
    if money:
        found += money_differences(result, expect)
    names = sorted(set(expect["stats"]) & set(result.stats.index))
    for name in names:
        found += differing(name, [result.stats[name]], [expect["stats"][name]])
    if "curve" not in expect:
        return found
    found += curve_differences(result.equity, expect["curve"])
    if "benchmark" not in expect:
        return found
    found += differing("ruined_at", [ms(result.ruined_at)], [expect["ruined_at"]])
    rows = [
        [name, *row]
        for name, row in zip(result.benchmark.index, rows_of(result.benchmark), strict=True)
    ]
    found += differing("benchmark", rows, [[name, *row] for name, row in benchmark_of(expect)])
    falls = [[*map(ms, row[:3]), *row[3:]] for row in rows_of(result.drawdowns)]
    found += differing("drawdowns", falls[:DRAWDOWNS], expect["drawdowns"])
    for length, wanted in expect["returns"].items():
        own = [[ms(at), value] for at, value in result.returns(length).items()]
        found += differing(f"returns of a {length}", own, wanted)
    wanted = [row[FIRST_EXCURSION : FIRST_EXCURSION + 3] for row in expect["trades"]]
    return found + differing("excursions", rows_of(result.trades[list(EXCURSION)]), wanted)


def money_differences(result: Any, expect: Mapping[str, Any]) -> list[str]:
    """What the account, its fills and its trades do not agree on."""
    money, found = expect["money"], []
    for name in sorted(set(money) - {"balance"}):
        found += differing(name, [result.stats[name]], [money[name]])
    found += differing("balance", [result.balance], [money["balance"]])
    own = rows_of(result.fills[["quantity", "value", "fee"]])
    found += differing("fills in money", own, [row[13:16] for row in expect["fills"]])
    own = rows_of(result.trades[["quantity", "cost", "pnl", "fees"]])
    return found + differing("trades in money", own, [row[-4:] for row in expect["trades"]])


def curve_differences(equity: pd.Series, points: Sequence[Sequence[float]]) -> list[str]:
    """Of long curves the cases hold some points only, the last among them."""
    at = pd.DatetimeIndex(pd.to_datetime([at for at, _ in points], unit="ms", utc=True))
    own = equity.reindex(at.astype(equity.index.dtype)).tolist()
    found = differing("curve", own, [value for _, value in points])
    return found + differing("last close", [ms(equity.index[-1])], [points[-1][0]])


def benchmark_of(expect: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows = expect["benchmark"]
    return [*((name, row) for name, row in rows.items() if name != "basket"),
            ("basket", rows["basket"])]  # fmt: skip


def differing(name: str, left: Sequence[Any], right: Sequence[Any]) -> list[str]:
    """The first row in which two lists differ."""
    if len(left) != len(right):
        return [f"{name}: {len(left)} rows are not {len(right)}"]
    for index, (one, other) in enumerate(zip(left, right, strict=True)):
        if not alike(one, other):
            return [f"{name}[{index}]: {one} is not {other}"]
    return []


def alike(one: Any, other: Any) -> bool:
    if isinstance(other, list | tuple):
        pairs = zip(one, other, strict=True)
        return len(one) == len(other) and all(alike(*pair) for pair in pairs)
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    one, other = (math.nan if value is None else float(value) for value in (one, other))
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def rows_of(frame: pd.DataFrame) -> Iterable[Any]:
    return [list(row) for row in frame.itertuples(index=False)]


def ms(at: Any) -> int | None:
    return None if pd.isna(at) else round(at.timestamp() * 1000)
