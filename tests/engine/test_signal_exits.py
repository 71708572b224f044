"""Exits, moves and flips in the table of a vectorised strategy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.engine.test_signals import GRID, backtest, told
from tests.sources import candles, flat, minute
from tradenb.engine.serialise import event_to_row
from tradenb.engine.session.signal_table import LONG, SHORT, table_of_columns
from tradenb.engine.specs.registry import registry
from tradenb.errors import SpecError, UnknownName
from tradenb.testing.world.simulated_world import World

END = minute(1_500)


def columns(df):
    """Enters where the close is above or below its mean, and leaves or moves by volume."""
    up = df.close > df.close.rolling(8).mean()
    side = np.where(up, 1, -1)
    there = (np.arange(len(df)) >= 7) & (df.volume < 17.95)
    wanted = np.where(df.volume >= 17.95, np.where(up, "short", "long"), None)
    return pd.DataFrame(
        {
            "position": np.where(there, np.where(up, "long", "short"), None),
            "stop_loss": df.close * (1 - 0.03 * side),
            "take_profit_1": df.close * (1 + 0.01 * side),
            "fraction_1": 0.5,
            "exit": wanted,
            "move_stop": (df.close * (1 - 0.02 * side)).where(df.volume < 11.95),
            "move_target": (df.close * (1 + 0.015 * side)).where(df.volume < 7.95),
        },
        index=df.index,
    )


def vectorised(*, flip=False, function=columns):
    return tn.strategy("probe", every="15m", vectorised=True, flip=flip)(function)


def as_callback(*, flip):
    """The same rows, answered by functions that are asked."""

    @tn.strategy("probe", every="15m")
    def asked(ctx):
        return proposed(row_of(ctx))

    @asked.manage
    def managed(ctx):
        row, held = row_of(ctx), ctx.position.position
        other = {"long": "short", "short": "long"}[held]
        if flip and row["position"] == other:
            return proposed(row)
        if row["exit"] == held:
            return tn.close()
        moves = {"stop_loss": row["move_stop"], "take_profit": row["move_target"]}
        given = {name: value for name, value in moves.items() if not np.isnan(value)}
        return tn.move(**given) if given else None

    return asked


CLOSES = {}


def row_of(ctx):
    if not CLOSES:
        hours = pd.DataFrame(
            {name: getattr(GRID, name) for name in ("open", "high", "low", "close", "volume")},
            index=pd.to_datetime(GRID.time, unit="ms", utc=True),
        ).resample("15min")
        last = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        rows = columns(hours.agg(last))
        closes = rows.index.as_unit("ms").asi8 + 900_000
        CLOSES.update(zip(closes, rows.to_dict("records"), strict=True))
    return CLOSES[ctx.now]


def proposed(row):
    if row["position"] not in ("long", "short"):
        return None
    return {
        "position": row["position"],
        "stop_loss": row["stop_loss"],
        "take_profit": [(row["take_profit_1"], row["fraction_1"])],
    }


@pytest.mark.parametrize("flip", [False, True])
def test_a_table_makes_the_events_of_the_same_rows_answered_one_by_one(flip):
    table = backtest(strategy=vectorised(flip=flip))
    registry._named.clear()
    asked = backtest(strategy=as_callback(flip=flip))
    assert told(table) == told(asked)
    assert {"strategy"} <= set(table.trades.exit_reason)
    assert ("flipped" in set(table.trades.exit_reason)) == flip
    assert {"moved", "partial"} <= set(table.events.kind)
    assert table.trades.equals(asked.trades)


@pytest.mark.no_cover
@pytest.mark.parametrize("flip", [False, True])
def test_a_live_run_of_a_table_makes_the_events_of_its_backtest(flip):
    spec, end = vectorised(flip=flip), minute(720)
    result = backtest(strategy=spec, end=end)
    world = World({"BTCUSDT": GRID}, start=minute(60), runs=[("BTCUSDT", spec)])
    assert world.live(end + 3_000)
    (run,) = world.wanted
    beside = {"mode": None, "wall": None}
    lived = [event_to_row(event) | beside for event in world.events(run)]
    assert lived == [event_to_row(event) | beside for event in result.event_list]
    assert len(lived) > 20


@pytest.mark.parametrize(
    ("exits", "words"),
    [
        (True, None),
        (False, None),
        (np.nan, None),
        ("up", "'exit' must be true, false, 'long' or 'short', was 'up'"),
        (2, "'exit' must be true, false, 'long' or 'short', was '2.0'"),
    ],
)
def test_an_exit_is_true_a_side_or_nothing(exits, words):
    def table(df):
        return columns(df).assign(exit=exits, move_stop=np.nan, move_target=np.nan)

    if words is None:
        reasons = set(backtest(strategy=vectorised(function=table)).trades.exit_reason)
        assert ("strategy" in reasons) == (exits is True)
        return
    with pytest.raises(SpecError, match=words):
        backtest(strategy=vectorised(function=table))


def test_an_exit_column_may_be_a_list_of_true_and_of_sides():
    # A live run sees its first rows alone: there need not be a None among them yet.
    given = {"position": ["long", "long"], "stop_loss": [99.0, 99.0], "exit": [True, "short"]}
    table = table_of_columns(given, 2, 0, 60_000, "strategy a")
    assert table.exits.tolist() == [LONG | SHORT, SHORT]


def test_a_column_that_is_none_of_them_is_answered_with_the_near_one():
    with pytest.raises(UnknownName, match="did you mean 'move_stop'"):
        backtest(strategy=vectorised(function=lambda df: columns(df).assign(move_stopp=1.0)))


def test_flip_is_for_tables():
    with pytest.raises(SpecError, match="flip is for vectorised strategies"):
        tn.strategy("probe", every="15m", flip=True)


def test_a_table_is_asked_about_an_entry_that_fills_on_the_first_candle_after_a_restart():
    """Whether it has exits is not known then: it is computed at the first ask."""
    rows = [*flat(31), (100.0, 100.0, 98.5, 99.0, 1.0), *flat(10, 99.0)]

    def table(df):
        close = df.index.as_unit("ms").asi8 + 60_000
        return {
            "position": np.where(close == minute(20), "long", None),
            "entry": 99.0,
            "stop_loss": 95.0,
            "exit": close == minute(32),
        }

    spec = tn.strategy("fills", every="1m", vectorised=True)(table)
    world = World({"BTCUSDT": candles(rows)}, start=minute(10), runs=[("BTCUSDT", spec)])
    assert world.live(minute(31) + 3_000)
    assert world.live(minute(40))
    told = [(event.at, event.kind, event.exit_reason) for event in world.events(world.wanted[0])]
    assert told == [
        (minute(20), "scheduled", None),
        (minute(32), "opened", None),
        (minute(32), "closed", "strategy"),
    ]
