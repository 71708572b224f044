"""Sweeps: a row a combination, the same wherever it runs, resumed, honest about errors."""

from __future__ import annotations

import concurrent.futures
import copy
import math
import os
import subprocess
import sys
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tradenb as tn
from tradenb.engine.specs.registry import registry
from tradenb.errors import StateError, UsageError
from tradenb.research.sweep.cache_key import sweep_key
from tradenb.research.sweep.sweep_trial import Settings

SCRIPT = Path(__file__).with_name("cluster.py")
WALK = tn.testing.random_walk(seed=5, days=16)
GRID = {"gain": [1.01, 1.02], "loss": [0.99, 0.98]}
made: list[tuple[float, float]] = []
FACTOR = 1.0


def factory(gain, loss):
    made.append((gain, loss))

    @tn.strategy("always", every="1h")
    def always(ctx):
        return tn.long(
            take_profit=gain * FACTOR * ctx.price, stop_loss=loss * ctx.price, minutes=600
        )

    return always


@pytest.fixture
def sweep(tmp_path):
    made.clear()
    return partial(
        tn.sweep,
        factory,
        grid=GRID,
        symbols="BTCUSDT",
        exchange=WALK,
        home=tmp_path,
        progress=False,
    )


def test_a_row_is_what_a_backtest_of_the_combination_gives(sweep):
    table = sweep()
    assert list(table.columns[:3]) == ["gain", "loss", "count"]
    assert table[["gain", "loss"]].values.tolist() == [
        [1.01, 0.99], [1.01, 0.98], [1.02, 0.99], [1.02, 0.98]
    ]  # fmt: skip
    for row in table.to_dict("records"):
        result = tn.backtest.run(
            "BTCUSDT", strategy=factory(row["gain"], row["loss"]), exchange=WALK, progress=False
        )
        assert result.figures["count"] > 10
        assert {name: row[name] for name in result.figures} == pytest.approx(
            result.figures, rel=0, abs=0, nan_ok=True
        )
        assert row["open"] == len(result.open)
        assert row["error"] is None


def test_finished_combinations_are_taken_from_disk_bit_by_bit(sweep):
    first = sweep(grid={"gain": [1.01], "loss": [0.99, 0.98]})
    made.clear()
    whole = sweep()
    assert made[1:] == [(1.02, 0.99), (1.02, 0.98)]  # made[0] asks how much history is wanted
    pd.testing.assert_frame_equal(whole.iloc[:2], first, check_exact=True)
    made.clear()
    pd.testing.assert_frame_equal(sweep(), whole, check_exact=True)
    assert len(made) == 1
    sweep(resume=False)
    assert len(made) == 6


def test_a_line_that_was_cut_off_is_made_again(sweep, tmp_path):
    whole = sweep()
    (file,) = tmp_path.glob("research/*.jsonl")
    file.write_bytes(file.read_bytes()[:-40])
    made.clear()
    pd.testing.assert_frame_equal(sweep(), whole, check_exact=True)
    assert made[1:] == [(1.02, 0.98)]
    made.clear()
    sweep()
    assert len(made) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"rules": tn.Rules(fee_percent=0.05)},
        {"end": "2024-01-10"},
        {"exchange": tn.testing.random_walk(seed=6, days=16)},
    ],
)
def test_another_period_or_market_or_rule_is_another_sweep(sweep, change):
    before = sweep()
    made.clear()
    assert not sweep(**change).equals(before)
    assert len(made) == 5


def test_another_value_that_the_factory_names_is_another_sweep(sweep, monkeypatch):
    before = sweep()
    monkeypatch.setitem(globals(), "FACTOR", 1.01)
    assert not sweep().equals(before)


class Costs:
    def __init__(self, factor):
        self.factor = factor


LATE = 1_500
TABLE = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Costs(1.0), Costs(1.01)),
        ([1.0] * 2_000, [1.0] * LATE + [1.01] + [1.0] * (1_999 - LATE)),
        ({"a": [np.arange(5)]}, {"a": [np.arange(5) + 1]}),
        (TABLE, TABLE.rename(columns={"a": "b", "b": "a"})),
        (TABLE.a, TABLE.a[::-1]),
        ({1, 2}, {1, 3}),
        (np.array([[1], [2, 3]], object), np.array([[1], [2, 4]], object)),
        (pd.DataFrame({"a": [[1.0], [2.0]]}), pd.DataFrame({"a": [[1.0], [2.5]]})),
        (pd.Series([{"a": 1}], index=["x"]), pd.Series([{"a": 1}], index=["y"])),
        (pa.array([1.0]), pa.array([1.01])),
        (pa.table({"a": [1.0] * LATE}), pa.table({"a": [1.0] * (LATE - 1) + [1.01]})),
        (pl.Series([1.0]), pl.Series([1.01])),
        (pl.DataFrame({"a": [1.0]}), pl.DataFrame({"a": [1.01]})),
    ],
)
def test_whatever_is_in_a_value_that_the_factory_names_counts(monkeypatch, before, after):
    def reading(gain):
        return factory(gain, 0.99 * LOOKED_AT[0])

    found = []
    for value in (before, copy.deepcopy(before), after):
        monkeypatch.setitem(globals(), "LOOKED_AT", value)
        found.append(sweep_key(reading, "candles", "walk", SETTINGS))
    assert found[0] == found[1]
    assert found[0] != found[2]


def closing_over(value):
    def reading(gain):
        return factory(gain, 0.99 * value.g.max())

    return reading


def in_another_module(value):
    module = ModuleType("another")
    exec("def g():\n    return G", vars(module))
    module.G = value  # type: ignore[attr-defined]

    def reading(gain):
        return factory(gain, 0.99 * module.g())

    return reading


def cached(value):
    @cache
    def looked_up():
        return value

    def reading(gain):
        return factory(gain, 0.99 * looked_up())

    return reading


def by_default(value):
    def reading(gain, table=value):
        return factory(gain, 0.99 * table.g.max())

    return reading


def in_a_partial(value):
    return partial(lambda table, gain: factory(gain, table.g.max()), value)


class Holder:
    def __init__(self, value):
        self.value = value

    def __call__(self, gain):
        return factory(gain, self.value.g.max())

    def reading(self, gain):
        return self(gain)


@dataclass(slots=True)
class Slotted:
    value: Any


def in_slots(value):
    held = Slotted(value)
    return lambda gain: factory(gain, held.value.g.max())


def in_a_method(value):
    class Helper:
        def level(self):
            return value

    def reading(gain):
        return factory(gain, Helper().level().g.max())

    return reading


def in_a_table_of_functions(value):
    readers = {"g": lambda: value}
    return lambda gain: factory(gain, readers["g"]().g.max())


def in_a_module_of_a_module(value):
    inner, outer = ModuleType("outer.inner"), ModuleType("outer")
    inner.G, outer.inner = value, inner  # type: ignore[attr-defined]
    return lambda gain: factory(gain, outer.inner.G.g.max())


def by_its_name(value):
    module = ModuleType("another")
    module.G = value  # type: ignore[attr-defined]
    return lambda gain: factory(gain, getattr(module, "G").g.max())  # noqa: B009 - by its name


def in_a_list(value):
    held = [value]
    return lambda gain: factory(gain, len(held))


FRAMES = (pd.DataFrame({"g": [1.0]}), pd.DataFrame({"g": [1.01]}))


@pytest.mark.parametrize(
    ("reading", "before", "after"),
    [
        (closing_over, *FRAMES),
        (in_another_module, 1.0, 1.01),
        (cached, 1.0, 1.01),
        (by_default, *FRAMES),
        (in_a_partial, *FRAMES),
        (Holder, *FRAMES),
        (lambda value: Holder(value).reading, *FRAMES),
        (in_slots, *FRAMES),
        (in_a_method, *FRAMES),
        (in_a_table_of_functions, *FRAMES),
        (in_a_module_of_a_module, *FRAMES),
        (by_its_name, *FRAMES),
        (in_a_list, pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")),
        (in_a_list, np.int64(1), np.int64(2)),
    ],
)
def test_whatever_the_factory_reaches_counts(reading, before, after):
    keys = [
        sweep_key(reading(value), "candles", "walk", SETTINGS) for value in (before, before, after)
    ]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


MEMBERS = {
    "property": "level = property(lambda self: {})",
    "setter": "level = property(lambda self: 1, lambda self, value: {})",
    "cached_property": "level = functools.cached_property(lambda self: {})",
    "partialmethod": "level = functools.partialmethod(lambda self, x: x, {})",
    "partialmethod_code": "level = functools.partialmethod(lambda self, x: x + {}, 1)",
    "singledispatchmethod": "level = functools.singledispatchmethod(lambda self, x: {})",
    "singledispatch": "level = staticmethod(functools.singledispatch(lambda x: {}))",
    "registered": "level = staticmethod(dispatched({}))",
    "classmethod": "level = classmethod(lambda cls: {})",
    "descriptor": "level = Descriptor({})",
    "descriptor_code": "level = type('D', (), dict(__get__=lambda self, a, b: {}))()",
    "class_getitem": "__class_getitem__ = classmethod(lambda cls, key: {})",
    "cache": "level = functools.cache(lambda self: {})",
    "inner": "level = type('Inner', (), dict(f=property(lambda self: {})))",
}


def member(name, value):
    """A factory that reads an object whose class has one member."""
    text = (
        "import functools\n"
        "class Descriptor:\n"
        "    def __init__(self, value): self.value = value\n"
        "    def __get__(self, owner, kind): return self.value\n"
        "def dispatched(value):\n"
        "    level = functools.singledispatch(lambda x: 0)\n"
        "    level.register(int, {1: lambda x: 1, 2: lambda x: 2}[value])\n"
        "    return level\n"
        f"class Thing:\n    {MEMBERS[name].format(value)}\n"
        "thing = Thing()\n"
        "def reading(gain):\n    return factory(gain, thing.level)\n"
    )
    space = {"__name__": "a_cell", "factory": factory}
    exec(compile(text, "<cell>", "exec"), space)
    return space["reading"]


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_of_the_class_of_a_value_counts(name):
    keys = [sweep_key(member(name, value), "c", "walk", SETTINGS) for value in (1, 1, 2)]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_the_metaclass_of_a_value_counts():
    def reading_of(value):
        kind = type("Kind", (type,), {"level": property(lambda cls: value)})
        thing = kind("Thing", (), {})()
        return lambda gain: factory(gain, type(thing).level)

    keys = [sweep_key(reading_of(value), "c", "walk", SETTINGS) for value in (1, 1, 2)]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_names_that_are_computed_are_noted_where_rows_come_from_disk(sweep, caplog):
    def looking(gain, loss):
        return factory(gain, loss * globals()["FAC" + "TOR"])

    again = partial(sweep.func, looking, **sweep.keywords)
    with caplog.at_level("INFO", "tradenb"):
        again()
        assert not caplog.messages
        again()
    (words,) = caplog.messages
    assert "4 combinations were taken from disk" in words
    assert "(globals)" in words
    assert "resume=False" in words


def test_what_the_factory_counts_for_itself_is_no_other_sweep(sweep):
    calls = []

    def counting(gain, loss):
        calls.append(gain)
        return factory(gain, loss)

    again = partial(sweep.func, counting, **sweep.keywords)
    pd.testing.assert_frame_equal(again(), again(), check_exact=True)
    assert len(calls) == 4 + 2  # each sweep asks once how much history is wanted


@pytest.mark.parametrize(
    ("keep", "look"),
    [
        (lambda table: table, lambda held: held),
        (lambda table: {"BTCUSDT": [table]}, lambda held: held["BTCUSDT"][0]),
        (lambda table: SimpleNamespace(table=table), lambda held: held.table),
    ],
)
def test_a_table_that_the_factory_adds_to_is_an_input_of_it(sweep, keep, look):
    def totals(stop):
        held = keep(pd.DataFrame({"stop": [stop]}))

        def adding(gain, loss):
            table = look(held)
            if "tight" not in table:
                table["tight"] = table.stop * loss
            return factory(gain, float(table.tight.iloc[0]))

        return sweep.func(adding, **sweep.keywords)["total_pnl"].tolist()

    first, other = totals(1.0), totals(0.995)
    assert first != other
    made.clear()
    assert totals(0.995) == other
    assert len(made) == 1  # how much history is wanted


@pytest.mark.parametrize(
    ("unloaded", "load"),
    [(None, lambda stop: [stop]), ({}, lambda stop: {0: np.array(stop)})],
)
def test_what_the_factory_loads_when_it_is_first_called_is_an_input_of_it(sweep, unloaded, load):
    def totals(stop):
        held = unloaded

        def loading(gain, loss):
            nonlocal held
            held = held or load(stop)
            return factory(gain, loss * float(held[0]))

        return sweep.func(loading, **sweep.keywords)["total_pnl"].tolist()

    assert totals(1.0) != totals(0.995)


LOOKED_AT: Any = None
SETTINGS = Settings(("BTCUSDT",), None, None, tn.Rules())


def test_errors_are_rows(sweep):
    def broken(what):
        if what == "factory":
            raise LookupError("no such thing")
        if what == "none":
            return None

        @tn.strategy("broken", every="1h")
        def asked(ctx):
            return ctx.indicators["a"] and 1 / 0

        @asked.indicators("1h")
        def columns(df):
            return {"a": df.close if what == "ask" else df.nothing}

        return asked

    table = tn.sweep(
        broken,
        grid={"what": ["factory", "none", "indicator", "ask"]},
        symbols="BTCUSDT",
        exchange=WALK,
        progress=False,
    )
    assert table.error[0] == "LookupError: no such thing"
    assert "must return a strategy" in table.error[1]
    assert "AttributeError" in table.error[2]
    assert table.error[3] is None
    assert table.errors.tolist() == table.asks.tolist() == [0, 0, 0, 16 * 24]
    assert math.isnan(table.total_pnl[0])
    assert (table["count"][3], table.open[3]) == (0, 0)
    assert math.isnan(table.total_pnl[3])


def test_what_failed_is_said_and_tried_again(sweep, caplog):
    broken = {"when": True}

    def moody(gain):
        if broken["when"] and gain > 1.01:
            raise LookupError("not now")
        return factory(gain, 0.99)

    grid = {"gain": [1.01, 1.02, 1.03]}
    again = partial(
        sweep.func, moody, grid=grid, symbols="BTCUSDT", exchange=WALK, progress=False,
        home=sweep.keywords["home"],
    )  # fmt: skip
    assert again().error.tolist() == [None, "LookupError: not now", "LookupError: not now"]
    assert caplog.messages == [
        "2 of 3 combinations failed, see the column error; the first: LookupError: not now"
    ]
    broken["when"] = False
    assert again()["error"].isna().all()


def test_functions_that_fail_in_every_ask_are_said(caplog):
    def failing(gain):
        @tn.strategy("failing", every="1h")
        def asked(ctx):
            return gain / 0

        return asked

    tn.sweep(failing, grid={"gain": [1, 2]}, symbols="BTCUSDT", exchange=WALK, progress=False)
    (words,) = caplog.messages
    assert words.startswith("functions failed in 2 of 2 combinations, see the column first_error")


def test_none_and_numbers_stay_what_they_were(sweep):
    def optional(limit):
        return factory(1.01, 0.99 if limit is None else 1 - limit / 100)

    table = tn.sweep(
        optional, grid={"limit": [None, 1, 2]}, symbols="BTCUSDT", exchange=WALK, progress=False
    )
    assert table.limit.tolist() == [None, 1, 2]
    assert [type(value) for value in table.limit] == [type(None), int, int]


def test_a_sweep_says_of_its_candles_what_a_backtest_says(sweep, caplog):
    with pytest.raises(tn.CandleError, match="no candles in the requested period"):
        sweep(start="2029-01-01")
    sweep(end="2029-01-01")
    assert "there are only candles from 2024-01-01 00:00 to 2024-01-17 00:00" in caplog.messages[0]
    tn.compare([factory(1.01, 0.99)], symbols="BTCUSDT", exchange=WALK, end="2029-01-01")
    assert caplog.messages[1] == caplog.messages[0]


def test_a_home_that_cannot_be_written_is_named(sweep, tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(tn.StateError, match=r"research could not be written .*home="):
        sweep(home=file)


def test_a_sweep_in_which_all_fail_raises(sweep):
    def never(gain):
        raise LookupError(f"no {gain}")

    words = r"all 2 combinations failed, the first: LookupError: no 1\.01"
    with pytest.raises(tn.StrategyError, match=words):
        tn.sweep(
            never, grid={"gain": [1.01, 1.02]}, symbols="BTCUSDT", exchange=WALK, progress=False
        )


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"gian": [1.01], "loss": [0.99]}, "unknown parameter of the strategy factory 'gian'; did"),
        ({"gain": [1.01]}, "the strategy factory takes gain, loss; the grid lacks loss"),
        ({"gain": [1.01], "loss": [0.99], "x": [1]}, "unknown parameter of the strategy factory"),
    ],
)
def test_parameters_that_the_factory_does_not_take_are_refused_at_once(sweep, grid, words):
    with pytest.raises(UsageError, match=words):
        sweep(grid=grid)
    assert made == []


def test_a_factory_that_takes_anything_is_taken(sweep):
    def anything(**given):
        return factory(**given)

    expected = sweep()
    table = tn.sweep(anything, grid=GRID, symbols="BTCUSDT", exchange=WALK, progress=False)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_threads_make_the_same_table(sweep, tmp_path):
    expected = sweep()
    with ThreadPoolExecutor(2) as pool:
        found = sweep(executor=pool, home=tmp_path / "threads")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_what_the_factory_registers_is_forgotten(sweep):
    @tn.strategy("always", every="5m")
    def mine(ctx):
        return None

    assert sweep()["error"].isna().all()
    assert registry.known("strategy", "always") is mine


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, "at least one combination"),
        ({"gain": []}, "at least one combination"),
        ({"gain": 1.01}, "'gain' must have a list of values, was 1.01"),
        ({"gain": [object()]}, "values must be strings, numbers, booleans or None"),
        ({"gain": [float("nan")]}, "values must be strings, numbers"),
        ({"gain": [1, 1]}, "duplicate combination"),
        ([{"gain": 1}, {"loss": 1}], "must name the same parameters"),
        ({"sharpe": [1]}, r"must not be named like figures of the table: \['sharpe'\]"),
        ("gain", "grid must be a dict such as"),
    ],
)
def test_a_grid_that_cannot_work_is_refused(sweep, grid, words):
    with pytest.raises(UsageError, match=words):
        sweep(grid=grid)


def test_numpy_numbers_and_lists_of_combinations_are_taken(sweep):
    whole = sweep(grid={"gain": np.array([1.01, 1.02]), "loss": [np.float64(0.98)]})
    listed = sweep(grid=[{"gain": 1.01, "loss": 0.98}, {"gain": 1.02, "loss": 0.98}])
    pd.testing.assert_frame_equal(whole, listed, check_exact=True)


def test_what_was_finished_before_a_worker_died_is_kept(sweep, monkeypatch):
    """Also where a busy machine looks at it after the pool is broken."""

    def dies(*_):
        raise BrokenExecutor("it was killed")

    class Dying(ThreadPoolExecutor):
        def submit(self, function, *given):
            last = given[-1] == [{"gain": 1.02, "loss": 0.98}]
            return super().submit(dies if last else function, *given)

    def broken_first(futures):
        return sorted(futures, key=lambda future: future.exception() is None)

    monkeypatch.setattr(concurrent.futures, "as_completed", broken_first)
    with Dying(1) as pool, pytest.raises(StateError, match=r"died \(it was killed\)"):
        sweep(executor=pool)
    made.clear()
    sweep()
    assert made[1:] == [(1.02, 0.98)]


def test_arguments_that_cannot_work_are_refused(sweep):
    with pytest.raises(UsageError, match="executor must be None, an executor"):
        sweep(executor=5)
    with pytest.raises(UsageError, match="executor must be None, an executor"):
        sweep(executor=ThreadPoolExecutor)
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(UsageError, match="the executor takes no more trials: cannot schedule"):
        sweep(executor=pool)
    with pytest.raises(UsageError, match="strategy_factory must be a function"):
        tn.sweep(factory(1.01, 0.99), grid=GRID, symbols="BTCUSDT", exchange=WALK)


@pytest.mark.parametrize("where", ["pools", "dask", "dask_of_one", "deadly"])
def test_worker_processes_make_the_same_table_and_one_that_is_killed_loses_nothing(where, tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), where, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=SCRIPT.parents[2],
    )
    assert done.stdout == "the same\n", done.stderr[-3000:]


def test_a_sweep_takes_candles_of_any_length_and_a_shorter_interval_is_a_row(monkeypatch, tmp_path):
    monkeypatch.setenv("TRADENB_HOME", str(tmp_path))
    walk = tn.candles("BTCUSDT", exchange=tn.testing.random_walk(seed=9, days=60), timeframe="4h")
    source = tn.frame_exchange(walk, timeframe="4h")

    def make(every, stop):
        @tn.strategy("of-any-length", every=every)
        def buys(ctx):
            return tn.long(stop_loss=tn.percent(stop), take_profit=tn.percent(3), minutes=2880)

        return buys

    grid = {"every": ["4h", "1d", "1h"], "stop": [2.0]}
    table = tn.sweep(make, grid=grid, symbols="BTCUSDT", exchange=source).set_index("every")
    for every in ("4h", "1d"):
        one = tn.backtest.run("BTCUSDT", strategy=make(every, 2.0), exchange=source, progress=False)
        assert table.loc[every, "count"] == one.figures["count"] > 5
        assert table.loc[every, "total_pnl"] == one.figures["total_pnl"]
    assert "must be a multiple of the candles" in table.loc["1h", "error"]
    folds = tn.walk_forward(
        make, grid={"every": ["4h", "1d"], "stop": [2.0]}, symbols="BTCUSDT", exchange=source,
        train="20d", test="14d", metric="total_pnl",
    )  # fmt: skip
    assert len(folds.table) > 1


def crossing(fast, slow):
    @tn.strategy("crossing", every="1h")
    def own(ctx):
        close = ctx.candles("15m", slow).close
        if close[-fast:].mean() > close.mean():
            return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=240)
        return None

    return own


def is_crossing(p):
    return p["fast"] < p["slow"]


def test_where_leaves_combinations_out(tmp_path):
    given = {"symbols": "BTCUSDT", "exchange": WALK, "home": tmp_path, "progress": False}
    grid = {"fast": [5, 20], "slow": [10, 20, 40]}
    table = tn.sweep(crossing, grid=grid, where=is_crossing, **given)
    assert table[["fast", "slow"]].values.tolist() == [[5, 10], [5, 20], [5, 40], [20, 40]]
    walked = tn.walk_forward(
        crossing, grid=grid, where=is_crossing, train="5d", test="5d", metric="total_pnl", **given
    )
    assert walked.combinations == 4
    assert (walked.table["fast"] < walked.table["slow"]).all()


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (lambda p: False, "where leaves none of the 2 combinations"),
        (lambda p: p["fats"], r"where failed on \{'fast': 5, 'slow': 10\}: KeyError: 'fats'"),
        ("fast < slow", "where must be a function of a combination"),
    ],
    ids=["none", "failing", "text"],
)
def test_a_where_that_cannot_work_is_refused(where, words):
    grid = {"fast": [5], "slow": [10, 20]}
    with pytest.raises(UsageError, match=words):
        tn.sweep(crossing, grid=grid, where=where, symbols="BTCUSDT", exchange=WALK)


def test_a_trial_is_a_row_of_a_sweep_and_is_run_once(tmp_path):
    made.clear()
    given = {"symbols": "BTCUSDT", "exchange": WALK, "home": tmp_path}
    trial = tn.trial(factory, **given)
    found = trial(gain=1.02, loss=0.98)
    table = tn.sweep(factory, grid={"gain": [1.02], "loss": [0.98]}, progress=False, **given)
    pd.testing.assert_series_equal(
        found, table.iloc[0][found.index].astype("float64"), check_names=False
    )
    count = made.count((1.02, 0.98))
    pd.testing.assert_series_equal(trial(gain=1.02, loss=0.98), found)
    assert made.count((1.02, 0.98)) == count
    again = tn.trial(factory, resume=False, **given)
    pd.testing.assert_series_equal(again(gain=1.02, loss=0.98), found)
    assert made.count((1.02, 0.98)) > count


def test_a_trial_loads_candles_once_and_has_folds():
    asked = []

    class Counted:
        name = WALK.name

        def load(self, request):
            asked.append(request.symbol)
            return WALK.load(request)

    trial = tn.trial(crossing, symbols="BTCUSDT", exchange=Counted(), start="2024-01-02")
    halves = [trial.between(None, "2024-01-08"), trial.between("2024-01-08", None)]
    counts = [half(fast=5, slow=20)["count"] for half in halves]
    assert all(counts)
    assert trial(fast=5, slow=20)["count"] >= sum(counts)
    assert asked == ["BTCUSDT"]
    with pytest.raises(UsageError, match="must lie within the period"):
        trial.between("2024-01-01", "2024-01-08")


def test_a_trial_that_cannot_work_says_so():
    trial = tn.trial(crossing, symbols="BTCUSDT", exchange=WALK)
    assert repr(trial) == "<trial of 'crossing'>"
    with pytest.raises(UsageError, match="pass the parameters by name"):
        trial()
    with pytest.raises(UsageError, match="the grid lacks slow"):
        trial(fast=5)
    with pytest.raises(tn.StrategyError, match=r"\{'fast': 'x', 'slow': 2\}: every ask failed|bad"):
        tn.trial(broken, symbols="BTCUSDT", exchange=WALK)(fast="x", slow=2)
    with pytest.raises(UsageError, match="strategy_factory must be a function"):
        tn.trial(crossing(5, 10), symbols="BTCUSDT", exchange=WALK)


def broken(fast, slow):
    raise ValueError("bad")


@pytest.mark.parametrize("together", [False, True])
def test_the_first_error_of_a_setting_is_kept(tmp_path, together):
    def make(win):
        @tn.strategy("failing", every="1h", risk=[tn.risks.max_open(5)] if together else ())
        def failing(ctx):
            if win == 30 and ctx.when.hour > 3:
                raise TypeError(f"slice of {win / 2} at {ctx.when.hour}")
            return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=40)

        return failing

    given = {"symbols": "BTCUSDT", "exchange": WALK, "home": tmp_path, "progress": False}
    for _ in range(2):  # the second time from disk
        table = tn.sweep(make, grid={"win": [20, 30]}, **given)
        right, failed = table["first_error"]
        assert right is None
        assert failed.startswith("strategy failing: TypeError: slice of 15.0 at 4 (line ")
        assert table["error"].isna().all()
    assert (table["errors"] > 0).tolist() == [False, True]


@pytest.mark.parametrize(
    ("forbidden", "terminal", "said"),
    [("1", True, ""), ("", True, "combinations"), ("", False, "")],
)
def test_a_bar_of_progress_is_shown_on_a_terminal_unless_the_environment_forbids_it(
    forbidden, terminal, said
):
    code = (
        "import sys\n"
        f"sys.stderr.isatty = lambda: {terminal}\n"
        "from tradenb.progress_bars import progress_bar\n"
        "with progress_bar('combinations', shown=True, total=2) as bar: bar.update(1)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TQDM_DISABLE": forbidden}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout == ""
    assert said in found.stderr
    assert bool(found.stderr) == bool(said)
