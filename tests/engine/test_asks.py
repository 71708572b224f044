"""Asks: failures of a strategy, its own memory, warm-up, and asks that came too late."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.engine.sessions import buy, drive, pumped, scripted, session, shown, spec
from tests.sources import flat, minute
from tradenb.engine.call import StrategyTimeout
from tradenb.engine.context import saved_state
from tradenb.errors import StrategyError


def raising(error: BaseException):
    def asked(ctx):
        raise error

    return asked


# ------------------------------------------------------------------------------------- failures


def test_an_exception_is_an_error_event_that_says_what_and_where_and_counts_as_none():
    def asked(ctx):
        return buy() if ctx.now == minute(3) else 1 / (ctx.now - minute(2))

    played = pumped(session(spec("dip", asked), flat(3)))
    error, rejected, opened = played.events[-2], played.events[0], played.events[-1]
    assert (error.kind, error.at, opened.kind) == ("error", minute(2), "opened")
    assert error.note.startswith("strategy dip: ZeroDivisionError: division by zero (line ")
    assert error.note.endswith(" of asked)")
    assert (rejected.kind, rejected.exit_reason) == ("rejected", "invalid")


@pytest.mark.parametrize(
    "asked",
    [
        lambda ctx: buy() if pd.Series([1.0, 2.0]) > 1 else None,
        lambda ctx: tn.long(stop_loss=ctx.close),
        lambda ctx: tn.average_true_range,
    ],
)
def test_the_place_of_an_error_is_in_the_code_of_the_user_not_in_a_library(asked):
    note = pumped(session(spec("dip", asked), flat(1))).events[0].note
    assert note.endswith(f"(line {asked.__code__.co_firstlineno} of <lambda>)")


def test_an_exception_without_printable_words_breaks_nothing():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("never")

    played = pumped(session(spec("dip", raising(Mute())), flat(1)))
    assert played.events[0].note.startswith("strategy dip: Mute: (its text cannot be shown)")


def test_a_long_message_is_cut():
    played = pumped(session(spec("dip", raising(ValueError("x" * 9_999))), flat(1)))
    assert len(played.events[0].note) == 500


def test_an_error_of_the_house_speaks_for_itself():
    wrong = spec("dip", lambda ctx: ctx.candles("7m", 1))
    note = pumped(session(wrong, flat(1))).events[0].note
    assert note.startswith("strategy dip: unknown timeframe '7m'; did you mean ")
    assert "(line" not in note


def test_a_timeout_is_an_error_event_and_is_counted():
    late = StrategyTimeout("took longer than signal_timeout_seconds = 180")
    played = session(spec("dip", scripted({})), flat(3))
    drive(played.pump(minute(3)), lambda call: late if call.args[0].now == minute(2) else None)
    assert isinstance(late, StrategyError)
    assert [(event.at, event.note) for event in played.events] == [(
        minute(2), "strategy dip: took longer than signal_timeout_seconds = 180"
    )]  # fmt: skip
    assert played.timeouts == 1


def test_nobody_is_asked_while_an_earlier_ask_has_not_come_back():
    asked, busy = [], [True]
    late = StrategyTimeout("hangs")
    late.busy = lambda: busy[0]

    def fails(call):
        return late if call.args[0].now == minute(2) else None

    played = session(spec("dip", lambda ctx: asked.append(ctx.now)), flat(6))
    drive(played.pump(minute(4)), fails)
    busy[0] = False
    drive(played.pump(minute(6)), fails)
    assert asked == [minute(1), minute(5), minute(6)]
    assert [(event.at, event.kind, event.exit_reason) for event in played.events] == [
        (minute(2), "error", None),
        (minute(3), "skipped", "busy"),
    ]


def test_after_a_timeout_the_hung_function_has_no_hand_on_the_context():
    contexts = []

    def asked(ctx):
        contexts.append(ctx)
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1

    def hangs(call):
        if call.args[0].now != minute(3):
            return None
        call.function(*call.args)
        return StrategyTimeout("hangs")

    played = session(spec("dip", asked), flat(5))
    drive(played.pump(minute(5)), hangs)
    first, other = contexts[2], contexts[3]
    assert (first is contexts[0], other is contexts[4], first is other) == (True, True, False)
    assert (first.now, other.now) == (minute(3), minute(5))
    assert other.state == {"asks": 4}


# ------------------------------------------------------------------------------------- ctx.state


def test_state_is_kept_from_ask_to_ask_for_each_instance_alone():
    seen = []

    def counting(ctx):
        seen.append((ctx.symbol, ctx.state.get("asks", 0)))
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1

    pumped(session(spec("dip", counting), {"BTC": flat(3), "ETH": flat(2)}))
    assert seen == [("BTC", 0), ("ETH", 0), ("BTC", 1), ("ETH", 1), ("BTC", 2)]


def test_state_is_dropped_when_the_ask_raises():
    seen = []

    def counting(ctx):
        seen.append(dict(ctx.state))
        ctx.state["last"] = ctx.now
        if ctx.now == minute(2):
            raise ValueError
        if ctx.now == minute(3):
            ctx.candles("1m", 99)

    pumped(session(spec("dip", counting), flat(5)))
    kept = {"last": minute(1)}
    assert seen == [{}, kept, kept, kept, {"last": minute(4)}]


def test_what_a_strategy_keeps_outside_does_not_change_its_state():
    outside = {}

    def asked(ctx):
        outside.setdefault("list", ctx.state.setdefault("list", [])).append(ctx.now)

    played = pumped(session(spec("dip", asked), flat(3)))
    assert outside["list"] == [minute(1), minute(2), minute(3)]
    assert saved_state(played.instances[0].context) == f'{{"list":[{minute(1)}]}}'


@pytest.mark.parametrize(
    "value", [None, True, -5, 10**30, 0.1, "ü\n", [], [1, [2.5, None]], {"a": {"b": ["c"]}}]
)
def test_plain_values_come_back_as_they_were(value):
    seen = []

    def asked(ctx):
        seen.append(ctx.state.get("value", "nothing yet"))
        ctx.state["value"] = value

    pumped(session(spec("dip", asked), flat(2)))
    assert seen == ["nothing yet", value]
    assert type(seen[1]) is type(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((1, 2), "ctx.state['x'] must be JSON-plain (None, bool, int, finite float, str, list"),
        ((1, 2), "was tuple (1, 2); use list(x)"),
        ([1, {2}], "ctx.state['x'][1] must be JSON-plain"),
        ({"y": [np.float64(1.5)]}, "was float64 np.float64(1.5); use float(x)"),
        (np.int64(3), "was int64 np.int64(3); use int(x)"),
        (np.zeros(2), "was ndarray array([0., 0.]); use x.tolist()"),
        (math.nan, "was float nan"),
        (math.inf, "was float inf"),
        (dt.date(2024, 1, 1), "was date datetime.date(2024, 1, 1)"),
        ({"y": {1: "a"}}, "ctx.state['x']['y'] must have strings as keys, had 1; use str(key)"),
        (b"x", "was bytes b'x'"),
    ],
)
def test_other_values_are_refused_with_the_path_to_them(value, words):
    def asked(ctx):
        ctx.state["x"] = value
        return buy()

    played = pumped(session(spec("dip", asked), flat(1)))
    (error,) = played.events
    assert error.kind == "error"
    assert words in error.note
    assert saved_state(played.instances[0].context) == "{}"


@pytest.mark.parametrize(("count", "kept"), [(63_992, True), (63_993, False)])
def test_state_is_at_most_64_kb(count, kept):
    def asked(ctx):
        ctx.state["x"] = "a" * count

    played = pumped(session(spec("dip", asked), flat(1)))
    words = "strategy dip: ctx.state must stay within 64000 bytes as JSON, was 64001"
    assert [event.note for event in played.events] == ([] if kept else [words])


def test_a_state_that_contains_itself_is_an_error_event():
    def asked(ctx):
        ctx.state["me"] = ctx.state

    (error,) = pumped(session(spec("dip", asked), flat(1))).events
    words = "ctx.state is nested too deeply, or contains itself"
    assert error.note == f"strategy dip: {words}"


# ------------------------------------------------------------------------------------- warm-up


def test_a_row_of_asks_with_too_little_history_is_one_skipped_event_and_all_are_counted():
    patient = spec("dip", lambda ctx: ctx.candles("1m", 4) and None)
    played = pumped(session(patient, flat(6)))
    assert [(event.at, event.kind, event.exit_reason) for event in played.events] == [
        (minute(1), "skipped", "warm_up")
    ]
    assert played.instances[0].asks.lost == 3


# ------------------------------------------------------------------------------------- late asks


def test_closes_before_fresh_from_lead_to_no_asks_but_what_was_decided_takes_its_course():
    rows = [*flat(5), (100.0, 104.0, 100.0, 101.0, 1.0), *flat(4)]
    log = []
    played = session(spec("a", scripted({2: buy(), 10: buy()}, log)), rows)
    pumped(played, 3)
    log.clear()
    played.fresh_from = minute(9)
    pumped(played)
    closed, skipped, opened = played.events[1:]
    assert shown([closed, skipped, opened]) == [
        (6, "closed", "BTCUSDT", "a"),
        (6, "skipped", "BTCUSDT", "a"),
        (10, "opened", "BTCUSDT", "a"),
    ]
    assert (closed.late, skipped.late, opened.late) == (True, True, False)
    assert skipped.exit_reason == "late"
    assert skipped.note.startswith("3 ")
    assert "2024-01-01 00:06 to 2024-01-01 00:08" in skipped.note
    assert log == [("ask", "BTCUSDT", minute(9)), ("ask", "BTCUSDT", minute(10))]
    assert played.instances[0].state.trades[-1].late is True
    assert played.trades[-1].late is True
