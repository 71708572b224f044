"""What happens in which order: phases, places, callbacks and pings."""

from __future__ import annotations

import gc
import weakref

import pytest

import tradenb as tn
from tests.engine.sessions import buy, pumped, scripted, sell, session, shown, spec
from tests.sources import flat, minute
from tradenb.core.events import Event
from tradenb.core.lifecycle import opened
from tradenb.core.rules import Rules
from tradenb.engine.session.pump import Session


def busy_minute():
    """At minute 10 one signal closes, one is activated, one passes milestones, and one opens."""
    rows = {"BTC": flat(10), "ETH": flat(10)}
    rows["BTC"][9] = (100.0, 100.0, 99.4, 99.9, 1.0)
    rows["ETH"][9] = (100.0, 100.0, 98.9, 99.5, 1.0)
    first = {"BTC": {10: buy(entry=None)}, "ETH": {5: sell(stop_loss=104.0, take_profit=98.0)}}
    second = {"BTC": {5: buy(entry=99.5)}, "ETH": {5: buy(stop_loss=99.0)}}
    return rows, first, second


def test_within_a_minute_exits_come_before_entries_and_entries_before_asks():
    rows, first, second = busy_minute()
    log = []
    specs = [spec("a", scripted(first, log)), spec("b", scripted(second, log))]
    played = pumped(session(specs, rows))
    assert shown(played.events) == [
        (5, "opened", "ETH", "a"),
        (5, "scheduled", "BTC", "b"),
        (5, "opened", "ETH", "b"),
        (10, "milestone", "ETH", "a"),
        (10, "milestone", "ETH", "a"),
        (10, "closed", "ETH", "b"),
        (10, "opened", "BTC", "b"),
        (10, "opened", "BTC", "a"),
    ]
    assert [event.level for event in played.events[3:5]] == [10, 20]
    asks_at_10 = [(symbol, at) for _, symbol, at in log if at == minute(10)]
    assert asks_at_10 == [("BTC", minute(10)), ("ETH", minute(10))]


def test_events_are_numbered_in_the_order_in_which_they_happen():
    rows, first, second = busy_minute()
    specs = [spec("a", scripted(first)), spec("b", scripted(second))]
    played = pumped(session(specs, rows))
    assert [event.seq for event in played.events] == list(range(1, 9))
    assert [trade.closed_at for trade in played.trades] == [minute(10)]


def test_pumping_in_blocks_gives_the_same_events():
    rows, first, second = busy_minute()
    specs = [spec("a", scripted(first)), spec("b", scripted(second))]
    whole = pumped(session(specs, rows)).events
    cut = session(specs, rows)
    for until in (1, 5, 9, 10):
        pumped(cut, until)
    assert cut.events == whole


def test_milestones_that_nobody_looks_at_are_not_made(monkeypatch):
    made = []
    find = opened.passed_milestones
    monkeypatch.setattr(opened, "passed_milestones", lambda *args: made.append(1) or find(*args))
    rows = {"BTC": flat(20), "ETH": flat(20)}
    for symbol, at in (("BTC", 11), ("ETH", 12)):
        rows[symbol][5:at] = [(100.0, 101.0, 99.4, 101.0, 1.0)] * (at - 5)
        rows[symbol][at] = (101.0, 104.0, 101.0, 104.0, 1.0)
    specs = [spec("a", scripted({2: buy()})), spec("b", scripted({3: buy()}))]
    told = pumped(session(specs, rows)).events
    assert made
    made.clear()
    taken = pumped(Session(session(specs, rows).instances, numbers=False)).take_events()
    assert not made
    kinds = [event for event in told if event.kind != "milestone"]
    assert taken.told == [event._replace(seq=0) for event in kinds]
    assert taken.make() == [event._replace(seq=0) for event in told]
    assert len(told) > len(kinds)


def test_time_does_not_go_back_when_one_symbol_ends_before_the_others(monkeypatch):
    times = []

    def reached(self, now: int) -> None:
        times.append(now)

    monkeypatch.setattr(Session, "now", property(lambda self: times[-1], reached), raising=False)
    played = session(spec("a", scripted({})), {"BTC": flat(4), "ETH": flat(20)})
    for until in (10, 20):
        pumped(played, until)
    assert times == sorted(times)
    assert times[-1] == minute(20)


def test_an_instance_whose_candles_begin_later_joins_later():
    rows = {"BTC": flat(6)}
    played = session(spec("a", scripted({4: buy()})), rows, start=3)
    assert shown(pumped(played).events) == [(4, "opened", "BTC", "a")]
    assert played.now == minute(6)


def test_what_is_opened_and_stopped_on_the_last_candle_is_told():
    rows = [*flat(6), (100.0, 100.0, 97.0, 97.5, 1.0)]
    played = session(spec("a", scripted({5: buy(entry=99.5)}), every="5m"), rows)
    assert shown(pumped(played).events) == [
        (5, "scheduled", "BTCUSDT", "a"),
        (7, "opened", "BTCUSDT", "a"),
        (7, "closed", "BTCUSDT", "a"),
    ]


# ------------------------------------------------------------------------------------- callbacks


def test_callbacks_come_after_all_of_their_minute_and_before_anything_later():
    rows, first, second = busy_minute()
    log = []

    def note(event: Event) -> None:
        log.append((event.kind, event.symbol, event.at))

    kinds = dict.fromkeys(("opened", "closed", "milestone", "scheduled"), note)
    specs = [spec("a", scripted(first, log), **kinds), spec("b", scripted(second, log), **kinds)]
    pumped(session(specs, rows))
    at_10 = [(what, symbol) for what, symbol, at in log if at == minute(10)]
    assert at_10 == [
        ("ask", "BTC"),
        ("ask", "ETH"),
        ("milestone", "ETH"),
        ("milestone", "ETH"),
        ("closed", "ETH"),
        ("opened", "BTC"),
        ("opened", "BTC"),
    ]
    assert [at for *_, at in log] == sorted(at for *_, at in log)


def test_callbacks_of_the_last_minute_come_at_the_end():
    seen = []
    pumped(session(spec("a", scripted({3: buy()}), opened=seen.append), flat(3)))
    assert [(event.kind, event.at, event.seq) for event in seen] == [("opened", minute(3), 1)]


def test_a_callback_that_raises_is_an_error_event_and_the_others_are_called():
    seen = []

    def fails(event):
        raise KeyError("left")

    specs = [
        spec("a", scripted({2: buy()}), opened=fails),
        spec("b", scripted({2: buy(), 3: buy()}), opened=seen.append),
    ]
    played = pumped(session(specs, flat(4)))
    assert shown(played.events) == [
        (2, "opened", "BTCUSDT", "a"),
        (2, "opened", "BTCUSDT", "b"),
        (2, "error", "BTCUSDT", "a"),
    ]
    note = played.events[2].note
    assert note.startswith("callback on_open of a: KeyError: 'left' (line ")
    assert note.endswith(" of fails)")
    assert [event.strategy for event in seen] == ["b"]


def test_callbacks_that_raise_are_numbered_in_the_order_in_which_they_were_called():
    rows, first, second = busy_minute()
    called = []

    def fails(event):
        called.append((event.at, event.symbol, event.strategy))
        raise KeyError("left")

    kinds = dict.fromkeys(("opened", "closed", "milestone", "scheduled"), fails)
    specs = [spec("a", scripted(first), **kinds), spec("b", scripted(second), **kinds)]
    played = pumped(session(specs, rows))
    errors = [event for event in played.events if event.kind == "error"]
    assert [(event.at, event.symbol, event.strategy) for event in errors] == called
    assert [event.seq for event in played.events] == [*range(1, len(played.events) + 1)]


def test_a_driver_may_call_the_callbacks_itself():
    seen = []
    deferred = spec("a", scripted({2: buy()}), opened=seen.append)
    played = pumped(session(deferred, flat(4), defer_callbacks=True))
    assert (seen, [event.kind for event in played.events]) == ([], ["opened"])
    for call in played.call_back(played.callbacks.take()):
        call.function(*call.args)
    assert seen == played.events


def test_a_session_that_nobody_holds_is_given_up_without_a_search():
    rules = [tn.risks.max_open(1)]
    gc.disable()
    try:
        played = pumped(session(spec("a", scripted({3: buy()}), risk=rules), flat(10)))
        gone = weakref.ref(played)
        del played
        assert gone() is None
    finally:
        gc.enable()


# ------------------------------------------------------------------------------------- pings


@pytest.mark.parametrize(
    ("rows", "rules", "pinged", "ended"),
    [
        ([*flat(8), (100.0, 100.0, 99.0, 99.9, 1.0)], Rules(), [6, 7, 8], "opened"),
        (flat(9), Rules(schedule_await_minutes=3), [6, 7], "cancelled"),
        ([*flat(7), (97.0, 97.0, 97.0, 97.0, 1.0)], Rules(), [6, 7], "cancelled"),
    ],
)
def test_a_waiting_entry_pings_every_minute_it_waits_and_no_more(rows, rules, pinged, ended):
    seen = []
    waiting = spec("a", scripted({5: buy(entry=99.0, id="mine")}), ping=seen.append)
    played = pumped(session(waiting, rows, rules=rules))
    assert [event.kind for event in played.events] == ["scheduled", ended]
    signal = played.events[0].signal
    assert seen == [
        Event(0, minute(at), "BTCUSDT", "a", "ping", signal, price=100.0) for at in pinged
    ]


def test_pings_are_the_same_however_the_candles_are_cut_and_know_their_mode():
    seen = []
    waiting = spec("a", scripted({5: buy(entry=99.0)}), ping=seen.append)
    played = session(waiting, flat(9), mode="live")
    for until in range(1, 10):
        pumped(played, until)
    assert [(event.at, event.mode) for event in seen] == [
        (minute(at), "live") for at in (6, 7, 8, 9)
    ]


def test_nobody_is_pinged_about_an_open_signal():
    seen = []
    pumped(session(spec("a", scripted({2: buy()}), ping=seen.append), flat(9)))
    assert seen == []
