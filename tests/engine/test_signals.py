"""Vectorised signals: the same trades as a callback, the same in both modes, clear refusals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.sources import candles, market, minute
from tradenb.engine.serialise import event_to_row
from tradenb.engine.specs.registry import registry
from tradenb.errors import SpecError, UnknownName
from tradenb.testing.world.simulated_world import World

GRID = candles(market(5, 3_000))
FRAME = pd.DataFrame(
    {name: getattr(GRID, name) for name in ("open", "high", "low", "close", "volume")},
    index=pd.to_datetime(GRID.time, unit="ms", utc=True),
)
backtest = partial(
    tn.backtest.run, "BTCUSDT", exchange=tn.frame_exchange(FRAME), start=minute(60), progress=False
)


def columns(df):
    up = df.close > df.close.rolling(8).mean()
    side = np.where(up, 1, -1)
    return pd.DataFrame(
        {
            "position": np.where(np.arange(len(df)) < 7, None, np.where(up, "long", "short")),
            "take_profit": df.close * (1 + 0.02 * side),
            "stop_loss": df.close * (1 - 0.02 * side),
            "minutes": 240.0,
            "entry": (df.close * (1 - 0.004 * side)).where(df.volume > 3),
            "note": np.where(df.volume > 5, "busy", None),
            "size": 2,
        },
        index=df.index,
    )


def vectorised(function=columns, **more):
    return tn.strategy("probe", every="15m", vectorised=True, **more)(function)


def as_callback(risk=()):
    @tn.strategy("probe", every="15m", risk=risk)
    def asked(ctx):
        seen = ctx.indicators
        if np.isnan(seen["mean"]):
            return None
        side = 1 if seen["close"] > seen["mean"] else -1
        waits = seen["volume"] > 3
        return {
            "position": "long" if side > 0 else "short",
            "take_profit": seen["close"] * (1 + 0.02 * side),
            "stop_loss": seen["close"] * (1 - 0.02 * side),
            "minutes": 240,
            "entry": seen["close"] * (1 - 0.004 * side) if waits else None,
            "note": "busy" if seen["volume"] > 5 else None,
            "size": 2,
        }

    @asked.indicators("15m")
    def means(df):
        return {"close": df.close, "volume": df.volume, "mean": df.close.rolling(8).mean()}

    return asked


def told(result):
    return [event_to_row(event) for event in result.event_list]


@pytest.mark.parametrize("risk", [(), (tn.risks.cooldown(minutes=90),)])
def test_it_makes_the_events_of_the_same_strategy_written_as_a_callback(risk):
    asked = backtest(strategy=as_callback(risk))
    registry._named.clear()
    made = backtest(strategy=vectorised(risk=risk))
    assert len(made.trade_list) > 10
    assert {event.kind for event in made.event_list} >= {"scheduled", "opened", "closed"}
    assert told(made) == told(asked)


@pytest.mark.no_cover
def test_a_live_run_makes_the_events_of_the_backtest():
    made = vectorised()
    world = World({"BTCUSDT": GRID}, start=minute(600), runs=[("BTCUSDT", made)])
    assert world.live(minute(900) + 5_000)
    assert world.live(minute(1_200) + 5_000)
    tested = backtest(strategy=made, start=minute(600), end=minute(1_200))
    assert len(tested.event_list) > 10

    def plain(events):
        return [
            {k: v for k, v in event_to_row(event).items() if k not in ("mode", "wall", "late")}
            for event in events
        ]

    assert plain(world.events(world.wanted[0])) == plain(tested.event_list)


@pytest.mark.parametrize(
    "position",
    [
        lambda up: np.where(up, "long", ""),
        lambda up: np.where(up, 1, 0),
        lambda up: np.where(up, 0.5, np.nan),
        lambda up: up,
        lambda up: pd.Series(up, FRAME.resample("15min").close.last().index).map({True: "long"}),
        lambda up: pd.Categorical(np.where(up, "long", None)),
        lambda up: pd.array(np.where(up, "long", None), dtype="string"),
        lambda up: pd.array(np.where(up, True, None), dtype="boolean"),
        lambda up: [1 if item else None for item in up],
    ],
)
def test_a_position_is_a_word_or_a_sign(position):
    def always(df):
        up = np.arange(len(df)) % 3 == 0
        stops = {"take_profit": 1.03 * df.close, "stop_loss": 0.97 * df.close, "minutes": 30}
        return {"position": position(up), **stops}

    opened = [e for e in backtest(strategy=vectorised(always)).event_list if e.kind == "opened"]
    assert len(opened) > 30
    assert {(event.at - minute(15)) // 900_000 % 3 for event in opened} == {0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position": "buy"}, "'position' must be 'long', 'short', None, .* was 'buy'"),
        ({"position": np.ones(5)}, r"'position' must have a value a candle, 200; had 5"),
        ({"minutes": "soon"}, "'minutes' must hold numbers"),
        ({"minutes": np.full(480, np.timedelta64(1, "h"))}, "must hold numbers, was timed"),
        ({"entry": np.full(480, 1j)}, "'entry' must hold numbers, was complex128"),
        ({"stop_loss": tn.percent(2)}, r"; tn.percent\(2\) .* as df.close \* \(1 - 2 / 100\)$"),
        ({"stop_loss": [tn.percent(2)] * 480}, r"as df.close \* \(1 - 2 / 100\)$"),
        ({"take_profit": tn.distance(3)}, r"; tn.distance\(3\) .* such as df.close - 3$"),
    ],
)
def test_columns_that_cannot_be_read_are_refused(changes, words):
    with pytest.raises(SpecError, match=words):
        backtest(strategy=vectorised(lambda df: {**columns(df), **changes}))


def test_columns_that_lack_or_are_unknown_are_named():
    with pytest.raises(SpecError, match=r"must return the columns .*; missing: stop_loss"):
        backtest(strategy=vectorised(lambda df: columns(df).drop(columns="stop_loss")))
    with pytest.raises(UnknownName, match="unknown column of candidates 'stop'; did you mean"):
        backtest(strategy=vectorised(lambda df: {**columns(df), "stop": 5}))


def test_what_breaks_the_rules_is_rejected_as_ever():
    result = backtest(strategy=vectorised(lambda df: {**columns(df), "minutes": 5.5}))
    assert not result.trade_list
    assert result.event_list[0].note.startswith("minutes_int")


def test_it_is_a_plain_function_of_a_frame_and_has_no_indicators():
    made = vectorised()
    assert made(FRAME).equals(columns(FRAME))
    with pytest.raises(SpecError, match="is vectorised and sees the whole frame"):
        made.indicators("5m")

    async def later(df):
        return {}

    with pytest.raises(SpecError, match="it must be a plain function"):
        tn.strategy("later", every="5m", vectorised=True)(later)
