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
from dataclasses import dataclass, field
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
}

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
class Rules:
    price: str = "close"
    touch: str = "candle"
    same_candle: str = "stop_first"
    schedule_await_minutes: int = 120
    average_price_candles: int = 5
    slippage_percent: float = 0.1
    fee_percent: float = 0.1
    min_take_profit_percent: float = 0.5
    min_stop_loss_percent: float = 0.5
    max_stop_loss_percent: float = 20
    max_signal_minutes: int = 1440
    price_anomaly_factor: float = 1000

    @classmethod
    def reference(cls) -> Rules:
        return cls(price="average", same_candle="target_first")


# ------------------------------------------------------------------------------------- candles in


@dataclass(frozen=True)
class Candle:
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def close_time(self) -> int:
        return self.time + MINUTE


@dataclass
class Intake:
    rows: int
    duplicates_same: int = 0
    duplicates_replaced: int = 0
    filled: int = 0


def take_in(rows: Sequence[Row], *, factor: float) -> tuple[list[Candle], Intake]:
    """Turn rows as they come in into a grid without gaps, or refuse them."""
    counts = Intake(rows=len(rows))
    for index, row in enumerate(rows):
        check_row(index, row)
    accepted = merge_duplicates(rows, counts)
    check_step([candle for _, candle in accepted])
    check_anomalies(accepted, factor)
    return fill_gaps([candle for _, candle in accepted], counts), counts


def check_row(index: int, row: Row) -> None:
    """Every row by itself, also one that will be dropped."""
    time, open_, high, low, close, volume = row
    if not all(math.isfinite(price) for price in (open_, high, low, close)):
        raise Refused("not_finite", index)
    if not all(price > 0 for price in (open_, high, low, close)):
        raise Refused("not_positive", index)
    if not math.isfinite(volume):
        raise Refused("not_finite", index)
    if not volume >= 0:
        raise Refused("not_positive", index)
    if not (low <= min(open_, close) and max(open_, close) <= high):
        raise Refused("low_high", index)
    if time % MINUTE != 0:
        raise Refused("grid", index)


def merge_duplicates(rows: Sequence[Row], counts: Intake) -> list[tuple[int, Candle]]:
    """Equal times must be neighbours and become the last of them; times may not go back."""
    accepted: list[tuple[int, Candle]] = []
    for index, row in enumerate(rows):
        candle = Candle(int(row[0]), *(float(value) for value in row[1:]))
        if accepted and candle.time < accepted[-1][1].time:
            raise Refused("order", index)
        if accepted and candle.time == accepted[-1][1].time:
            if candle == accepted[-1][1]:
                counts.duplicates_same += 1
            else:
                counts.duplicates_replaced += 1
            accepted[-1] = (index, candle)
        else:
            accepted.append((index, candle))
    return accepted


def check_step(candles: Sequence[Candle]) -> None:
    """If the commonest step is above one minute, the source is refused as a whole."""
    seen: dict[int, int] = {}
    for before, after in itertools.pairwise(candles):
        step = after.time - before.time
        seen[step] = seen.get(step, 0) + 1
    if seen and min(step for step in seen if seen[step] == max(seen.values())) > MINUTE:
        raise Refused("step", None)


def check_anomalies(accepted: Sequence[tuple[int, Candle]], factor: float) -> None:
    """No price below m/factor or above m x factor, m the upper median of the closes before it."""
    closes = [candle.close for _, candle in accepted]
    for position, (index, candle) in enumerate(accepted):
        measured_by = closes[max(0, position - 60) : position] if position else closes[:60]
        median = sorted(measured_by)[len(measured_by) // 2]
        for price in (candle.open, candle.high, candle.low, candle.close):
            if price < median / factor or price > median * factor:
                raise Refused("anomaly", index)


def fill_gaps(candles: Iterable[Candle], counts: Intake) -> list[Candle]:
    """A minute missing between two known candles is filled flat with the close before it."""
    grid: list[Candle] = []
    for candle in candles:
        while grid and grid[-1].close_time < candle.time:
            close = grid[-1].close
            grid.append(Candle(grid[-1].close_time, close, close, close, close, 0.0))
            counts.filled += 1
        grid.append(candle)
    return grid


# ----------------------------------------------------------------------------------------- prices


class Market:
    """The candles of one symbol, and what can be known of them at a moment."""

    def __init__(self, candles: Sequence[Candle], rules: Rules) -> None:
        self.candles = candles
        self.rules = rules

    def closing_at(self, close_time: int) -> Candle | None:
        if not self.candles:
            return None
        position = (close_time - MINUTE - self.candles[0].time) // MINUTE
        return self.candles[position] if 0 <= position < len(self.candles) else None

    def average_price(self, now: int) -> float:
        """sum(typical x volume)/sum(volume) over the last candles; without volume the mean."""
        newest = (now - MINUTE - self.candles[0].time) // MINUTE
        oldest = max(0, newest + 1 - self.rules.average_price_candles)
        weighted = volume = closes = 0.0
        for candle in self.candles[oldest : newest + 1]:
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

    def bucket(self, start: int, size: int) -> Candle | None:
        """One candle of a higher timeframe, if every minute of it is there."""
        minutes = [
            self.closing_at(close) for close in range(start + MINUTE, start + size + 1, MINUTE)
        ]
        if any(minute is None for minute in minutes):
            return None
        known = [minute for minute in minutes if minute is not None]
        volume = 0.0
        for minute in known:
            volume += minute.volume
        return Candle(
            start,
            known[0].open,
            max(minute.high for minute in known),
            min(minute.low for minute in known),
            known[-1].close,
            volume,
        )

    def known_until(self, now: int) -> int:
        """The close of the last candle with a trade: minutes without one may never come."""
        while (candle := self.closing_at(now)) is None or self.is_quiet(candle):
            if now - MINUTE <= self.candles[0].time:
                return self.candles[0].close_time
            now -= MINUTE
        return now

    def is_quiet(self, candle: Candle) -> bool:
        """Tell whether a candle is as a minute that is missing is filled."""
        before = self.closing_at(candle.time)
        prices = {candle.open, candle.high, candle.low, candle.close}
        return candle.volume == 0 and before is not None and prices == {before.close}

    def window(self, timeframe: str, count: int, now: int) -> list[Candle]:
        """The last `count` complete candles of a timeframe closed at `now`, or fewer."""
        size = TIMEFRAMES[timeframe] * MINUTE
        found: list[Candle] = []
        start = now - now % size - size
        while len(found) < count:
            candle = self.bucket(start, size)
            if candle is None:
                break
            found.insert(0, candle)
            start -= size
        return found


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


def pnl_percent(position: str, entry: float, exit_price: float, rules: Rules) -> float:
    slippage = rules.slippage_percent / 100
    fee = 2 * rules.fee_percent
    if position == "long":
        opened = entry * (1 + slippage)
        closed = exit_price * (1 - slippage)
        return ((closed - opened) / opened) * 100 - fee
    opened = entry * (1 - slippage)
    closed = exit_price * (1 + slippage)
    return ((opened - closed) / opened) * 100 - fee


# --------------------------------------------------------------------------- signals and their past


@dataclass
class Signal:
    symbol: str
    strategy: str
    id: str
    position: str
    entry: float
    take_profit: float
    stop_loss: float
    minutes: int
    size: float | None = None
    note: str | None = None
    state: str = "new"
    scheduled_at: int = 0
    opened_at: int = 0
    fired: set[int] = field(default_factory=set)


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
    take_profit: float
    stop_loss: float
    size: float | None
    exit_reason: str
    pnl_percent: float


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

FIELDS = {"position", "take_profit", "stop_loss", "minutes", "entry", "id", "note", "size"}


def is_number(value: Any) -> bool:
    """A real number, finite and above 0; a bool is none."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return bool(real and math.isfinite(value) and value > 0)


def is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_reached(position: object, entry: Any, market: float) -> bool:
    """Is an entry already reached by the market price?"""
    return bool(market <= entry) if position == "long" else bool(market >= entry)


def pays_market(answer: Mapping[str, Any], market: float) -> bool:
    entry = answer.get("entry")
    return entry is None or is_reached(answer.get("position"), entry, market)


def problems(answer: object, *, market: float, rules: Rules, used_ids: Sequence[str]) -> list[str]:
    """Name all rules that a candidate breaks, in the order of the law."""
    if not isinstance(answer, Mapping):
        return ["candidate_type"]
    broken = []
    if any(key not in FIELDS for key in answer):
        broken.append("unknown_field")
    position_known = answer.get("position") in ("long", "short")
    if not position_known:
        broken.append("position")
    if not is_number(answer.get("take_profit")):
        broken.append("take_profit_number")
    if not is_number(answer.get("stop_loss")):
        broken.append("stop_loss_number")
    entry_known = answer.get("entry") is None or is_number(answer.get("entry"))
    if not entry_known:
        broken.append("entry_number")
    if position_known and entry_known:
        broken += side_problems(answer, market)
    if entry_known and (position_known or answer.get("entry") is None):
        broken += distance_problems(answer, market, rules)
    broken += minutes_problems(answer.get("minutes"), rules)
    broken += id_problems(answer.get("id"), used_ids)
    note = answer.get("note")
    if note is not None and not isinstance(note, str):
        broken.append("note_string")
    elif note is not None and len(note) > NOTE_LIMIT:
        broken.append("note_length")
    if answer.get("size") is not None and not is_number(answer["size"]):
        broken.append("size_number")
    return broken


def side_problems(answer: Mapping[str, Any], market: float) -> list[str]:
    broken = []
    long = answer["position"] == "long"
    take_profit: Any = answer.get("take_profit")
    stop_loss: Any = answer.get("stop_loss")
    base = market if answer.get("entry") is None else answer["entry"]
    if is_number(take_profit) and not (base < take_profit if long else take_profit < base):
        broken.append("take_profit_side")
    if is_number(stop_loss) and not (stop_loss < base if long else base < stop_loss):
        broken.append("stop_loss_side")
    if is_number(take_profit) and is_number(stop_loss) and pays_market(answer, market):
        lower, upper = (stop_loss, take_profit) if long else (take_profit, stop_loss)
        if not lower < market < upper:
            broken.append("market_price_outside")
    return broken


def distance_problems(answer: Mapping[str, Any], market: float, rules: Rules) -> list[str]:
    """Distances are tested on the price that will be paid."""
    broken = []
    take_profit: Any = answer.get("take_profit")
    stop_loss: Any = answer.get("stop_loss")
    paid = market if pays_market(answer, market) else answer["entry"]
    if is_number(take_profit):
        percent = abs(take_profit - paid) / paid * 100
        if percent < rules.min_take_profit_percent - TOLERANCE:
            broken.append("min_take_profit")
    if is_number(stop_loss):
        percent = abs(paid - stop_loss) / paid * 100
        if percent < rules.min_stop_loss_percent - TOLERANCE:
            broken.append("min_stop_loss")
        if percent > rules.max_stop_loss_percent + TOLERANCE:
            broken.append("max_stop_loss")
    return broken


def minutes_problems(minutes: Any, rules: Rules) -> list[str]:
    if not is_whole(minutes):
        return ["minutes_int"]
    return [] if 1 <= minutes <= rules.max_signal_minutes else ["minutes_range"]


def id_problems(signal_id: Any, used_ids: Sequence[str]) -> list[str]:
    if signal_id is None:
        return []
    if not isinstance(signal_id, str) or signal_id == "":
        return ["id_string"]
    if len(signal_id) > ID_LIMIT:
        return ["id_length"]
    return ["id_used"] if signal_id in used_ids else []


# ------------------------------------------------------------------------------------- the machine


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

    @property
    def is_open(self) -> bool:
        return self.signal is not None and self.signal.state == "open"

    @property
    def is_scheduled(self) -> bool:
        return self.signal is not None and self.signal.state == "scheduled"


@dataclass
class Outcome:
    events: list[Event] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
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
) -> Outcome:
    """Run strategies over [start, end) of the candles, one close time after another."""
    rules = rules or Rules()
    start, end = start - start % MINUTE, end - end % MINUTE
    markets, intake, close_times = {}, {}, set()
    for symbol in symbols:
        grid, intake[symbol] = take_in(candles[symbol], factor=rules.price_anomaly_factor)
        consumed = [
            candle.close_time
            for candle in grid
            if start <= candle.time and candle.close_time <= end
        ]
        if not consumed:
            raise Refused("range", None)
        markets[symbol] = Market(grid, rules)
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
            elif self.is_filled(instance, candle):
                filled.append((instance, candle))
        for instance, candle in filled:
            self.activate(instance, candle)
        for instance, candle in moving:
            if instance not in ended_by_user:
                self.ask_if_due(instance, candle.close_time)

    def obey(self, instance: Instance, candle: Candle) -> bool:
        """Phase 1: commands, exits, cancellations, milestones. Did the user end something?"""
        flatten = False
        cancelled_by_user = False
        for command in self.due_commands(instance, candle.close_time):
            signal = instance.signal
            if command["kind"] == "stop":
                instance.stopping = True
            if command["kind"] == "flatten":
                flatten = True
            if signal is None or signal.state != "scheduled":
                continue
            if command["kind"] != "cancel":
                self.cancel(instance, candle, "user")
                cancelled_by_user = True
            elif command.get("id") is None or command["id"] == signal.id:
                self.cancel(instance, candle, "user", note=command.get("cancel_id"))
                cancelled_by_user = True
        if cancelled_by_user:
            return True
        if instance.is_open:
            return self.follow_open(instance, candle, flatten)
        if instance.is_scheduled:
            self.follow_scheduled(instance, candle)
        return False

    def due_commands(self, instance: Instance, close_time: int) -> list[Mapping[str, Any]]:
        """Given at w they act on the first candle with c > w, in the order given."""
        due = [command for command in instance.commands if close_time > command["at"]]
        instance.commands = [command for command in instance.commands if command not in due]
        return due

    # ---- open

    def follow_open(self, instance: Instance, candle: Candle, flatten: bool) -> bool:
        """Test an open signal on a candle. Did the user's flatten end it?"""
        signal = instance.signal
        assert signal is not None
        now = candle.close_time
        market = self.markets[instance.symbol].price(now)
        stop_touched = self.is_stop_touched(signal, candle)
        target_touched = self.is_target_touched(signal, candle)
        target_first = self.rules.same_candle == "target_first"
        if target_first and target_touched:
            self.close(instance, now, signal.take_profit, "take_profit")
        elif stop_touched:
            self.close(instance, now, self.stop_fill(signal, candle), "stop_loss")
        elif flatten:
            self.close(instance, now, market, "flattened")
            return True
        elif target_touched:
            self.close(instance, now, signal.take_profit, "take_profit")
        elif now - signal.opened_at >= signal.minutes * MINUTE:
            self.close(instance, now, market, "time_expired")
        else:
            self.fire_milestones(instance, now, market)
        return False

    def is_stop_touched(self, signal: Signal, candle: Candle) -> bool:
        if signal.position == "long":
            return self.tested_low(signal, candle) <= signal.stop_loss
        return self.tested_high(signal, candle) >= signal.stop_loss

    def is_target_touched(self, signal: Signal, candle: Candle) -> bool:
        if signal.position == "long":
            return self.tested_high(signal, candle) >= signal.take_profit
        return self.tested_low(signal, candle) <= signal.take_profit

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
        distance = market - signal.entry if signal.position == "long" else signal.entry - market
        if distance > 0:
            percent = (distance / abs(signal.take_profit - signal.entry)) * 100
            sign = +1
        elif distance < 0:
            percent = (-distance / abs(signal.entry - signal.stop_loss)) * 100
            sign = -1
        else:
            return
        for level in LEVELS:
            if percent >= level and sign * level not in signal.fired:
                signal.fired.add(sign * level)
                self.tell(instance, now, "milestone", signal, price=market, level=sign * level)

    # ---- scheduled

    def follow_scheduled(self, instance: Instance, candle: Candle) -> None:
        """Phase 1 of a scheduled signal: is it refused by the price, or too old?"""
        signal = instance.signal
        assert signal is not None
        await_milliseconds = self.rules.schedule_await_minutes * MINUTE
        if self.is_price_rejected(signal, candle):
            self.cancel(instance, candle, "price_reject")
        elif self.is_entry_touched(signal, candle):
            pass  # phase 2
        elif candle.close_time - signal.scheduled_at >= await_milliseconds:
            self.cancel(instance, candle, "timeout")

    def is_price_rejected(self, signal: Signal, candle: Candle) -> bool:
        """Opened beyond the stop; with target_first or by the average: a touched stop."""
        if self.rules.touch == "average_price" or self.rules.same_candle == "target_first":
            return self.is_stop_touched(signal, candle)
        if signal.position == "long":
            return candle.open <= signal.stop_loss
        return candle.open >= signal.stop_loss

    def is_entry_touched(self, signal: Signal, candle: Candle) -> bool:
        if signal.position == "long":
            return self.tested_low(signal, candle) <= signal.entry
        return self.tested_high(signal, candle) >= signal.entry

    def is_filled(self, instance: Instance, candle: Candle) -> bool:
        signal = instance.signal
        if signal is None or signal.state != "scheduled":
            return False
        return self.is_entry_touched(signal, candle)

    def activate(self, instance: Instance, candle: Candle) -> None:
        """Phase 2: risk is asked again, on the book without this signal."""
        signal = instance.signal
        assert signal is not None
        now = candle.close_time
        instance.signal = None
        if self.is_refused(instance, signal, now, price=signal.entry):
            return
        instance.signal = signal
        self.open(instance, now, note=signal.note)
        if self.is_stop_touched(signal, candle):  # filled and stopped out on one candle
            self.close(instance, now, signal.stop_loss, "stop_loss")

    def cancel(
        self, instance: Instance, candle: Candle, reason: str, note: str | None = None
    ) -> None:
        signal = instance.signal
        assert signal is not None
        market = self.markets[instance.symbol].price(candle.close_time)
        self.tell(
            instance,
            candle.close_time,
            "cancelled",
            signal,
            price=market,
            exit_reason=reason,
            note=note,
        )
        instance.signal = None

    # ---- idle

    def ask_if_due(self, instance: Instance, now: int) -> None:
        """Phase 3: c % interval == 0 and c > start, idle, not stopped: the strategy is asked."""
        interval = TIMEFRAMES[instance.strategy.every] * MINUTE
        if instance.signal is not None or instance.stopping:
            return
        if now % interval == 0 and now > self.start:
            self.ask(instance, now)

    def ask(self, instance: Instance, now: int) -> None:
        was_warming_up, instance.warming_up = instance.warming_up, False
        memory = copy.deepcopy(instance.memory)
        try:
            answer = instance.strategy.ask(Context(instance.symbol, now, self.markets, memory))
        except NotEnoughCandles:
            instance.warming_up = True
            instance.asks_lost += 1
            if not was_warming_up:
                self.tell(instance, now, "skipped", exit_reason="warm_up")
            return
        except Exception:
            self.tell(instance, now, "error")
            return
        instance.memory = memory  # ctx.state is kept only when the ask returns
        if answer is not None:
            self.take_candidate(instance, now, answer)

    def take_candidate(self, instance: Instance, now: int, answer: Any) -> None:
        """Validation, then risk, then opened or scheduled."""
        market = self.markets[instance.symbol].price(now)
        broken = problems(
            answer,
            market=market,
            rules=self.rules,
            used_ids=instance.used_ids[-REMEMBERED:],
        )
        if broken:
            self.reject_invalid(instance, now, answer, broken, market)
            return
        at_market = pays_market(answer, market)
        signal = Signal(
            symbol=instance.symbol,
            strategy=instance.strategy.name,
            id=answer.get("id") or self.made_id(instance, now),
            position=answer["position"],
            entry=market if at_market else float(answer["entry"]),
            take_profit=float(answer["take_profit"]),
            stop_loss=float(answer["stop_loss"]),
            minutes=int(answer["minutes"]),
            size=None if answer.get("size") is None else float(answer["size"]),
            note=answer.get("note"),
        )
        if self.is_refused(instance, signal, now, price=market):
            return
        instance.used_ids.append(signal.id)
        instance.signal = signal
        if not at_market:
            signal.state = "scheduled"
            signal.scheduled_at = now
            self.tell(instance, now, "scheduled", signal, price=market, note=signal.note)
        elif answer.get("entry") is None:
            self.open(instance, now, note=signal.note)
        else:
            words = [signal.note] if signal.note else []
            self.open(instance, now, note="; ".join([*words, "entry already reached"]))

    def reject_invalid(
        self, instance: Instance, now: int, answer: Any, broken: list[str], market: float
    ) -> None:
        """Only signal_id (as given if a non-empty string of at most 300, else generated) and a
        valid position."""
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

    def is_refused(self, instance: Instance, signal: Signal, now: int, *, price: float) -> bool:
        """Rules in their order; the first refusal ends it and is named in a rejected event."""
        for risk in instance.strategy.risks:
            try:
                answer = risk.function(self.book(risk.name, now), signal)
            except Exception as error:
                answer = error
            if answer is None:
                continue
            if not isinstance(answer, str) or answer == "":
                self.tell(instance, now, "error")
            self.tell(
                instance,
                now,
                "rejected",
                signal,
                price=price,
                exit_reason="risk",
                note=risk.name,
            )
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
        return Book(
            now,
            [member.signal for member in members if member.signal is not None],
            trades,
        )

    # ---- what happens to a signal

    def open(self, instance: Instance, now: int, *, note: str | None) -> None:
        signal = instance.signal
        assert signal is not None
        signal.state = "open"
        signal.opened_at = now
        self.tell(instance, now, "opened", signal, price=signal.entry, note=note)

    def close(self, instance: Instance, now: int, price: float, reason: str) -> None:
        signal = instance.signal
        assert signal is not None
        percent = pnl_percent(signal.position, signal.entry, price, self.rules)
        self.tell(
            instance,
            now,
            "closed",
            signal,
            price=price,
            exit_reason=reason,
            pnl_percent=percent,
        )
        self.outcome.trades.append(
            Trade(
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
                pnl_percent=percent,
            )
        )
        instance.signal = None

    def tell(
        self, instance: Instance, now: int, kind: str, signal: Signal | None = None, **columns: Any
    ) -> None:
        """Append an event; with a signal it carries the signal's columns."""
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
            unrealised = (
                pnl_percent(signal.position, signal.entry, market, self.rules)
                if signal.state == "open"
                else None
            )
            self.outcome.open.append(
                OpenRow(signal.symbol, signal.strategy, signal.id, signal.state, market, unrealised)
            )
