"""Parity: each difference between a live run and its backtest has one cause, a clean run none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.sources import candles, market, minute
from tradenb.errors import UsageError
from tradenb.research.parity import CAUSES, parity
from tradenb.testing.world import Deed, World

START, END = 600, 1_000
BUYS = (610, 650, 690, 730, 770, 810, 850, 890)
COLUMNS = ("open", "high", "low", "close", "volume")


def calm():
    """A market in which every position lives for its hour: wide stops, small steps."""
    rows = []
    for count in range(END + 100):
        price = 100 + 0.1 * ((count * 7) % 11)
        rows.append((price, price + 0.05, price - 0.05, price, 1.0))
    return rows


def frame_of(rows):
    grid = candles(rows)
    times = pd.to_datetime(grid.time, unit="ms", utc=True)
    return pd.DataFrame({name: getattr(grid, name) for name in COLUMNS}, index=times)


class Planted:
    """A live run with a cause planted at one of its trades; `fresh` is the market of today."""

    def __init__(self):
        self.seen, self.fresh = calm(), calm()
        self.deeds, self.down, self.refused, self.raises = [], None, set(), set()
        self.extra, self.windowed = (), None

    def strategy(self, extra=()):
        planted = self

        @tn.risk("moody")
        def moody(book, candidate):
            return "not today" if book.now in planted.refused else None

        @tn.strategy("planned", every="5m", risk=[moody], history="10h")
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

    def live(self):
        made = self.strategy()
        world = World(
            {"BTCUSDT": candles(self.seen)}, start=minute(START), runs=[("BTCUSDT", made)]
        )
        if self.down:
            border = minute(self.down[0])
            world.live(border, [deed for deed in self.deeds if deed.at < border])
            self.deeds = [deed for deed in self.deeds if deed.at >= border]
            wait = minute(self.down[1]) - world.clock.now()
            process = _later(world, wait)
        else:
            process = world.process()
        assert process.live(minute(END) + 5_000, self.deeds)
        self.refused, self.raises = set(), set()
        return process.runs[0]

    def report(self):
        run = self.live()
        today = self.strategy(self.extra) if self.extra else None
        return parity(run, exchange=tn.frame_exchange(frame_of(self.fresh)), strategy=today)


def _later(world, wait_ms):
    """Start a process after a pause in which nobody lived."""
    import asyncio

    world.clock.run(asyncio.sleep(wait_ms / 1000))
    return world.process()


def user(planted):
    planted.deeds.append(Deed(minute(620), lambda process: process.runs[0].flatten()))


def failing(planted):
    planted.raises.add(minute(650))


def refused(planted):
    planted.refused.add(minute(690))


def revised(planted):
    price = planted.fresh[740][0]
    planted.fresh[740] = (price, price, 80.0, price, 1.0)


def missing(planted):
    price = planted.seen[779][3]
    planted.seen[780] = (price, price, price, price, 0.0)
    planted.fresh[780] = (price, price, 80.0, price, 5.0)


def down(planted):
    planted.down = (807, 813)


def window(planted):
    planted.windowed = 850


def changed(planted):
    planted.extra = (940,)


def late_exit(planted):
    planted.down = (900, 922)


PLANTS = {
    "user action": user,
    "error": failing,
    "refused by risk": refused,
    "candle revised": revised,
    "candle missing": missing,
    "late tick": down,
    "indicator window": window,
    "code changed": changed,
}


def test_every_cause_can_be_planted():
    assert set(CAUSES) == {*PLANTS, "late exit", "unexplained"}


@pytest.mark.parametrize("cause", PLANTS)
def test_a_planted_cause_is_the_only_one_found(cause):
    planted = Planted()
    PLANTS[cause](planted)
    found = planted.report()
    assert found.causes == {cause: 1}
    assert not found.clean
    assert f"1 difference ({len(found.live)} trades live" in repr(found)
    row = found.table.iloc[0]
    assert row.cause == cause
    assert row.live + row.backtest >= 1


@pytest.mark.parametrize(
    "causes",
    [
        ("user action", "error", "refused by risk", "candle revised", "late tick"),
        ("candle missing", "candle revised", "indicator window", "code changed", "user action"),
    ],
)
def test_five_planted_causes_are_exactly_those_five(causes):
    planted = Planted()
    for cause in causes:
        PLANTS[cause](planted)
    found = planted.report()
    assert found.causes == dict.fromkeys([name for name in CAUSES if name in causes], 1)


def test_an_exit_that_came_late_is_named():
    planted = Planted()
    late_exit(planted)
    found = planted.report()
    assert found.causes == {"late exit": 1}
    (item,) = found.found
    assert item.live == item.backtest
    assert item.at == minute(890)


def test_a_clean_run_has_none():
    found = Planted().report()
    assert found.clean
    assert len(found.live) == len(found.backtest) == len(BUYS)
    assert repr(found) == (
        "BTCUSDT:planned: live and backtest agree (8 trades live, 8 in the backtest)"
    )
    assert found.table.empty
    assert found._repr_html_().startswith("<div>BTCUSDT:planned")


def test_a_clean_rehearsal_has_none_and_one_whose_rule_was_moody_has_that(tmp_path):
    rows = market(4, 3_000)
    refusing = set()

    @tn.risk("moody")
    def moody(book, candidate):
        return "no" if refusing and book.now % 7_200_000 == 0 else None

    @tn.strategy("moving", every="30m", risk=[moody])
    def moving(ctx):
        if ctx.price > ctx.indicators["mean"]:
            return tn.long(take_profit=1.03 * ctx.price, stop_loss=0.97 * ctx.price, minutes=300)
        return tn.short(
            take_profit=0.97 * ctx.price, stop_loss=1.03 * ctx.price, minutes=300,
            entry=1.004 * ctx.price,
        )  # fmt: skip

    @moving.indicators("15m")
    def mean(df):
        return {"mean": df.close.rolling(20).mean().fillna(0)}

    def rehearse(home):
        run = tn.live.rehearse(
            "BTCUSDT", strategy=moving, exchange=tn.frame_exchange(frame_of(rows)),
            start=minute(600), end=minute(1_800), speed=None, home=home,
        )  # fmt: skip
        assert run.wait(90)
        run.raise_if_failed()
        return run

    found = tn.parity(rehearse(tmp_path / "clean"))
    assert found.clean
    assert len(found.live) > 3
    refusing.add(True)
    run = rehearse(tmp_path / "refused")
    refusing.clear()
    assert set(tn.parity(run).causes) == {"refused by risk"}


def test_a_stopped_run_was_stopped_by_its_user():
    planted = Planted()
    planted.deeds.append(Deed(minute(900), lambda process: process.runs[0].stop()))
    made = planted.strategy()
    world = World({"BTCUSDT": candles(planted.seen)}, start=minute(START), runs=[("BTCUSDT", made)])
    process = world.process()
    assert process.live(minute(END) + 5_000, planted.deeds)
    found = parity(process.runs[0], exchange=tn.frame_exchange(frame_of(planted.fresh)))
    assert len(found.live) == len(BUYS)
    assert found.clean  # the position was followed to its end


def test_what_has_not_lived_cannot_be_compared():
    with pytest.raises(UsageError, match="parity needs a live or rehearsed run of this process"):
        parity(object())
