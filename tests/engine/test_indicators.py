"""Indicators: the last closed row and nothing later, the same bits in both modes."""

from __future__ import annotations

import linecache
import math
from functools import partial

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.sources import candles, market, minute
from tradenb.core.rules import Rules
from tradenb.engine.history.indicators import ClosedCandles, Indicators
from tradenb.engine.history.windows import Histories
from tradenb.engine.specs.registry import registry
from tradenb.errors import NotEnoughCandles, SpecError, UnknownName, UsageError
from tradenb.testing.world.simulated_world import Action, World

GRID = candles(market(3, 1_200))


def indicators(*declared, **closed):
    """The indicators of a strategy that declares these functions, {timeframe: function}."""
    made = strategy()
    for timeframe, function in declared:
        made.indicators(timeframe)(function)
    return Indicators(
        made.declared, ClosedCandles(Histories(lambda symbol: GRID), "BTCUSDT", **closed)
    )


def strategy(function=lambda ctx: None, **more):
    return tn.strategy("probe", **{"every": "5m", **more})(function)


def closes(df):
    return {"last": df.close, "mean": df.close.rolling(4).mean()}


def at(values, minutes):
    values.now = minute(minutes)
    return values


@pytest.mark.parametrize("minutes", [15, 29, 30, 44, 45, 1_199, 1_200])
def test_the_row_of_the_last_closed_candle_is_seen(minutes):
    values = at(indicators(("15m", closes)), minutes)
    assert values["last"] == GRID.close[minutes // 15 * 15 - 1]
    assert type(values["last"]) is float


def test_a_value_that_is_not_there_yet_is_nan_and_before_the_first_candle_there_is_none():
    values = indicators(("15m", closes))
    assert math.isnan(at(values, 59)["mean"])
    assert not math.isnan(at(values, 60)["mean"])
    with pytest.raises(
        NotEnoughCandles, match="no candle of indicator 'mean' closed by 2024-01-01"
    ):
        at(values, 14)["mean"]


def test_it_is_a_mapping_of_all_names():
    values = at(indicators(("15m", closes), ("1h", lambda df: {"high": df.high})), 600)
    assert list(values) == ["last", "mean", "high"]
    assert len(values) == 3
    assert "high" in values
    assert dict(values)["high"] == GRID.high[540:600].max()
    assert repr(values) == "Indicators(last, mean, high)"


def test_a_name_after_a_dot_is_answered_with_how_it_is_read():
    values = at(indicators(("15m", closes)), 600)
    with pytest.raises(AttributeError, match=r"read by name: ctx\.indicators\['mean'\]"):
        _ = values.mean


def test_a_name_nobody_makes_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="unknown indicator 'meen'; did you mean 'mean'"):
        at(indicators(("15m", closes)), 600)["meen"]
    with pytest.raises(
        UsageError, match="unknown indicator 'mean': this strategy has no indicators"
    ):
        at(indicators(), 600)["mean"]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda df: df.close, "must return a dict of columns or a DataFrame, returned Series"),
        (lambda df: {"a": df.close[5:]}, "'a' must have the rows of the frame it was given"),
        (lambda df: {"a": df.close.to_numpy()[5:]}, r"one number a candle \(80\), had shape \(75,"),
        (lambda df: {"a": np.array(5.0)}, r"one number a candle \(80\), was array\(5\.\)"),
        (lambda df: {"a": df.index}, "'a' must hold numbers, was datetime64"),
        (lambda df: {"a": df.close.reset_index(drop=True)}, r"reindex\(df\.index\) brings it back"),
        (lambda df: {"a": ["x"] * len(df)}, "'a' must hold numbers"),
        (lambda df: {5: df.close}, "names must be strings, one was 5"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(function, words):
    with pytest.raises(SpecError, match=words):
        at(indicators(("15m", function)), 1_200)["a"]


@pytest.mark.parametrize(
    "column",
    [
        lambda df: df.close > df.open,
        lambda df: (df.close > df.open).to_numpy(),
        lambda df: (df.close > df.open).astype("Int64"),
        lambda df: (df.close > df.open).astype("float32").tolist(),
    ],
)
def test_any_sort_of_number_is_taken(column):
    found = at(indicators(("15m", lambda df: {"up": column(df)})), 600)["up"]
    assert found == float(GRID.close[599] > GRID.open[585])


@pytest.mark.parametrize("level", [70, 70.0, np.float64(70)])
def test_a_single_number_is_a_level_of_every_candle(level):
    made = indicators(("15m", lambda df: {"upper": level}))
    assert at(made, 15)["upper"] == 70.0
    (computed,) = made.computed()
    assert set(computed.values.tolist()) == {70.0}
    assert len(computed.values) == len(computed.closes_at) > 0


def test_missing_values_of_nullable_columns_are_nan():
    def missing(df):
        return {"a": pd.array([None] * len(df), dtype="Float64")}

    assert math.isnan(at(indicators(("15m", missing)), 600)["a"])


def test_a_frame_is_taken_as_its_columns_and_is_the_functions_own():
    def spoiling(df):
        df["close"] = 0.0
        return df[["open", "close"]]

    values = at(indicators(("15m", spoiling), ("15m", closes)), 600)
    assert values["close"] == 0.0
    assert values["last"] == GRID.close[599]


def test_one_name_in_two_timeframes_is_refused():
    values = indicators(("15m", closes), ("1h", lambda df: {"mean": df.close}))
    with pytest.raises(SpecError, match="duplicate indicator 'mean', the second one on 1h"):
        at(values, 600)["last"]


def cell(made, text, *, number=1, name=""):
    """Run a notebook cell that declares indicators of the strategy dip."""
    space = {"dip": made, "__name__": "__main__"}
    exec(compile(text, name or f"cell {number}", "exec"), space)


@pytest.mark.parametrize("number", [1, 2], ids=["the same file", "another file"])
def test_a_cell_that_is_run_again_on_another_timeframe_replaces_its_indicators(number):
    made = strategy()
    text = "@dip.indicators('{}')\ndef mean(df):\n    return {{'mean': df.close}}"
    cell(made, text.format("15m"))
    cell(made, text.format("1h"), number=number)
    assert [item.timeframe for item in made.declared] == ["1h"]


@pytest.mark.parametrize(
    "text",
    [
        "for every in ('15m', '1h'):\n    @dip.indicators(every)\n    def mean(df): return {}",
        "@dip.indicators('15m')\n@dip.indicators('1h')\ndef mean(df): return {}",
        "@dip.indicators('15m')\ndef _(df): return {}\n@dip.indicators('1h')\ndef _(df): return {}",
        "dip.indicators('15m')(lambda df: {})\ndip.indicators('1h')(lambda df: {})",
    ],
    ids=["a loop", "two decorators", "one name", "no name"],
)
def test_a_cell_may_declare_indicators_of_one_name_on_two_timeframes_and_is_run_again(text):
    made = strategy()
    for _ in range(2):
        cell(made, text)
        assert sorted(item.timeframe for item in made.declared) == ["15m", "1h"]


TWO_OF_ONE_NAME = [
    "dip.indicators('15m')(lambda df: {'a': 1})\ndip.indicators('15m')(lambda df: {'b': 2})",
    "dip.indicators('15m')(lambda df: {'a': 1}); dip.indicators('15m')(lambda df: {'b': 2})",
    "@dip.indicators('15m')\ndef _(df): return {}\n@dip.indicators('15m')\ndef _(df): return {}",
    "for n in (3, 5):\n    @dip.indicators('15m')\n    def _(df, n=n): return {f'mean {n}': n}",
    "def all(on):\n    on(lambda df: {'a': 1})\n    on(lambda df: {})\nall(dip.indicators('15m'))",
]


@pytest.mark.parametrize("text", TWO_OF_ONE_NAME)
def test_two_functions_of_one_name_in_one_cell_do_not_replace_each_other(text, monkeypatch):
    monkeypatch.setitem(linecache.cache, "cell 1", (len(text), None, text.splitlines(True), ""))
    made = strategy()
    with pytest.raises(SpecError, match=r"on 15m are named '.*'; name each with its own def, or"):
        cell(made, text)


def test_a_function_of_a_file_that_was_edited_replaces_the_one_before(tmp_path):
    made, text = (
        strategy(),
        "@dip.indicators('15m')\ndef mean(df):\n    return {'mean': df.close}\n",
    )
    for above in ("", "# a line more\n"):
        (tmp_path / "own.py").write_text(above + text)
        cell(made, above + text, name=str(tmp_path / "own.py"))
        (item,) = made.declared
        assert item.function.__code__.co_firstlineno == 1 + bool(above)


@pytest.mark.parametrize("again", ["declare(5)", "declare(3)"])
def test_a_helper_or_a_method_that_is_called_again_replaces_what_it_declared(again):
    made = strategy()
    space = {"dip": made, "__name__": "__main__"}
    text = "def declare(n):\n    @dip.indicators('15m')\n    def mean(df): return {'mean': n}"
    exec(compile(text, "cell 1", "exec"), space)
    for call in ("declare(3)", again):
        exec(call, space)
        assert len(made.declared) == 1


def factory(lengths):
    @tn.strategy("in a factory", every="15m")
    def own(ctx):
        return None

    for length in lengths:

        @own.indicators("15m")
        def mean(df, length=length):
            return {f"mean {length}": df.close.rolling(length).mean()}

    return own


def test_a_loop_inside_the_function_that_makes_a_strategy_replaces_nothing():
    with pytest.raises(SpecError, match=r"on 15m are named '.*mean'; name each with its own def"):
        factory([3, 5])


def test_a_function_that_makes_a_strategy_may_be_called_again_and_a_loop_may_repeat_itself():
    for lengths in ([3], [5], [5, 5]):
        assert len(factory(lengths).declared) == 1


def mean_of(df, length):
    return {f"mean {length}": df.close.rolling(length).mean()}


class Mean:
    def __init__(self, length):
        self.length = length

    def columns(self, df):
        return mean_of(df, self.length)

    def __call__(self, df):
        return mean_of(df, self.length)


HOLDERS = {
    "partials": lambda length: partial(mean_of, length=length),
    "methods": lambda length: Mean(length).columns,
    "objects": Mean,
    "a partial of a method": lambda length: partial(Mean(length).columns),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=list(HOLDERS))
def test_one_function_with_two_values_held_is_two_indicators(hold):
    made = strategy()
    for length in (3, 5, 3):
        made.indicators("15m")(hold(length))
    values = Indicators(made.declared, ClosedCandles(Histories(lambda symbol: GRID), "BTCUSDT"))
    values.compute(GRID.start + 5 * 60 * 60_000)
    assert sorted(values) == ["mean 3", "mean 5"]


@pytest.mark.parametrize("name", ["columns", "__call__"])
def test_a_class_whose_cell_is_run_again_replaces_its_indicators(name):
    made = strategy()
    given = "Mean()" if name == "__call__" else f"Mean().{name}"
    for level in (1, 2):
        text = f"class Mean:\n    def {name}(self, df): return {{'level': {level}}}\n"
        cell(made, text + f"dip.indicators('15m')({given})")
        (item,) = made.declared
        assert item.function(None) == {"level": level}


def test_lambdas_of_two_cells_are_two():
    made = strategy()
    for number, timeframe in enumerate(("15m", "1h")):
        cell(made, f"dip.indicators('{timeframe}')(lambda df: {{}})", number=number)
    assert [item.timeframe for item in made.declared] == ["15m", "1h"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeframe": "7m"}, "timeframe of indicators must be one of 1m 3m"),
        ({"timeframe": "5m", "window": 5}, "give both or neither, because a window changes values"),
        ({"timeframe": "5m", "tolerance": 0.1}, "give both or neither"),
        ({"timeframe": "5m", "window": 0, "tolerance": 0.1}, "whole number of candles, at least 1"),
        ({"timeframe": "5m", "window": 5, "tolerance": 1}, "at least 0 and below 1"),
        ({"timeframe": "5m", "plot": ""}, "plot of indicators must be 'price' or the title"),
        ({"timeframe": "5m", "plot": {"mean": 3}}, "as a dict by name, with None"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(given, words):
    with pytest.raises(SpecError, match=words):
        strategy().indicators(**given)


def test_charts_get_the_values_with_their_closes_and_the_places_that_were_declared():
    made = strategy()

    @made.indicators("15m", plot={"mean": "price", "spread": None})
    def columns(df):
        return {"mean": df.close, "spread": df.high - df.low, "rest": df.volume}

    values = Indicators(made.declared, ClosedCandles(Histories(lambda symbol: GRID), "BTCUSDT"))
    values.compute(GRID.start + 60 * 60_000)
    mean, rest = values.computed()
    assert [(each.name, each.place, each.timeframe) for each in (mean, rest)] == [
        ("mean", "price", "15m"),
        ("rest", "", "15m"),
    ]
    assert mean.closes_at.tolist() == [
        GRID.start + minutes * 60_000 for minutes in (15, 30, 45, 60)
    ]
    assert mean.values.tolist() == GRID.close[14:60:15].tolist()


def test_a_place_for_an_indicator_that_is_not_made_is_an_error():
    made = strategy()
    made.indicators("15m", plot={"maen": "price"})(closes)
    values = Indicators(made.declared, ClosedCandles(Histories(lambda symbol: GRID), "BTCUSDT"))
    with pytest.raises(UnknownName, match="'maen'; did you mean 'mean'"):
        values.compute(GRID.start + 60 * 60_000)


def test_only_plain_functions_of_one_frame_are_declared():
    async def later(df):
        return {}

    with pytest.raises(SpecError, match="must be a plain function, not an async one"):
        strategy().indicators("5m")(later)
    with pytest.raises(SpecError, match="must take one argument"):
        strategy().indicators("5m")(lambda: None)


def test_a_declaration_replaces_the_one_of_the_same_name_and_is_a_revision():
    def declare(count):
        made = strategy()

        @made.indicators("15m")
        def means(df):
            return {"mean": df.close.rolling(count).mean()}

        return made

    made = declare(4)
    assert registry.revision("strategy", "probe") == 1
    declare(4)
    assert registry.revision("strategy", "probe") == 1
    assert declare(5).fingerprint != made.fingerprint
    assert registry.revision("strategy", "probe") == 2

    for _ in range(2):
        made.indicators("15m")(closes)
    assert [item.function.__name__ for item in made.declared] == ["means", "closes"]


def test_a_window_is_checked_against_its_tolerance():
    def smooth(df):
        return {"smooth": df.close.ewm(span=20).mean()}

    def windowed(tolerance):
        made = strategy()
        made.indicators("15m", window=40, tolerance=tolerance)(smooth)
        histories = Histories(lambda symbol: GRID)
        live = Indicators(made.declared, ClosedCandles(histories, "BTCUSDT", windowed=True))
        return at(live, 1_200), at(
            Indicators(made.declared, ClosedCandles(histories, "BTCUSDT")), 1_200
        )

    live, whole = windowed(0.01)
    assert live["smooth"] != whole["smooth"]
    assert live["smooth"] == pytest.approx(whole["smooth"], rel=0.01)
    with pytest.raises(UsageError, match=r"over a window of 40 candles and .* over all 80"):
        windowed(0.0)[0]["smooth"]


def test_a_backtest_computes_once_and_a_mistake_ends_it():
    calls, seen = [], []
    made = strategy(lambda ctx: seen.append((ctx.now, ctx.indicators["last"])))

    @made.indicators("15m")
    def counted(df):
        calls.append(len(df))
        return closes(df)

    walk = tn.testing.random_walk(seed=1, days=2)
    tn.backtest.run("BTCUSDT", strategy=made, exchange=walk, end="2024-01-02", progress=False)
    assert calls == [96]  # the day that is run, not the one after it
    assert len(seen) == 286  # the first 15m candle closes at the third multiple of 5m

    @made.indicators("15m")
    def broken(df):
        raise ZeroDivisionError("oh")

    with pytest.raises(tn.StrategyError, match="indicators of probe failed: ZeroDivisionError: oh"):
        tn.backtest.run("BTCUSDT", strategy=made, exchange=walk, progress=False)


def recorded(seen):
    """A strategy that notes the exact bits of what it sees; its mean depends on all candles."""

    def asked(ctx):
        seen[ctx.now] = {name: value.hex() for name, value in ctx.indicators.items()}

    made = strategy(asked, every="15m", history="5h")

    @made.indicators("1m")
    def fine(df):
        smooth = df.close.ewm(span=50).mean()
        return {"mean": df.close.rolling(96).mean(), "smooth": smooth, "rows": np.arange(len(df))}

    @made.indicators("1h")
    def coarse(df):
        return {"hourly": df.close.pct_change().cumsum()}

    return made


def only_what_is_asked_for(world):
    """Let the exchange answer as one whose history is not in memory."""
    load = world.exchange.load

    def cut(request):
        loaded = load(request)
        first = max(loaded.candles.start, request.start - request.history)
        return loaded._replace(candles=loaded.candles.between(first, loaded.candles.end))

    world.exchange.load = cut


def test_a_live_run_sees_the_bits_of_the_backtest_also_after_a_restart():
    live, tested = {}, {}
    start, middle, end = minute(600), minute(800), minute(1_000)
    world = World({"BTCUSDT": GRID}, start=start, runs=[("BTCUSDT", recorded(live))])
    only_what_is_asked_for(world)
    assert world.live(middle + 5_000)
    assert world.live(end + 5_000)
    assert world.checkpoint(world.wanted[0]).history_start == minute(300)

    frame = pd.DataFrame(
        {name: getattr(GRID, name) for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(GRID.time, unit="ms", utc=True),
    )
    tn.backtest.run(
        "BTCUSDT",
        strategy=recorded(tested),
        exchange=tn.frame_exchange(frame.iloc[300:]),
        start=start,
        end=end,
        rules=Rules(),
        progress=False,
    )
    assert len(tested) == 26
    assert live == tested


def test_a_run_that_begins_anew_begins_its_history_anew():
    live = {}
    made = recorded(live)
    world = World({"BTCUSDT": GRID}, start=minute(600), runs=[("BTCUSDT", made)])
    only_what_is_asked_for(world)
    process = world.process()
    run = process.runs[0]
    assert process.live(minute(700), [Action(minute(650), lambda _: run.stop())])
    assert world.checkpoint(world.wanted[0]).state.done
    world.live(minute(720))
    assert world.checkpoint(world.wanted[0]).history_start > minute(300)
