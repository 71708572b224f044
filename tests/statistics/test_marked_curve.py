"""The curve and its figures against a naive recomputation, over random runs; and wrong variants."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.golden_figures import figure_differences
from tests.laws.mutants import Mutant, always, planted, rewritten
from tests.scenarios import load_golden, on_tradenb
from tests.sources import T0
from tests.statistics import naive
from tradenb.errors import UsageError
from tradenb.statistics.equity.curve import covered_by, union, whole

MINUTE, DAY = 60_000, 86_400_000
BEFORE = 600  # minutes of history
CURVE = "tradenb.statistics.equity"
RULES = (
    {"max_stop_loss_percent": 95},
    {"fee_percent": 0, "slippage_percent": 0, "max_stop_loss_percent": 95},
    {"maker_fee_percent": 0.02, "slippage_on": "market"},
    {"price": "average"},
)


def walked(seed: int, minutes: int, *, first: float = 100.0, jumps: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    steps = random.normal(0, 0.0012, minutes)
    steps[random.integers(BEFORE, minutes, jumps)] = 1.2  # more than a short can lose
    close = first * np.exp(np.cumsum(steps))
    opened = np.concatenate(([first], close[:-1]))
    jumped = np.abs(steps) > 0.5
    opened[jumped] = close[jumped]
    high = np.maximum(opened, close) * (1 + np.abs(random.normal(0, 0.0004, minutes)))
    low = np.minimum(opened, close) * (1 - np.abs(random.normal(0, 0.0004, minutes)))
    volume = random.choice([0.0, 1.0, 7.0], minutes)
    return {"open": opened, "high": high, "low": low, "close": close, "volume": volume}


def asked(seed: int, name: str) -> Any:
    """A strategy that does everything that can be done to a position, by chance."""

    def ask(ctx: Any) -> Any:
        random = Random(f"{seed}:{name}:{ctx.symbol}:{ctx.now}")
        if random.random() < 0.6:
            return None
        side, far = random.choice((1, -1)), random.choice((0.01, 0.03, 0.9))
        stop = ctx.price * (1 - side * min(far, 0.19 if ctx.symbol == "B" else far))
        near = [(ctx.price * (1 + side * step), 0.4) for step in (0.006, 0.012)]
        candidate = {
            "position": "long" if side > 0 else "short",
            "stop_loss": stop if stop > 0 else ctx.price * 0.5,
            "take_profit": random.choice((ctx.price * (1 + side * 0.02), near, None)),
            "minutes": random.choice((90, 700, 4_000, None)),
            "trail": random.choice((None, None, 1.0)),
            "breakeven": random.choice((None, 0.7)),
        }
        if random.random() < 0.3:
            candidate["entry"] = ctx.price * (1 - side * 0.002)
        elif random.random() < 0.2:
            candidate["breakout"] = ctx.price * (1 + side * 0.002)
        return candidate

    spec = tn.strategy(name, every="30m")(ask)

    def manage(ctx: Any) -> Any:
        random = Random(f"{seed}:{name}:{ctx.symbol}:{ctx.now}:manage")
        return random.choice(
            (
                *[None] * 12,
                {"do": "add", "amount": 0.5},
                {"do": "close", "fraction": 0.3},
                {"do": "close"},
                {"do": "move", "stop_loss": ctx.price * (1.001 if ctx.position.is_long else 0.999)},
            )
        )

    spec.manage(every="30m")(manage)
    return spec


@cache
def played(number: int) -> tuple[Any, dict[str, Any], list[Any]]:
    """A random run, its candles as rows, and its instances in their order."""
    random = Random(number)
    minutes = BEFORE + random.choice((16 * 1440, 15 * 1440 + 200))
    symbols = ["A", "B"][: random.choice((1, 2, 2))]
    names = [f"one-{number}", f"two-{number}"][: random.choice((1, 2))]
    jumps = 3 if number % 4 in (0, 1) else 0
    candles = {
        symbol: walked(10 * number + place, minutes, jumps=jumps)
        for place, symbol in enumerate(symbols)
    }
    at = T0 - BEFORE * MINUTE + np.arange(minutes) * MINUTE
    late = 3_000 if number % 2 else 0
    frames, rows = {}, {}
    for symbol, columns in candles.items():
        first = late if symbol == "B" else 0
        frame = pd.DataFrame(columns, index=pd.to_datetime(at, unit="ms", utc=True)).iloc[first:]
        frames[symbol] = frame
        values = zip(*(frame[name].tolist() for name in columns), strict=True)
        rows[symbol] = [[int(time), *row] for time, row in zip(at[first:], values, strict=True)]
    result = tn.backtest.run(
        symbols,
        strategy=[asked(number, name) for name in names],
        exchange=tn.frame_exchange(frames),
        start=T0,
        rules=tn.Rules(**RULES[number % len(RULES)]),
        progress=False,
    )
    return result, rows, [(name, symbol) for name in names for symbol in symbols]


@cache
def recomputed(number: int) -> naive.Naive:
    result, rows, keys = played(number)
    return naive.replayed(result.event_list, rows, keys, result.rules, result.start, result.end)


def forgetful(result: Any) -> Any:
    """The same result, which has not made any figure yet."""
    found, inner = copy(result), copy(result._figures)
    made = ("prices", "marks", "figures", "drawdowns", "excursions", "_held")
    inner.__dict__ = {k: v for k, v in inner.__dict__.items() if k not in made}
    shown = ("stats", "equity", "daily", "drawdowns", "benchmark", "trades", "warnings")
    found.__dict__ = {k: v for k, v in found.__dict__.items() if k not in shown}
    found._figures = inner
    return found


def differences(number: int) -> Iterator[str]:
    """What a result and the naive recomputation of it do not agree on."""
    result, rows, found = forgetful(played(number)[0]), played(number)[1], recomputed(number)
    closes = [at for at, _ in found.equity]
    equity = result.equity
    if equity.index.as_unit("ms").asi8.tolist() != closes:
        yield "closes"
    if not near(equity.tolist(), [value for _, value in found.equity]):
        yield "equity"
    ruined = None if result.ruined_at is None else round(result.ruined_at.timestamp() * 1000)
    if ruined != found.ruined_at:
        yield f"ruined at {ruined}, not {found.ruined_at}"
    own = result.trades[["mae_percent", "mfe_percent", "r_multiple"]].to_numpy().tolist()
    if not near(own, found.excursions):
        yield "excursions"
    yield from curve_differences(result, found, rows)


def curve_differences(result: Any, found: naive.Naive, rows: dict[str, Any]) -> Iterator[str]:
    start, end, stats = result.start, result.end, result.stats
    closes = [at for at, _ in found.equity]
    covered = naive.covered_stretches(closes)
    falls = naive.drawdowns(found.equity, start, end, covered)
    own = [
        [ms(a), ms(b), ms(c), depth, days]
        for a, b, c, depth, days in result.drawdowns.itertuples(index=False)
    ]
    deep = [row for row in falls if row[3] > 1e-9]
    if not near(own[: len(deep)], deep):
        yield "drawdowns"
    last, years = found.equity[-1][1], sum(b - a for a, b in covered) / (365 * DAY)
    wanted = {
        "compounded_return": (last - 1) * 100,
        "max_drawdown": falls[0][3] if falls else 0.0,
        "open": found.open,
        "open_pnl": found.open_pnl,
    }
    basket = naive.basket_curve(rows, closes, start)
    wanted["benchmark_return"] = (basket[-1][1] - 1) * 100
    wanted["benchmark_drawdown"] = max(
        (row[3] for row in naive.drawdowns(basket, start, end, covered)), default=0.0
    )
    midnights = list(range(start - start % DAY, end + 1, DAY))
    days = naive.by_period(found.equity, midnights, covered)
    if not near([[ms(at), value * 100] for at, value in result.daily.items()], days):
        yield "daily"
    if found.ruined_at is None:
        held = [value / 100 for _, value in naive.by_period(basket, midnights, covered)]
        wanted |= naive.daily_figures([value / 100 for _, value in days], held)
        wanted["annual_return"] = (last ** (1 / years) - 1) * 100
        wanted["calmar"] = wanted["annual_return"] / wanted["max_drawdown"]
    names = ("annual_return", "calmar", "sharpe_daily", "sortino_daily", "alpha", "beta")
    wanted = dict.fromkeys(names, math.nan) | wanted
    for name, value in wanted.items():
        if not near(stats[name], value):
            yield f"{name} {stats[name]} is not {value}"
    opened = {trade.signal_id: trade.opened_at for trade in result.trade_list}
    held_ms = sum(trade.closed_at - opened[trade.signal_id] for trade in result.trade_list)
    opens = {event.signal_id: event.at for event in result.event_list if event.kind == "opened"}
    held_ms += sum(
        end - opens[row.signal_id] for row in result.open.itertuples() if row.state == "open"
    )
    instances = len(result.symbols) * len(result.strategies)
    firsts = {symbol: max(start, own[0][0]) for symbol, own in rows.items()}
    whole = sum(end - first for first in firsts.values()) * instances / len(rows)
    if not near(stats["exposure"], held_ms / whole):
        yield "exposure"


def near(one: Any, other: Any) -> bool:
    if isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(near, one, other))
    if one is None or other is None:
        return one is other
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-8, abs_tol=1e-10)


def ms(at: Any) -> int | None:
    return None if pd.isna(at) else round(at.timestamp() * 1000)


RUNS = 6


@pytest.mark.parametrize("number", range(RUNS))
def test_a_naive_recomputation_candle_by_candle_agrees(number: int) -> None:
    assert list(differences(number)) == []


MUTANTS = (
    Mutant(
        "the peak does not begin at V0",
        f"{CURVE}.curve:peaks_of",
        rewritten("np.maximum(found, first, out=found)", "found"),
    ),
    Mutant(
        "what is open is left out",
        f"{CURVE}.marks:_mark",
        rewritten("values[begin:end] *= factor", "pass"),
    ),
    Mutant(
        "the mark has no costs of leaving",
        f"{CURVE}.marks:_factor",
        rewritten("own.fee + fee", "own.fee"),
    ),
    Mutant(
        "the mark has no slippage of leaving",
        f"{CURVE}.marks:_factor",
        rewritten("1 - side * slip", "1.0 + 0 * side"),
    ),
    Mutant(
        "what parts have realised is left out",
        f"{CURVE}.marks:_factor",
        rewritten("found += at_each_row(own.realised)", "pass"),
    ),
    Mutant(
        "a ruined run comes back",
        f"{CURVE}.marks:marked_curve",
        rewritten("values[min(ruined) :] = 0.0", "values[min(ruined)] = 0.0"),
    ),
    Mutant(
        "a last part of a day is a day",
        "tradenb.backtest.results.run_figures:whole_days",
        rewritten("curve.end // DAY", "-(-curve.end // DAY)"),
    ),
    Mutant(
        "the first day is left out",
        "tradenb.backtest.results.run_figures:whole_days",
        rewritten("np.arange(first - 1,", "np.arange(first,"),
    ),
    Mutant(
        "daily deviation with n",
        "tradenb.statistics.figures:_daily_figures",
        rewritten("len(own) - 1)", "len(own))"),
    ),
    Mutant(
        "sortino over the days of loss only",
        "tradenb.statistics.figures:_daily_figures",
        rewritten("total(falls * falls) / len(own)", "total(falls * falls) / (falls < 0).sum()"),
    ),
    Mutant(
        "a year has 252 days",
        "tradenb.statistics.figures:_scaled",
        rewritten("* _ROOT", "* math.sqrt(252)"),
    ),
    Mutant(
        "alpha without beta",
        "tradenb.statistics.figures:_against",
        rewritten("(mean - beta * level)", "(mean - level)"),
    ),
    Mutant(
        "the benchmark begins at the first open",
        f"{CURVE}.run_prices:_line",
        rewritten("if first else", "if False else"),
    ),
    Mutant(
        "a symbol that comes later counts before",
        f"{CURVE}.run_prices:benchmark_of",
        rewritten("np.where(newest < 0, 1.0,", "np.where(newest < 0, 0.5,"),
    ),
    Mutant(
        "a drawdown begins where it is below",
        "tradenb.backtest.results.run_figures:drawdowns_of",
        rewritten("at[rows[place] - 1]", "at[rows[place]]"),
    ),
    Mutant("open results are not summed", f"{CURVE}.marks:_sum", always(lambda values: 0.0)),
    Mutant(
        "open positions are no exposure",
        "tradenb.backtest.results.run_figures:stretches_of_fills",
        rewritten("end + 1", "since + 1"),
    ),
    Mutant(
        "all of the candle of a stop counts",
        "tradenb.statistics.excursions:_Columns._at_end",
        rewritten("seen = [begin, path.exit]\n", "seen = [low, high]\n"),
    ),
    Mutant(
        "a new average counts from the beginning",
        "tradenb.statistics.excursions:_Columns.excursion",
        rewritten("self._range(rows[place] + 1,", "self._range(rows[0] + 1,"),
    ),
    Mutant(
        "risk is measured from the average entry",
        "tradenb.statistics.excursions:_Columns.excursion",
        rewritten("path.entries[0][1]", "path.entries[-1][1]"),
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_recomputation_catches_the_mutant(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(mutant, monkeypatch)
    assert any(True for number in range(RUNS) for _ in differences(number))


def test_two_positions_ruined_at_one_close_are_told_from_a_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Minus times minus is plus: the golden case has a value above 0 at its ruin."""
    scenario, expect = load_golden("figures/ruin-same_candle_two_symbols")
    lenient = rewritten("if (factors <= 0).any() else []", "if False else []")
    planted(Mutant("no ruin", f"{CURVE}.marks:marked_curve", lenient), monkeypatch)
    assert figure_differences(on_tradenb(scenario).result, expect) != []


def test_the_statistics_of_the_equity_are_those_of_the_result() -> None:
    result = played(2)[0]
    found = tn.stats(
        result.trades, start=result.start, end=result.end, equity=result.equity, instances=1
    )
    prices = {
        "benchmark_return",
        "benchmark_drawdown",
        "alpha",
        "beta",
        "exposure",
        "open",
        "open_pnl",
    }
    for name, value in result.stats.items():
        if name not in prices:
            assert near(found[name], value), name


def test_a_part_of_a_run_begins_at_the_value_before_it() -> None:
    result = played(3)[0]
    middle = result.start + 8 * DAY
    found = tn.stats(result.trades, start=middle, end=result.end, equity=result.equity)
    before = result.equity[: pd.Timestamp(middle, unit="ms", tz="UTC")].iloc[-1]
    gained = (result.equity.iloc[-1] / before - 1) * 100
    assert found["compounded_return"] == pytest.approx(gained)
    assert (
        found["count"]
        == (result.trades.closed_at > pd.Timestamp(middle, unit="ms", tz="UTC")).sum()
    )
    assert math.isnan(found["annual_return"])  # eight days


@pytest.mark.parametrize(
    ("equity", "words"),
    [
        ([1.0, 2.0], "equity must be a Series by time"),
        (pd.Series([1.0, 2.0]), "equity must be a Series by time"),
        (pd.Series([1.0], index=pd.DatetimeIndex(["2020-01-01"])), "no value between"),
        (
            pd.Series([1.0, math.nan], index=pd.DatetimeIndex(["2024-01-02", "2024-01-03"])),
            "finite",
        ),
        (
            pd.Series([1.0, 2.0], index=pd.DatetimeIndex(["2024-01-03", "2024-01-02"])),
            "oldest first",
        ),
    ],
)
def test_what_is_no_equity_is_refused(equity: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        tn.stats([], start="2024-01-01", end="2024-02-01", equity=equity)


def test_a_frame_is_read_by_other_packages_as_it_is() -> None:
    daily = played(2)[0].daily
    assert isinstance(daily.index, pd.DatetimeIndex)
    assert daily.index.is_unique
    assert daily.between(-1, 1).all()
    assert daily.index.tz_localize(None)[0] == pd.Timestamp("2024-01-01")


def test_years_begin_at_new_year() -> None:
    rise = [100.0 + step for step in range(800)]
    index = pd.date_range("2022-11-01", periods=800, tz="UTC")
    columns = {"open": rise, "high": rise, "low": rise, "close": rise, "volume": 1.0}
    market = tn.frame_exchange(pd.DataFrame(columns, index=index), timeframe="1d")
    holds = tn.strategy("holds", every="1d")(lambda ctx: tn.long(stop_loss=tn.percent(15)))
    result = tn.backtest.run("X", strategy=holds, exchange=market, progress=False)
    found = result.returns("year")
    assert found.index.to_list() == [pd.Timestamp(f"{year}-01-01", tz="UTC") for year in
                                     (2022, 2023, 2024, 2025)]  # fmt: skip
    ends = result.equity.reindex(pd.date_range("2023-01-01", periods=3, freq="YS", tz="UTC"))
    values = np.array([1.0, *ends, result.equity.iloc[-1]])
    assert found.to_numpy() == pytest.approx((values[1:] / values[:-1] - 1) * 100)


@pytest.mark.parametrize("length", ["day", "week", "month", "year"])
def test_returns_compound_to_the_equity(length: Any) -> None:
    result = played(3)[0]
    grown = np.prod(1 + result.returns(length) / 100)
    assert grown == pytest.approx(result.equity.iloc[-1])


def test_a_period_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown period 'hour'"):
        played(2)[0].returns("hour")


@pytest.mark.parametrize(("days", "covered"), [(10, 40.0), (11, 29.0)])
def test_more_than_ten_days_without_a_candle_are_not_covered(days: int, covered: float) -> None:
    closes = T0 + DAY * np.array([*range(1, 11), *range(11 + days, 41)])
    found = covered_by(closes, DAY)
    assert found.length / DAY == covered
    assert whole(T0, T0).length == 0
    assert union([found, whole(T0, T0 + 40 * DAY)]).length == 40 * DAY
