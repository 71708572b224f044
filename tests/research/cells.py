"""Strategies of a notebook whose cells above made something beforehand, and the cells themselves.

Each is a pair: what makes it, and the condition on which the strategy buys.
"""

from __future__ import annotations

import itertools
import linecache
import sys
from types import ModuleType

# As the `__main__` of a kernel, which has no file either.
sys.modules["celled"] = ModuleType("celled")

FIRST = """
import bisect
from collections import namedtuple
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import tradenb as tn
ex = tn.testing.random_walk(seed=7, days=4)
df = tn.candles("BTCUSDT", exchange=ex, progress=False)
minute = pd.Timedelta("1min")
"""
LAST = """
@tn.strategy("celled", every="1h")
def celled(ctx):
    t = ctx.when - minute
    if {condition}:
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=60)
"""
OBJECT = """
class Kept:
    def __init__(self, x):
        self.x = x
    def is_below(self, price):
        return self.x < price
    def __call__(self, t):
        return self.x[t]
"""
LEAKING = {
    "shifted column": ('df["x"] = df.close.shift(-30) / df.close', "df.x[t] > 1.002"),
    "shifted series": ("x = df.close.shift(-15)", "x[t] > ctx.price"),
    "dict of times": ("x = dict(zip(df.index, df.close.shift(-30)))", "x[t] > 1.002 * ctx.price"),
    "list": ("x = df.close.shift(-30).tolist()\nn = len(df) and df.index[0]",
             "x[int((t - n) / minute)] > ctx.price"),
    "array": ("x = df.close.shift(-30).to_numpy()\nn = df.index[0]",
              "x[int((t - n) / minute)] > ctx.price"),
    "centred mean": ("x = df.close.rolling(61, center=True).mean()", "x[t] > ctx.price"),
    "whole mean": ("x = df.close - df.close.mean()", "x[t] > 0"),
    "whole rank": ("x = df.close.rank(pct=True)", "x[t] > 0.6"),
    "back-filled": ("x = df.close.where(df.close > df.close.shift(1)).bfill()", "x[t] > ctx.price"),
    "future label": ('df["y"] = np.sign(df.close.shift(-60) - df.close)', "df.y[t] > 0"),
    "future high": ("x = df.high[::-1].rolling(60).max()[::-1]", "x[t] > 1.004 * ctx.price"),
    "set of times": ("x = set(df.index[df.close.shift(-30) > 1.002 * df.close])", "t in x"),
    "times of peaks": ("x = df.index[df.close == df.close.rolling(121, center=True).max()]",
                       "x[x > t][0] - t < pd.Timedelta('1h') if (x > t).any() else False"),
    "a number of all": ("x = float(df.close.quantile(0.6))", "ctx.price > x"),
    "a fit of all": ("p = np.polyfit(np.arange(len(df)), df.close, 3)\nn = df.index[0]",
                     "np.polyval(p, (t - n) / minute) > ctx.price"),
    "two steps": ("up = df.close.pct_change(30)\ncoming = up.shift(-30)\nx = coming.dropna()",
                  "x.get(t, 0) > 0.002"),
    "a helper": ("def made(frame, n):\n    return frame.close.shift(-n)\nx = made(df, 45)",
                 "x[t] > ctx.price"),
    "hour not over": ('x = df.close.resample("4h").last()', "x.asof(t) > ctx.price * 1.001"),
    "merged": ('y = df.close.shift(-20).rename("y")\nx = df.join(y)', "x.y[t] > ctx.price"),
    "best hour": ("x = df.close.pct_change(-60).groupby(df.index.hour).mean().idxmax()",
                  "ctx.when.hour == x"),
    "an object": (OBJECT + "k = Kept(df.close.shift(-30))", "k.x[t] > ctx.price"),
    "an object of a number": (OBJECT + "k = Kept(df.close.mean())", "k.is_below(ctx.price)"),
    "an object that is called": (OBJECT + "k = Kept(df.close.shift(-30))", "k(t) > ctx.price"),
    "a dataclass": (("@dataclass\nclass Kept:\n    x: dict\n"
                    "k = Kept(dict(zip(df.index, df.close.shift(-30))))"), "k.x[t] > ctx.price"),
    "a named tuple": ("Kept = namedtuple('Kept', 'x')\nk = Kept(df.close.shift(-30))",
                      "k.x[t] > ctx.price"),
    "a namespace": ("k = SimpleNamespace(x=df.close.shift(-30))", "k.x[t] > ctx.price"),
    "a class": ("class Kept:\n    x = df.close.shift(-30)", "Kept.x[t] > ctx.price"),
    "a method of a table": ("x = df.close.shift(-30)\nlater = x.get", "later(t) > ctx.price"),
    "a partial": ("x = df.close.shift(-30)\nlater = partial(lambda x, t: x[t], x)",
                  "later(t) > ctx.price"),
    "a default": ("x = df.close.shift(-30)\ndef later(t, y=x):\n    return y[t]",
                  "later(t) > ctx.price"),
    "polars": ("x, n = pl.Series(df.close.shift(-30).to_numpy()), df.index[0]",
               "x[int((t - n) / minute)] > ctx.price"),
    "pyarrow": ("x, n = pa.array(df.close.shift(-30), from_pandas=True), df.index[0]",
                "(x[int((t - n) / minute)].as_py() or 0) > ctx.price"),
    "a word": ("x = 'up' if df.close.iloc[-1] > df.close.mean() else 'down'", "x == 'up'"),
    "a yes or no": ("x = bool(df.close.iloc[-1] > df.close.mean())", "x"),
}  # fmt: skip
CLEAN = {
    "rising times": ("times, x = df.index.as_unit('ms').asi8, df.close.to_numpy()",
                     "x[(n := np.searchsorted(times, ctx.now)) - 1] < x[n - 60]"),
    "bisect": ("times, x = df.index.to_pydatetime().tolist(), df.close.tolist()",
               "x[(n := bisect.bisect_left(times, ctx.when)) - 1] < x[n - 61]"),
    "yesterday": ('x = df.high.resample("1D").max().shift(1)',
                  'ctx.price > x.get(ctx.when.floor("D"), np.inf)'),
    "right-labelled": ('x = df.close.resample("4h", label="right", closed="left").last()',
                       "len(x.loc[: ctx.when]) and ctx.price < x.loc[: ctx.when].iloc[-3:].mean()"),
    "rolling": ("df['x'] = df.close.rolling(240).mean()", "df.x[t] > ctx.price"),
    "exponential": ("x = df.close.ewm(span=90).mean()", "x[t] > ctx.price"),
    "expanding": ("x = df.close.expanding().mean()", "x[t] > ctx.price"),
    "past change": ("x = df.close.pct_change(60)", "x[t] > 0.001"),
    "past rank": ("x = df.close.rolling(300).rank(pct=True)", "x[t] > 0.7"),
    "dict of the past": ("x = dict(zip(df.index, df.close.shift(30)))", "x[t] > ctx.price"),
    "a leaking column beside": ('df["y"] = df.close.shift(-30)\nx = df.close.rolling(60).max()',
                                "x[t] > 1.001 * ctx.price"),
    "a number of before": (("n = '2024-01-02'\n"
                           "x = tn.candles('BTCUSDT', exchange=ex, end=n).close.mean()"),
                           "ctx.price > x"),
    "plain numbers": ("x = [3, 7, 11, 15, 19]", "ctx.when.hour in x"),
    "hours that are over": ('x = df.close.resample("1h").last().shift(1)',
                            "x.get(ctx.when.floor('h'), np.inf) < ctx.price"),
    "a helper": ("def made(frame, n):\n    return frame.close.shift(n)\nx = made(df, 45)",
                 "x[t] > ctx.price"),
    "polars of the past": ("x, n = pl.Series(df.close.shift(30).to_numpy()), df.index[0]",
                           "x[int((t - n) / minute)] > ctx.price"),
    "an object of the past": (OBJECT + "k = Kept(df.close.shift(30))",
                              "isinstance(k, Kept) and k.x[t] > ctx.price"),
    "an object of a constant": (OBJECT + "k = Kept(100.0)", "k.is_below(ctx.price)"),
    "a class of the past": ("class Kept:\n    x = df.close.shift(30)", "Kept.x[t] > ctx.price"),
    "a partial of the past": ("x = df.close.shift(30)\nearlier = partial(lambda x, t: x[t], x)",
                              "earlier(t) > ctx.price"),
    "two frames": ("x = tn.candles('BTCUSDT', exchange=ex, timeframe='1h').close.rolling(3).mean()",
                   "x[: ctx.when - 60 * minute].iloc[-1] > ctx.price"),
}  # fmt: skip
numbers = itertools.count()


def celled(making, condition):
    """Run the cells as a kernel does, and return the strategy."""
    space = {"__name__": "celled", "In": [""]}
    for text in (FIRST, making, LAST.format(condition=condition)):
        file = f"<cell of a test {next(numbers)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        space["In"].append(text)
        exec(compile(text, file, "exec"), space)
    return space["celled"], space["ex"]
