"""Fault 91: strategies that read another symbol, in live runs."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

import tradenb as tn
from tests.sources import candles, flat, market, minute
from tradenb import backtest
from tradenb.core.candles.arrays import Rows
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UnknownName, UsageError
from tradenb.testing.world.comparable_events import comparable
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action, World

BTC, ETH = "BTCUSDT", "ETHUSDT"
START, END = 30, 66


def pair(timeframe: str = "1m", seen: list[object] | None = None):
    """Decide by the other symbol, and count the asks."""

    def asked(ctx):
        count = ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        other = ctx.candles(timeframe, 3, symbol=ETH)
        if seen is not None:
            seen.append((ctx.now, other.time.tolist(), other.close.tolist()))
        up = other.close[-1] > other.close[0]
        make, sign = (tn.long, 1) if up else (tn.short, -1)
        return make(
            take_profit=ctx.price * (1 + 0.01 * sign),
            stop_loss=ctx.price * (1 - 0.01 * sign),
            minutes=7,
            note=f"ask {count}",
        )

    return asked


def quiet(rows, random: Random):
    """Let some minutes be without trades."""
    found = [rows[0]]
    for row in rows[1:]:
        last = found[-1][3]
        traded = (*row[:4], row[4] or 1.0)
        found.append((last, last, last, last, 0.0) if random.random() < 0.3 else traded)
    return found


def world_of(specs, *, seed: int = 1, quiet_minutes: bool = False) -> World:
    random = Random(seed)
    rows = market(seed + 100, END + 30)
    grids = {
        BTC: candles(market(seed, END + 30)),
        ETH: candles(quiet(rows, random) if quiet_minutes else rows),
    }
    return World(grids, start=minute(START), runs=[(BTC, spec) for spec in specs])


def without_quiet_minutes(world: World) -> None:
    """Let the exchange have no candle of a minute without trades."""
    recent = world.exchange.recent

    def thin(symbol, since, limit):
        rows = recent(symbol, since, limit)
        if symbol != ETH:
            return rows
        return Rows(*(np.asarray(column)[rows.volume > 0] for column in rows))

    world.exchange.recent = thin


def expected(world: World, specs):
    """The events of the backtest."""
    frames = {name: _Loaded(world.exchange.candles(name)) for name in (BTC, ETH)}
    return [
        event
        for spec in specs
        for event in backtest.run(
            BTC, strategy=spec, exchange=_Both(frames), start=minute(START), end=minute(END)
        ).event_list
    ]


class _Loaded:
    def __init__(self, found):
        self.candles = found


class _Both:
    name = "both"

    def __init__(self, frames):
        self._frames = frames

    def load(self, request):
        from tradenb.core.candles.arrays import Intake
        from tradenb.engine.ports import Loaded

        return Loaded(self._frames[request.symbol].candles, Intake())


@pytest.mark.no_cover
@pytest.mark.parametrize("declared", [(), (ETH,)], ids=["found", "declared"])
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
@pytest.mark.parametrize("minutes", ["traded", "quiet", "missing"])
def test_fault_91_live_is_the_backtest_where_another_symbol_is_read(declared, timeframe, minutes):
    spec = StrategySpec(name="pair", function=pair(timeframe), every="3m", symbols=declared)
    world = world_of([spec], quiet_minutes=minutes != "traded")
    if minutes == "missing":
        without_quiet_minutes(world)
    world.live(minute(END) + 3_000)
    events = world.events((BTC, spec))
    assert len(events) > 5
    assert [event for event in events if event.kind == "error"] == []
    assert comparable(events) == comparable(expected(world, [spec]))


def test_fault_91_the_first_ask_is_dropped_with_its_state_and_made_again():
    spec = StrategySpec(name="pair", function=pair(), every="5m")
    world = world_of([spec])
    world.live(minute(START + 11) + 3_000)
    (first, *_) = [e for e in world.events((BTC, spec)) if e.kind == "opened"]
    assert (first.at, first.note) == (minute(START + 5), "ask 1")


def test_one_request_a_symbol_and_tick_however_many_read_it():
    specs = [StrategySpec(name=f"pair-{n}", function=pair(), every="1m") for n in range(3)]
    own = StrategySpec(name="own", function=lambda ctx: None, every="1m")
    world = world_of(specs)
    world.wanted.append((ETH, own))
    world.live(minute(START + 12) + 3_000)
    asked = Counter((request.symbol, request.since) for request in world.exchange.requests)
    assert set(asked.values()) == {1}
    assert {symbol for symbol, _ in asked} == {BTC, ETH}


def test_what_is_read_is_kept_in_the_document_and_there_at_the_first_ask_after_a_restart():
    seen: list[object] = []
    spec = StrategySpec(name="pair", function=pair(seen=seen), every="1m")
    world = world_of([spec])
    world.live(minute(START + 3) + 3_000)
    assert world.checkpoint((BTC, spec)).reads == (ETH,)
    errors = []
    world.live(
        minute(START + 8) + 3_000,
        [Action(minute(START + 6), lambda process: errors.append(process.runs[0].error))],
    )
    assert errors == [None]
    assert world.checkpoint((BTC, spec)).reads == (ETH,)
    closes = [row[1][-1] for row in seen]
    assert closes == sorted(closes)


def test_a_symbol_that_is_not_there_is_said_at_the_start_and_delays_no_exit():
    def asked(ctx):
        if ctx.now == minute(START + 1):
            return tn.long(take_profit=2 * ctx.price, stop_loss=0.9 * ctx.price, minutes=5)
        ctx.candles("1m", 3, symbol="NONEUSDT")
        return None

    spec = StrategySpec(name="pair", function=asked, every="1m", symbols=("NONEUSDT",))
    world = World({BTC: candles(flat(END))}, start=minute(START), runs=[(BTC, spec)])
    said = []

    def look(process):
        said.append(str(process.runs[0].error))

    world.live(minute(START + 12) + 3_000, [Action(minute(START) + 1_000, look)])
    assert "pair reads NONEUSDT, which cannot be fetched" in said[0]
    events = world.events((BTC, spec))
    closed = [(e.at, e.exit_reason) for e in events if e.kind == "closed"]
    assert closed == [(minute(START + 6), "time_expired")]
    failed = [e.note for e in events if e.kind == "error"]
    assert "NONEUSDT cannot be read" in failed[0]


def test_a_symbol_whose_candles_come_late_is_shown_as_it_is_and_delays_no_exit():
    seen: list[object] = []
    spec = StrategySpec(name="pair", function=pair(seen=seen), every="1m", symbols=(ETH,))
    world = world_of([spec])
    late = Trouble("late", minute(START + 4) - 1_000, minute(START + 8), symbol=ETH)
    world.exchange.troubles = [late]
    world.live(minute(START + 12) + 3_000)
    walls = {e.at: e.wall - e.at for e in world.events((BTC, spec)) if e.kind != "milestone"}
    newest = {now: opened[-1] + 60_000 for now, opened, _ in seen}
    exits = {e.at for e in world.events((BTC, spec)) if e.kind == "closed"}
    assert all(walls[at] < 4_000 for at in exits if at not in newest)
    assert max(walls.values()) < 30_000
    behind = {(now - newest[now]) // 60_000 for now in newest if now < minute(START + 9)}
    assert behind == {0, 1}
    assert all(newest[now] == now for now in newest if now > minute(START + 9))


def test_a_read_symbol_that_fails_for_an_hour_is_an_error_of_the_run_and_comes_back():
    spec = StrategySpec(name="pair", function=pair(), every="1m", symbols=(ETH,))
    world = world_of([spec])
    world.exchange.troubles = [
        Trouble("error", minute(START + 4) - 1_000, minute(START + 8), symbol=ETH)
    ]
    errors = []

    def look(process):
        errors.append(str(process.runs[0].error or ""))

    looks = [Action(minute(START + n) + 55_000, look) for n in (6, 10)]
    world.live(minute(START + 12) + 3_000, looks)
    assert "pair reads ETHUSDT, which cannot be fetched" in errors[0]
    assert errors[1] == ""
    assert world.checkpoint((BTC, spec)).state.cursor == minute(START + 12)


@tn.strategy("reads-eth", every="15m")
def reads_eth(ctx):
    eth = ctx.candles("1h", 6, symbol=ETH).close
    if eth[-1] > eth.mean():
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=300)
    return None


PERIOD = {"start": "2024-01-02", "end": "2024-01-02T12:00"}


@pytest.mark.no_cover
def test_a_rehearsal_reads_another_symbol_and_parity_compares_it(tmp_path):
    source = tn.testing.random_walk(seed=7, days=4, symbols=[BTC, ETH])
    given = {"strategy": reads_eth, "exchange": source, **PERIOD}
    run = tn.live.rehearse(BTC, speed=None, home=tmp_path, **given)
    assert run.wait(240)
    trades = len(tn.backtest.run(BTC, **given).trades)
    assert trades > 0
    found = tn.parity(run)
    assert found.clean
    assert len(found.live) == len(found.backtest) >= trades  # one may be open in the end
    assert found.notes == ["the strategy reads ETHUSDT, here with the candles of today"]


def test_a_declared_symbol_that_is_not_there_is_refused_before_anything_begins(tmp_path):
    source = tn.testing.random_walk(seed=7, days=4, symbols=[BTC])
    spec = reads_eth.model_copy(update={"symbols": (ETH,)})
    with pytest.raises(UnknownName, match=ETH):
        tn.live.rehearse(BTC, strategy=spec, exchange=source, home=tmp_path, **PERIOD)
    with pytest.raises(UnknownName, match=ETH):
        tn.backtest.run(BTC, strategy=spec, exchange=source, **PERIOD)


@pytest.mark.no_cover
def test_parity_without_a_trade_on_either_side_says_that_nothing_was_compared(tmp_path):
    @tn.strategy("fails", every="15m")
    def fails(ctx):
        raise LookupError("as planned")

    source = tn.testing.random_walk(seed=7, days=4, symbols=[BTC])
    period = {**PERIOD, "end": "2024-01-02T06:00"}
    run = tn.live.rehearse(
        BTC, strategy=fails, exchange=source, speed=None, home=tmp_path, **period
    )
    assert run.wait(240)
    found = tn.parity(run)
    assert "nothing to compare, no trade on either side" in repr(found)
    assert "agree" not in repr(found)
    assert (found.verdict, found.clean) == ("nothing to compare", False)
    assert found.notes == ["the strategy failed in 24 asks of the live run; see its error events"]


def test_symbols_are_declared_in_any_spelling_and_nonsense_is_refused():
    declared = tn.strategy("declares", every="1m", symbols="ETH/USDT")(lambda ctx: None)
    assert declared.symbols == (ETH,)
    for nonsense in ("", 7, [None]):
        with pytest.raises(tn.errors.SpecError, match="symbols must be symbols"):
            tn.strategy("declares-2", every="1m", symbols=nonsense)(lambda ctx: None)
    assert issubclass(tn.errors.SpecError, UsageError)


def test_a_manage_function_that_reads_another_symbol_sees_its_position_when_it_is_asked_again():
    seen = []

    def manage(ctx):
        before = ctx.position
        ctx.candles("1m", 3, symbol=ETH)
        seen.append((ctx.now, before is not None, ctx.position is not None))

    spec = tn.strategy("looks", every="1m")(lambda ctx: tn.long(stop_loss=tn.percent(15)))
    spec.manage(every="1m")(manage)
    world = world_of([spec])
    assert world.live(minute(END) + 3_000)
    assert len(seen) > 5
    assert {(before, after) for _, before, after in seen} == {(True, True)}
