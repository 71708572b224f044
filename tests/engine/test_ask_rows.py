"""What every ask came to: rows that add up, whatever way the strategy goes."""

from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tradenb as tn
from tests.engine.sessions import buy, drive, pumped, scripted, session, spec
from tests.sources import NAMES, exchange, flat, market, minute
from tradenb.core.events import AskRow
from tradenb.engine.session.instance import KEPT, AskRows
from tradenb.errors import NotEnoughCandles

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def short_rows(rows):
    """Minute of the first and the last, count, and what it came to."""
    return [
        (
            (row.first - minute(0)) // 60_000,
            (row.last - minute(0)) // 60_000,
            row.count,
            *row[:3],
        )
        for row in rows
    ]


def rows_of(played):
    return short_rows(row for _, _, own in played.asked for row in own)


def fails(error):
    def raising(ctx):
        raise error

    return raising


def test_each_outcome_has_its_row():
    def refuse(book, candidate):
        return "no" if book.now == minute(4) else None

    script = {
        3: buy(stop_loss=101.0),
        4: buy(),
        5: fails(NotEnoughCandles("few")),
        6: fails(KeyError("a")),
        7: fails(KeyError("b")),
        8: buy(),
    }
    rule = tn.risk("no-four")(refuse)
    played = pumped(session(spec("dip", scripted(script), risk=[rule]), flat(12)))
    found = rows_of(played)
    assert [each[:5] for each in found] == [
        (1, 2, 2, "entry", "none"),
        (3, 3, 1, "entry", "invalid"),
        (4, 4, 1, "entry", "refused"),
        (5, 5, 1, "entry", "skipped"),
        (6, 7, 2, "entry", "error"),
        (8, 8, 1, "entry", "candidate"),
    ]
    reasons = [each[5] for each in found]
    assert reasons[1].startswith("stop_loss ")
    assert reasons[4].startswith("KeyError: 'a'")
    assert [reasons[place] for place in (0, 2, 3, 5)] == ["", "no-four", "warm_up", ""]
    assert played.instances[0].asks.count == 8


def test_refusals_in_a_row_are_one_row_until_another_answer_comes():
    script = {at: buy() for at in (1, 2, 4, 5, 6)}
    rule = tn.risk("never")(lambda book, candidate: "no")
    played = pumped(session(spec("dip", scripted(script), risk=[rule]), flat(7)))
    assert [row[:3] for row in rows_of(played)] == [(1, 2, 2), (3, 3, 1), (4, 6, 3), (7, 7, 1)]
    ((_, _, rows),) = played.asked
    refused = sum(row.count for row in rows if row.outcome == "refused")
    assert refused == sum(row.count for _, _, row in played.refusals) == 5


def test_an_entry_that_a_rule_refuses_when_it_is_touched_was_a_candidate():
    rule = tn.risk("late")(lambda book, candidate: "no" if book.now > minute(2) else None)
    played = pumped(
        session(spec("dip", scripted({2: buy(entry=99.5)}), risk=[rule]), [*flat(2), *flat(2, 99)])
    )
    assert [event.kind for event in played.events] == ["scheduled", "rejected"]
    assert [row[3:] for row in rows_of(played)][:2] == [
        ("entry", "none", ""),
        ("entry", "candidate", ""),
    ]


def test_asks_of_a_manage_function_have_rows_of_their_own():
    answers = {
        3: None,
        4: [tn.move(stop_loss=98.5), None],
        5: tn.move(take_profit=-1.0),
        6: fails(ValueError("no")),
        7: [],
        8: tn.close(),
    }
    made = spec("dip", scripted({2: buy()}))
    made.manage(every="1m")(scripted(answers))
    played = pumped(session(made, flat(9)))
    assert [row[:5] for row in rows_of(played)] == [
        (1, 1, 1, "entry", "none"),
        (2, 2, 1, "entry", "candidate"),
        (3, 3, 1, "manage", "none"),
        (4, 4, 1, "manage", "action"),
        (5, 5, 1, "manage", "invalid"),
        (6, 6, 1, "manage", "error"),
        (7, 7, 1, "manage", "none"),
        (8, 8, 1, "manage", "action"),
        (9, 9, 1, "entry", "none"),
    ]
    assert [row[5] for row in rows_of(played) if row[4] == "action"] == ["move", "close"]


def test_asks_that_are_left_out_are_rows_and_no_calls():
    played = session(spec("dip", scripted({})), flat(6), mode="live")
    played.fresh_from = minute(5)
    pumped(played)
    assert rows_of(played) == [
        (1, 4, 4, "entry", "skipped", "late"),
        (5, 6, 2, "entry", "none", ""),
    ]
    assert played.instances[0].asks.count == 2


# ------------------------------------------------------------------------------------- laws


def moody(seed, *, managed):
    """A strategy that does everything there is, by dice for each moment and symbol."""
    calls = {"entry": 0, "manage": 0}

    def asked(ctx):
        calls["entry"] += 1
        dice = Random(f"{seed} {ctx.symbol} {ctx.now}").random()
        if dice < 0.7:
            return None
        if dice < 0.75:
            raise ValueError("no")
        if dice < 0.8:
            ctx.candles("1d", 5_000)
        far = 0.5 if dice < 0.9 else 5
        return tn.long(stop_loss=tn.percent(far * 0.4), take_profit=tn.percent(far), minutes=30)

    def manage(ctx):
        calls["manage"] += 1
        dice = Random(f"m {seed} {ctx.symbol} {ctx.now}").random()
        if dice < 0.8:
            return None
        return tn.close(0.5) if dice < 0.9 else tn.move(stop_loss=0.97 * ctx.price)

    rule = tn.risks.max_open(1, name=f"one-{seed}")
    made = tn.strategy(f"moody-{seed}", every="5m", risk=[rule])(asked)
    if managed:
        made.manage(every="5m")(manage)
    return made, calls


@pytest.mark.parametrize("managed", [False, True])
@given(seed=st.integers(0, 10_000))
def test_the_counts_add_up_to_the_calls(seed, managed):
    made, calls = moody(seed, managed=managed)
    rows = {symbol: market(seed + place, 400) for place, symbol in enumerate(SYMBOLS)}
    result = tn.backtest.run(list(SYMBOLS), strategy=made, exchange=exchange(rows))
    called = {"entry": 0, "manage": 0}
    for _, _, row in result.ask_rows:
        called[row.asked] += row.count
    assert called == calls
    assert result.ask_count == calls["entry"]
    assert result.asks["count"].sum() == sum(calls.values())
    refused = result.asks[result.asks["outcome"] == "refused"]
    assert refused["count"].sum() == result.refusals["count"].sum()
    kinds = [event.kind for event in result.event_list]
    errors = result.asks[result.asks["outcome"] == "error"]
    assert errors["count"].sum() == kinds.count("error")


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 299), max_size=12))
def test_rows_do_not_depend_on_how_candles_were_cut(seed, cuts):
    made, _ = moody(seed, managed=True)
    rows = {symbol: market(seed + place, 300) for place, symbol in enumerate(SYMBOLS)}
    whole, parts = session(made, rows), session(made, rows)
    drive(whole.pump(minute(300)))
    for cut in sorted(cuts):
        drive(parts.pump(minute(cut)))
        for instance in parts.instances:
            instance.asks = AskRows(instance.asks.rows)
    drive(parts.pump(minute(300)))
    assert parts.asked == whole.asked


ROWS = st.lists(
    st.tuples(
        st.sampled_from([("none", ""), ("candidate", ""), ("refused", "a"), ("error", "x"),
                         ("error", "y")]),
        st.integers(1, 5),
    ),
    max_size=200,
)  # fmt: skip


@given(ROWS, st.sets(st.integers(0, 199)))
def test_what_is_kept_of_older_rows_does_not_depend_on_how_often_they_are_joined(given_rows, cuts):
    often, once = AskRows(), AskRows()
    for place, ((outcome, reason), count) in enumerate(given_rows):
        for rows in (often, once):
            rows.note(place, outcome, reason, count=count)
        if place in cuts:
            often = AskRows(often.shortened())
    total = sum(count for _, count in given_rows)
    kept, found = once.shortened(), often.shortened()
    assert found == kept
    assert sum(row.count for row in kept) == total
    assert len(kept) <= KEPT + 4
    assert [*kept] == sorted(kept, key=lambda row: row.first)


# ------------------------------------------------------------------------------------- vectorised


def both_ways(name):
    """A strategy that is called, and the same one over a whole frame."""

    def side(close):
        return close.rolling(3).mean() > 1.0005 * close.rolling(12).mean()

    def rows(df):
        found = {"position": side(df["close"]).astype(int)}
        return found | {
            "take_profit": df["close"] * 1.01,
            "stop_loss": df["close"] * 0.99,
            "minutes": np.full(len(df), 60),
        }

    def asked(ctx):
        close = ctx.frame("5m", 12)["close"]
        if not side(close).iloc[-1]:
            return None
        return tn.long(
            take_profit=1.01 * close.iloc[-1], stop_loss=0.99 * close.iloc[-1], minutes=60
        )

    called = tn.strategy(f"{name}-called", every="5m")(asked)
    return called, tn.strategy(f"{name}-rows", every="5m", vectorised=True)(rows)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_called_vectorised_and_fast_have_the_same_rows(seed, gaps):
    rows = market(seed, 1_500)
    places = [place for place in range(len(rows)) if not gaps or place % 97 > 11]
    frame = pd.DataFrame([rows[place] for place in places], columns=NAMES)
    frame["timestamp"] = [minute(place) for place in places]
    called, table = both_ways(f"same-{seed}-{gaps}")
    run = {"exchange": tn.frame_exchange(frame), "start": minute(120), "progress": False}
    by_call = tn.backtest.run("BTCUSDT", strategy=called, **run)
    fast = tn.backtest.run("BTCUSDT", strategy=table, **run)
    with tn.subscribe(lambda event: None, mode="backtest"):
        machine = tn.backtest.run("BTCUSDT", strategy=table, **run)
    assert fast._parts.fast is not None
    assert machine._parts.fast is None
    assert any(row.outcome == "candidate" for _, _, row in by_call.ask_rows)
    plain = [[row for _, _, row in each.ask_rows] for each in (by_call, fast, machine)]
    assert plain[0] == plain[1] == plain[2]
    assert by_call.ask_count == fast.ask_count == machine.ask_count


@given(
    seed=st.integers(0, 10_000),
    missing=st.lists(st.tuples(st.integers(0, 1_499), st.integers(1, 90)), max_size=4),
    every=st.sampled_from(["5m", "15m", "1h"]),
    closes=st.booleans(),
)
def test_the_fast_way_counts_the_asks_of_the_machine(seed, missing, every, closes):
    def rows(df):
        dice = [Random(f"{seed} {at.value}").random() for at in df.index]
        found = {"position": ["long" if each < 0.2 else None for each in dice]}
        found |= {"stop_loss": df.close * 0.995, "minutes": 45}
        return found | ({"exit": [each > 0.8 for each in dice]} if closes else {})

    table = tn.strategy("counted", every=every, vectorised=True)(rows)
    gone = {place for first, size in missing for place in range(first, first + size)}
    places = [place for place in range(seed % 70, 1_500) if place not in gone]
    walk = market(seed, 1_500)
    frame = pd.DataFrame([walk[place] for place in places], columns=NAMES)
    frame["timestamp"] = [minute(place) for place in places]
    run = {"strategy": table, "exchange": tn.frame_exchange(frame), "progress": False}
    fast = tn.backtest.run("BTCUSDT", **run)
    with tn.subscribe(lambda event: None, mode="backtest"):
        machine = tn.backtest.run("BTCUSDT", **run)
    assert fast._parts.fast is not None
    assert fast.ask_count == machine.ask_count
    entries = fast.asks[fast.asks["asked"] == "entry"]
    assert entries["count"].sum() == fast.ask_count


def test_a_row_of_another_reason_is_another_row_but_for_what_goes_wrong():
    rows = AskRows()
    for at, (outcome, reason) in enumerate(
        [("refused", "a"), ("refused", "b"), ("error", "a"), ("error", "b"), ("invalid", "b")]
    ):
        rows.note(at, outcome, reason)
    rows.note(5, "invalid", "b", managed=True)
    assert rows.rows == [
        AskRow("entry", "refused", "a", 0, 0, 1),
        AskRow("entry", "refused", "b", 1, 1, 1),
        AskRow("entry", "error", "a", 2, 3, 2),
        AskRow("entry", "invalid", "b", 4, 4, 1),
        AskRow("manage", "invalid", "b", 5, 5, 1),
    ]
