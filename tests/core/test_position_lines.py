"""What charts draw of a position is what was in force at each candle, or nothing."""

from __future__ import annotations

import functools
import math

import pytest

import tradenb as tn
from tests.test_eight_strategies import MARKET, START, Source
from tradenb.core.lifecycle.lines_of_events import lines_of
from tradenb.core.signal import Signal

DAYS = 2 * 1440 * 60_000
TRAILS = {
    "percent": {"trail": 0.6},
    "distance": {"trail_distance": 0.5},
    "after": {"trail": 0.5, "trail_after": 0.4},
    "breakeven": {"trail": 0.8, "trail_after": 1.0, "breakeven": 0.5, "breakeven_plus": 0.1},
}


def watched(side, declared, *, acts=False):
    """Return a strategy with a trail, and the stop that it saw at each close."""
    seen = {}

    @tn.strategy("watched", every="1h")
    def watched(ctx):
        ladder = [(tn.percent(0.7), 0.3), (tn.percent(1.5), 0.3)]
        return side(stop_loss=tn.percent(1.2), take_profit=ladder, **declared)

    @watched.manage(every="1m")
    def look(ctx):
        position = ctx.position
        seen[position.id, ctx.now] = position.stop_loss, position.entry, position.targets
        if not acts or ctx.when.minute % 20:
            return None
        if ctx.when.minute == 0:
            return tn.close(0.2)
        if ctx.when.minute == 20:
            return tn.add(0.5)
        sign = -1 if position.is_long else 1
        return tn.move(stop_loss=ctx.price * (1 + sign * 0.004), take_profit=tn.percent(2.5))

    return watched, seen


@functools.cache
def played(side, trail, acts=False):
    """Return the result of a strategy with this trail, and what it saw."""
    strategy, seen = watched(side, TRAILS[trail], acts=acts)
    period = {"start": START, "end": START + DAYS}
    source = Source()
    result = tn.backtest.run(
        "BTCUSDT", strategy=strategy, exchange=source, progress=False, **period
    )
    return result, seen


def in_force(steps, at):
    return [step for step in steps if step.at <= at][-1].level


def as_in_a_journal(event):
    """An event as its row says it: how the signal trails, and its ladder, have no column."""
    if not isinstance(event.signal, Signal):
        return event
    lost = {"trail": None, "trail_distance": None, "trail_after": None, "targets": ()}
    return event._replace(signal=event.signal._replace(**lost))


def named(side):
    return side.__name__


@pytest.mark.parametrize("acts", [False, True])
@pytest.mark.parametrize("side", [tn.long, tn.short], ids=named)
@pytest.mark.parametrize("trail", TRAILS)
def test_the_stop_is_drawn_where_it_was_at_each_candle(side, trail, acts):
    result, seen = played(side, trail, acts)
    lines = {life.signal_id: life for life in lines_of(result.event_list, MARKET, result.rules)}
    assert len(lines) > 3
    moves = [life for life in lines.values() if len(life.stop) > 4]
    assert moves
    ended = {(trade.signal_id, trade.closed_at) for trade in result.trade_list}
    for (id, at), (stop, entry, targets) in seen.items():
        life = lines[id]
        if life.closed_at == at:
            continue  # manage itself closed it there
        told = [event for event in result.event_list if event.at == at and event.signal_id == id]
        if any(event.kind in ("moved", "added", "partial") for event in told):
            continue  # seen before what it answered was done
        assert in_force(life.stop, at) == pytest.approx(stop, rel=1e-12)
        assert in_force(life.entry, at) == entry
        left = [each for each in life.targets if each.since <= at < (each.until or math.inf)]
        assert [each.level for each in left] == [level for level, _ in targets]
    assert {(life.signal_id, life.closed_at) for life in lines.values() if life.closed_at} == ended


@pytest.mark.parametrize("side", [tn.long, tn.short], ids=named)
@pytest.mark.parametrize("trail", TRAILS)
def test_of_a_journal_the_stop_is_drawn_rightly_or_not_at_all(side, trail):
    result, seen = played(side, trail)
    events = [as_in_a_journal(event) for event in result.event_list]
    lines = {life.signal_id: life for life in lines_of(events, MARKET, result.rules)}
    drawn = {key: in_force(lines[key[0]].stop, key[1]) for key in seen}
    known = {key: level for key, level in drawn.items() if level is not None}
    assert known == pytest.approx({key: seen[key][0] for key in known}, rel=1e-9)
    # Only of the position that is still open nothing tells how it trails.
    assert {id for id, _ in drawn.keys() - known.keys()} <= set(result.open.signal_id)
    assert any(len(life.stop) > 4 for life in lines.values())


def test_where_candles_are_missing_the_stop_is_not_made_up():
    result, _ = played(tn.long, "percent")
    whole = lines_of(result.event_list, MARKET, result.rules)
    trailed = next(life for life in whole if life.closed_at and len(life.stop) > 6)
    middle = trailed.stop[3].at
    for candles in (None, MARKET.between(MARKET.start, middle), MARKET.between(middle, START)):
        found = lines_of(result.event_list, candles, result.rules)
        same = next(life for life in found if life.signal_id == trailed.signal_id)
        for step in same.stop:
            assert step.level is None or step.level == in_force(trailed.stop, step.at)
        assert None in {step.level for step in same.stop}


def test_the_stop_of_an_open_position_is_known_since_its_best_price_was_made():
    result, seen = played(tn.long, "percent")
    trade = max(result.trade_list, key=lambda trade: trade.minutes_held)
    end = trade.closed_at - 60_000
    events = [event for event in result.event_list if event.at <= end]
    (opened,) = [
        event for event in events if event.signal_id == trade.signal_id and event.kind == "opened"
    ]
    held = opened.signal._replace(stop_loss=seen[trade.signal_id, end][0])
    peak = MARKET.between(trade.opened_at, end).high.max()
    journal = [as_in_a_journal(event) for event in events]
    for back in (5, 60, 100_000):
        candles = MARKET.between(end - back * 60_000, end)
        last = lines_of(journal, candles, result.rules, held=held, peak=peak)[-1]
        assert last.signal_id == trade.signal_id
        assert in_force(last.stop, end) == held.stop_loss
        for at in range(max(candles.start, trade.opened_at + 60_000), end, 60_000):
            drawn = in_force(last.stop, at)
            assert drawn is None or drawn == pytest.approx(seen[trade.signal_id, at][0])


def test_adds_and_parts_are_marks_with_their_prices():
    result, _ = played(tn.long, "after", acts=True)
    lines = lines_of(result.event_list, MARKET, result.rules)
    marks = [
        (mark.at, mark.kind, mark.price, mark.fraction) for life in lines for mark in life.marks
    ]
    told = [
        (event.at, event.kind, event.price, event.fraction)
        for event in result.event_list
        if event.kind in ("added", "partial")
    ]
    assert sorted(marks) == sorted(told)
    assert {kind for _, kind, _, _ in marks} == {"added", "partial"}


def test_the_stop_of_a_state_that_the_candles_do_not_explain_is_drawn_at_the_end_alone():
    result, seen = played(tn.long, "percent")
    trade = max(result.trade_list, key=lambda trade: trade.minutes_held)
    end = trade.closed_at - 60_000
    events = [event for event in result.event_list if event.at <= end]
    (moved,) = [
        event for event in events if event.signal_id == trade.signal_id and event.kind == "moved"
    ]
    right = moved.signal._replace(stop_loss=seen[trade.signal_id, end][0])
    wrong = right._replace(trail=0.61)  # not how it trailed
    candles = MARKET.between(MARKET.start, end)
    told = [as_in_a_journal(event) for event in events]
    last = lines_of(told, candles, result.rules, held=right, peak=1.0)[-1]
    assert None not in {step.level for step in last.stop}
    last = lines_of(told, candles, result.rules, held=wrong, peak=1.0)[-1]
    known = [event.at for event in events if event.signal_id == trade.signal_id]
    assert in_force(last.stop, end) == right.stop_loss
    assert in_force(last.stop, end - 60_000) is None
    assert {step.at for step in last.stop if step.level is not None} <= {*known, end}


def test_events_of_positions_whose_beginning_is_not_there_draw_nothing():
    result, _ = played(tn.long, "percent")
    events = [event for event in result.event_list if event.kind != "opened"]
    assert len(events) > 10
    assert lines_of(events, MARKET, result.rules) == []


def test_events_without_a_checked_signal_draw_nothing():
    @tn.strategy("wrong", every="1h")
    def wrong(ctx):
        return tn.long(stop_loss=2 * ctx.price)

    result = tn.backtest.run(
        "BTCUSDT", strategy=wrong, exchange=Source(), start=START, end=START + DAYS, progress=False
    )
    assert {event.kind for event in result.event_list} == {"rejected"}
    assert lines_of(result.event_list, MARKET, result.rules) == []
