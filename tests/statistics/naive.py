"""The curve and its figures once more, in plain Python: candle by candle, from events and candles.

Nothing of tradenb is used but the records that come in. It is slow and says what the law says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

DAY = 86_400_000
HOLE = 10 * DAY
STOPS = ("stop_loss", "breakeven", "trailing_stop")


@dataclass
class Held:
    """An open position, by the letters of the law."""

    side: int
    entry: float
    first_stop: float
    paid: float
    fee: float
    opened_at: int
    invested: float = 1.0
    cost: float = 1.0
    realised: float = 0.0
    mae: float = 0.0
    mfe: float = 0.0
    moved_at: int = 0
    first_entry: float = 0.0


@dataclass
class Naive:
    """What came out."""

    equity: list[tuple[int, float]] = field(default_factory=list)
    ruined_at: int | None = None
    excursions: list[tuple[float, float, float]] = field(default_factory=list)
    held_ms: float = 0.0
    open_pnl: float = 0.0
    open: int = 0


def costs(rules: Any, *, limit: bool) -> tuple[float, float]:
    slip, fee = rules.slippage_percent / 100, rules.fee_percent
    if limit and rules.slippage_on == "market":
        slip = 0.0
    if limit and rules.maker_fee_percent is not None:
        fee = rules.maker_fee_percent
    return slip, fee


def market_price(rows: list[Any], index: int, rules: Any) -> float:
    if rules.price == "close":
        return rows[index][4]
    window = rows[max(0, index - rules.average_price_candles + 1) : index + 1]
    volume = sum(row[5] for row in window)
    if volume == 0:
        return sum(row[4] for row in window) / len(window)
    return sum((row[2] + row[3] + row[4]) / 3 * row[5] for row in window) / volume


def earned(held: Held, price: float, rules: Any, *, limit: bool) -> float:
    slip, fee = costs(rules, limit=limit)
    got = price * (1 - held.side * slip)
    return held.side * (got - held.paid) / held.paid * 100 - (held.fee + fee)


def replayed(events: list[Any], candles: dict[str, Any], keys: list[Any], rules: Any, start: int,
             end: int) -> Naive:  # fmt: skip
    """Go through all closes; `candles` are rows [open time, o, h, l, c, volume] with history."""
    found = Naive()
    step = 60_000
    rows_at = {
        symbol: {row[0] + step: place for place, row in enumerate(rows)}
        for symbol, rows in candles.items()
    }
    closes = sorted({at for known in rows_at.values() for at in known if start < at <= end})
    by_close: dict[int, list[Any]] = {}
    for event in events:
        by_close.setdefault(event.at, []).append(event)
    held: dict[Any, Held] = {}
    waiting: dict[Any, bool] = {}
    price = {}
    ruined, realised = False, 1.0
    for at in closes:
        for symbol, rows in candles.items():
            if at in rows_at[symbol]:
                price[symbol] = market_price(rows, rows_at[symbol][at], rules)
        before = dict(held)
        for event in by_close.get(at, []):
            factor = happened(event, held, waiting, rules, found, candles, rows_at)
            if factor is not None:
                realised *= factor
                ruined = ruined or factor <= 0
        for key, position in before.items():
            if key in held and held[key] is position:
                row = candles[key[1]][rows_at[key[1]][at]] if at in rows_at[key[1]] else None
                if row is not None and position.opened_at < at:
                    widen(position, row[2], row[3])
        value = realised
        for key in keys:
            if key in held:
                position = held[key]
                percent = earned(position, price[key[1]], rules, limit=False)
                factor = 1 + (position.realised + position.cost * percent) / position.invested / 100
                ruined = ruined or factor <= 0
                value *= factor
        ruined = ruined or value <= 0
        if ruined and found.ruined_at is None:
            found.ruined_at = at
        found.equity.append((at, 0.0 if ruined else value))
    for key, position in held.items():
        percent = earned(position, price[key[1]], rules, limit=False)
        found.open_pnl += (position.realised + position.cost * percent) / position.invested
        found.held_ms += end - position.opened_at
        found.open += 1
    return found


def happened(event: Any, held: Any, waiting: Any, rules: Any, found: Naive, candles: Any,
             rows_at: Any) -> float | None:  # fmt: skip
    """Let an event do what it does; give the factor of a position that closed."""
    key, signal = (event.strategy, event.symbol), event.signal
    match event.kind:
        case "scheduled":
            waiting[key] = (signal.entry < event.price) == (signal.position == "long")
        case "cancelled":
            waiting.pop(key, None)
        case "opened":
            side = 1 if signal.position == "long" else -1
            slip, fee = costs(rules, limit=waiting.pop(key, False))
            held[key] = Held(side, signal.entry, signal.stop_loss, signal.entry * (1 + side * slip),
                             fee, event.at, first_entry=signal.entry)  # fmt: skip
        case "added":
            position, more = held[key], event.fraction
            slip, fee = costs(rules, limit=False)
            paid = event.price * (1 + position.side * slip)
            row = candles[event.symbol][rows_at[event.symbol][event.at]]
            widen(position, row[2], row[3])  # before the new average counts
            total = position.cost + more
            position.entry = total / (position.cost / position.entry + more / event.price)
            position.paid = total / (position.cost / position.paid + more / paid)
            position.fee = (position.cost * position.fee + more * fee) / total
            position.invested += more
            position.cost = total
            position.opened_at = max(position.opened_at, event.at)  # this candle is measured
            held[key] = position
            found.held_ms += 0
        case "moved":
            held[key].moved_at = event.at
        case "partial" | "closed":
            position = held[key]
            limit = event.exit_reason == "take_profit" and position.moved_at != event.at
            percent = earned(position, event.price, rules, limit=limit)
            position.realised += event.fraction * percent
            position.cost -= event.fraction
            if event.kind == "closed":
                del held[key]
                row = candles[event.symbol][rows_at[event.symbol][event.at]]
                return ended(position, event, row, found)
    return None


def widen(position: Held, high: float, low: float) -> None:
    for price in (high, low):
        change = position.side * (price - position.entry) / position.entry * 100
        position.mae, position.mfe = min(position.mae, change), max(position.mfe, change)


def ended(position: Held, event: Any, row: Any, found: Naive) -> float:
    _, opened, high, low, _, _ = row
    if position.moved_at == event.at or event.exit_reason not in (*STOPS, "take_profit"):
        seen = [high, low]
    elif event.exit_reason in STOPS:
        seen = [opened, event.price]
    else:
        seen = [opened, low if position.side > 0 else high, event.price]
    if position.opened_at == event.at:
        seen = [event.price]
    for price in seen:
        widen(position, price, price)
    risk = abs(position.first_entry - position.first_stop) / position.first_entry * 100
    found.excursions.append((position.mae, position.mfe, position.realised / risk))
    return 1 + position.realised / position.invested / 100


# ----------------------------------------------------------------------------- figures of the curve


def covered_stretches(closes: list[int], step: int = 60_000) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for at in closes:
        if found and at - step - found[-1][1] <= HOLE:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at - step, at))
    return found


def covered_between(stretches: list[tuple[int, int]], begin: int, end: int) -> int:
    return sum(max(0, min(end, last) - max(begin, first)) for first, last in stretches)


def value_at(equity: list[tuple[int, float]], at: int) -> float:
    value = 1.0
    for close, each in equity:
        if close > at:
            break
        value = each
    return value


def by_period(equity: list[tuple[int, float]], bounds: list[int], stretches: Any) -> list[Any]:
    """Begin and return (percent) of each period with covered time."""
    ends = dict.fromkeys(bounds, 1.0)
    places = iter(bounds)
    value, place = 1.0, next(places, None)
    for close, each in equity:
        while place is not None and close > place:
            ends[place] = value
            place = next(places, None)
        value = each
    while place is not None:
        ends[place] = value
        place = next(places, None)
    return [
        (begin, (ends[end] / ends[begin] - 1) * 100 if ends[begin] > 0 else 0.0)
        for begin, end in pairwise(bounds)
        if covered_between(stretches, begin, end) > 0
    ]


def drawdowns(equity: list[tuple[int, float]], start: int, end: int, stretches: Any) -> list[Any]:
    found, peak, peak_at, fall = [], 1.0, start, None
    for at, value in equity:
        if value >= peak:
            if fall:
                found.append((*fall, at))
                fall = None
            peak, peak_at = value, at
        else:
            if fall is None:
                fall = (peak_at, at, (peak - value) / peak * 100)
            elif (peak - value) / peak * 100 > fall[2]:
                fall = (fall[0], at, (peak - value) / peak * 100)
    if fall:
        found.append((*fall, None))
    rows = [
        (begin, low, back, depth, covered_between(stretches, begin, back or end) / DAY)
        for begin, low, depth, back in found
    ]
    return sorted(rows, key=lambda row: (-row[3], row[0]))


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def daily_figures(own: list[float], basket: list[float]) -> dict[str, float]:
    """Of daily returns as fractions; what is N/A is left out."""
    found, middle, count = {}, mean(own), len(own)
    spread = math.sqrt(math.fsum((r - middle) ** 2 for r in own) / (count - 1))
    falls = math.sqrt(math.fsum(min(r, 0) ** 2 for r in own) / count)
    if max(own) != min(own):
        found["sharpe_daily"] = middle / spread * math.sqrt(365)
    if falls:
        found["sortino_daily"] = middle / falls * math.sqrt(365)
    level = mean(basket)
    variance = math.fsum((b - level) ** 2 for b in basket)
    if any(basket):
        beta = math.fsum((r - middle) * (b - level) for r, b in zip(own, basket, strict=True))
        beta /= variance
        found |= {"beta": beta, "alpha": (middle - beta * level) * 365 * 100}
    return found


def basket_curve(candles: dict[str, Any], closes: list[int], start: int) -> list[tuple[int, float]]:
    found = []
    newest: dict[str, float] = {}
    base: dict[str, float] = {}
    rows = {symbol: {row[0] + 60_000: row for row in own} for symbol, own in candles.items()}
    for symbol, own in candles.items():
        before = [row for row in own if row[0] + 60_000 <= start]
        base[symbol] = before[-1][4] if before else own[0][1]
    for at in closes:
        for symbol, known in rows.items():
            if at in known:
                newest[symbol] = known[at][4]
        holds = [newest[symbol] / base[symbol] if symbol in newest else 1.0 for symbol in candles]
        found.append((at, math.fsum(holds) / len(holds)))
    return found
