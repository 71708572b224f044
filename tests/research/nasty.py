"""More strategies that see the future, in ways that are hard to see, and more that do not.

A line that leaks ends with the comment `# leak`.
"""

from __future__ import annotations

import abc
import atexit
import collections
import dataclasses
import functools
import random
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import tradenb as tn
from tests.research import corpus, elsewhere
from tests.research.corpus import CLOSES, FRAME, GRID, buy, read

FOLDER = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
ROWS = np.column_stack((GRID.time, GRID.open, GRID.high, GRID.low, GRID.close, GRID.volume))
np.save(FOLDER / "rows.npy", ROWS)
np.savez(FOLDER / "columns.npz", close=CLOSES)
FRAME.to_csv(FOLDER / "frame.csv")
(FOLDER / "hours.txt").write_text("3 7 11 15 19 23")
LOADED = np.load(FOLDER / "rows.npy")
RANKS = pd.Series(CLOSES, FRAME.index).rank(pct=True)
QUARTERS = FRAME.close.resample("15min").last()
QUEUE = collections.OrderedDict(closes=FRAME.close)
HOLIDAYS = pd.DataFrame({"day": ["2020-01-01", "2020-12-25"], "factor": [0.0, 1.0]})


def minute_of(ctx):
    return (ctx.now - int(GRID.start)) // 60_000


# --- leaking


def class_attribute():
    class Market:
        table = FRAME.close

        @classmethod
        def after(cls, when):
            return cls.table.loc[when:].head(30).max()  # leak

    @tn.strategy("attribute", every="15m")
    def made(ctx):
        return buy(ctx) if Market.after(ctx.when) > ctx.price * 1.004 else None

    return made


class Oracle(tn.Strategy):
    horizon = 20

    def get_signal(self, ctx):
        minute = minute_of(ctx)
        coming = CLOSES[minute : minute + self.horizon].max(initial=0.0)  # leak
        return buy(ctx) if coming > ctx.price * 1.003 else None


def strategy_class():
    return tn.strategy("oracle", every="15m")(Oracle)


def default_argument():
    def asked(ctx, table=FRAME.close):
        coming = table[table.index >= ctx.when].head(15)  # leak
        return buy(ctx) if coming.max() > ctx.price * 1.003 else None

    return tn.strategy("default", every="15m")(functools.partial(asked))


def keyword_default():
    def asked(ctx, *, closes=CLOSES):
        coming = closes[minute_of(ctx) : minute_of(ctx) + 15]  # leak
        return buy(ctx) if len(coming) and coming.mean() > ctx.price else None

    return tn.strategy("keyword", every="15m")(functools.partial(asked))


@functools.cache
def top_of(minute):
    return float(CLOSES[minute : minute + 30].max(initial=0.0))  # leak


def cached_lookup():
    @tn.strategy("cached", every="15m")
    def made(ctx):
        return buy(ctx) if top_of(minute_of(ctx)) > ctx.price * 1.004 else None

    return made


def other_module():
    @tn.strategy("module", every="15m")
    def made(ctx):
        return buy(ctx) if elsewhere.coming(ctx) > ctx.price * 1.002 else None

    return made


def attribute_of_a_module():
    @tn.strategy("reached", every="15m")
    def made(ctx):
        table = elsewhere.TABLE
        coming = table[table.index >= ctx.when].head(1).max()  # leak
        return buy(ctx) if coming > ctx.price * 1.002 else None

    return made


def imported_inside():
    @tn.strategy("inside", every="15m")
    def made(ctx):
        from tests.research import elsewhere as here

        coming = here.TABLE[here.TABLE.index >= ctx.when].head(1).max()  # leak
        return buy(ctx) if coming > ctx.price * 1.002 else None

    return made


def loaded_file():
    @tn.strategy("loaded", every="30m")
    def made(ctx):
        coming = LOADED[LOADED[:, 0] >= ctx.now][:20, 4]  # leak
        return buy(ctx) if len(coming) and coming.max() > ctx.price * 1.003 else None

    return made


def file_read_when_asked():
    @tn.strategy("reads", every="30m")
    def made(ctx):
        rows = np.load(FOLDER / "rows.npy")
        coming = rows[rows[:, 0] >= ctx.now][:20, 4]  # leak
        return buy(ctx) if len(coming) and coming.max() > ctx.price * 1.003 else None

    return made


def archive_read_when_asked():
    @tn.strategy("archive", every="30m")
    def made(ctx):
        import numpy

        closes = numpy.load(FOLDER / "columns.npz")["close"]
        coming = closes[minute_of(ctx) :][:20]  # leak
        return buy(ctx) if len(coming) and coming.max() > ctx.price * 1.003 else None

    return made


def csv_read_by_the_indicator():
    made = read("csv")

    @made.indicators("15m")
    def columns(df):
        table = pd.read_csv(FOLDER / "frame.csv", index_col=0, parse_dates=True)
        coming = table.close.shift(-15).reindex(df.index)  # leak
        return {"up": coming - df.close}

    return made


def zero_phase():
    made = read("filter")

    @made.indicators("15m")
    def columns(df):
        ahead = df.close.ewm(alpha=0.2).mean()
        smooth = ahead[::-1].ewm(alpha=0.2).mean()[::-1]  # leak
        return {"up": smooth - df.close}

    return made


def fourier():
    made = read("fourier")

    @made.indicators("15m")
    def columns(df):
        waves = np.fft.rfft(df.close.to_numpy())  # leak
        waves[9:] = 0
        return {"up": np.fft.irfft(waves, len(df)) - df.close}

    return made


def rank_of_the_whole():
    made = read("ranks")

    @made.indicators("15m")
    def columns(df):
        rank = df.close.rank(pct=True)  # leak
        return {"up": 0.3 - rank}

    return made


def rank_beforehand():
    @tn.strategy("ranked", every="15m")
    def made(ctx):
        minute = minute_of(ctx)
        rank = RANKS.iloc[minute + 1] if minute + 1 < len(RANKS) else 0.0  # leak
        return buy(ctx) if rank > 0.6 else None

    return made


def label_of_the_left():
    made = read("labels", every="5m")

    @made.indicators("5m")
    def columns(df):
        hourly = df.close.resample("1h", label="left", closed="left").last()
        level = hourly.reindex(df.index, method="ffill")  # leak
        return {"up": df.close.rolling(3).mean() - level}

    return made


def joined_forwards():
    made = read("joined", every="5m")

    @made.indicators("5m")
    def columns(df):
        slow = df[["close"]].resample("30min").last().rename(columns={"close": "slow"})
        sides = {"left_index": True, "right_index": True, "direction": "forward"}
        both = pd.merge_asof(df, slow, **sides)  # leak
        return {"up": both.slow - df.close}

    return made


def interpolated():
    made = read("between", every="5m")

    @made.indicators("5m")
    def columns(df):
        sparse = df.close.where(np.arange(len(df)) % 12 == 0)
        line = sparse.interpolate()  # leak
        return {"up": line - df.close}

    return made


def turned_around():
    made = read("turned")

    @made.indicators("15m")
    def columns(df):
        best = df.high[::-1].rolling(8).max()[::-1]  # leak
        return {"up": best - 1.006 * df.close}

    return made


def days_left():
    made = read("left")

    @made.indicators("15m")
    def columns(df):
        left = np.arange(len(df))[::-1]  # leak
        return {"up": (left % 7 == 0) - 0.5}

    return made


def nested_in_a_dict():
    @tn.strategy("nested", every="15m")
    def made(ctx):
        closes = QUEUE["closes"]
        coming = closes[closes.index >= ctx.when].head(15)  # leak
        return buy(ctx) if coming.max() > ctx.price * 1.003 else None

    return made


def leaking_rule():
    @tn.risk("careful")
    def careful(book, candidate):
        minute = (book.now - int(GRID.start)) // 60_000
        worst = CLOSES[minute : minute + 60].min(initial=1e9)  # leak
        return "it will fall" if worst < candidate.entry * 0.997 else None

    @tn.strategy("ruled", every="15m", risk=[careful])
    def made(ctx):
        return buy(ctx)

    return made


def start_decided_by_the_future():
    def rising(day):
        return FRAME.close[FRAME.index.floor("1D") == day].diff().sum() > 0  # leak

    @tn.strategy("starts", every="15m")
    def made(ctx):
        return buy(ctx) if rising(ctx.when.floor("1D")) and ctx.when.hour < 20 else None

    return made


@dataclasses.dataclass(frozen=True, slots=True)
class Book:
    closes: np.ndarray
    ahead: int = 20

    def best(self, minute):
        return self.closes[minute : minute + self.ahead].max(initial=0.0)  # leak


def slotted_dataclass():
    book = Book(CLOSES)

    @tn.strategy("slotted", every="15m")
    def made(ctx):
        return buy(ctx) if book.best(minute_of(ctx)) > ctx.price * 1.003 else None

    return made


class Pair(NamedTuple):
    closes: pd.Series
    ahead: int


def named_tuple():
    pair = Pair(FRAME.close, 15)

    @tn.strategy("pair", every="15m")
    def made(ctx):
        coming = pair.closes[pair.closes.index >= ctx.when].head(pair.ahead)  # leak
        return buy(ctx) if coming.max() > ctx.price * 1.003 else None

    return made


class Base(abc.ABC):
    @abc.abstractmethod
    def level(self, ctx):
        """A price."""

    def get_signal(self, ctx):
        return buy(ctx) if self.level(ctx) > ctx.price * 1.003 else None


class Child(Base):
    def level(self, ctx):
        return CLOSES[minute_of(ctx) :][:20].max(initial=0.0)  # leak


def abstract_base():
    return tn.strategy("child", every="15m")(Child().get_signal)


def asked_in_a_coroutine():
    @tn.strategy("awaited", every="15m")
    async def made(ctx):
        coming = FRAME.close[FRAME.index >= ctx.when].head(15)  # leak
        return buy(ctx) if coming.max() > ctx.price * 1.003 else None

    return made


LEAKING = [
    asked_in_a_coroutine,
    slotted_dataclass, named_tuple, abstract_base,
    class_attribute, strategy_class, default_argument, keyword_default, cached_lookup, other_module,
    attribute_of_a_module, imported_inside, loaded_file, file_read_when_asked,
    archive_read_when_asked, csv_read_by_the_indicator, zero_phase, fourier, rank_of_the_whole,
    rank_beforehand, label_of_the_left, joined_forwards, interpolated, turned_around, days_left,
    nested_in_a_dict, leaking_rule, start_decided_by_the_future,
]  # fmt: skip


# --- clean


def seeded_generator():
    dice = np.random.default_rng(7)

    @tn.strategy("generator", every="15m")
    def made(ctx):
        return buy(ctx) if dice.random() < 0.2 else None

    return made


def seeded_random():
    dice = random.Random(7)

    @tn.strategy("dice", every="15m")
    def made(ctx):
        return buy(ctx) if dice.random() < 0.2 else None

    return made


def time_of_day():
    @tn.strategy("clock", every="5m")
    def made(ctx):
        return buy(ctx) if ctx.when.hour in (3, 9, 15) and ctx.when.minute == 0 else None

    return made


def static_file():
    @tn.strategy("hours", every="15m")
    def made(ctx):
        hours = {int(word) for word in (FOLDER / "hours.txt").read_text().split()}
        return buy(ctx) if ctx.when.hour in hours and ctx.when.minute == 0 else None

    return made


def static_table():
    @tn.strategy("holidays", every="30m")
    def made(ctx):
        factor = HOLIDAYS.set_index("day").factor.reindex([f"{ctx.when:%Y-%m-%d}"]).fillna(1.0)
        return buy(ctx, 0.02 * factor.iloc[0]) if ctx.when.hour % 4 == 0 else None

    return made


def file_read_up_to_now():
    @tn.strategy("past", every="30m")
    def made(ctx):
        rows = np.load(FOLDER / "rows.npy")
        past = rows[rows[:, 0] + 60_000 <= ctx.now][-30:, 4]
        return buy(ctx) if len(past) == 30 and past[-1] > past.mean() else None

    return made


def other_module_up_to_now():
    @tn.strategy("elsewhere", every="30m")
    def made(ctx):
        return buy(ctx) if elsewhere.known(ctx) < ctx.price else None

    return made


class Counter(tn.Strategy):
    seen = 0
    highest = 0.0

    def get_signal(self, ctx):
        type(self).seen += 1
        self.highest = max(self.highest, ctx.price)
        return buy(ctx) if self.seen % 9 == 0 or ctx.price == self.highest else None


def counting_in_the_class():
    return tn.strategy("counter", every="15m")(Counter)


def cached_on_the_object():
    class Levels:
        def __init__(self):
            self.known = {}

        @functools.cached_property
        def step(self):
            return 0.002

        def level(self, ctx):
            return self.known.setdefault(ctx.when.floor("6h"), ctx.price)

    levels = Levels()

    @tn.strategy("levels", every="15m")
    def made(ctx):
        return buy(ctx) if ctx.price < levels.level(ctx) * (1 - levels.step) else None

    return made


def deque_of_prices():
    prices = collections.deque(maxlen=12)

    @tn.strategy("deque", every="15m")
    def made(ctx):
        prices.append(ctx.price)
        return buy(ctx) if ctx.price == max(prices) else None

    return made


def causal_filter():
    made = read("causal")

    @made.indicators("15m")
    def columns(df):
        level, found = df.close.iloc[0] if len(df) else 0.0, []
        for price in df.close:
            level += 0.1 * (price - level)
            found.append(level)
        return {"up": df.close - np.array(found)}

    return made


def joined_backwards():
    made = read("backwards", every="5m")

    @made.indicators("5m")
    def columns(df):
        slow = df.close.resample("30min", label="right", closed="left").last().rename("slow")
        ends = (df.index + pd.Timedelta("5min")).as_unit("ms")
        closes = pd.Series(df.close.to_numpy(), ends, name="close")
        slow.index = slow.index.as_unit("ms")
        both = pd.merge_asof(closes, slow, left_index=True, right_index=True)
        return {"up": (both.close - both.slow).to_numpy()}

    return made


def rank_in_a_window():
    made = read("window")

    @made.indicators("15m")
    def columns(df):
        return {"up": df.close.rolling(24).rank(pct=True) - 0.7}

    return made


def split_by_the_clock():
    @tn.strategy("split", every="15m", vectorised=True)
    def made(df):
        first = df.close.groupby(df.index.floor("1D")).transform("first")
        sides = {"take_profit": df.close * 1.02, "stop_loss": df.close * 0.98, "minutes": 60}
        return {"position": np.where(df.close > first, 1, 0), **sides}

    return made


def clean_rule():
    @tn.risk("recent")
    def recent(book, candidate):
        losses = [trade for trade in book.trades if trade.pnl_percent < 0]
        return "lost lately" if losses and book.now - losses[-1].closed_at < 7_200_000 else None

    @tn.strategy("steady", every="15m", risk=[recent])
    def made(ctx):
        return buy(ctx) if ctx.candles("15m", 4).close[-1] > 0 else None

    return made


@dataclasses.dataclass
class Memory:
    prices: list = dataclasses.field(default_factory=list)

    def note(self, price):
        self.prices = [*self.prices, price][-6:]
        assert [item.name for item in dataclasses.fields(self)] == ["prices"]
        return price == min(self.prices)


def dataclass_that_remembers():
    memory = Memory()

    @tn.strategy("memory", every="15m")
    def made(ctx):
        return buy(ctx) if memory.note(ctx.price) else None

    return made


CLEAN = [
    dataclass_that_remembers,
    seeded_generator, seeded_random, time_of_day, static_file, static_table, file_read_up_to_now,
    other_module_up_to_now, counting_in_the_class, cached_on_the_object, deque_of_prices,
    causal_filter, joined_backwards, rank_in_a_window, split_by_the_clock, clean_rule,
]  # fmt: skip
assert corpus.FRAME is FRAME
