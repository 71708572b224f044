"""Strategies that raise or answer nonsense: events say so, and the run goes on."""

from __future__ import annotations

from bdb import BdbQuit

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.sources import exchange, flat, minute


def run(function, *, every="5m", rows=None, **more) -> tn.backtest.Result:
    spec = tn.strategy("dip", every=every, **more)(function)
    source = exchange(flat(20) if rows is None else rows)
    return tn.backtest.run("BTCUSDT", strategy=spec, exchange=source, progress=False)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        KeyError("x"),
        StopIteration("x"),
        StopAsyncIteration(),
        GeneratorExit(),
        SystemExit(3),
        KeyboardInterrupt(),
        RecursionError("deep"),
        MemoryError(),
        tn.CandleError("mine"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_strategy_raises_is_an_error_event_and_the_run_goes_on(error):
    asked = []

    def raises(ctx):
        asked.append(ctx.now)
        raise error

    result = run(raises)
    assert asked == [minute(5), minute(10), minute(15), minute(20)]
    assert [event.kind for event in result.event_list] == ["error"] * 4
    said = "mine" if isinstance(error, tn.CandleError) else type(error).__name__
    assert all(said in (event.note or "") for event in result.event_list)
    (warning,) = result.warnings
    assert warning.startswith("4 errors in your functions, see result.events; the first: ")
    assert warning.endswith(result.events.note.iloc[0])


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        (lambda ctx: ctx.postion, "did you mean 'position'?"),
        (lambda ctx: ctx.candles("5m", 1).closes, "did you mean 'close'"),
        (lambda ctx: ctx.prices, "did you mean 'price' or 'average_price'? (line"),
        (lambda ctx: ctx.account.equity, "; ctx.account is None without account=tn.Account("),
        (lambda ctx: ctx.balance, "; did you mean 'account'? (line"),
        (lambda ctx: ctx.candles("5m", 1).close.rolling(1), "'rolling'; ctx.frame(...) is a Data"),
        (lambda ctx: ctx.candles("5m", 1).close.iloc[-1], "'iloc'; ctx.frame(...) is a DataFrame"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_what_was_meant(wrong, meant):
    note = run(wrong).event_list[0].note
    assert "has no attribute" in note
    assert meant in note


@pytest.mark.parametrize(
    "wrong", [lambda ctx: ctx.candles("5m", 1)["close"], lambda ctx: list(ctx.candles("5m", 1))]
)
def test_candles_taken_for_a_frame_are_told_from_one(wrong):
    note = run(wrong).event_list[0].note
    said = "; its columns are .open, .high, .low, .close, .volume; ctx.frame(...) is a DataFrame"
    assert said in note


@pytest.mark.parametrize(
    "wrong",
    [lambda ctx: ctx.price[-2], lambda ctx: ctx.price.iloc[-2], lambda ctx: ctx.price.shift(1)],
)
def test_a_value_of_now_that_is_taken_for_a_series_is_told_from_one(wrong):
    note = run(wrong).event_list[0].note
    assert "; ctx.price and ctx.indicators[...] are one number each, " in note
    assert "(line " in note


def test_what_changes_an_array_in_its_place_is_told_to_change_a_copy():
    def changes(ctx):
        ctx.candles("5m", 1).close[0] = 1.0

    note = run(changes).event_list[0].note
    assert "is read-only; change a copy of the array, array.copy() (line" in note


def test_a_number_of_the_users_is_not_told_of_indicators():
    note = run(lambda ctx: ctx.candles("5m", 1).close.item()[0]).event_list[0].note
    assert "'float' object is not subscriptable (line" in note


def test_an_array_of_the_users_is_not_told_of_frames():
    note = run(lambda ctx: ctx.candles("5m", 1).close.nothing).event_list[0].note
    assert "DataFrame" not in note


def test_one_error_is_one_error():
    def raises(ctx):
        if ctx.now == minute(10):
            raise ValueError("once")

    (warning,) = run(raises).warnings
    assert warning.startswith("1 error in your functions, see result.events; the first: ")


@pytest.mark.parametrize(
    "answer",
    [
        7,
        True,
        "long",
        [],
        ("long", 102, 99),
        np.array([1.0]),
        pd.Series([1.0]),
        pd.DataFrame(),
        object(),
        lambda: None,
        tn.long,
        tn.close(),
        (number for number in "ab"),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_an_answer_that_is_no_candidate_is_rejected_by_its_type(answer):
    result = run(lambda ctx: answer)
    assert [(event.kind, event.exit_reason) for event in result.event_list] == [
        ("rejected", "invalid")
    ] * 4
    note = result.event_list[0].note or ""
    assert note.startswith("candidate_type | an answer must be None, tn.long(...), tn.short(...)")
    assert "of a manage function also tn.close(...) and the like" in note


@pytest.mark.parametrize("answer", [{}, {"position": "long"}, {"take_profit": "x", "colour": 1}])
def test_an_incomplete_mapping_is_rejected_with_every_problem(answer):
    result = run(lambda ctx: answer)
    assert {event.exit_reason for event in result.event_list} == {"invalid"}
    first = result.event_list[0].note
    assert result.warnings == [
        f"4 candidates broke the rules and were rejected, the first by {first}"
    ]


def test_one_rejected_candidate_is_told_in_the_singular():
    answers = iter([{}])
    result = run(lambda ctx: next(answers, None))
    first = result.event_list[0].note
    assert result.warnings == [f"1 candidate broke the rules and was rejected by {first}"]


def test_candidates_may_hold_the_numbers_of_numpy_and_pandas():
    def asked(ctx):
        price = np.float64(ctx.price)
        frame = pd.DataFrame({"target": [102.0]})
        return tn.long(
            take_profit=frame["target"].iloc[0],
            stop_loss=np.float32(99),
            minutes=np.int64(60),
            entry=price,
            size=np.float64(2),
        )

    (opened,) = run(asked).event_list
    columns = (opened.kind, opened.take_profit, opened.stop_loss, opened.minutes, opened.size)
    assert columns == ("opened", 102.0, 99.0, 60, 2.0)
    assert [type(value) for value in columns] == [str, float, float, int, float]


def test_callbacks_and_risk_rules_that_raise_are_error_events_too():
    @tn.risk("shaky")
    def shaky(book, candidate):
        if book.now == minute(5):
            raise RuntimeError("first")

    def on_open(event):
        raise OSError("second")

    result = run(
        lambda ctx: tn.long(take_profit=102, stop_loss=99, minutes=60), risk=shaky, on_open=on_open
    )
    assert [(event.kind, event.at) for event in result.event_list] == [
        ("error", minute(5)),
        ("rejected", minute(5)),
        ("opened", minute(10)),
        ("error", minute(10)),
    ]
    notes = [event.note or "" for event in result.event_list]
    assert notes[0].startswith("risk rule shaky: RuntimeError: first (line ")
    assert notes[3].startswith("callback on_open of dip: OSError: second (line ")


def test_a_strategy_that_looks_at_a_symbol_that_is_not_there_is_told_so():
    spec = tn.strategy("dip", every="5m")(lambda ctx: ctx.candles("1m", 1, "ETHUSDT") and None)
    source = exchange({"BTCUSDT": flat(10), "LTCUSDT": flat(10)})
    result = tn.backtest.run("BTCUSDT", strategy=spec, exchange=source, progress=False)
    assert [event.kind for event in result.event_list] == ["error", "error"]
    note = result.event_list[0].note or ""
    assert note.startswith("strategy dip: unknown symbol 'ETHUSDT'")


def test_asks_with_too_little_history_are_counted_and_warned_of():
    result = run(lambda ctx: ctx.candles("15m", 1) and None)
    assert (result.asks_lost, result.asks_lost_by) == (2, {("dip", "BTCUSDT"): 2})
    advice = "pass a later start=, so that there is history before it"
    assert result.warnings == [f"2 calls found too little history (warm-up); {advice}"]
    assert [(event.kind, event.exit_reason) for event in result.event_list] == [
        ("skipped", "warm_up")
    ]


class Anything:
    """Its repr is Python's own, with an address."""


@pytest.mark.parametrize("how", ["answered", "raised", "kept"])
def test_notes_hold_no_addresses_so_that_equal_runs_have_equal_events(how):
    def odd(ctx):
        found = Anything()
        if how == "raised":
            raise TypeError(f"cannot use {found!r}")
        if how == "kept":
            ctx.state["found"] = found
        return found

    first, second = run(odd), run(odd)
    assert first.events.note.tolist() == second.events.note.tolist()
    assert all("Anything object" in note and " at 0x" not in note for note in first.events.note)


def test_what_a_risk_rule_answers_is_told_without_its_address():
    rule = tn.risk("odd")(lambda book, candidate: Anything())
    asked = run(lambda ctx: tn.long(take_profit=102.0, stop_loss=98.0, minutes=5), risk=[rule])
    notes = asked.events.note.tolist()
    assert notes
    assert all("Anything object>" in note for note in notes)


def failing_at(moment, error):
    def fails(ctx):
        ctx.candles("1m", 8)  # is short at minute 5
        if ctx.now == moment:
            raise error
        return tn.long(stop_loss=0.9 * ctx.price, minutes=3)

    return tn.strategy("fails", every="5m")(fails)


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), SystemExit(3)], ids=repr)
def test_a_backtest_may_end_with_the_first_error(error):
    spec = failing_at(minute(15), error)
    with pytest.raises(tn.StrategyError, match="strategy fails on BTCUSDT failed at") as raised:
        tn.backtest.run(
            "BTCUSDT",
            strategy=spec,
            exchange=exchange(flat(40)),
            on_error="raise",
            progress=False,
        )
    assert raised.value.__cause__ is error
    assert (raised.value.at, raised.value.symbol) == (minute(15), "BTCUSDT")


def test_without_an_error_it_ends_as_ever():
    spec, source = failing_at(None, None), exchange(flat(40))
    plain = tn.backtest.run("BTCUSDT", strategy=spec, exchange=source, progress=False)
    strict = tn.backtest.run(
        "BTCUSDT", strategy=spec, exchange=source, on_error="raise", progress=False
    )
    assert strict.event_list == plain.event_list != []
    with pytest.raises(tn.UnknownName, match="unknown on_error 'stop'; known: 'raise', 'record'"):
        tn.backtest.run("BTCUSDT", strategy=spec, exchange=source, on_error="stop")


def test_a_manage_function_and_a_callback_end_it_too():
    spec = tn.strategy("held", every="5m")(lambda ctx: tn.long(stop_loss=0.9 * ctx.price))
    spec.manage(lambda ctx: ctx.position.pnl / 2)
    job = tn.backtest.background(
        "BTCUSDT", strategy=spec, exchange=exchange(flat(20)), on_error="raise"
    )
    with pytest.raises(tn.StrategyError, match="did you mean 'pnl_percent'"):
        job.result(timeout=60)

    def open_wrong(event):
        raise OSError("full")

    called = tn.strategy("called", every="5m", on_open=open_wrong)(
        lambda ctx: tn.long(stop_loss=0.9 * ctx.price)
    )
    with pytest.raises(tn.StrategyError, match="callback on_open of called") as raised:
        tn.backtest.run("BTCUSDT", strategy=called, exchange=exchange(flat(20)), on_error="raise")
    assert isinstance(raised.value.__cause__, OSError)


def test_who_leaves_the_debugger_leaves_the_backtest():
    asked = []

    def quits(ctx):
        asked.append(ctx.now)
        raise BdbQuit

    with pytest.raises(tn.StateError, match="the backtest was cancelled"):
        run(quits)
    assert asked == [minute(5)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("commission", r"say rules=tn.Rules\(fee_percent=..., slippage_percent=...\)"),
        ("cash", r"say account=tn.Account\(cash=..., percent=...\)"),
        ("df", r"say exchange=tn.frame_exchange\(...\)"),
        ("symbol", "did you mean 'symbols'"),
    ],
)
def test_arguments_of_other_tools_are_told_where_they_are_here(name, said):
    with pytest.raises(tn.UsageError, match=f"has no argument '{name}'; {said}"):
        tn.backtest.run("BTCUSDT", **{name: 1})


@pytest.mark.parametrize("by", ["symbol", "strategy"])
def test_the_heatmap_of_a_run_whose_every_ask_failed_is_unknown(by):
    def fails(ctx):
        raise ValueError("no")

    table = run(fails).heatmap(by=by)
    assert table["count"].tolist() == [0, 0]
    assert table[["total_pnl", "longest_wins", "max_drawdown"]].isna().all(axis=None)
