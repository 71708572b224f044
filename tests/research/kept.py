"""Candles of the future in all the forms in which people keep them, and tables that are none."""

from __future__ import annotations

import array
import collections
import types

import numpy as np
import pandas as pd

import tradenb as tn
from tests.research.corpus import FRAME, buy

CLOSE = FRAME.close
TIMES = FRAME.index.as_unit("ms").asi8.tolist()
AHEAD = pd.Timedelta("20min")

FLAT = FRAME.reset_index(drop=True)
DATED = FRAME.rename_axis("date").reset_index()
BY_NUMBER = pd.Series(CLOSE.to_numpy(), index=TIMES)
BY_TEXT = pd.Series(CLOSE.to_numpy(), index=FRAME.index.strftime("%Y-%m-%d %H:%M"))
BY_PERIOD = pd.Series(CLOSE.to_numpy(), index=FRAME.index.tz_localize(None).to_period("min"))
BY_SYMBOL = pd.concat({"BTCUSDT": CLOSE})
HOLED = FRAME.drop(FRAME.index[5::97]).close.resample("1h").last().drop(FRAME.index[600])
DICT = dict(zip(TIMES, CLOSE.tolist(), strict=True))
STAMPS = CLOSE.to_dict()
LOOK_UP = STAMPS.get
ROWS = [[at, *row] for at, row in zip(TIMES, FRAME.to_numpy().tolist(), strict=True)]
RECORDS = [{"t": at, "close": close} for at, close in DICT.items()]
TUPLE = tuple(DICT.values())
COLUMN = array.array("d", TUPLE)
DEQUE = collections.deque(TUPLE)
SPACE = types.SimpleNamespace(table=FRAME)
CENTRED = CLOSE.rolling(61, center=True)
DAYS = CLOSE.groupby(FRAME.index.date)


def row(ctx):
    return (ctx.now - TIMES[0]) // 60_000 + 20


def minutes(when):
    return when.tz_localize(None).to_period("min")


def walking(table):
    yield from table[2_960::60]  # leak


WALK = walking(CLOSE)

LEAKING = {
    "flat": lambda ctx: FLAT.close.iloc[row(ctx)],  # leak
    "dated": lambda ctx: DATED.close[DATED.date == ctx.when + AHEAD].iloc[0],  # leak
    "by_number": lambda ctx: BY_NUMBER[ctx.now + 1_200_000],  # leak
    "by_text": lambda ctx: BY_TEXT[f"{ctx.when + AHEAD:%Y-%m-%d %H:%M}"],  # leak
    "by_period": lambda ctx: BY_PERIOD[minutes(ctx.when + AHEAD)],  # leak
    "by_symbol": lambda ctx: BY_SYMBOL[ctx.symbol, ctx.when + AHEAD],  # leak
    "holed": lambda ctx: HOLED.asof(ctx.when),  # leak
    "dict": lambda ctx: DICT[ctx.now + 1_200_000],  # leak
    "stamps": lambda ctx: STAMPS[ctx.when + AHEAD],  # leak
    "look_up": lambda ctx: LOOK_UP(ctx.when + AHEAD),  # leak
    "rows": lambda ctx: ROWS[row(ctx)][4],  # leak
    "records": lambda ctx: RECORDS[row(ctx)]["close"],  # leak
    "tuple": lambda ctx: TUPLE[row(ctx)],  # leak
    "column": lambda ctx: COLUMN[row(ctx)],  # leak
    "deque": lambda ctx: DEQUE[row(ctx)],  # leak
    "space": lambda ctx: SPACE.table.close.asof(ctx.when + AHEAD),  # leak
    "centred": lambda ctx: CENTRED.mean().asof(ctx.when),  # leak
    "days": lambda ctx: DAYS.get_group(ctx.when.date()).iloc[-1],  # leak
    "words": lambda ctx: eval("CLOSE.asof(ctx.when + AHEAD)"),  # leak
    "walk": lambda ctx: next(WALK),  # leak
}

NEWS = pd.Series(
    [1.0, -1.0, 2.0, -2.0],
    index=pd.to_datetime(
        ["2024-01-03 06:00", "2024-01-03 11:00", "2024-01-04 03:00", "2024-01-04 20:00"], utc=True
    ),
)
QUARTERS = np.random.default_rng(1).random(96)
PAST: dict[int, float] = {}


def news(ctx):
    """What is stamped with this moment is known at this moment."""
    known = NEWS.loc[: ctx.when]
    return len(known) and known.iloc[-1] > 0


def quarters(ctx):
    """As many as the hours of the run, and yet none of its candles."""
    return QUARTERS[ctx.now % 86_400_000 // 900_000] > 0.5


def own_past(ctx):
    PAST[ctx.now] = ctx.price
    return PAST.get(ctx.now - 7_200_000, 0) > ctx.price


CLEAN = [news, quarters, own_past]


def leaking(name):
    read = LEAKING[name]

    @tn.strategy("kept", every="1h")
    def made(ctx):
        return buy(ctx) if read(ctx) > ctx.price else None

    return made


def clean(decides):
    @tn.strategy("kept", every="15m")
    def made(ctx):
        return buy(ctx) if decides(ctx) else None

    return made
