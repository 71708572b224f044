"""Columns of a chart read back, in plain Python: what `chart_levels.js` does in the page."""

from __future__ import annotations

import base64
import zlib


def wholes(packed):
    """Return the whole numbers of a packed column."""
    data = zlib.decompress(base64.b64decode(packed["z"]))
    count, size = packed["n"], packed["k"]
    assert len(data) == count * size
    found, total = [], 0
    for row in range(count):
        folded = sum(data[plane * count + row] << (8 * plane) for plane in range(size))
        step = -(folded + 1) // 2 if folded % 2 else folded // 2
        total = total + step if packed["r"] else step
        found.append(total)
    return found


def column(packed):
    """Return the numbers of a packed column; None where it has none."""
    unit = 10 ** abs(packed["d"])
    found = [value / unit if packed["d"] >= 0 else value * unit for value in wholes(packed)]
    gaps = wholes(packed["gaps"]) if "gaps" in packed else [0] * len(found)
    return [None if gap else value for value, gap in zip(found, gaps, strict=True)]


def candles(level):
    """Return the rows (time, open, high, low, close, volume) of a packed level."""
    unit, before, rows = 10 ** level["decimals"], 0, []
    parts = [wholes(level[name]) for name in ("time", "jump", "body", "above", "below")]
    for (at, jump, body, above, below), volume in zip(
        zip(*parts, strict=True), column(level["volume"]), strict=True
    ):
        opened = before + jump
        before = opened + body
        high, low = max(opened, before) + above, min(opened, before) - below
        prices = (opened / unit, high / unit, low / unit, before / unit)
        rows.append((at * 1000, *prices, volume))
    return rows
