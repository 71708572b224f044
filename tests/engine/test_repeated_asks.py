"""Asks in a row that a driver makes by itself: they are those that the pump would ask for."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.engine.sessions import buy, drive, scripted, session, shown, spec
from tests.sources import exchange, flat, minute
from tradenb.engine.context import saved_state


def drive_again(pump, calls):
    """Ask again where the answer was None, as long as the call says so."""
    error = reply = None
    while True:
        try:
            call = pump.throw(error) if error else pump.send(reply)
        except StopIteration:
            return
        calls.append(call)
        error = reply = None
        try:
            reply = call.function(*call.args)
            while reply is None and call.again is not None and call.again():
                reply = call.function(*call.args)
        except Exception as raised:
            error = raised


def both_ways(make):
    """Pump what is made twice: with a driver that asks for each call, and with one that asks on."""
    calls, runs = [], []
    for asks_on in (False, True):
        log = []
        played = make(log)
        pump = played.pump(played.instances[0].candles.end)
        if asks_on:
            drive_again(pump, calls)
        else:
            drive(pump)
        rows = [instance.asks.rows for instance in played.instances]
        kept = [saved_state(instance.context) for instance in played.instances]
        runs.append((shown(played.events), log, rows, kept))
    assert runs[0] == runs[1]
    return runs[0], calls


def test_one_call_is_enough_for_asks_that_come_to_none():
    (_, log, (rows,), _), calls = both_ways(
        lambda log: session(spec("dip", scripted({}, log)), flat(50))
    )
    assert [at for _, _, at in log] == [minute(at) for at in range(1, 51)]
    assert [(row.outcome, row.count) for row in rows] == [("none", 50)]
    assert len(calls) == 1


def test_what_is_raised_in_the_middle_of_a_row_fails_that_ask_alone():
    def fails(ctx):
        raise ValueError(ctx.now)

    (events, log, (rows,), _), calls = both_ways(
        lambda log: session(spec("dip", scripted({7: fails, 12: buy()}, log)), flat(20))
    )
    assert [event[:2] for event in events] == [(7, "error"), (12, "opened")]
    assert [(row.outcome, row.count) for row in rows] == [
        ("none", 6),
        ("error", 1),
        ("none", 4),
        ("candidate", 1),
    ]
    assert len(calls) == 2
    assert len(log) == 12


def test_a_state_that_cannot_be_kept_fails_the_ask_that_left_it():
    def remembers(ctx):
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        if ctx.now == minute(5):
            ctx.state["open"] = {1, 2}

    (events, _, _, kept), _ = both_ways(lambda log: session(spec("dip", remembers), flat(9)))
    assert [event[:2] for event in events] == [(5, "error")]
    assert kept == ['{"asks":8}']


def test_nobody_is_asked_again_before_another_had_its_turn():
    (_, log, _, _), calls = both_ways(
        lambda log: session(
            [spec("one", scripted({}, log)), spec("two", scripted({}, log), every="3m")], flat(9)
        )
    )
    assert [at for _, _, at in log] == sorted(at for _, _, at in log)
    assert len(log) == 12
    assert len(calls) < len(log)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_run_makes_each_ask_once(kind):
    asked = []

    def notes(ctx):
        asked.append(ctx.now)

    async def waits(ctx):
        asked.append(ctx.now)

    made = tn.strategy("asked", every="5m")(notes if kind == "sync" else waits)
    result = tn.backtest.run("BTCUSDT", strategy=made, exchange=exchange(flat(100)), progress=False)
    assert asked == [minute(at) for at in range(5, 101, 5)]
    assert [(row.outcome, row.count) for _, _, row in result.ask_rows] == [("none", 20)]
