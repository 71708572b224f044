"""Live runs with causes planted in them: what the backtest of their period will differ by.

The market is calm, so every position lives for its twenty minutes, and each cause sits at one of
them.
"""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pandas as pd

import tradenb as tn
from tests.sources import candles, minute
from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.timeframe import MINUTE
from tradenb.live.stepped_clock import SteppedClock
from tradenb.research.parity.api import parity
from tradenb.testing.world.simulated_world import Action, World

START, END = 600, 1_000
BUYS = (610, 650, 690, 730, 770, 810, 850, 890)
COLUMNS = ("open", "high", "low", "close", "volume")


def calm():
    """A market in which every position lives for its time: wide stops, small steps."""
    rows = []
    for count in range(END + 100):
        price = 100 + 0.1 * ((count * 7) % 11)
        rows.append((price, price + 0.05, price - 0.05, price, 1.0))
    return rows


def frame_of(rows):
    grid = candles([row or (1.0,) * 5 for row in rows])
    times = pd.to_datetime(grid.time, unit="ms", utc=True)
    made = pd.DataFrame({name: getattr(grid, name) for name in COLUMNS}, index=times)
    return made[[row is not None for row in rows]]


class Planted:
    """A live run with causes planted at its trades; `fresh` is the market of today."""

    def __init__(self):
        self.seen, self.fresh = calm(), calm()
        self.down, self.refused, self.raises, self.flattened = [], set(), set(), set()
        self.extra, self.windowed = (), None
        self.run, self.started = None, threading.Event()

    def strategy(self, extra=()):
        planted = self

        @tn.risk("moody")
        def moody(book, candidate):
            return "not today" if book.now in planted.refused else None

        def opened(event):
            if event.at in planted.flattened:
                planted.started.wait(240)
                planted.run.flatten()

        @tn.strategy("planned", every="5m", risk=[moody], history="10h", on_open=opened)
        def planned(ctx):
            if ctx.mode == "live" and ctx.now in planted.raises:
                raise ValueError("live only")
            at = (ctx.now - minute(0)) // 60_000
            if at == planted.windowed and ctx.indicators["rows"] > 400:
                return None
            if at in (*BUYS, *extra):
                return tn.long(take_profit=1.1 * ctx.price, stop_loss=0.9 * ctx.price, minutes=20)
            return None

        @planned.indicators("5m", window=40, tolerance=0.99)
        def rows(df):
            opens = df.index.as_unit("ms").asi8
            return {"rows": 1_000.0 * (np.arange(len(df)) > 100) + 100 + 0 * opens}

        return planned

    def simulated(self, actions=()):
        """Live in virtual time, in as many processes as the pauses ask for."""
        world = World(
            {"BTCUSDT": self._given()},
            start=minute(START),
            runs=[("BTCUSDT", self.strategy())],
        )
        actions = [*actions, *(Action(at + 5_000, _flatten) for at in self.flattened)]
        self.flattened = set()
        process = world.process()
        for begin, end in self.down:
            border = minute(begin)
            process.live(border, [action for action in actions if action.at < border])
            actions = [action for action in actions if action.at >= border]
            world.clock.run(asyncio.sleep((minute(end) - world.clock.now()) / 1000))
            process = world.process()
        assert process.live(minute(END) + 5_000, actions)
        return self._lived(process.runs[0])

    def rehearsed(self, home, monkeypatch):
        """Live with the real loop and files; in a pause the machine is suspended."""
        step = SteppedClock.wait

        async def suspended(clock, woken, until):
            for begin, end in self.down:
                if until is not None and minute(begin) < until < minute(end):
                    until = minute(end) + 2_001
            await step(clock, woken, until)

        with monkeypatch.context() as patch:
            patch.setattr(SteppedClock, "wait", suspended)
            exchange = tn.frame_exchange(frame_of(self.seen))
            self.run = tn.live.rehearse(
                "BTCUSDT", strategy=self.strategy(), exchange=exchange, start=minute(START),
                end=minute(END), speed=None, home=home,
            )  # fmt: skip
            self.started.set()
            assert self.run.wait(240)
        return self._lived(self.run)

    def today(self):
        """The market and the code of today."""
        strategy = self.strategy(self.extra) if self.extra else None
        return {"exchange": tn.frame_exchange(frame_of(self.fresh)), "strategy": strategy}

    def report(self):
        return parity(self.simulated(), **self.today())

    def _given(self):
        """The rows that there are, as an exchange gives them."""
        there = [place for place, row in enumerate(self.seen) if row is not None]
        times = np.array([minute(place) for place in there])
        columns = np.array([self.seen[place] for place in there]).T
        return with_gaps(Rows(times, *columns), MINUTE, tn.Rules().gap_minutes)[0]

    def _lived(self, run):
        self.refused, self.raises = set(), set()
        return run


def _flatten(process):
    process.runs[0].flatten()


def user(planted):
    planted.flattened.add(minute(610))


def failing(planted):
    planted.raises.add(minute(650))


def refused(planted):
    planted.refused.add(minute(690))


def revised(planted):
    price = planted.fresh[740][0]
    planted.fresh[740] = (price, price, 80.0, price, 1.0)


def missing(planted):
    price = planted.seen[779][3]
    planted.seen[780] = None
    planted.fresh[780] = (price, price, 80.0, price, 5.0)


def down(planted):
    planted.down.append((807, 813))


def window(planted):
    planted.windowed = 850


def changed(planted):
    planted.extra = (940,)


def late_exit(planted):
    planted.down.append((900, 922))


PLANTS = {
    "user action": user,
    "error": failing,
    "refused by risk": refused,
    "candle revised": revised,
    "candle missing": missing,
    "late tick": down,
    "indicator window": window,
    "code changed": changed,
    "late exit": late_exit,
}
