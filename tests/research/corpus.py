"""Strategies that see the future, each with the line that does, and strategies that do not.

A line that leaks ends with the comment `# leak`.
"""

from __future__ import annotations

import collections
from functools import cache, partial

import numpy as np
import pandas as pd

import tradenb as tn
from tests.sources import candles, market

GRID = candles(market(21, 4 * 1_440))
FRAME = pd.DataFrame(
    {name: getattr(GRID, name) for name in ("open", "high", "low", "close", "volume")},
    index=pd.to_datetime(GRID.time, unit="ms", utc=True),
)
EXCHANGE = tn.frame_exchange(FRAME)
HOURLY = FRAME.close.resample("1h").last()
CLOSES = FRAME.close.to_numpy()
TOPS = {"BTCUSDT": FRAME.close.rolling(60).max().shift(-60)}
SEEN = collections.deque(maxlen=5)


def buy(ctx, gain=0.02):
    price = ctx.price
    return tn.long(take_profit=price * (1 + gain), stop_loss=price * (1 - gain), minutes=240)


def read(name, every="15m", **more):
    """A strategy that buys where the indicator `up` is above 0."""

    def asked(ctx):
        return buy(ctx) if ctx.indicators["up"] > 0 else None

    return tn.strategy(name, every=every, **more)(asked)


# --- leaking


def shifted():
    made = read("shifted")

    @made.indicators("15m")
    def columns(df):
        coming = df.close.shift(-1)  # leak
        return {"up": coming - df.close}

    return made


def centred():
    made = read("centred")

    @made.indicators("15m")
    def columns(df):
        smooth = df.close.rolling(5, center=True).mean()  # leak
        return {"up": smooth - df.close}

    return made


def normalised():
    made = read("normalised")

    @made.indicators("15m")
    def columns(df):
        score = (df.close - df.close.mean()) / df.close.std()  # leak
        return {"up": score}

    return made


def higher_timeframe():
    made = read("higher", every="5m")

    @made.indicators("5m")
    def columns(df):
        hourly = df.close.resample("1h").last()
        spread = hourly.reindex(df.index, method="ffill")  # leak
        return {"up": spread - df.close}

    return made


def global_frame():
    @tn.strategy("global", every="15m")
    def made(ctx):
        coming = FRAME.close.loc[ctx.when :].iloc[:30]  # leak
        return buy(ctx) if len(coming) and coming.max() > ctx.price * 1.005 else None

    return made


def closed_over():
    whole = FRAME.resample("15min").agg({"close": "last"})

    @tn.strategy("closed", every="15m")
    def made(ctx):
        place = whole.index.searchsorted(ctx.when)
        row = whole.iloc[min(place, len(whole) - 1)]  # leak
        return buy(ctx) if row.close > ctx.price else None

    return made


def hourly_row_of_this_hour():
    @tn.strategy("hourly", every="5m")
    def made(ctx):
        hour = HOURLY.asof(ctx.when)  # leak
        return buy(ctx) if hour > ctx.price * 1.001 else None

    return made


def global_array():
    @tn.strategy("array", every="15m")
    def made(ctx):
        minute = (ctx.now - int(GRID.start)) // 60_000
        level = CLOSES[minute : minute + 20].mean() if minute < len(CLOSES) else 0.0  # leak
        return buy(ctx) if level > ctx.price else None

    return made


def helper_of_a_helper():
    @tn.strategy("helper", every="15m")
    def made(ctx):
        return buy(ctx) if top_after(ctx) > ctx.price * 1.004 else None

    return made


def top_after(ctx):
    tops = TOPS[ctx.symbol]
    known = tops.loc[: ctx.when]
    return known.iloc[-1] if len(known) else 0.0  # leak


def vectorised_shift():
    @tn.strategy("vector", every="15m", vectorised=True)
    def made(df):
        price = df.close
        up = df.open.shift(-1) > price  # leak
        sides = {"take_profit": price * 1.02, "stop_loss": price * 0.98, "minutes": 60}
        return {"position": up, **sides}

    return made


def back_filled():
    made = read("filled")

    @made.indicators("15m")
    def columns(df):
        peaks = df.high.where(df.high == df.high.rolling(3).max())
        level = peaks.bfill()  # leak
        return {"up": level - df.close * 1.004}

    return made


def whole_sample_target():
    @tn.strategy("target", every="15m", vectorised=True)
    def made(df):
        spread = float((df.high - df.low).quantile(0.9))  # leak
        gain = spread / df.close + 0.01
        sides = {"take_profit": df.close * (1 + gain), "stop_loss": df.close * (1 - gain)}
        return {"position": np.arange(len(df)) % 4 == 0, "minutes": 60, **sides}

    return made


def peeking_at_the_history():
    @tn.strategy("private", every="15m")
    def made(ctx):
        everything = ctx._history.candles
        newest = everything.close[-1]  # leak
        return buy(ctx) if newest > ctx.price else None

    return made


def a_stop_below_what_comes():
    made = tn.strategy("below", every="15m")(lambda ctx: buy(ctx) if ctx.price < 100 else None)

    @made.manage(every="5m")
    def leave(ctx):
        coming = CLOSES[GRID.index(ctx.now) : GRID.index(ctx.now) + 6]  # leak
        return tn.move(stop_loss=0.99 * coming.min())

    return made


LEAKING = [
    a_stop_below_what_comes,
    shifted, centred, normalised, higher_timeframe, global_frame, closed_over,
    hourly_row_of_this_hour, global_array, helper_of_a_helper, vectorised_shift, back_filled,
    whole_sample_target, peeking_at_the_history,
]  # fmt: skip


# --- clean


def rolling():
    made = read("rolling")

    @made.indicators("15m")
    def columns(df):
        return {"up": df.close - df.close.rolling(8).mean()}

    return made


def expanding():
    made = read("expanding")

    @made.indicators("1h")
    def columns(df):
        score = (df.close - df.close.expanding().mean()) / df.close.expanding().std()
        return {"up": score.shift(1)}

    return made


def smooth():
    made = read("smooth", every="5m")

    @made.indicators("15m")
    def columns(df):
        hourly = df.close.resample("1h", label="right", closed="left").last()
        known = hourly.reindex(df.index + pd.Timedelta("15min"), method="ffill")
        complete = known.where(df.index.minute == 45).ffill().to_numpy()
        return {"up": df.close.ewm(span=9).mean() - complete}

    return made


def plain():
    @tn.strategy("plain", every="15m")
    def made(ctx):
        close = ctx.candles("1h", 12).close
        return buy(ctx) if close[-1] < close.mean() else None

    return made


def remembering():
    @tn.strategy("remembering", every="15m")
    def made(ctx):
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        return buy(ctx) if ctx.state["asks"] % 5 == 0 else None

    return made


def counting():
    count = 0

    @tn.strategy("counting", every="15m")
    def made(ctx):
        nonlocal count
        count += 1
        return buy(ctx) if count % 7 == 0 else None

    return made


def collecting():
    @tn.strategy("collecting", every="15m")
    def made(ctx):
        SEEN.append(ctx.price)
        return buy(ctx) if SEEN[-1] > SEEN[0] else None

    return made


def caching():
    @cache
    def weight(hour):
        return hour % 3

    @tn.strategy("caching", every="15m")
    def made(ctx):
        return buy(ctx) if weight(ctx.when.hour) == 1 else None

    return made


class Turtle(tn.Strategy):
    def __init__(self, days):
        self.days = days
        self.highest = []

    def get_signal(self, ctx):
        self.highest = [*self.highest, ctx.price][-self.days :]
        return buy(ctx) if ctx.price >= max(self.highest) and len(self.highest) > 3 else None


def an_object():
    return tn.strategy("turtle", every="15m")(Turtle(12))


def reading_only_what_is_known():
    @tn.strategy("known", every="15m")
    def made(ctx):
        known = FRAME.close[FRAME.index < ctx.when]
        return buy(ctx) if len(known) > 30 and known.iloc[-1] > known.iloc[-30] else None

    return made


def vectorised():
    @tn.strategy("columns", every="15m", vectorised=True)
    def made(df):
        up = df.close > df.close.rolling(20).mean()
        sides = {"take_profit": df.close * 1.02, "stop_loss": df.close * 0.98, "minutes": 60}
        return {"position": up, "entry": df.close * 0.996, **sides}

    return made


def seeded_by_the_moment():
    @tn.strategy("dice", every="15m")
    def made(ctx):
        return buy(ctx) if np.random.default_rng(ctx.now).random() < 0.2 else None

    return made


def partly():
    def asked(share, ctx):
        close = ctx.frame("15m", 10, allow_fewer=True).close
        return buy(ctx) if len(close) and close.rank(pct=True).iloc[-1] > share else None

    return tn.strategy("partly", every="15m")(partial(asked, 0.8))


def leaving_when_it_has_risen():
    made = tn.strategy("risen", every="15m")(lambda ctx: buy(ctx) if ctx.price < 100 else None)

    @made.manage(every="5m")
    def leave(ctx):
        if ctx.position.pnl_percent > 0.4:
            return [tn.close(0.5), tn.breakeven()]
        return None

    return made


def always_in_the_market():
    @tn.strategy("always", every="15m", manage=True)
    def made(ctx):
        if ctx.price > ctx.candles("15m", 8).close.mean():
            return tn.long(stop_loss=0.97 * ctx.price)
        return tn.short(stop_loss=1.03 * ctx.price)

    return made


CLEAN = [
    leaving_when_it_has_risen, always_in_the_market,
    rolling, expanding, smooth, plain, remembering, counting, collecting, caching, an_object,
    reading_only_what_is_known, vectorised, seeded_by_the_moment, partly,
]  # fmt: skip
