"""The lifecycle of signals once more, as naively as it can be written.

This is the judge of tradenb, not a part of it: it imports nothing from tradenb, knows no arrays and
no speed, looks at every candle of every instance one after another, and reads as a transcription of
the law (docs/lifecycle.md, whose sentences stand in the comments). `run` is the entrance;
`tests/scenarios.py` feeds it with scenarios; what tradenb and this file do not agree on is a fault
in one of the two.
"""

from __future__ import annotations

import copy
import itertools
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
REMEMBERED = 1_000
TOLERANCE = 1e-9
ID_LIMIT = 300
NOTE_LIMIT = 2_000
LEVELS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
TIMEFRAMES = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
    "3d": 3 * 1440,
    "1w": 7 * 1440,
}
MONDAY = 4 * DAY  # 1970-01-05

Row = Sequence[float]


class Refused(Exception):
    """Candles that cannot be used; `index` is the row as it came in, counted from 0."""

    def __init__(self, code: str, index: int | None) -> None:
        super().__init__(f"{code} at row {index}")
        self.code = code
        self.index = index


class NotEnoughCandles(Exception):
    """A strategy asked for more history than there is."""


@dataclass(frozen=True)
class Percent:
    """A level in percent of the price that will be paid."""

    value: Any


@dataclass(frozen=True)
class Rules:
    price: str = "close"
    touch: str = "candle"
    same_candle: str = "stop_first"
    schedule_await_minutes: int = 120
    average_price_candles: int = 5
    slippage_percent: float = 0.1
    fee_percent: float = 0.1
    maker_fee_percent: float | None = None
    slippage_on: str = "all"
    min_take_profit_percent: float = 0.5
    min_stop_loss_percent: float = 0.5
    max_stop_loss_percent: float = 20
    max_signal_minutes: int | None = None
    require_take_profit: bool = False
    gap_minutes: int | None = 15
    loosen_stop: bool = False
    max_entries: int = 10
    price_anomaly_factor: float = 1000

    @classmethod
    def reference(cls) -> Rules:
        return cls(
            price="average",
            same_candle="target_first",
            max_signal_minutes=1440,
            require_take_profit=True,
            gap_minutes=None,
        )


# ------------------------------------------------------------------------------------- candles in


@dataclass(frozen=True)
class Candle:
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    step: int = MINUTE

    @property
    def close_time(self) -> int:
        return self.time + self.step


@dataclass
class Intake:
    rows: int
    duplicates_same: int = 0
    duplicates_replaced: int = 0
    filled: int = 0
    closed: int = 0
    gaps: int = 0
    longest: tuple[int, int] | None = None


def take_in(
    rows: Sequence[Row], *, factor: float, step: int = MINUTE, gap_minutes: int | None = 15
) -> tuple[list[Candle], Intake]:
    """Turn rows as they come in into the candles that are given, or refuse them."""
    counts = Intake(rows=len(rows))
    for index, row in enumerate(rows):
        check_row(index, row, step)
    accepted = merge_duplicates(rows, counts, step)
    check_step(accepted, step)
    check_anomalies(accepted, factor)
    given = [candle for _, candle in accepted]
    count_gaps(given, counts, gap_minutes)
    return (filled_flat(given, None) if gap_minutes is None else given), counts


def check_row(index: int, row: Row, step: int = MINUTE) -> None:
    """Every row by itself, also one that will be dropped."""
    time, open_, high, low, close, volume = row
    if not all(math.isfinite(price) for price in (open_, high, low, close)):
        raise Refused("not_finite", index)
    if not all(price > 0 for price in (open_, high, low, close)):
        raise Refused("not_positive", index)
    for price in (open_, high, low, close):
        if not 1e-100 <= price <= 1e100:
            raise Refused("not_finite" if price > 1 else "not_positive", index)
    if not math.isfinite(volume) or volume > 1e100:
        raise Refused("not_finite", index)
    if not volume >= 0:
        raise Refused("not_positive", index)
    if not (low <= min(open_, close) and max(open_, close) <= high):
        raise Refused("low_high", index)
    if time % step != 0 or time < 365 * DAY:
        raise Refused("grid", index)


def merge_duplicates(
    rows: Sequence[Row], counts: Intake, step: int = MINUTE
) -> list[tuple[int, Candle]]:
    """Equal times must be neighbours and become the last of them; times may not go back."""
    accepted: list[tuple[int, Candle]] = []
    pairs: list[tuple[int, float, float]] = []  # of rows with one time and other values
    for index, row in enumerate(rows):
        open_, high, low, close, volume = (float(value) for value in row[1:])
        candle = Candle(int(row[0]), open_, high, low, close, volume, step)
        if accepted and candle.time < accepted[-1][1].time:
            raise Refused("order", index)
        if accepted and candle.time == accepted[-1][1].time:
            if candle == accepted[-1][1]:
                counts.duplicates_same += 1
            else:
                counts.duplicates_replaced += 1
                pairs.append((accepted[-1][0], accepted[-1][1].close, candle.close))
            accepted[-1] = (index, candle)
        else:
            accepted.append((index, candle))
    for index, before, after in pairs:
        if abs(after - before) > 0.2 * min(before, after):
            raise Refused("duplicates", index)
    if len(pairs) > 20 and len(pairs) > 0.02 * len(rows):
        raise Refused("duplicates", pairs[0][0])
    return accepted


def check_step(accepted: Sequence[tuple[int, Candle]], base: int = MINUTE) -> None:
    """The commonest step must not be above the base; 20 equal longer ones are another file."""
    seen: dict[int, int] = {}
    steps = [after.time - before.time for (_, before), (_, after) in itertools.pairwise(accepted)]
    for step in steps:
        seen[step] = seen.get(step, 0) + 1
    if seen and min(step for step in seen if seen[step] == max(seen.values())) > base:
        raise Refused("step", None)
    longer = {minutes * MINUTE for minutes in TIMEFRAMES.values() if minutes * MINUTE > base}
    for place in range(len(steps) - 19):
        stretch = set(steps[place : place + 20])
        if len(stretch) == 1 and stretch <= longer:
            raise Refused("step", accepted[place][0])


def check_anomalies(accepted: Sequence[tuple[int, Candle]], factor: float) -> None:
    """No price below m/factor or above m x factor, m the upper median of the closes before it."""
    closes = [candle.close for _, candle in accepted]
    for position, (index, candle) in enumerate(accepted):
        measured_by = closes[max(0, position - 60) : position] if position else closes[:60]
        median = sorted(measured_by)[len(measured_by) // 2]
        for price in (candle.open, candle.high, candle.low, candle.close):
            if price < median / factor or price > median * factor:
                raise Refused("anomaly", index)


def count_gaps(given: Sequence[Candle], counts: Intake, gap_minutes: int | None) -> None:
    """Count the candles that are missing in thin runs, and the closed time."""
    for before, after in itertools.pairwise(given):
        missing = after.time - before.close_time
        if missing == 0:
            continue
        if gap_minutes is None or missing <= gap_minutes * MINUTE:
            counts.filled += missing // before.step
            continue
        counts.closed += missing // MINUTE
        counts.gaps += 1
        if counts.longest is None or missing > counts.longest[1] - counts.longest[0]:
            counts.longest = (before.close_time, after.time)


def filled_flat(given: Sequence[Candle], gap_minutes: int | None) -> list[Candle]:
    """The candles with flat ones where others are missing, in runs up to `gap_minutes`."""
    grid: list[Candle] = []
    for candle in given:
        missing = candle.time - grid[-1].close_time if grid else 0
        if gap_minutes is None or missing <= gap_minutes * MINUTE:
            while grid and grid[-1].close_time < candle.time:
                close, at = grid[-1].close, grid[-1].close_time
                grid.append(Candle(at, close, close, close, close, 0.0, candle.step))
        grid.append(candle)
    return grid


def floor_to(at: int, size: int) -> int:
    """The last multiple at or before a moment; weeks begin on Monday."""
    return at - (at - MONDAY) % size if size == 7 * DAY else at - at % size


# ----------------------------------------------------------------------------------------- prices


class Market:
    """The candles of one symbol, and what can be known of them at a moment."""

    def __init__(self, candles: Sequence[Candle], rules: Rules) -> None:
        self.candles = candles
        self.shown = filled_flat(candles, rules.gap_minutes)
        self.closing = {candle.close_time: place for place, candle in enumerate(candles)}
        self.showing = {candle.close_time: place for place, candle in enumerate(self.shown)}
        self.rules = rules

    def closing_at(self, close_time: int) -> Candle | None:
        place = self.closing.get(close_time)
        return None if place is None else self.candles[place]

    def close_before(self, candle: Candle) -> int:
        """The close of the given candle before; of the first one its open."""
        place = self.closing[candle.close_time]
        return self.candles[place - 1].close_time if place else candle.time

    def average_price(self, now: int) -> float:
        """sum(typical x volume)/sum(volume) over the last candles; without volume the mean."""
        newest = self.showing[now]
        oldest = max(0, newest + 1 - self.rules.average_price_candles)
        weighted = volume = closes = 0.0
        for candle in self.shown[oldest : newest + 1]:
            typical = (candle.high + candle.low + candle.close) / 3
            weighted += typical * candle.volume
            volume += candle.volume
            closes += candle.close
        return weighted / volume if volume != 0 else closes / (newest + 1 - oldest)

    def price(self, now: int) -> float:
        """The market price: the last close, or the average price."""
        if self.rules.price == "average":
            return self.average_price(now)
        candle = self.closing_at(now)
        assert candle is not None
        return candle.close

    def known_until(self, now: int) -> int:
        """The close of the last given candle: what will be missing behind it nobody knows."""
        return max(
            (candle.close_time for candle in self.candles if candle.close_time <= now),
            default=self.candles[0].time,
        )

    def window(self, timeframe: str, count: int, now: int) -> list[Candle]:
        """The last `count` buckets of a timeframe that have ended at `now`, or fewer."""
        size = TIMEFRAMES[timeframe] * MINUTE
        buckets: dict[int, list[Candle]] = {}
        for candle in reversed(self.shown[: self.showing.get(now, -1) + 1]):
            begin = floor_to(candle.time, size)
            if begin + size <= now and begin >= self.shown[0].time:
                buckets.setdefault(begin, []).insert(0, candle)
            if len(buckets) > count:
                break
        return [bucket_of(begin, size, buckets[begin]) for begin in sorted(buckets)][-count:]


def bucket_of(begin: int, size: int, known: Sequence[Candle]) -> Candle:
    """One candle of a higher timeframe, of the candles that it has."""
    volume = 0.0
    for candle in known:
        volume += candle.volume
    high, low = max(candle.high for candle in known), min(candle.low for candle in known)
    return Candle(begin, known[0].open, high, low, known[-1].close, volume, size)


@dataclass(frozen=True)
class Candles:
    """What `ctx.candles` gives: one list a column, oldest first."""

    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


@dataclass(frozen=True)
class Context:
    """The one argument of a strategy."""

    symbol: str
    now: int
    markets: Mapping[str, Market]
    state: dict[str, Any]
    position: Any = None
    scheduled: Any = None

    @property
    def price(self) -> float:
        return self.markets[self.symbol].price(self.now)

    @property
    def average_price(self) -> float:
        return self.markets[self.symbol].average_price(self.now)

    def candles(
        self, timeframe: str, n: int, symbol: str | None = None, *, allow_fewer: bool = False
    ) -> Candles:
        other = self.markets[symbol or self.symbol]
        until = self.now if other is self.markets[self.symbol] else other.known_until(self.now)
        rows = other.window(timeframe, n, until)
        if len(rows) < n and not allow_fewer:
            raise NotEnoughCandles(f"{n} candles of {timeframe} asked for, {len(rows)} there")
        return Candles(
            [row.time for row in rows],
            [row.open for row in rows],
            [row.high for row in rows],
            [row.low for row in rows],
            [row.close for row in rows],
            [row.volume for row in rows],
        )


# --------------------------------------------------------------------------- signals and their past


DECLARED = ("until", "wait", "trail", "trail_distance", "trail_after", "breakeven")
DECLARED += ("breakeven_plus",)


@dataclass
class Signal:
    symbol: str
    strategy: str
    id: str
    position: str
    entry: float
    take_profit: float | None
    stop_loss: float
    minutes: int | None
    size: float | None = None
    note: str | None = None
    state: str = "new"
    decided_at: int = 0
    scheduled_at: int = 0
    opened_at: int = 0
    fired: set[int] = field(default_factory=set)
    at_market: bool = True
    breakout: bool = False
    rungs: list[tuple[float, float]] = field(default_factory=list)
    full: bool = True
    until: int | None = None
    wait: int | None = None
    trail: float | None = None
    trail_distance: float | None = None
    trail_after: float | None = None
    breakeven: float | None = None
    breakeven_plus: float | None = None
    # once open: invested, cost of what is open, paid, entry fee, realised; the plan; the stop
    W: float = 0.0
    K: float = 0.0
    O: float = 0.0  # noqa: E741 - the letter of the law
    F: float = 0.0
    S: float = 0.0
    first_entry: float = 0.0
    first_stop: float = 0.0
    first_target: float | None = None
    stop_by: str = "stop_loss"
    peak: float = 0.0
    secured: bool = False
    trailed: bool = False
    entries: int = 1
    exits: int = 0


@dataclass(frozen=True)
class Event:
    at: int
    symbol: str
    strategy: str
    kind: str
    signal_id: str | None = None
    position: str | None = None
    price: float | None = None
    entry: float | None = None
    take_profit: float | None = None
    stop_loss: float | None = None
    minutes: int | None = None
    size: float | None = None
    exit_reason: str | None = None
    pnl_percent: float | None = None
    level: int | None = None
    note: str | None = None
    fraction: float | None = None


@dataclass(frozen=True)
class Trade:
    symbol: str
    strategy: str
    signal_id: str
    position: str
    opened_at: int
    closed_at: int
    entry: float
    exit: float
    take_profit: float | None
    stop_loss: float
    size: float | None
    exit_reason: str
    pnl_percent: float
    entries: int = 1
    exits: int = 1
    invested: float = 1.0


@dataclass(frozen=True)
class OpenRow:
    symbol: str
    strategy: str
    signal_id: str
    state: str
    price: float
    pnl_percent: float | None


# ------------------------------------------------------------------------------------ strategies


@dataclass(frozen=True)
class Book:
    """What one risk rule may see: the signals and the closed trades of all who name it."""

    now: int
    signals: list[Signal]
    trades: list[Trade]

    @property
    def open_count(self) -> int:
        return sum(1 for signal in self.signals if signal.state == "open")

    @property
    def scheduled_count(self) -> int:
        return sum(1 for signal in self.signals if signal.state == "scheduled")


RiskFunction = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Risk:
    name: str
    function: RiskFunction


@dataclass(frozen=True)
class Strategy:
    name: str
    every: str
    risks: tuple[Risk, ...]
    ask: Callable[[Any], Any]
    manage: Callable[[Any], Any] | None = None
    manage_every: str | None = None
    waiting: bool = False


@dataclass(frozen=True)
class Table:
    """A vectorised strategy: what it says at the close of each candle of `every` (section 8)."""

    every: str
    rows: Mapping[int, Mapping[str, Any]]
    flip: bool = False

    @property
    def manages(self) -> bool:
        """With exit, move_stop, move_target or flip there is by definition a manage function."""
        columns = {name for row in self.rows.values() for name in row}
        return self.flip or bool(columns & {"exit", "move_stop", "move_target"})

    def row(self, ctx: Context) -> Mapping[str, Any]:
        """The newest row with close time in (p, c]; no row is used twice."""
        market = ctx.markets[ctx.symbol]
        candle, ended = market.closing_at(ctx.now), market.window(self.every, 1, ctx.now)
        assert candle is not None
        if not ended or ended[-1].close_time <= market.close_before(candle):
            return {}
        return self.rows.get(ended[-1].close_time, {})

    def ask(self, ctx: Context) -> dict[str, Any] | None:
        """The candidate of the row."""
        return self.candidate(self.row(ctx))

    def candidate(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Its fields, a ladder as take_profit_1, fraction_1, take_profit_2, ..."""
        if row.get("position") is None:
            return None
        found = {
            name: value
            for name, value in row.items()
            if name not in ("exit", "move_stop", "move_target") and value is not None
        }
        ladder = []
        for place in range(1, 21):
            if f"take_profit_{place}" in found or f"fraction_{place}" in found:
                pair = found.pop(f"take_profit_{place}", None), found.pop(f"fraction_{place}", None)
                ladder.append(list(pair))
        return {**found, "take_profit": ladder} if ladder else found

    def manage(self, ctx: Context) -> dict[str, Any] | None:
        """With flip a candidate of the other side; else exit for the side: close; else move."""
        row, held = self.row(ctx), ctx.position.position
        if self.flip and row.get("position") not in (None, held):
            return self.candidate(row)
        if row.get("exit") is True or row.get("exit") == held:
            return {"do": "close"}
        names = {"move_stop": "stop_loss", "move_target": "take_profit"}
        moves = {to: row[name] for name, to in names.items() if row.get(name) is not None}
        return {"do": "move", **moves} if moves else None


def max_open(count: int) -> RiskFunction:
    def rule(book: Book, _: object) -> str | None:
        if book.open_count + book.scheduled_count >= count:
            return f"{count} signals are open or scheduled"
        return None

    return rule


def cooldown(minutes: int, after: str | None = None) -> RiskFunction:
    def rule(book: Book, _: object) -> str | None:
        for trade in book.trades:
            counts = after is None or trade.exit_reason == after
            if counts and book.now - trade.closed_at < minutes * MINUTE:
                return f"closed less than {minutes} minutes ago"
        return None

    return rule


def max_drawdown(percent: float) -> RiskFunction:
    """Refuse while peak - sum >= percent; once reached it stays."""

    def rule(book: Book, _: object) -> str | None:
        total = peak = 0.0
        for trade in book.trades:
            total += trade.pnl_percent
            peak = max(peak, total)
        return f"{peak - total} lost since the peak" if peak - total >= percent else None

    return rule


def daily_loss(percent: float) -> RiskFunction:
    def rule(book: Book, _: object) -> str | None:
        total = 0.0
        for trade in book.trades:
            if trade.closed_at >= book.now - book.now % DAY:
                total += trade.pnl_percent
        return f"{total} today" if total <= -percent else None

    return rule


# ------------------------------------------------------------------------ validation of a candidate

FIELDS = {
    "position",
    "take_profit",
    "stop_loss",
    "minutes",
    "until",
    "entry",
    "breakout",
    "wait",
    "trail",
    "trail_distance",
    "trail_after",
    "breakeven",
    "breakeven_plus",
    "id",
    "note",
    "size",
}
ACTIONS = {
    "close": {"fraction", "note"},
    "move": {"stop_loss", "take_profit", "minutes", "until", "note"},
    "breakeven": {"plus", "note"},
    "add": {"amount", "note"},
    "cancel": {"note"},
}
BY_HAND = ("fraction", "stop_loss", "take_profit", "minutes", "until")


def is_real(value: Any) -> bool:
    """A real number, finite; a bool is none."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return bool(real and math.isfinite(value))


def is_number(value: Any) -> bool:
    """A real number, finite and above 0."""
    return is_real(value) and bool(value > 0)


def is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_ladder(value: object) -> bool:
    return isinstance(value, list | tuple)


def pairs_of(value: Any) -> list[Any]:
    """The pairs of a ladder, or none where it is not 1 to 20 pairs."""
    pairs = all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value)
    return list(value) if pairs and 1 <= len(value) <= 20 else []


def is_reached(position: object, entry: Any, market: float, *, breakout: bool = False) -> bool:
    """Is an entry already reached by the market price?"""
    if breakout:
        return bool(market >= entry) if position == "long" else bool(market <= entry)
    return bool(market <= entry) if position == "long" else bool(market >= entry)


def wanted_entry(answer: Mapping[str, Any]) -> tuple[Any, bool]:
    """Entry or breakout as given, and whether it is a breakout; None for the market price."""
    if answer.get("breakout") is not None:
        return answer["breakout"], True
    return answer.get("entry"), False


def pays_market(answer: Mapping[str, Any], market: float) -> bool:
    entry, breakout = wanted_entry(answer)
    return entry is None or is_reached(answer.get("position"), entry, market, breakout=breakout)


def is_entry_known(answer: Mapping[str, Any]) -> bool:
    if answer.get("entry") is not None and answer.get("breakout") is not None:
        return False
    entry, _ = wanted_entry(answer)
    return entry is None or is_number(entry)


def resolved(answer: Any, market: float) -> Any:
    """Percent levels become prices: base x (1 +- p/100), base the price that will be paid."""
    if not isinstance(answer, Mapping):
        return answer
    base: float | None = None
    if answer.get("position") in ("long", "short") and is_entry_known(answer):
        base = market if pays_market(answer, market) else wanted_entry(answer)[0]
    return resolved_by(answer, base, long=answer.get("position") == "long")


def resolved_by(answer: Mapping[str, Any], base: float | None, *, long: bool) -> dict[str, Any]:
    def level(value: Any, sign: int) -> Any:
        if not isinstance(value, Percent) or base is None or not is_number(value.value):
            return value
        return base * (1 + sign * value.value / 100)

    found = dict(answer)
    winning = 1 if long else -1
    if "stop_loss" in found:
        found["stop_loss"] = level(found["stop_loss"], -winning)
    target = found.get("take_profit")
    if is_ladder(target):
        found["take_profit"] = [
            [level(pair[0], winning), pair[1]] if is_ladder(pair) and len(pair) == 2 else pair
            for pair in target
        ]
    elif "take_profit" in found:
        found["take_profit"] = level(target, winning)
    return found


def rung_prices(target: Any) -> list[Any] | None:
    """The prices of all targets, or None where one is refused."""
    if target is None:
        return []
    if not is_ladder(target):
        return [target] if is_number(target) else None
    pairs = pairs_of(target)
    if not pairs or not all(is_number(price) for price, _ in pairs):
        return None
    return [price for price, _ in pairs]


def problems(
    answer: object,
    *,
    market: float,
    rules: Rules,
    used_ids: Sequence[str],
    now: int,
    managed: bool,
) -> list[str]:
    """Name all rules that a candidate breaks, in the order of the law."""
    if not isinstance(answer, Mapping):
        return ["candidate_type"]
    broken = []
    if any(key not in FIELDS for key in answer):
        broken.append("unknown_field")
    position_known = answer.get("position") in ("long", "short")
    if not position_known:
        broken.append("position")
    target = answer.get("take_profit")
    if target is None:
        left = answer.get("trail") is not None or answer.get("trail_distance") is not None
        if rules.require_take_profit and not left and not managed:
            broken.append("take_profit_number")
    elif rung_prices(target) is None and not (is_ladder(target) and not pairs_of(target)):
        broken.append("take_profit_number")
    if not is_number(answer.get("stop_loss")):
        broken.append("stop_loss_number")
    if answer.get("entry") is not None and not is_number(answer["entry"]):
        broken.append("entry_number")
    if position_known and is_entry_known(answer):
        broken += side_problems(answer, market)
    if is_entry_known(answer) and (position_known or wanted_entry(answer)[0] is None):
        broken += distance_problems(answer, market, rules)
    broken += minutes_problems(answer, rules)
    broken += id_problems(answer.get("id"), used_ids)
    broken += note_problems(answer.get("note"))
    if answer.get("size") is not None and not is_number(answer["size"]):
        broken.append("size_number")
    if answer.get("entry") is not None and answer.get("breakout") is not None:
        broken.append("entry_both")
    if answer.get("breakout") is not None and not is_number(answer["breakout"]):
        broken.append("breakout_number")
    broken += ladder_problems(target, answer.get("position"))
    if answer.get("wait") is not None and not (is_whole(answer["wait"]) and answer["wait"] >= 1):
        broken.append("wait_int")
    if answer.get("until") is not None:
        broken += until_problems(answer["until"], now, now, rules)
    return broken + trail_problems(answer) + breakeven_problems(answer)


def side_problems(answer: Mapping[str, Any], market: float) -> list[str]:
    broken = []
    long = answer["position"] == "long"
    rungs = rung_prices(answer.get("take_profit"))
    stop_loss: Any = answer.get("stop_loss")
    entry, _ = wanted_entry(answer)
    base = market if entry is None else entry
    if any(not (base < rung if long else rung < base) for rung in rungs or []):
        broken.append("take_profit_side")
    if is_number(stop_loss) and not (stop_loss < base if long else base < stop_loss):
        broken.append("stop_loss_side")
    if rungs is not None and is_number(stop_loss) and pays_market(answer, market):
        if is_outside(answer["position"], stop_loss, rungs, market):
            broken.append("market_price_outside")
    return broken


def is_outside(position: str, stop_loss: float, rungs: Sequence[float], market: float) -> bool:
    """Is the market price not strictly between the stop and the nearest rung?"""
    if position == "long":
        return not (stop_loss < market and all(market < rung for rung in rungs))
    return not (market < stop_loss and all(rung < market for rung in rungs))


def distance_problems(answer: Mapping[str, Any], market: float, rules: Rules) -> list[str]:
    """Distances are tested on the price that will be paid."""
    broken = []
    stop_loss: Any = answer.get("stop_loss")
    paid = market if pays_market(answer, market) else wanted_entry(answer)[0]
    percents = [
        abs(rung - paid) / paid * 100 for rung in rung_prices(answer.get("take_profit")) or []
    ]
    if any(percent < rules.min_take_profit_percent - TOLERANCE for percent in percents):
        broken.append("min_take_profit")
    if is_number(stop_loss):
        percent = abs(paid - stop_loss) / paid * 100
        if percent < rules.min_stop_loss_percent - TOLERANCE:
            broken.append("min_stop_loss")
        if percent > rules.max_stop_loss_percent + TOLERANCE:
            broken.append("max_stop_loss")
    return broken


def minutes_problems(answer: Mapping[str, Any], rules: Rules) -> list[str]:
    """Where max_signal_minutes is set, minutes or until is needed."""
    minutes, longest = answer.get("minutes"), rules.max_signal_minutes
    if minutes is None and (longest is None or answer.get("until") is not None):
        return []
    if not is_whole(minutes):
        return ["minutes_int"]
    return [] if minutes >= 1 and (longest is None or minutes <= longest) else ["minutes_range"]


def until_problems(until: Any, now: int, since: int, rules: Rules) -> list[str]:
    if not is_whole(until):
        return ["until_time"]
    longest = rules.max_signal_minutes
    if until <= now or (longest is not None and until > since + longest * MINUTE):
        return ["until_range"]
    return []


def ladder_problems(target: Any, position: Any) -> list[str]:
    if not is_ladder(target):
        return []
    pairs = pairs_of(target)
    if not pairs:
        return ["targets_shape"]
    broken = []
    fractions = [fraction for _, fraction in pairs]
    good = all(is_number(fraction) and fraction <= 1 for fraction in fractions)
    if not good or added(fractions) > 1 + 1e-9:
        broken.append("targets_fraction")
    prices = [price for price, _ in pairs]
    if position in ("long", "short") and all(is_number(price) for price in prices):
        for before, after in itertools.pairwise(prices):
            if not (after > before if position == "long" else after < before):
                broken.append("targets_order")
                break
    return broken


def added(values: Iterable[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


def trail_problems(answer: Mapping[str, Any]) -> list[str]:
    broken = []
    trail, distance = answer.get("trail"), answer.get("trail_distance")
    after = answer.get("trail_after")
    bad = trail is not None and not (is_number(trail) and trail < 100)
    if bad or (distance is not None and not is_number(distance)):
        broken.append("trail_number")
    if trail is not None and distance is not None:
        broken.append("trail_both")
    if after is not None:
        needless = trail is None and distance is None
        if needless or not (is_real(after) and after >= 0):
            broken.append("trail_after_number")
    return broken


def breakeven_problems(answer: Mapping[str, Any]) -> list[str]:
    broken = []
    breakeven, plus = answer.get("breakeven"), answer.get("breakeven_plus")
    if breakeven is not None and not is_number(breakeven):
        broken.append("breakeven_number")
    if plus is not None:
        good = is_real(plus) and plus >= 0 and breakeven is not None
        if not good or (is_number(breakeven) and plus >= breakeven):
            broken.append("breakeven_plus_number")
    return broken


def id_problems(signal_id: Any, used_ids: Sequence[str]) -> list[str]:
    if signal_id is None:
        return []
    if not isinstance(signal_id, str) or signal_id == "":
        return ["id_string"]
    if len(signal_id) > ID_LIMIT:
        return ["id_length"]
    return ["id_used"] if signal_id in used_ids else []


def note_problems(note: Any) -> list[str]:
    if note is not None and not isinstance(note, str):
        return ["note_string"]
    return ["note_length"] if note is not None and len(note) > NOTE_LIMIT else []


# ------------------------------------------------------------------------------------- the machine


@dataclass(frozen=True)
class Position:
    """What a manage function sees of what is open."""

    id: str
    position: str
    entry: float
    first_entry: float
    stop_loss: float
    stop_by: str
    take_profit: float | None
    targets: tuple[tuple[float, float], ...]
    opened_at: int
    age: int
    minutes: int | None
    until: int | None
    peak: float
    open: float
    invested: float
    entries: int
    pnl_percent: float

    @property
    def is_long(self) -> bool:
        return self.position == "long"


@dataclass(frozen=True)
class Scheduled:
    """What a manage function sees of what waits."""

    id: str
    position: str
    entry: float
    order: str
    stop_loss: float
    take_profit: float | None
    scheduled_at: int
    age: int


@dataclass(eq=False)
class Instance:
    """One strategy on one symbol: idle (no signal), scheduled or open."""

    strategy: Strategy
    symbol: str
    signal: Signal | None = None
    stopping: bool = False
    used_ids: list[str] = field(default_factory=list)
    warming_up: bool = False
    asks_lost: int = 0
    last_fed: int = 0
    memory: dict[str, Any] = field(default_factory=dict)
    commands: list[Mapping[str, Any]] = field(default_factory=list)
    by_hand: list[Mapping[str, Any]] = field(default_factory=list)
    refusing: list[Any] | None = None

    @property
    def is_open(self) -> bool:
        return self.signal is not None and self.signal.state == "open"

    @property
    def is_scheduled(self) -> bool:
        return self.signal is not None and self.signal.state == "scheduled"

    @property
    def is_managed(self) -> bool:
        return self.strategy.manage is not None


@dataclass
class Outcome:
    events: list[Event] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    fills: list[tuple[Any, ...]] = field(default_factory=list)
    refusals: list[list[Any]] = field(default_factory=list)
    open: list[OpenRow] = field(default_factory=list)
    asks_lost: dict[str, int] = field(default_factory=dict)
    intake: dict[str, Intake] = field(default_factory=dict)


def run(
    symbols: Sequence[str],
    strategies: Sequence[Strategy],
    candles: Mapping[str, Sequence[Row]],
    *,
    start: int,
    end: int,
    rules: Rules | None = None,
    commands: Sequence[Mapping[str, Any]] = (),
    step: int = MINUTE,
) -> Outcome:
    """Run strategies over [start, end) of the candles, one close time after another.

    Symbols that are only among the candles are read.
    """
    rules = rules or Rules()
    start, end = start - start % step, end - end % step
    markets, intake, close_times = {}, {}, set()
    for symbol in candles:
        grid, intake[symbol] = take_in(
            candles[symbol],
            factor=rules.price_anomaly_factor,
            step=step,
            gap_minutes=rules.gap_minutes,
        )
        markets[symbol] = Market(grid, rules)
        if symbol not in symbols:
            continue
        consumed = [
            candle.close_time
            for candle in grid
            if start <= candle.time and candle.close_time <= end
        ]
        if not consumed:
            raise Refused("range", None)
        close_times.update(consumed)
    machine = Machine(symbols, strategies, markets, rules, commands, start)
    for close_time in sorted(close_times):
        machine.step(close_time)
    machine.outcome.intake = intake
    machine.finish()
    return machine.outcome


class Machine:
    """All instances of a run, in the order strategies, then symbols."""

    def __init__(
        self,
        symbols: Sequence[str],
        strategies: Sequence[Strategy],
        markets: Mapping[str, Market],
        rules: Rules,
        commands: Sequence[Mapping[str, Any]],
        start: int,
    ) -> None:
        self.rules = rules
        self.markets = markets
        self.outcome = Outcome()
        self.start = start
        self.instances = [
            Instance(strategy, symbol) for strategy in strategies for symbol in symbols
        ]
        for command in sorted(commands, key=lambda command: int(command["at"])):
            for instance in self.instances:
                if (instance.symbol, instance.strategy.name) == (
                    command["symbol"],
                    command["strategy"],
                ):
                    instance.commands.append(command)

    # ---- one close time

    def step(self, close_time: int) -> None:
        """Order within one close time: exits; touched entries; asks."""
        moving = [
            (instance, candle)
            for instance in self.instances
            if (candle := self.markets[instance.symbol].closing_at(close_time)) is not None
        ]
        filled, ended_by_user = [], []
        for instance, candle in moving:
            instance.last_fed = close_time
            if self.obey(instance, candle):
                ended_by_user.append(instance)
            elif instance.is_scheduled and self.is_entry_touched(instance.signal, candle):
                filled.append((instance, candle))
        for instance, candle in filled:
            self.activate(instance, candle)
        for instance, candle in moving:
            if not self.act_by_hand(instance, close_time) and instance not in ended_by_user:
                self.ask_if_due(instance, candle)

    def obey(self, instance: Instance, candle: Candle) -> bool:
        """Phase 1: commands, exits, cancellations, milestones. Did the user end something?"""
        flattened_at: int | None = None
        cancelled_by_user = False
        for command in self.due_commands(instance, candle.close_time):
            signal = instance.signal
            if command["kind"] in ("close", "move"):
                instance.by_hand.append(command)
                continue
            if command["kind"] == "stop":
                instance.stopping = True
            if command["kind"] == "flatten":
                flattened_at = command["at"] if flattened_at is None else flattened_at
            if signal is None or signal.state != "scheduled":
                continue
            if command["kind"] != "cancel":
                self.cancel(instance, candle.close_time, "user")
                cancelled_by_user = True
            elif command.get("id") is None or command["id"] == signal.id:
                self.cancel(instance, candle.close_time, "user", note=command.get("cancel_id"))
                cancelled_by_user = True
        if cancelled_by_user:
            return True
        if candle.time > self.markets[instance.symbol].close_before(candle):
            if self.came_due(instance, candle, flattened_at):
                return instance.signal is None and self.flattened_last(instance)
        if instance.is_open:
            return self.follow_open(instance, candle, flattened_at is not None)
        if instance.is_scheduled:
            self.follow_scheduled(instance, candle)
        return False

    def came_due(self, instance: Instance, candle: Candle, flattened_at: int | None) -> bool:
        """What came due in missing minutes before a candle is done at its open, before all else."""
        signal, opens = instance.signal, candle.time
        if signal is None:
            return False
        if instance.is_scheduled:
            if self.has_waited(signal, opens):
                self.cancel(instance, candle.close_time, "timeout")
                return True
            return False
        flatten = flattened_at is not None and flattened_at < opens
        if not flatten and not self.is_expired(signal, opens):
            return False
        if self.rules.touch == "candle":
            alone = replace(candle, high=candle.open, low=candle.open)
            if self.rules.same_candle == "target_first":
                self.touch_rungs(instance, alone)
            if instance.is_open and self.is_stop_touched(signal, alone):
                fill = self.stop_fill(signal, alone)
                self.sell(instance, candle.close_time, signal.K, fill, signal.stop_by)
            self.touch_rungs(instance, alone)
        if instance.is_open:
            reason = "flattened" if flatten else "time_expired"
            self.sell(instance, candle.close_time, signal.K, candle.open, reason)
        return True

    def flattened_last(self, instance: Instance) -> bool:
        """Did the user's flatten end what was open?"""
        last = self.outcome.events[-1]
        same = (last.symbol, last.strategy) == (instance.symbol, instance.strategy.name)
        return same and last.exit_reason == "flattened"

    def due_commands(self, instance: Instance, close_time: int) -> list[Mapping[str, Any]]:
        """Given at w they act on the first candle with c > w, in the order given."""
        due = [command for command in instance.commands if close_time > command["at"]]
        instance.commands = [command for command in instance.commands if command not in due]
        return due

    def act_by_hand(self, instance: Instance, now: int) -> bool:
        """Phase 3, before the ask: close and move of a person. Did that end the position?"""
        given, instance.by_hand = instance.by_hand, []
        was_open = instance.is_open
        for command in given:
            if instance.is_open:
                own = {name: value for name, value in command.items() if name in BY_HAND}
                self.act(instance, now, {"do": command["kind"], **own}, by="user")
        return was_open and not instance.is_open

    # ---- open

    def follow_open(self, instance: Instance, candle: Candle, flatten: bool) -> bool:
        """Test an open signal on a candle (section 7). Did the user's flatten end it?"""
        signal = instance.signal
        assert signal is not None
        now = candle.close_time
        market = self.markets[instance.symbol].price(now)
        if self.rules.same_candle == "target_first":
            self.touch_rungs(instance, candle)
        if instance.is_open and self.is_stop_touched(signal, candle):
            self.sell(instance, now, signal.K, self.stop_fill(signal, candle), signal.stop_by)
        if instance.is_open and flatten:
            self.sell(instance, now, signal.K, market, "flattened")
            return True
        self.touch_rungs(instance, candle)
        if instance.is_open and self.is_expired(signal, now):
            self.sell(instance, now, signal.K, market, "time_expired")
        if instance.is_open:
            self.fire_milestones(instance, now, market)
            self.move_declared_stop(instance, candle)
        return False

    def touch_rungs(self, instance: Instance, candle: Candle) -> None:
        """Rungs left, nearest first, every one that is touched, exactly at its own price."""
        signal = instance.signal
        while signal is not None and instance.is_open and signal.rungs:
            price = signal.rungs[0][0]
            long = signal.position == "long"
            if not (
                self.best(signal, candle) >= price if long else self.best(signal, candle) <= price
            ):
                return
            self.sell_rung(instance, candle.close_time, price, limit=True)

    def is_expired(self, signal: Signal, now: int) -> bool:
        if signal.minutes is not None and now - signal.opened_at >= signal.minutes * MINUTE:
            return True
        return signal.until is not None and now >= signal.until

    def best(self, signal: Signal, candle: Candle) -> float:
        """The better extreme that touch looks at."""
        high, low = self.tested_high(signal, candle), self.tested_low(signal, candle)
        return high if signal.position == "long" else low

    def is_stop_touched(self, signal: Signal, candle: Candle) -> bool:
        if signal.position == "long":
            return self.tested_low(signal, candle) <= signal.stop_loss
        return self.tested_high(signal, candle) >= signal.stop_loss

    def tested_low(self, signal: Signal, candle: Candle) -> float:
        if self.rules.touch == "average_price":
            return self.markets[signal.symbol].average_price(candle.close_time)
        return candle.low

    def tested_high(self, signal: Signal, candle: Candle) -> float:
        if self.rules.touch == "average_price":
            return self.markets[signal.symbol].average_price(candle.close_time)
        return candle.high

    def stop_fill(self, signal: Signal, candle: Candle) -> float:
        """The worse of the stop and the candle's open; by the average exactly the stop."""
        if self.rules.touch == "average_price":
            return signal.stop_loss
        if signal.position == "long":
            return min(signal.stop_loss, candle.open)
        return max(signal.stop_loss, candle.open)

    def fire_milestones(self, instance: Instance, now: int, market: float) -> None:
        signal = instance.signal
        assert signal is not None
        entry, target = signal.first_entry, signal.first_target
        distance = market - entry if signal.position == "long" else entry - market
        if distance > 0 and target is not None:
            percent = (distance / abs(target - entry)) * 100
            sign = +1
        elif distance < 0:
            percent = (-distance / abs(entry - signal.first_stop)) * 100
            sign = -1
        else:
            return
        for level in LEVELS:
            if percent >= level and sign * level not in signal.fired:
                signal.fired.add(sign * level)
                self.tell(instance, now, "milestone", signal, price=market, level=sign * level)

    def move_declared_stop(self, instance: Instance, candle: Candle) -> None:
        """Breakeven, then trail: the stop for the candles after this one."""
        signal = instance.signal
        assert signal is not None
        best, long = self.best(signal, candle), signal.position == "long"
        signal.peak = max(signal.peak, best) if long else min(signal.peak, best)
        if signal.breakeven is not None and not signal.secured:
            trigger = beyond(signal, signal.breakeven)
            if best >= trigger if long else best <= trigger:
                signal.secured = True
                level = beyond(signal, signal.breakeven_plus or 0.0)
                if is_tighter(signal, level):
                    signal.stop_loss, signal.stop_by = level, "breakeven"
                    self.tell_moved(instance, candle.close_time, "breakeven")
        trailed = self.trail_level(signal)
        if trailed is not None and is_tighter(signal, trailed):
            signal.stop_loss, signal.stop_by = trailed, "trailing_stop"
            if not signal.trailed:
                self.tell_moved(instance, candle.close_time, "trail")
            signal.trailed = True

    def trail_level(self, signal: Signal) -> float | None:
        long = signal.position == "long"
        if signal.trail is None and signal.trail_distance is None:
            return None
        trigger = beyond(signal, signal.trail_after or 0.0)
        if not (signal.peak >= trigger if long else signal.peak <= trigger):
            return None
        if signal.trail is not None:
            part = signal.trail / 100
            level = signal.peak * (1 - part) if long else signal.peak * (1 + part)
        else:
            assert signal.trail_distance is not None
            away = signal.trail_distance
            level = signal.peak - away if long else signal.peak + away
        return level if level > 0 else None

    def tell_moved(self, instance: Instance, now: int, note: str | None) -> None:
        market = self.markets[instance.symbol].price(now)
        self.tell(instance, now, "moved", instance.signal, price=market, note=note)

    # ---- scheduled

    def follow_scheduled(self, instance: Instance, candle: Candle) -> None:
        """Phase 1 of a scheduled signal: is it refused by the price, or too old?"""
        signal = instance.signal
        assert signal is not None
        now = candle.close_time
        if self.is_price_rejected(signal, candle):
            self.cancel(instance, now, "price_reject")
        elif self.is_entry_touched(signal, candle):
            pass  # phase 2
        elif self.has_waited(signal, now):
            self.cancel(instance, now, "timeout")

    def has_waited(self, signal: Signal, now: int) -> bool:
        """Has a scheduled signal waited long enough?"""
        wait = self.rules.schedule_await_minutes if signal.wait is None else signal.wait
        if now - signal.scheduled_at >= wait * MINUTE:
            return True
        return signal.until is not None and now >= signal.until

    def is_price_rejected(self, signal: Signal, candle: Candle) -> bool:
        """With target_first or by the average: a touched stop. Else a limit whose candle opened
        beyond the stop, or a breakout whose fill makes no trade any more."""
        if self.rules.touch == "average_price" or self.rules.same_candle == "target_first":
            if self.is_stop_touched(signal, candle):
                return True
        elif not signal.breakout:
            if signal.position == "long":
                return candle.open <= signal.stop_loss
            return candle.open >= signal.stop_loss
        if not signal.breakout or not self.is_entry_touched(signal, candle):
            return False
        paid, long = self.breakout_fill(signal, candle), signal.position == "long"
        if paid == signal.entry:
            return False
        if abs(paid - signal.stop_loss) / paid * 100 > self.rules.max_stop_loss_percent + TOLERANCE:
            return True
        if not signal.rungs:
            return False
        rung = signal.rungs[0][0]
        near = abs(rung - paid) / paid * 100 < self.rules.min_take_profit_percent - TOLERANCE
        return near or (paid >= rung if long else paid <= rung)

    def breakout_fill(self, signal: Signal, candle: Candle) -> float:
        """The worse of level and open; with the average price the level."""
        if self.rules.touch == "average_price":
            return signal.entry
        pick = max if signal.position == "long" else min
        return pick(signal.entry, candle.open)

    def is_entry_touched(self, signal: Signal | None, candle: Candle) -> bool:
        if signal is None:
            return False
        if (signal.position == "long") != signal.breakout:
            return self.tested_low(signal, candle) <= signal.entry
        return self.tested_high(signal, candle) >= signal.entry

    def activate(self, instance: Instance, candle: Candle) -> None:
        """Phase 2: risk is asked again, on the book without this signal."""
        signal = instance.signal
        assert signal is not None
        now = candle.close_time
        if signal.breakout:
            signal.entry = self.breakout_fill(signal, candle)
        instance.signal = None
        if self.is_refused(instance, signal, now, price=signal.entry):
            return
        instance.signal = signal
        self.open(instance, now, note=signal.note, limit=not signal.breakout)
        if self.is_stop_touched(signal, candle):  # filled and stopped out on one candle
            self.sell(instance, now, signal.K, signal.stop_loss, "stop_loss")

    def cancel(self, instance: Instance, now: int, reason: str, note: str | None = None) -> None:
        market = self.markets[instance.symbol].price(now)
        self.tell(
            instance, now, "cancelled", instance.signal, price=market, exit_reason=reason, note=note
        )
        instance.signal = None

    # ---- asks

    def ask_if_due(self, instance: Instance, candle: Candle) -> None:
        """Phase 3: a multiple of the interval since the candle before, and c > start.

        Idle, the strategy is asked; else manage.
        """
        now, before = candle.close_time, self.markets[instance.symbol].close_before(candle)
        if now <= self.start:
            return

        def is_due(timeframe: str) -> bool:
            return floor_to(now, TIMEFRAMES[timeframe] * MINUTE) > before

        if instance.signal is None:
            if not instance.stopping and is_due(instance.strategy.every):
                self.ask(instance, now)
            return
        strategy = instance.strategy
        made_now = now in (instance.signal.scheduled_at, instance.signal.decided_at)
        if strategy.manage is None or made_now:
            return
        if instance.is_scheduled and not strategy.waiting:
            return
        if is_due(strategy.manage_every or strategy.every):
            self.ask_manager(instance, now)

    def ask(self, instance: Instance, now: int) -> None:
        answer = self.called(instance, now, instance.strategy.ask)
        if answer is not None and not (instance.is_managed and is_action(answer)):
            self.take_candidate(instance, now, answer)

    def ask_manager(self, instance: Instance, now: int) -> None:
        assert instance.strategy.manage is not None
        answers = self.called(instance, now, instance.strategy.manage)
        made = False
        for answer in answers if isinstance(answers, list) else [answers]:
            if answer is None or made:
                continue
            if is_action(answer):
                self.act(instance, now, answer)
            else:
                made = self.propose(instance, now, answer)

    def called(self, instance: Instance, now: int, function: Callable[[Any], Any]) -> Any:
        """Call a user's function; None where it fails, or has too little history."""
        was_warming_up, instance.warming_up = instance.warming_up, False
        memory = copy.deepcopy(instance.memory)
        context = Context(
            instance.symbol,
            now,
            self.markets,
            memory,
            self.position_of(instance, now),
            self.scheduled_of(instance, now),
        )
        try:
            answer = function(context)
        except NotEnoughCandles:
            instance.warming_up = True
            instance.asks_lost += 1
            if not was_warming_up:
                self.tell(instance, now, "skipped", exit_reason="warm_up")
            return None
        except Exception:
            self.tell(instance, now, "error")
            return None
        instance.memory = memory  # ctx.state is kept only when the ask returns
        return answer

    def position_of(self, instance: Instance, now: int) -> Position | None:
        signal = instance.signal
        if signal is None or not instance.is_open:
            return None
        return Position(
            id=signal.id,
            position=signal.position,
            entry=signal.entry,
            first_entry=signal.first_entry,
            stop_loss=signal.stop_loss,
            stop_by=signal.stop_by,
            take_profit=signal.rungs[0][0] if signal.rungs else None,
            targets=tuple(signal.rungs),
            opened_at=signal.opened_at,
            age=(now - signal.opened_at) // MINUTE,
            minutes=signal.minutes,
            until=signal.until,
            peak=signal.peak,
            open=signal.K / signal.W,
            invested=signal.W,
            entries=signal.entries,
            pnl_percent=self.unrealised(signal, self.markets[signal.symbol].price(now)),
        )

    def scheduled_of(self, instance: Instance, now: int) -> Scheduled | None:
        signal = instance.signal
        if signal is None or not instance.is_scheduled:
            return None
        return Scheduled(
            id=signal.id,
            position=signal.position,
            entry=signal.entry,
            order="breakout" if signal.breakout else "limit",
            stop_loss=signal.stop_loss,
            take_profit=signal.take_profit,
            scheduled_at=signal.scheduled_at,
            age=(now - signal.scheduled_at) // MINUTE,
        )

    # ---- manage: actions and candidates

    def act(
        self, instance: Instance, now: int, action: Mapping[str, Any], by: str = "strategy"
    ) -> None:
        """Do one action; one that finds neither an open nor a waiting signal is dropped."""
        signal = instance.signal
        if signal is None:
            return
        market = self.markets[instance.symbol].price(now)
        if action["do"] == "move":
            action = resolved_by(action, signal.entry, long=signal.position == "long")
        broken = self.action_problems(instance, now, action, market)
        if broken:
            self.tell(
                instance,
                now,
                "rejected",
                signal,
                price=market,
                exit_reason="invalid",
                note=",".join(broken),
            )
            return
        note = action.get("note")
        match action["do"]:
            case "close":
                part = float(action.get("fraction", 1.0)) * signal.K
                self.sell(instance, now, part, market, by, note=note)
            case "cancel":
                self.cancel(instance, now, "strategy", note)
            case "breakeven":
                level = beyond(signal, action.get("plus", 0.0))
                passed = market > level if signal.position == "long" else market < level
                if passed and is_tighter(signal, level):
                    signal.stop_loss, signal.stop_by = level, "breakeven"
                    words = [note] if note else []
                    self.tell_moved(instance, now, "; ".join([*words, "breakeven"]))
            case "add":
                self.add(instance, now, float(action.get("amount", 1.0)), market, note)
            case "move":
                self.move(instance, now, action, market)

    def action_problems(
        self, instance: Instance, now: int, action: Mapping[str, Any], market: float
    ) -> list[str]:
        signal = instance.signal
        assert signal is not None
        if not isinstance(action["do"], str) or action["do"] not in ACTIONS:
            return ["action_type"]
        if action["do"] == "cancel" and instance.is_open:
            return ["nothing_scheduled"]
        if action["do"] != "cancel" and not instance.is_open:
            return ["nothing_open"]
        broken = []
        if any(key not in ACTIONS[action["do"]] for key in action if key != "do"):
            broken.append("unknown_field")
        match action["do"]:
            case "close":
                fraction = action.get("fraction", 1.0)
                if not (is_number(fraction) and fraction <= 1):
                    broken.append("fraction_range")
            case "move":
                broken += self.move_problems(signal, now, action)
            case "breakeven":
                plus = action.get("plus", 0.0)
                if not (is_real(plus) and plus >= 0):
                    broken.append("plus_number")
            case "add":
                broken += self.add_problems(signal, action.get("amount", 1.0), market)
        return broken + note_problems(action.get("note"))

    def move_problems(self, signal: Signal, now: int, action: Mapping[str, Any]) -> list[str]:
        if not any(key in action for key in ("stop_loss", "take_profit", "minutes", "until")):
            return ["move_empty"]
        broken = []
        stop, target = action.get("stop_loss"), action.get("take_profit")
        if "stop_loss" in action and not is_number(stop):
            broken.append("stop_loss_number")
        if target is not None and rung_prices(target) is None:
            if not (is_ladder(target) and not pairs_of(target)):
                broken.append("take_profit_number")
        broken += ladder_problems(target, signal.position)
        minutes, until = action.get("minutes"), action.get("until")
        longest = self.rules.max_signal_minutes
        if minutes is not None:
            if not is_whole(minutes):
                broken.append("minutes_int")
            elif minutes < 1 or (longest is not None and minutes > longest):
                broken.append("minutes_range")
        else:  # both None only without a bound
            left = [
                action[name] if name in action else getattr(signal, name)
                for name in ("minutes", "until")
            ]
            if left == [None, None] and longest is not None:
                if "minutes" in action or "until" in action:
                    broken.append("minutes_int")
        if until is not None:
            broken += until_problems(until, now, signal.opened_at, self.rules)
        if self.rules.loosen_stop and is_number(stop) and not is_tighter(signal, stop):
            if stop != signal.stop_loss and self.is_too_far(signal, stop, signal.entry):
                broken.append("max_stop_loss")
        return broken

    def is_too_far(self, signal: Signal, stop: float, entry: float) -> bool:
        """A stop on the losing side of the entry is at most max_stop_loss_percent away from it."""
        losing = stop < entry if signal.position == "long" else stop > entry
        percent = abs(entry - stop) / entry * 100
        return losing and percent > self.rules.max_stop_loss_percent + TOLERANCE

    def add_problems(self, signal: Signal, amount: Any, market: float) -> list[str]:
        broken = []
        if not is_number(amount):
            broken.append("add_number")
        else:
            k, e = float(amount), market
            entry = (signal.K + k) / (signal.K / signal.entry + k / e)
            if self.is_too_far(signal, signal.stop_loss, entry):
                broken.append("max_stop_loss")
        if signal.entries >= self.rules.max_entries:
            broken.append("max_entries")
        rungs = [price for price, _ in signal.rungs]
        if is_outside(signal.position, signal.stop_loss, rungs, market):
            broken.append("market_price_outside")
        return broken

    def add(
        self, instance: Instance, now: int, amount: float, market: float, note: str | None
    ) -> None:
        signal = instance.signal
        assert signal is not None
        if instance.stopping:
            return
        seen = copy.copy(signal)
        seen.entry = market
        instance.signal = None
        refused = self.is_refused(instance, seen, now, price=market, shown=signal)
        instance.signal = signal
        if refused:
            return
        s, f = self.costs(limit=False)
        o = market * (1 + s) if signal.position == "long" else market * (1 - s)
        K, k = signal.K, amount  # noqa: N806 - the letters of the law
        signal.entry = (K + k) / (K / signal.entry + k / market)
        signal.O = (K + k) / (K / signal.O + k / o)
        signal.F = (K * signal.F + k * f) / (K + k)
        signal.W, signal.K = signal.W + k, K + k
        signal.entries += 1
        self.tell(instance, now, "added", signal, price=market, fraction=k, note=note)
        self.note_fill(signal, now, "add", None, market, o, k, f, None, limit=False)

    def move(self, instance: Instance, now: int, action: Mapping[str, Any], market: float) -> None:
        """Change what is named; then do at once what the market price has reached of it."""
        signal = instance.signal
        assert signal is not None
        changed = set()
        if "stop_loss" in action:
            stop = float(action["stop_loss"])
            loose = self.rules.loosen_stop and stop != signal.stop_loss
            if loose or is_tighter(signal, stop):
                signal.stop_loss, signal.stop_by = stop, "stop_loss"
                changed.add("stop")
        if "take_profit" in action:
            rungs, full, farthest = ladder_of(action["take_profit"])
            if rungs != signal.rungs:
                signal.rungs, signal.full, signal.take_profit = rungs, full, farthest
                changed.add("rungs")
        for name in ("minutes", "until"):
            if name in action and action[name] != getattr(signal, name):
                setattr(signal, name, None if action[name] is None else int(action[name]))
                changed.add("times")
        if not changed:
            return
        self.tell_moved(instance, now, action.get("note"))
        long = signal.position == "long"
        if "stop" in changed:
            if market <= signal.stop_loss if long else market >= signal.stop_loss:
                self.sell(instance, now, signal.K, market, "stop_loss")
        while "rungs" in changed and instance.is_open and signal.rungs:
            price = signal.rungs[0][0]
            if not (market >= price if long else market <= price):
                break
            self.sell_rung(instance, now, market, limit=False)
        if "times" in changed and instance.is_open and self.is_expired(signal, now):
            self.sell(instance, now, signal.K, market, "time_expired")

    def propose(self, instance: Instance, now: int, answer: Any) -> bool:
        """A candidate of the manage function. Did it make a signal?"""
        held = instance.signal
        if held is None:
            return not instance.stopping and self.take_candidate(instance, now, answer)
        if instance.is_open and isinstance(answer, Mapping):
            if answer.get("position") == held.position:
                return False
        signal = self.checked(instance, now, answer)
        if signal is None:
            return False
        if instance.is_open:
            market = self.markets[instance.symbol].price(now)
            self.sell(instance, now, held.K, market, "flipped")
        elif self.is_the_same(signal, held):
            return False
        else:
            self.cancel(instance, now, "replaced")
        return not instance.stopping and self.begin(instance, now, signal)

    def is_the_same(self, one: Signal, other: Signal) -> bool:
        names = ("position", "entry", "breakout", "take_profit", "stop_loss", "minutes", "until")
        names += ("wait", "rungs", "trail", "trail_distance", "trail_after", "breakeven")
        return all(
            getattr(one, name) == getattr(other, name) for name in (*names, "breakeven_plus")
        )

    # ---- a candidate

    def take_candidate(self, instance: Instance, now: int, answer: Any) -> bool:
        """Validation, then risk, then opened or scheduled. Did it make a signal?"""
        signal = self.checked(instance, now, answer)
        return signal is not None and self.begin(instance, now, signal)

    def checked(self, instance: Instance, now: int, answer: Any) -> Signal | None:
        """The signal of a good candidate; a bad one is rejected."""
        market = self.markets[instance.symbol].price(now)
        answer = resolved(answer, market)
        broken = problems(
            answer,
            market=market,
            rules=self.rules,
            used_ids=instance.used_ids[-REMEMBERED:],
            now=now,
            managed=instance.is_managed,
        )
        if broken:
            self.reject_invalid(instance, now, answer, broken, market)
            return None
        at_market = pays_market(answer, market)
        entry, breakout = wanted_entry(answer)
        rungs, full, farthest = ladder_of(answer.get("take_profit"))
        words = [answer["note"]] if answer.get("note") else []
        if at_market and entry is not None:
            words.append("entry already reached")
        return Signal(
            symbol=instance.symbol,
            strategy=instance.strategy.name,
            id=answer.get("id") or self.made_id(instance, now),
            position=answer["position"],
            entry=market if at_market else float(entry),
            take_profit=farthest,
            stop_loss=float(answer["stop_loss"]),
            minutes=None if answer.get("minutes") is None else int(answer["minutes"]),
            size=None if answer.get("size") is None else float(answer["size"]),
            note="; ".join(words) or answer.get("note"),
            decided_at=now,
            at_market=at_market,
            breakout=breakout,
            rungs=rungs,
            full=full,
            **{name: answer.get(name) for name in DECLARED},
        )

    def begin(self, instance: Instance, now: int, signal: Signal) -> bool:
        """Risk, then opened or scheduled. Was it?"""
        market = self.markets[instance.symbol].price(now)
        if self.is_refused(instance, signal, now, price=market):
            return False
        instance.used_ids.append(signal.id)
        instance.signal = signal
        if signal.at_market:
            self.open(instance, now, note=signal.note, limit=False)
        else:
            signal.state = "scheduled"
            signal.scheduled_at = now
            self.tell(instance, now, "scheduled", signal, price=market, note=signal.note)
        return True

    def reject_invalid(
        self, instance: Instance, now: int, answer: Any, broken: list[str], market: float
    ) -> None:
        """Only signal_id (as given if a non-empty string of at most 300, else generated) and a
        valid position."""
        instance.refusing = None
        given = answer if isinstance(answer, Mapping) else {}
        signal_id, position = given.get("id"), given.get("position")
        self.outcome.events.append(
            Event(
                at=now,
                symbol=instance.symbol,
                strategy=instance.strategy.name,
                kind="rejected",
                signal_id=signal_id
                if isinstance(signal_id, str) and 0 < len(signal_id) <= ID_LIMIT
                else self.made_id(instance, now),
                position=position if position in ("long", "short") else None,
                price=market,
                exit_reason="invalid",
                note=",".join(broken),
            )
        )

    @staticmethod
    def made_id(instance: Instance, now: int) -> str:
        return f"{instance.strategy.name}-{instance.symbol}-{now}"

    # ---- risk

    def is_refused(
        self,
        instance: Instance,
        signal: Signal,
        now: int,
        *,
        price: float,
        shown: Signal | None = None,
    ) -> bool:
        """Rules in their order; the first refusal ends it and is named in a rejected event.

        What the same name refuses again is counted and makes no event, until any other event.
        """
        for risk in instance.strategy.risks:
            try:
                answer = risk.function(self.book(risk.name, now), signal)
            except Exception as error:
                answer = error
            if answer is None:
                continue
            if not isinstance(answer, str) or answer == "":
                self.tell(instance, now, "error")
            row = instance.refusing
            if row is not None and row[3] == risk.name:
                row[5:] = [now, row[6] + 1]
                return True
            self.tell(
                instance,
                now,
                "rejected",
                shown or signal,
                price=price,
                exit_reason="risk",
                note=risk.name,
            )
            row = [instance.symbol, instance.strategy.name, "risk", risk.name, now, now, 1]
            instance.refusing = row
            self.outcome.refusals.append(row)
            return True
        return False

    def book(self, rule: str, now: int) -> Book:
        """The book of a rule: signals and the last 1,000 trades of each instance that names it."""
        members = [
            instance
            for instance in self.instances
            if any(risk.name == rule for risk in instance.strategy.risks)
        ]
        names = {(member.symbol, member.strategy.name) for member in members}
        trades: list[Trade] = []
        seen: dict[tuple[str, str], int] = {}
        for trade in reversed(self.outcome.trades):
            name = (trade.symbol, trade.strategy)
            seen[name] = seen.get(name, 0) + 1
            if name in names and seen[name] <= REMEMBERED:
                trades.insert(0, trade)
        place = {(m.symbol, m.strategy.name): i for i, m in enumerate(self.instances)}
        trades.sort(
            key=lambda trade: (
                trade.closed_at,
                trade.opened_at == trade.closed_at,
                place[trade.symbol, trade.strategy],
            )
        )
        return Book(
            now,
            [member.signal for member in members if member.signal is not None],
            trades,
        )

    # ---- what happens to a signal

    def costs(self, *, limit: bool) -> tuple[float, float]:
        """s and f of a fill: limit fills pay the maker's fee, and may not slip."""
        s, f = self.rules.slippage_percent / 100, self.rules.fee_percent
        if limit and self.rules.maker_fee_percent is not None:
            f = self.rules.maker_fee_percent
        if limit and self.rules.slippage_on == "market":
            s = 0.0
        return s, f

    def open(self, instance: Instance, now: int, *, note: str | None, limit: bool) -> None:
        """E = e, O = e x (1 + s), F = f, W = K = 1.0, S = 0.0."""
        signal = instance.signal
        assert signal is not None
        signal.state = "open"
        signal.opened_at = now
        s, f = self.costs(limit=limit)
        e = signal.entry
        signal.O = e * (1 + s) if signal.position == "long" else e * (1 - s)
        signal.F, signal.W, signal.K, signal.S = f, 1.0, 1.0, 0.0
        signal.first_entry, signal.first_stop = e, signal.stop_loss
        signal.first_target, signal.peak = signal.take_profit, e
        self.tell(instance, now, "opened", signal, price=e, note=note, fraction=1.0)
        self.note_fill(signal, now, "entry", None, e, signal.O, 1.0, f, None, limit=limit)

    def exit_percent(self, signal: Signal, price: float, *, limit: bool) -> float:
        """p = ((x' - O)/O) x 100 - (F + f)."""
        s, f = self.costs(limit=limit)
        if signal.position == "long":
            got = price * (1 - s)
            return ((got - signal.O) / signal.O) * 100 - (signal.F + f)
        got = price * (1 + s)
        return ((signal.O - got) / signal.O) * 100 - (signal.F + f)

    def unrealised(self, signal: Signal, market: float) -> float:
        return (signal.S + signal.K * self.exit_percent(signal, market, limit=False)) / signal.W

    def sell_rung(self, instance: Instance, now: int, price: float, *, limit: bool) -> None:
        """A rung closes min(fraction x W, K); the last of a full ladder closes all."""
        signal = instance.signal
        assert signal is not None
        _, fraction = signal.rungs.pop(0)
        part = min(fraction * signal.W, signal.K)
        if signal.full and not signal.rungs:
            part = signal.K
        self.sell(instance, now, part, price, "take_profit", limit=limit)

    def sell(
        self,
        instance: Instance,
        now: int,
        part: float,
        price: float,
        reason: str,
        *,
        limit: bool = False,
        note: str | None = None,
    ) -> None:
        """Exit of a part c at x: S = S + c x p, K = K - c; dust is all."""
        signal = instance.signal
        assert signal is not None
        c = signal.K if signal.K - part <= 1e-9 * signal.W else part
        p = self.exit_percent(signal, price, limit=limit)
        signal.S, signal.K = signal.S + c * p, signal.K - c
        signal.exits += 1
        closed = signal.K == 0
        s, f = self.costs(limit=limit)
        got = price * (1 - s) if signal.position == "long" else price * (1 + s)
        self.tell(
            instance,
            now,
            "closed" if closed else "partial",
            signal,
            price=price,
            exit_reason=reason,
            pnl_percent=signal.S / signal.W if closed else p,
            fraction=c,
            note=note,
        )
        kind = "exit" if closed else "partial"
        self.note_fill(signal, now, kind, reason, price, got, c, f, p, limit=limit)
        if closed:
            self.outcome.trades.append(trade_of(signal, now, price, reason))
            instance.signal = None

    def note_fill(
        self,
        signal: Signal,
        now: int,
        kind: str,
        reason: str | None,
        price: float,
        paid: float,
        fraction: float,
        fee: float,
        percent: float | None,
        *,
        limit: bool,
    ) -> None:
        buys = (signal.position == "long") == (kind in ("entry", "add"))
        names = (now, signal.symbol, signal.strategy, signal.id, "buy" if buys else "sell", kind)
        liquidity = "limit" if limit else "market"
        self.outcome.fills.append((*names, reason, liquidity, price, paid, fraction, fee, percent))

    def tell(
        self, instance: Instance, now: int, kind: str, signal: Signal | None = None, **columns: Any
    ) -> None:
        """Append an event; with a signal it carries the signal's columns."""
        if kind not in ("milestone", "skipped"):
            instance.refusing = None
        if signal is not None:
            columns |= {
                "signal_id": signal.id,
                "position": signal.position,
                "entry": signal.entry,
                "take_profit": signal.take_profit,
                "stop_loss": signal.stop_loss,
                "minutes": signal.minutes,
                "size": signal.size,
            }
        event = Event(now, instance.symbol, instance.strategy.name, kind, **columns)
        self.outcome.events.append(event)

    # ---- the end

    def finish(self) -> None:
        """Nothing is closed; what is open or scheduled is listed."""
        for instance in self.instances:
            name = f"{instance.strategy.name}|{instance.symbol}"
            self.outcome.asks_lost[name] = instance.asks_lost
            signal = instance.signal
            if signal is None:
                continue
            market = self.markets[instance.symbol].price(instance.last_fed)
            unrealised = self.unrealised(signal, market) if instance.is_open else None
            self.outcome.open.append(
                OpenRow(signal.symbol, signal.strategy, signal.id, signal.state, market, unrealised)
            )


def is_action(answer: Any) -> bool:
    return isinstance(answer, Mapping) and "do" in answer


def ladder_of(target: Any) -> tuple[list[tuple[float, float]], bool, float | None]:
    """Rungs, whether they add up to all, and the farthest."""
    if target is None:
        return [], True, None
    if not is_ladder(target):
        return [(float(target), 1.0)], True, float(target)
    rungs = [(float(price), float(fraction)) for price, fraction in target]
    return rungs, added(fraction for _, fraction in rungs) >= 1 - 1e-9, rungs[-1][0]


def beyond(signal: Signal, percent: float) -> float:
    """So many percent on the winning side of the average entry."""
    if signal.position == "long":
        return signal.entry * (1 + percent / 100)
    return signal.entry * (1 - percent / 100)


def is_tighter(signal: Signal, level: float) -> bool:
    return level > signal.stop_loss if signal.position == "long" else level < signal.stop_loss


def trade_of(signal: Signal, now: int, price: float, reason: str) -> Trade:
    return Trade(
        symbol=signal.symbol,
        strategy=signal.strategy,
        signal_id=signal.id,
        position=signal.position,
        opened_at=signal.opened_at,
        closed_at=now,
        entry=signal.entry,
        exit=price,
        take_profit=signal.take_profit,
        stop_loss=signal.stop_loss,
        size=signal.size,
        exit_reason=reason,
        pnl_percent=signal.S / signal.W,
        entries=signal.entries,
        exits=signal.exits,
        invested=signal.W,
    )
