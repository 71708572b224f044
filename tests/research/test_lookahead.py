"""Look-ahead: leaking strategies are flagged with the line, clean ones are not."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.conftest import some_to_soak
from tests.research import cells, corpus, kept, nasty
from tradenb.core.timeframe import MINUTE
from tradenb.research.lookahead.noise import noisy_candles

lookahead = partial(
    tn.lookahead,
    symbols="BTCUSDT",
    exchange=corpus.EXCHANGE,
    start="2024-01-03",
    samples=2,
    events=3,
    progress=False,
)


def named(item):
    return item.__name__


@pytest.mark.parametrize("make", some_to_soak([*corpus.LEAKING, *nasty.LEAKING], keep=3), ids=named)
def test_a_leak_is_found_with_its_moment_and_its_line(make):
    found = lookahead(make())
    assert not found.clean
    for leak in found.found:
        assert leak.at <= leak.after
        source = Path(leak.line.file).read_text().splitlines()
        assert source[leak.line.number - 1].endswith("# leak"), leak.line
        assert Path(leak.line.file).parent == Path(make.__code__.co_filename).parent
    with pytest.raises(tn.LookaheadError, match="sees the future"):
        found.raise_if_leaking()


@pytest.mark.no_cover
@pytest.mark.parametrize("make", some_to_soak([*corpus.CLEAN, *nasty.CLEAN], keep=3), ids=named)
def test_a_clean_strategy_is_not_flagged(make):
    made = make()
    found = lookahead(made)
    assert found.found == []
    assert found.verdict == ("not proved" if make is nasty.static_file else "clean"), found
    assert found.moments > 4
    assert found.decisions > 50
    found.raise_if_leaking()
    result = tn.backtest.run(
        "BTCUSDT", strategy=made, exchange=corpus.EXCHANGE, start="2024-01-02", progress=False
    )
    assert len(result.event_list) > 4  # there was something to be changed


@pytest.mark.parametrize("name", some_to_soak(kept.LEAKING))
def test_candles_of_the_future_are_seen_in_whatever_they_are_kept(name):
    found = lookahead(kept.leaking(name), samples=0, events=2)
    assert found.found
    for leak in found.found:
        source = Path(kept.__file__).read_text().splitlines()
        assert source[leak.line.number - 1].endswith("# leak"), leak.line


@pytest.mark.no_cover
@pytest.mark.parametrize("decides", some_to_soak(kept.CLEAN), ids=named)
def test_tables_that_are_no_candles_are_no_leaks(decides):
    found = lookahead(kept.clean(decides), events=12)
    assert found.found == []
    assert found.verdict == ("not proved" if found.unproved else "clean")
    assert found.moments > 12


@pytest.mark.no_cover
@pytest.mark.parametrize("field", ["take_profit", "stop_loss", "minutes", "size"])
def test_the_field_that_saw_the_future_is_named(field):
    @tn.strategy("one", every="1h")
    def made(ctx):
        given = {"take_profit": 1.05 * ctx.price, "stop_loss": 0.9 * ctx.price, "minutes": 60}
        up = corpus.FRAME.close.asof(ctx.when + kept.AHEAD) > ctx.price
        return tn.long(**{**given, "size": 1.0, field: given.get(field, 1.0) + up})

    found = lookahead(made, samples=0, events=2)
    assert {leak.field for leak in found.found} == {field}


def test_answers_that_cannot_be_compared_are_no_leaks():
    @tn.strategy("odd", every="1h")
    def made(ctx):
        if ctx.when.hour % 3:
            return tn.long(take_profit=float("nan"), stop_loss=1.0, minutes=60)
        return np.array([1.0, ctx.price])

    assert lookahead(made).clean


def test_the_corpora_are_large_enough():
    assert min(len(corpus.LEAKING), len(corpus.CLEAN), len(nasty.LEAKING), len(nasty.CLEAN)) >= 12
    beforehand = len(cells.LEAKING) + len(INSIDE_LEAKING)
    assert beforehand >= 25
    assert beforehand + len(corpus.LEAKING) + len(nasty.LEAKING) + len(kept.LEAKING) >= 75
    assert len(corpus.CLEAN) + len(nasty.CLEAN) + len(cells.CLEAN) + len(INSIDE_KNOWN) >= 40


def test_a_table_with_a_future_is_named_even_if_it_is_read_well():
    found = lookahead(corpus.reading_only_what_is_known())
    assert found.clean
    assert len(found.warnings) == 1
    assert "it uses the table 'FRAME'" in found.warnings[0]


def test_what_cannot_be_replaced_is_named():
    by_hand = str(nasty.FOLDER / "hours.txt")
    (note,) = lookahead(nasty.static_file()).warnings
    assert note == f"it opens the file {by_hand!r}; its content was not replaced by noise"

    @tn.strategy("opens", every="1h")
    def opens(ctx):
        with open(by_hand) as file:  # noqa: PTH123 - as users do
            return corpus.buy(ctx) if str(ctx.when.hour) in file.read().split() else None

    (note,) = lookahead(opens).warnings
    assert note == f"it opens the file {by_hand!r}; its content was not replaced by noise"
    odd = np.arange(5_000.0)

    @tn.strategy("odd", every="1h")
    def made(ctx):
        return corpus.buy(ctx) if odd[ctx.when.hour] % 2 else None

    (note,) = lookahead(made).warnings
    assert note == (
        "it uses the array 'odd' (5,000 rows), whose times are unknown; it was not replaced by "
        "noise"
    )
    odd = odd.tolist()  # type: ignore[assignment]
    (note,) = lookahead(made).warnings
    assert note.startswith("it uses the list 'odd' (5,000 rows)")


def test_a_leak_is_found_quickly_and_the_bar_goes_away(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    began = time.process_time()
    found = tn.lookahead(
        corpus.normalised(), symbols="BTCUSDT", exchange=corpus.EXCHANGE, start="2024-01-02"
    )
    assert not found.clean
    assert found.moments < 20  # of the 165 that there are
    assert time.process_time() - began < 10
    assert capsys.readouterr().err.rsplit("\r", 1)[-1].strip() == ""


@pytest.mark.no_cover
def test_the_originals_are_not_touched():
    few = partial(lookahead, samples=1, events=1)
    frame, closes = corpus.FRAME.copy(), corpus.CLOSES.copy()
    seen = list(corpus.SEEN)
    for made in (corpus.global_frame(), corpus.global_array(), corpus.collecting()):
        few(made)
    asked = nasty.Counter.seen
    few(nasty.counting_in_the_class())
    assert nasty.Counter.seen == asked
    few(nasty.class_attribute())
    few(nasty.other_module())
    assert nasty.elsewhere.TABLE.index.freq == "15min"
    pd.testing.assert_frame_equal(corpus.FRAME, frame)
    assert (closes == corpus.CLOSES).all()
    assert list(corpus.SEEN) == seen


def test_a_strategy_that_is_not_reproducible_proves_nothing():

    @tn.strategy("dice", every="15m")
    def made(ctx):
        return corpus.buy(ctx) if random.random() < 0.5 else None

    found = lookahead(made)
    assert not found.reproducible
    assert not found.clean
    assert "two runs on the same candles differ" in repr(found)
    with pytest.raises(tn.LookaheadError):
        found.raise_if_leaking()


def test_where_nothing_was_tried_nothing_is_proved():
    made = corpus.rolling()
    for found in (lookahead(made, samples=0, events=0), lookahead(made, end="2024-01-03 00:10")):
        assert not found.clean
        assert "nothing was tested (0 moments, " in repr(found)
        with pytest.raises(tn.LookaheadError):
            found.raise_if_leaking()


def test_a_strategy_without_candidates_is_said_to_have_none():
    @tn.strategy("fails", every="1h")
    def fails(ctx):
        raise LookupError("no such thing")

    found = lookahead(fails)
    assert not found.clean
    assert repr(found).startswith(
        "fails: nothing was compared: each of 48 asks failed, the first: LookupError: no such thing"
    )
    (note,) = found.warnings
    assert note == (
        "it proposed nothing in this period (48 calls failed, the first: LookupError: no such "
        "thing), so there was little to compare"
    )


def test_the_report_is_a_frame_and_a_text():
    found = lookahead(corpus.shifted())
    first = found.leaks.iloc[0]
    assert first.field == "answer"
    assert first.known == "long"
    assert pd.isna(first.noisy)
    assert first["at"].tzname() == "UTC"
    assert first.source == "coming = df.close.shift(-1)  # leak"
    assert "line " in repr(found)
    assert "&lt;" not in repr(found)
    assert found._repr_html_().startswith("<div>shifted: sees the future (")
    assert lookahead(corpus.rolling()).leaks.empty


def test_candles_may_be_cut_off():
    after = corpus.GRID.start + 500 * MINUTE
    made = noisy_candles(corpus.GRID, after, "cut", 7)
    assert (made.start, made.end) == (corpus.GRID.start, after)


@pytest.mark.parametrize("noise", ["up", "down"])
def test_noise_keeps_what_was_known_and_is_a_market(noise):
    after = corpus.GRID.start + 500 * MINUTE
    made = noisy_candles(corpus.GRID, after, noise, 7)
    assert len(made) == len(corpus.GRID)
    for name in ("open", "high", "low", "close", "volume"):
        known, found = getattr(corpus.GRID, name), getattr(made, name)
        assert (found[:500] == known[:500]).all()
        assert (found[500:] != known[500:]).all()
    assert (made.low <= made.open).all()
    assert (made.low <= made.close).all()
    assert (made.high >= made.open).all()
    assert (made.high >= made.close).all()
    assert made.low.min() > 0


@pytest.mark.parametrize("name", ["samples", "events"])
@pytest.mark.parametrize("count", [-1, 1.5, "8", True])
def test_a_count_of_moments_that_is_none_is_said(name, count):
    spec = tn.strategy("quiet", every="1h")(lambda ctx: None)
    with pytest.raises(tn.UsageError, match=f"{name} must be a whole number of at least 0, was"):
        lookahead(spec, **{name: count})


def test_strategies_to_compare_are_a_list():
    spec = tn.strategy("quiet", every="1h")(lambda ctx: None)
    for given in (spec, "quiet", 5):
        with pytest.raises(tn.UsageError, match="strategies must be a list of them, was"):
            tn.compare(given, symbols="BTCUSDT", exchange=corpus.EXCHANGE)


@pytest.mark.parametrize("shown", [True, False])
def test_comparing_shows_how_far_it_is_unless_that_is_not_wanted(shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    specs = [tn.strategy(f"quiet {number}", every="1h")(lambda ctx: None) for number in range(3)]
    tn.compare(specs, symbols="BTCUSDT", exchange=corpus.EXCHANGE, progress=shown)
    assert ("compare" in capsys.readouterr().err) == shown


# ----------------------------------------------------------------------- what was made beforehand


def in_cells(pair, **more):
    spec, exchange = cells.celled(*pair)
    given = {"start": "2024-01-02", "samples": 3, "events": 8, "progress": False, **more}
    return tn.lookahead(spec, symbols="BTCUSDT", exchange=exchange, **given)


@pytest.mark.parametrize("name", some_to_soak(cells.LEAKING))
def test_a_leak_that_was_made_in_a_cell_above_is_found(name):
    found = in_cells(cells.LEAKING[name])
    assert found.verdict == "leaking", found
    making, condition = cells.LEAKING[name]
    lines = {f"if {condition}:", "t = ctx.when - minute", *map(str.strip, making.splitlines())}
    assert {leak.line.text for leak in found.found} <= lines
    with pytest.raises(tn.LookaheadError, match="sees the future"):
        found.raise_if_leaking()


@pytest.mark.no_cover
@pytest.mark.parametrize("name", some_to_soak(cells.CLEAN))
def test_what_was_made_in_a_cell_above_and_knows_no_future_is_clean(name):
    found = in_cells(cells.CLEAN[name])
    assert found.found == []
    assert found.verdict == "clean", found
    found.raise_if_leaking(strict=True)


def test_the_statement_that_made_the_leaking_rows_is_named():
    found = in_cells(cells.LEAKING["shifted column"])
    assert (
        "rows of df['x'] know what came later; they are made by: "
        'df["x"] = df.close.shift(-30) / df.close' in found.warnings
    )


def test_the_cells_are_run_apart_and_silently(capsys):
    making = "made = [] if 'made' not in globals() else made\nmade.append(1)\nprint('made')\n"
    spec, exchange = cells.celled(making + "x = df.close.rolling(60).mean()", "x[t] > ctx.price")
    space = spec.function.__globals__
    before = (space["x"].copy(), list(space["made"]))
    capsys.readouterr()
    found = tn.lookahead(
        spec, symbols="BTCUSDT", exchange=exchange, samples=2, events=2, progress=False
    )
    assert found.verdict == "clean"
    assert capsys.readouterr().out == ""
    assert (space["x"].equals(before[0]), space["made"]) == (True, before[1])


UNPROVED = {
    "of chance": "n = np.random.default_rng(1).normal(size=len(df))\n"
    "x = df.close.rolling(60).mean() + 0 * n",
    "of a file": "df.to_parquet('df.parquet')\n"
    "x = pd.read_parquet('df.parquet').close.rolling(9).mean()",
    "of no candles": "x = pd.Series(np.arange(5760.0), pd.date_range('2024-01-01', periods=5760, "
    "freq='min', tz='UTC'))",
    "of a state that is gone": "k = 3\nx = df.close.rolling(k).mean()\nx = x + 1 if k > 3 else x",
}  # fmt: skip


@pytest.mark.parametrize("name", UNPROVED)
def test_what_cannot_be_made_again_is_not_proved(name, tmp_path):
    with contextlib.chdir(tmp_path):
        spec, exchange = cells.celled(UNPROVED[name], "x[t] > ctx.price")
    if name == "of a state that is gone":
        spec.function.__globals__["x"] = spec.function.__globals__["x"] + 1
    found = tn.lookahead(
        spec, symbols="BTCUSDT", exchange=exchange, samples=2, events=2, progress=False
    )
    assert found.verdict == "not proved", found
    assert found.unproved == [
        "the table 'x' was made beforehand, and what its rows know cannot be followed"
    ]
    assert "celled: not proved (" in repr(found)
    found.raise_if_leaking()
    with pytest.raises(tn.LookaheadError, match="not proved"):
        found.raise_if_leaking(strict=True)


NUMBERS = {
    "of chance": "x = df.close.mean() + 0 * np.random.default_rng(1).normal()",
    "of a state that is gone": "k = 3\nx = df.close.mean() + k\nk = k + 1 if x < 0 else k",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_of_candles_that_cannot_be_made_again_is_not_proved(name):
    spec, exchange = cells.celled(NUMBERS[name], "x > ctx.price")
    if name == "of a state that is gone":
        spec.function.__globals__["x"] += 1
    found = tn.lookahead(
        spec, symbols="BTCUSDT", exchange=exchange, samples=2, events=2, progress=False
    )
    assert found.verdict == "not proved", found
    assert found.unproved == ["'x' was computed of candles beforehand, and could not be again"]


SCRIPT = """
found = tn.lookahead(
    celled, symbols="BTCUSDT", exchange=ex, start="2024-01-02", samples=3, events=8,
    progress=False,
)
x = 5
for x in (1, 2):
    pass
"""


def test_what_a_script_does_below_the_call_has_not_happened(tmp_path):
    making, condition = cells.LEAKING["a number of all"]
    text = cells.FIRST + making + cells.LAST.format(condition=condition) + SCRIPT
    path = tmp_path / "research.py"
    path.write_text(text)
    space = {"__name__": "celled", "__file__": str(path)}
    exec(compile(text, path, "exec"), space)
    assert space["found"].verdict == "leaking"


class Kept:
    """A strategy that is an object, and keeps a table."""

    def __init__(self, table):
        self.table = table

    def ask(self, ctx):
        return corpus.buy(ctx) if self.table[ctx.when - pd.Timedelta("1min")] > ctx.price else None

    __call__ = ask


@pytest.mark.parametrize(
    ("name", "made"),
    {
        "Kept.table": Kept,
        "ask.table": lambda table: Kept(table).ask,
        "partial.args[0].table": lambda table: partial(Kept.ask, Kept(table)),
    }.items(),
)
def test_a_table_that_a_strategy_holds_is_not_proved(name, made):
    table = pd.Series(np.arange(8640.0), pd.date_range("2024-01-01", periods=8640, freq="min"))
    found = lookahead(tn.strategy("holds", every="4h")(made(table.tz_localize("UTC"))))
    assert found.unproved == [
        f"the table {name!r} was made beforehand, and what its rows know cannot be followed"
    ]
    assert found.verdict == "not proved"


def test_a_fitted_object_is_named():
    from openpyxl import Workbook  # any object of a library

    model = Workbook()

    @tn.strategy("modelled", every="4h")
    def made(ctx):
        return corpus.buy(ctx) if len(model.sheetnames) == 1 else None

    (words,) = lookahead(made).unproved
    assert words.startswith("the Workbook 'model' was made beforehand")


@pytest.mark.no_cover
def test_a_callback_that_sees_the_future_is_found_and_its_memory_is_a_copy():
    calls, seen = [], {}

    def opened(event):
        calls.append(event.at)
        later = pd.Timestamp(event.at, unit="ms", tz="UTC") + kept.AHEAD
        seen["up"] = bool(corpus.FRAME.close.asof(later) > event.price)

    def asked(ctx):
        return corpus.buy(ctx, 0.006) if seen.pop("up", True) else None

    leaking = tn.strategy("called", every="15m", on_open=opened)(asked)
    found = lookahead(leaking, events=None, samples=5)
    assert found.verdict == "leaking"
    assert (calls, seen) == ([], {})

    def closed(event):
        calls.append(event.pnl_percent)

    def careful(ctx):
        return corpus.buy(ctx, 0.006) if sum(calls[-2:]) > -0.5 else None

    clean = tn.strategy("careful", every="15m", on_close=closed)(careful)
    assert lookahead(clean).verdict == "clean"
    assert calls == []


@pytest.mark.no_cover
@pytest.mark.parametrize("how", ["open", "path.open", "os.open", "read_text", "memmap", "sqlite3"])
def test_files_are_named_however_they_are_opened(how, tmp_path):
    import os
    import sqlite3

    file = tmp_path / "kept.txt"
    file.write_bytes(b"1" * 80)

    def read():
        match how:
            case "open":
                with open(file) as opened:  # noqa: PTH123 - as users do
                    return opened.read(1)
            case "path.open":
                with file.open() as opened:
                    return opened.read(1)
            case "os.open":
                number = os.open(file, os.O_RDONLY)
                try:
                    return os.read(number, 1).decode()
                finally:
                    os.close(number)
            case "read_text":
                return file.read_text()[0]
            case "memmap":
                return str(len(np.memmap(file)))[0]
            case "sqlite3":
                sqlite3.connect(tmp_path / "kept.txt").close()
                return "1"

    @tn.strategy("reading", every="4h")
    def made(ctx):
        return corpus.buy(ctx) if read() in "18" else None

    found = lookahead(made, samples=1, events=1)
    assert found.verdict == "not proved"
    assert any("kept.txt" in words for words in found.unproved), found


# ------------------------------------------------------ made in a function: evidence, no proof

INSIDE_LEAKING = {
    "series": (lambda df: df.close.shift(-30), lambda x, t, ctx, i: x[t] > ctx.price),
    "column": (
        lambda df: df.assign(y=df.close.shift(-30) / df.close - 1),
        lambda x, t, ctx, i: x.y[t] > 0.002,
    ),
    "dict": (
        lambda df: dict(zip(df.index, df.close.shift(-15), strict=True)),
        lambda x, t, ctx, i: x[t] > ctx.price,
    ),
    "array": (lambda df: df.close.shift(-60).to_numpy(), lambda x, t, ctx, i: x[i] > ctx.price),
    "list": (lambda df: df.close.shift(-60).tolist(), lambda x, t, ctx, i: x[i] > ctx.price),
    "label": (lambda df: np.sign(df.close.shift(-60) - df.close), lambda x, t, ctx, i: x[t] > 0),
    "centred": (
        lambda df: df.close.rolling(61, center=True).mean(),
        lambda x, t, ctx, i: x[t] > ctx.price,
    ),
    "hour not over": (
        lambda df: df.close.resample("4h").last(),
        lambda x, t, ctx, i: x.asof(t) > 1.001 * ctx.price,
    ),
    "days and minutes": (
        lambda df: df.close.to_numpy().reshape(-1, 1440),
        lambda x, t, ctx, i: x[divmod(i + 30, 1440)] > ctx.price,
    ),
    "how many follow": (
        lambda df: df.close.rolling(9).mean(),
        lambda x, t, ctx, i: (len(x) - i) % 7 < 4,
    ),
    "how many numbers follow": (
        lambda df: df.close.tolist(),
        lambda x, t, ctx, i: len(x) - i > 3_000,
    ),
    "the last of all": (
        lambda df: df.close.to_numpy(),
        lambda x, t, ctx, i: x[-1] > ctx.price,
    ),
    "coming high": (
        lambda df: df.high[::-1].rolling(60).max()[::-1],
        lambda x, t, ctx, i: x[t] > 1.004 * ctx.price,
    ),
}
INSIDE_CLEAN = {
    "mean": (lambda df: df.close.rolling(240).mean(), lambda x, t, ctx, i: x[t] > ctx.price),
    "past": (lambda df: df.close.pct_change(60), lambda x, t, ctx, i: x[t] > 0),
    "rank": (
        lambda df: df.close.rolling(300).rank(pct=True), lambda x, t, ctx, i: x[t] > 0.7
    ),
    "array": (lambda df: df.close.ewm(span=9).mean().to_numpy(),
              lambda x, t, ctx, i: x[i] > ctx.price),
    "a column beside": (
        lambda df: df.assign(y=df.close.shift(-30), z=df.close.rolling(9).mean()),
        lambda x, t, ctx, i: x.z[t] > ctx.price,
    ),
    "volume": (lambda df: df.volume.rolling(60).sum(), lambda x, t, ctx, i: x[t] > 60),
}  # fmt: skip
INSIDE = tn.testing.random_walk(seed=7, days=5)


def made_inside(pair, exchange=INSIDE):
    make, decides = pair
    df = tn.candles("BTCUSDT", exchange=exchange, progress=False)
    x, first, minute = make(df), df.index[0], pd.Timedelta("1min")

    @tn.strategy("inner", every="1h")
    def inner(ctx):
        t = ctx.when - minute
        if decides(x, t, ctx, int((t - first) / minute)):
            return corpus.buy(ctx)
        return None

    given = {"start": "2024-01-02", "samples": 2, "events": 3, "progress": False}
    return tn.lookahead(inner, symbols="BTCUSDT", exchange=exchange, **given)


INSIDE_KNOWN = {
    "yesterday's high": (
        lambda df: df.high.resample("1D").max().shift(1),
        lambda x, t, ctx, i: ctx.price > x.get(ctx.when.floor("D"), np.inf),
    ),
    "right-labelled": (
        lambda df: df.close.resample("4h", label="right", closed="left").last(),
        lambda x, t, ctx, i: len(x[: ctx.when]) and ctx.price < x[: ctx.when].iloc[-3:].mean(),
    ),
    "yesterday's candle": (
        lambda df: (
            df.resample("1D")
            .agg({"open": "first", "high": "max", "low": "min", "close": "last"})
            .shift(1)
        ),
        lambda x, t, ctx, i: ctx.price > x.close.get(ctx.when.floor("D"), np.inf),
    ),
    "days and minutes": (
        lambda df: df.close.to_numpy().reshape(-1, 1440),
        lambda x, t, ctx, i: x[divmod(i - 30, 1440)] > ctx.price,
    ),
    "hours": (
        lambda df: df.close.resample("1h").last(),
        lambda x, t, ctx, i: x[: t - pd.Timedelta("1h")].iloc[-1] > ctx.price,
    ),
}
INSIDE_UNCLEAR = {
    "mean of yesterday": (
        lambda df: df.close.resample("1D").mean().shift(1),
        lambda x, t, ctx, i: ctx.price > x.get(ctx.when.floor("D"), np.inf),
    ),
    "range of yesterday": (
        lambda df: (df.high.resample("4h").max() - df.low.resample("4h").min()).shift(1),
        lambda x, t, ctx, i: x.get(ctx.when.floor("4h"), 0) > 0.004 * ctx.price,
    ),
    "mean of today": (
        lambda df: df.close.resample("1D").mean(),
        lambda x, t, ctx, i: ctx.price > x[ctx.when.floor("D")],
    ),
}


@pytest.mark.no_cover
@pytest.mark.parametrize("name", some_to_soak(INSIDE_KNOWN))
def test_coarse_tables_that_are_candles_of_before_are_clean(name):
    found = made_inside(INSIDE_KNOWN[name])
    assert (found.verdict, found.found) == ("clean", []), found


@pytest.mark.parametrize("name", some_to_soak(INSIDE_UNCLEAR))
def test_of_other_coarse_tables_it_is_said_when_they_are_clean(name):
    found = made_inside(INSIDE_UNCLEAR[name])
    assert (found.verdict, found.found) == ("not proved", []), found
    assert "clean if row t of x is known at t, and not when the next begins" in found.unproved


def test_a_table_of_days_across_is_named():
    def days(df):
        minutes = df.index.hour * 60 + df.index.minute
        return df.assign(day=df.index.date, minute=minutes).pivot(
            index="minute", columns="day", values="close"
        )

    found = made_inside((days, lambda x, t, ctx, i: x.iloc[(i + 30) % 1440, 3] > ctx.price))
    assert found.verdict == "not proved"
    (words,) = found.unproved
    assert words == "it uses the table 'x' with dates for columns; it was not replaced by noise"


@pytest.mark.no_cover
def test_what_was_not_tried_for_lack_of_time_is_said(monkeypatch):
    from tradenb.research.lookahead import analysis

    monkeypatch.setattr(analysis, "BUDGET_S", 0.0)
    found = lookahead(corpus.rolling(), samples=20, events=None)
    assert found.moments == 10
    (words,) = found.warnings
    assert "of " in words
    assert "moments were not tried, so that it takes about" in words
    assert lookahead(corpus.rolling(), samples=20, events=30).warnings == []


def test_a_file_is_read_once_for_all_runs(tmp_path, monkeypatch):
    corpus.FRAME[["close"]].to_parquet(tmp_path / "kept.parquet")
    read, count = pd.read_parquet, []

    def counted(*given, **more):
        count.append(given)
        return read(*given, **more)

    monkeypatch.setattr(pd, "read_parquet", counted)

    @tn.strategy("filed", every="4h")
    def made(ctx):
        table = pd.read_parquet(tmp_path / "kept.parquet")
        table["close"] *= 2
        return corpus.buy(ctx) if table.close.asof(ctx.when + kept.AHEAD) > 2 * ctx.price else None

    assert lookahead(made).verdict == "leaking"
    assert len(count) == 1


@pytest.mark.parametrize("name", some_to_soak(INSIDE_LEAKING))
def test_rows_that_go_with_what_comes_are_leaking(name):
    found = made_inside(INSIDE_LEAKING[name])
    assert found.verdict == "leaking", found
    evident = name in ("series", "column", "dict", "array", "list", "label", "centred")
    assert not evident or any("are made of the future" in words for words in found.warnings)
    text = found.found[0].line.text
    # Of what is shorter, or cannot be shown up to a row, the first line that has it is named.
    assert any(word in text for word in ("decides", "lambda", "minute"))


@pytest.mark.no_cover
@pytest.mark.parametrize("name", some_to_soak(INSIDE_CLEAN))
def test_rows_that_do_not_go_with_what_comes_are_not_proved_and_no_leak(name):
    found = made_inside(INSIDE_CLEAN[name])
    assert (found.verdict, found.found) == ("not proved", [])


@pytest.mark.no_cover
def test_in_a_market_that_turns_back_the_past_is_no_evidence():
    count = 5 * 1440
    noise = np.random.default_rng(3).normal(0, 1, count)
    level = np.zeros(count)
    for place in range(1, count):  # it returns to its mean
        level[place] = 0.95 * level[place - 1] + noise[place]
    close = 100 * np.exp(level / 500)
    opened = np.r_[close[0], close[:-1]]
    turning = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 1.0,
        },
        index=pd.date_range("2024-01-01", periods=count, freq="min"),
    )
    exchange = tn.frame_exchange(turning)
    for name in ("mean", "past", "array"):
        assert made_inside(INSIDE_CLEAN[name], exchange).found == []
    assert made_inside(INSIDE_LEAKING["series"], exchange).verdict == "leaking"


# ------------------------------------------------------------------ what may be run again


def saves(frame):
    frame.to_parquet("kept.parquet")


def draws(frame):
    return frame.shift(1) + np.random.default_rng().normal()


def opens_by_hand():
    return open("kept.txt").read()  # noqa: PTH123 - as users do


def computes(frame):
    return frame.open.rolling(9).mean().to_numpy()


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("x = df.open.shift(1)", False),
        ("x = df.close.to_numpy()", False),
        ("y = signal.shift(1)", False),
        ("x = computes(df)", False),
        ("x = df.to_sql('table', connection)", True),
        ("x = pd.read_sql('select', connection)", True),
        ("x = ex.fetch_ohlcv('BTCUSDT')", True),
        ("x = open('kept.txt').read()", True),
        ("x = np.random.normal(size=3)", True),
        ("x = Thread(target=computes)", True),
        ("lib.N = 3", True),
        ("lib.TABLE['a'] = 3", True),
        ("del lib.N", True),
        ("x = saves(df)", True),
        ("x = draws(df)", True),
        ("x = opens_by_hand()", True),
        ("x = lib.saves(df)", True),
        ("x = kept_frame.close.shift(1)", False),
        ("x = await computes(df)", True),
    ],
)
def test_only_statements_that_compute_are_run_again(text, refused):
    import sys

    from tradenb.engine.notebook_cells import Cell
    from tradenb.research.lookahead.repeatable import is_refused

    (statement,) = Cell(1, "cell [1]", text).statements
    lib = sys.modules[__name__]
    own = {"saves": saves, "draws": draws, "opens_by_hand": opens_by_hand, "computes": computes}
    names = own | {"lib": lib, "df": corpus.FRAME, "signal": corpus.FRAME.close, "np": np}
    names["kept_frame"] = corpus.FRAME
    imported = frozenset({*own, "lib", "np", "pd", "Thread", "kept_frame"})
    assert is_refused(statement, names, imported) is refused
