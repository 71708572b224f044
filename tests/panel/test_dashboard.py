"""The widget: what it sends, how much of it, and what it takes."""

from __future__ import annotations

import gc
import json
import re
import sys
import threading
import time
import tracemalloc
from types import SimpleNamespace
from weakref import WeakSet

import comm
import pytest
from comm.base_comm import BaseComm

import tradenb as tn
from tests.live.fast import until
from tests.view.unpacked import candles as candles_in
from tests.view.unpacked import column
from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.engine.serialise import event_to_row
from tradenb.live.live_run import record_of
from tradenb.live.loop import supervisor
from tradenb.panel.button_requests import marker_of
from tradenb.panel.refresh_thread import refresh_thread
from tradenb.panel.static_html import dashboard_html
from tradenb.panel.watch_runs import Location, location_of
from tradenb.store.control import prepare
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Key, find_home

MINUTE = 60_000
SHORT = "2024-01-02T03:00"


class Line(BaseComm):
    """A comm that keeps what was sent."""

    sent: list[dict]

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        if not hasattr(self, "sent"):
            self.sent = []
        self.sent.append(data or {})


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    monkeypatch.setattr(comm, "create_comm", Line)


def sent_by(dashboard):
    """The messages of our own that were sent."""
    sent = [data for data in dashboard.comm.sent if data.get("method") == "custom"]
    return [data["content"] for data in sent]


def send_to(dashboard, **message):
    dashboard._handle_custom_msg(message, [])


def ask(dashboard, kind, id="0123456789ab", key="rehearsal:BTCUSDT:swing", **more):
    given = {"id": id, "kind": kind, "key": key, "wall": time.time_ns() // 1_000_000} | more
    send_to(dashboard, type="request", **given)
    return sent_by(dashboard)[-1]


def state_size(dashboard):
    state = dashboard.get_state()
    return len(json.dumps(state, default=str))


def seen(dashboard):
    """The number of the last event that its thread has read."""
    (found,) = dashboard.model.watch._known.values()
    return found.replica.last_seq


def running(rehearse):
    run = rehearse(speed=12_000, end="2024-01-09")
    until(lambda: run.position, "a position")
    return run


@pytest.mark.realtime
def test_a_dashboard_shows_a_run_and_follows_it(rehearse, dashboards):
    running(rehearse)
    shown = dashboards()
    (row,) = shown.rows
    assert (row["symbol"], row["strategy"], row["status"]) == ("BTCUSDT", "swing", "running")
    assert row["control"] is not None
    before = shown.model.total
    until(lambda: shown.model.total > before, "another event")
    appended = until(lambda: [m for m in sent_by(shown) if m["type"] == "append"], "a message")
    assert appended[0]["after"] <= before
    numbers = [row[0] for message in appended for row in message["rows"]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert shown.pictures["price"].startswith("<svg")


@pytest.mark.realtime
def test_before_the_first_trade_the_equity_line_has_the_span_of_the_price(rehearse, dashboards):
    @tn.strategy("idle", every="15m")
    def idle(ctx):
        return None

    run = rehearse(strategy=idle)
    assert run.wait(240)
    drawn = dashboards().pictures
    price, equity = (re.findall(r">(\d\d):00<", drawn[name]) for name in ("price", "equity"))
    assert len(equity) > 1
    assert set(equity) <= {*price, f"{int(price[0]) - 1:02}", "12"}


@pytest.mark.no_cover
@pytest.mark.realtime
def test_stop_ends_a_run_gracefully_and_says_who_took_it(rehearse, dashboards):
    run = running(rehearse)
    shown = dashboards()
    assert ask(shown, "stop") == {
        "type": "accepted", "id": "0123456789ab", "channel": "kernel", "words": "",
    }  # fmt: skip
    assert run.wait(240)
    assert run.status == "done"
    assert run.position is None
    until(lambda: shown.rows[0]["status"] == "done", "the row")


@pytest.mark.realtime
def test_the_same_request_by_both_channels_is_one_request(rehearse, dashboards):
    run = running(rehearse)
    shown = dashboards()
    assert ask(shown, "flatten")["channel"] == "kernel"
    assert ask(shown, "flatten")["channel"] == "server"
    until(lambda: "flattened" in set(run.events().exit_reason.dropna()), "the close")
    assert ask(shown, "flatten")["channel"] == "server"
    run.release()
    assert run.wait(240)
    assert (run.events().exit_reason == "flattened").sum() == 1


@pytest.mark.realtime
@pytest.mark.parametrize(
    "message",
    [
        {"kind": "stop", "key": "rehearsal:BTCUSDT:other"},
        {"kind": "explode", "key": "rehearsal:BTCUSDT:swing"},
        {"kind": "stop", "key": "rehearsal:BTCUSDT:swing", "id": "../../etc"},
    ],
)
def test_what_is_no_request_is_refused_with_words(rehearse, dashboards, message):
    running(rehearse)
    shown = dashboards()
    reply = ask(shown, **message)
    assert reply["channel"] == "none"
    assert "not a request" in reply["words"]


@pytest.mark.realtime
def test_a_part_is_closed_and_a_stop_moved_as_the_buttons_ask(rehearse, dashboards):
    run = running(rehearse)
    shown = dashboards()
    held = run.position
    side = 1 if held.position == "long" else -1
    stop = held.entry * (1 - side * 0.008)
    values = {"fraction": 0.5}
    assert ask(shown, "close", values=values)["channel"] == "kernel"
    assert ask(shown, "close", values=values)["channel"] == "server"
    assert ask(shown, "move", id="a" * 12, values={"stop_loss": stop})["channel"] == "kernel"
    until(lambda: "user" in set(run.events().exit_reason.dropna()), "the part")
    run.release()
    assert run.wait(240)
    (part,) = [event for event in run.events().itertuples() if event.exit_reason == "user"]
    assert (part.kind, part.fraction) == ("partial", 0.5)


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("close", {"fraction": 2}, "fraction of close must be above 0 and at most 1, was 2"),
        ("close", {"share": 0.5}, "unknown field of close"),
        ("move", {}, "move needs at least one of"),
        ("move", None, "move needs at least one of"),
        ("move", {"stop_loss": -1}, "stop_loss of move must be a number above 0"),
    ],
)
def test_a_close_or_a_move_that_cannot_be_meant_is_refused(
    rehearse, dashboards, kind, values, words
):
    running(rehearse)
    reply = ask(dashboards(), kind, values=values)
    assert reply["channel"] == "none"
    assert words in reply["words"]


@pytest.mark.realtime
def test_a_request_to_a_run_that_ended_leaves_no_file_for_the_next(rehearse, dashboards):
    run = rehearse(end=SHORT)
    shown = dashboards()
    assert run.wait(240)
    assert ask(shown, "stop")["words"] == "the run has ended"
    folder = find_home().rehearsal.control(Key("swing", "BTCUSDT"))
    assert list(folder.iterdir()) == []


@pytest.mark.realtime
def test_release_leaves_the_run_with_its_position(rehearse, dashboards):
    run = running(rehearse)
    shown = dashboards()
    assert ask(shown, "release")["channel"] == "kernel"
    assert run.wait(240)
    assert run.status == "idle"


@pytest.mark.realtime
def test_withdraw_reaches_the_run_with_the_request_that_is_meant(rehearse, dashboards, monkeypatch):
    running(rehearse)
    shown = dashboards()
    sent = []
    monkeypatch.setattr(
        "tradenb.panel.button_requests.send", lambda *args, **more: sent.append((args[3], more))
    )
    key, now = "rehearsal:BTCUSDT:swing", time.time_ns() // 1_000_000
    message = {"type": "request", "id": "0123456789ab", "key": key, "wall": now}
    send_to(shown, **message, kind="withdraw", request_id="f1")
    send_to(shown, **message, kind="cancel", request_id="f1")
    assert [(kind, more["request_id"]) for kind, more in sent] == [
        ("withdraw", "f1"),
        ("cancel", None),
    ]


def test_resume_answers_what_runs_it_now_or_why_nothing_does(dashboards, monkeypatch):
    shown = dashboards()
    location = Location(find_home(), Key("dip", "BTCUSDT"))
    monkeypatch.setattr(shown.model, "locations", lambda: {"live:BTCUSDT:dip": location})
    resumed = []

    def resume(home, key):
        resumed.append((home, key))
        if len(resumed) > 1:
            raise tn.StateError("it is not known what starts it")
        return "goes on in process 7"

    monkeypatch.setattr("tradenb.panel.dashboard.resume", resume)

    def replies(key, count):
        send_to(shown, type="request", id="0123456789ab", kind="resume", key=key)
        until(lambda: len(sent_by(shown)) == count, "the reply")
        return sent_by(shown)[-1]["channel"], sent_by(shown)[-1]["words"]

    assert replies("live:BTCUSDT:dip", 1) == ("kernel", "goes on in process 7")
    assert replies("live:BTCUSDT:dip", 2) == ("none", "it is not known what starts it")
    assert replies("live:BTCUSDT:gone", 3)[1].startswith("this run is not known here")
    assert resumed == [(location.home, location.key)] * 2


@pytest.mark.realtime
def test_pictures_are_as_wide_as_they_are_shown(rehearse, dashboards):
    assert rehearse(end=SHORT).wait(240)
    shown = dashboards()
    for width, drawn in ((320, 320), (1_400, 1_400), (10, 240), (9_999, 2_400)):
        shown.width = width
        until(lambda px=drawn: f'viewBox="0 0 {px} ' in shown.pictures["price"], "the picture")
        assert f'viewBox="0 0 {drawn} ' in shown.pictures["equity"]


def test_nonsense_from_a_view_is_passed_over(dashboards):
    shown = dashboards()
    for message in ({}, {"type": "???"}, {"type": None}):
        send_to(shown, **message)
    shown._handle_custom_msg("text", [])
    assert sent_by(shown) == []


@pytest.mark.realtime
def test_a_view_that_missed_something_gets_all_events(rehearse, dashboards):
    run = rehearse(end=SHORT)
    assert run.wait(240)
    shown = dashboards()
    send_to(shown, type="events")
    message = sent_by(shown)[-1]
    assert (message["type"], message["total"]) == ("events", shown.model.total)
    assert message["rows"] == list(shown.model.events)


@pytest.mark.realtime
def test_the_state_that_a_reloaded_page_gets_has_the_newest_events(rehearse, dashboards):
    running(rehearse)
    shown = dashboards()
    before = shown.model.total
    until(lambda: shown.model.total > before, "another event")
    state = shown.get_state()["events"]
    assert state["total"] > before
    assert state["rows"][-1][0] == state["total"]


@pytest.mark.realtime
def test_another_run_is_drawn_when_it_is_chosen(rehearse, swing, market, dashboards):
    first = rehearse(end=SHORT)
    other = tn.live.rehearse(
        "ETHUSDT", strategy=swing, exchange=market, start="2024-01-02", end=SHORT, speed=None
    )
    assert first.wait(240)
    assert other.wait(240)
    shown = dashboards()
    shown.chosen = "rehearsal:ETHUSDT:swing"
    until(lambda: shown.pictures["key"] == "rehearsal:ETHUSDT:swing", "the picture")


def traced_memory():
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.no_cover
@pytest.mark.realtime
@pytest.mark.parametrize("count", [8_000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_thousands_of_events_leave_the_state_small(dashboards, count):
    """The events are those of a run elsewhere: all the dashboard has is its journal."""
    home = find_home()
    key = Key("dip", "BTCUSDT")
    home.document(key).parent.mkdir(parents=True)
    journal = Journal(DiskFilesystem(durable=False), home.journal(key))
    signal = Signal("s1", "BTCUSDT", "dip", "long", 100.0, 102.0, 98.0, 60, None, "n" * 100, 0)
    home.document(key).with_name("BTCUSDT.json.bak").touch()
    shown = dashboards()
    rows = [
        event_to_row(
            Event(seq, seq * MINUTE, "BTCUSDT", "dip", "milestone", signal, 100.0, level=10,
                  mode="live", wall=seq * MINUTE)
        )
        for seq in range(1, count + 1)
    ]  # fmt: skip
    step = count // 4
    journal.append(rows[:step])
    until(lambda: shown.model.total >= 1, "the first events")
    gc.collect()
    tracemalloc.start()
    for last in range(2 * step, count + 1, step):
        journal.append(rows[last - step : last])
        until(lambda end=last: seen(shown) == end, "the events")
    until(lambda: gc.collect() >= 0 and traced_memory() < 250 * count, "the rest")
    tracemalloc.stop()
    assert state_size(shown) < 200_000
    assert max(len(json.dumps(message)) for message in sent_by(shown)) < 200_000


@pytest.mark.realtime
def test_where_nobody_looks_next_to_nothing_is_sent(rehearse, dashboards):
    running(rehearse)
    shown = dashboards()
    shown._pace.answered = float("-inf")
    until(lambda: shown.comm.sent, "a message")
    sent = len(shown.comm.sent)
    for _ in range(50):
        shown.refresh()
    assert len(shown.comm.sent) - sent <= 2


def test_the_thread_ends_with_the_last_dashboard(dashboards):
    first, second = dashboards(), dashboards()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("tradenb-panel") == 1
    first.close()
    assert "tradenb-panel" in [thread.name for thread in threading.enumerate()]
    second.close()
    assert "tradenb-panel" not in [thread.name for thread in threading.enumerate()]
    assert refresh_thread._dashboards == []


@pytest.mark.realtime
def test_a_frozen_dashboard_keeps_its_last_picture_and_its_thread_ends(rehearse, dashboards):
    run = running(rehearse)
    shown = dashboards()
    run.release()
    assert run.wait(240)
    shown.freeze()
    shown.freeze()
    assert "tradenb-panel" not in [thread.name for thread in threading.enumerate()]
    assert (shown.frozen, shown.rows[0]["status"]) == (True, "idle")
    assert shown.comm is not None


@pytest.mark.realtime
def test_a_frozen_dashboard_does_not_show_a_run_that_ended_elsewhere_as_running(
    rehearse, dashboards, monkeypatch
):
    assert rehearse(end=SHORT).wait(240)
    monkeypatch.setattr(supervisor, "_runs", WeakSet())  # as if it were another process's
    held = True
    monkeypatch.setattr("tradenb.live.status.run_files.is_locked", lambda *_: held)
    shown = dashboards()
    assert shown.rows[0]["status"] == "running"
    held = False
    shown.freeze()
    assert shown.rows[0]["status"] == "done"


def test_closing_twice_is_closing_once(dashboards):
    shown = dashboards()
    shown.close()
    shown.close()
    assert shown.comm is None


@pytest.mark.realtime
def test_a_dashboard_is_a_picture_where_no_widgets_are(rehearse, dashboards):
    assert rehearse(end=SHORT).wait(240)
    shown = dashboards()
    data, _ = shown._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    page = data["text/html"]
    assert "<script" not in page
    assert '<th scope="row">swing on BTCUSDT</th>' in page
    assert page.count("<svg") == 2
    assert len(page) < 60_000


@pytest.mark.realtime
def test_a_run_that_is_held_against_its_backtest_is_drawn_in_the_band(rehearse, dashboards):
    run = rehearse(end=SHORT)
    assert run.wait(240)
    shown = dashboards()
    assert shown.pictures["expected"] == ""
    trades = [SimpleNamespace(pnl_percent=percent) for percent in [1.0, -0.8] * 40]
    run.expect(SimpleNamespace(trade_list=trades))
    shown.model.poll()
    assert shown.model.pictures["expected"].startswith('<svg class="tnb-expected"')
    assert dashboard_html(shown.model).count("<svg") == 3


def test_the_marker_of_a_home_is_written_once_and_by_a_run_alone():
    home, disk = find_home(), DiskFilesystem()
    assert marker_of(home) == ""
    assert not home.root.exists()
    prepare(disk, home, Key("swing", "BTCUSDT"))
    first = marker_of(home)
    prepare(disk, home, Key("swing", "ETHUSDT"))
    assert first == marker_of(home) == (home.data / "control" / "HOME").read_text().strip()


@pytest.mark.realtime
def test_a_dashboard_makes_nothing_in_a_home(rehearse, dashboards):
    run = running(rehearse)
    run.release()
    assert run.wait(240)
    root = find_home().root
    before = sorted(root.rglob("*"))
    shown = dashboards()
    shown.refresh()
    assert tn.live.list() is not None
    assert sorted(root.rglob("*")) == before
    empty = root.with_name("nothing")
    dashboards(home=empty).refresh()
    assert not empty.exists()


@pytest.mark.realtime
def test_a_stop_goes_through_when_no_file_can_be_written(rehearse, dashboards, monkeypatch):
    run = running(rehearse)
    shown = dashboards()

    def full(*args, **keys):
        raise tn.StateWriteError("no space left on device")

    monkeypatch.setattr("tradenb.panel.button_requests.send", full)
    assert ask(shown, "stop")["channel"] == "kernel"
    assert run.wait(240)
    assert run.status == "done"
    assert location_of(record_of(run)).key == Key("swing", "BTCUSDT")


def test_a_home_that_is_no_path_is_an_error_and_leaves_nothing_behind(monkeypatch):
    unraisable = []
    gc.collect()  # what earlier tests left is not meant
    monkeypatch.setattr(sys, "unraisablehook", lambda failure: unraisable.append(failure.exc_value))

    def refused():
        with pytest.raises(tn.UsageError, match="home must be a folder such as 'dump', was 5"):
            tn.dashboard(home=5)

    refused()
    gc.collect()
    assert unraisable == []


def test_a_view_that_asks_gets_the_chart_of_the_run_that_is_drawn(rehearse, dashboards):
    run = rehearse()
    assert run.wait(240)
    shown = dashboards()
    send_to(shown, type="chart")
    (told,) = [message for message in sent_by(shown) if message["type"] == "chart"]
    assert told["key"] == "rehearsal:BTCUSDT:swing"
    data = json.loads(told["data"])
    (symbol,) = data["symbols"]
    closed = [event for event in run.events().itertuples() if event.kind == "closed"]
    assert column(symbol["trades"]["exit"]) == pytest.approx([event.price for event in closed])
    rows = candles_in(symbol["levels"][0])
    market = tn.testing.random_walk(seed=7, days=10)
    known = tn.candles("BTCUSDT", exchange=market)
    times = known.index.astype("datetime64[ms, UTC]").astype("int64")
    closes = dict(zip(times.tolist(), known.close.tolist(), strict=True))
    assert [row[4] for row in rows] == [closes[row[0]] for row in rows]
    assert rows[-1][0] + 60_000 == data["end"]
    assert rows[0][0] == data["since"] >= data["start"]


def test_the_chart_of_a_run_of_this_process_has_the_indicators_that_its_strategy_saw(
    rehearse, dashboards, tmp_path
):
    seen = {}

    @tn.strategy("seeing", every="15m", history="6h")
    def seeing(ctx):
        if ctx.now % 1_800_000 == 0:
            seen[ctx.now] = (ctx.indicators["mean"], ctx.indicators["spread"])

    @seeing.indicators("5m", plot={"spread": "Spread", "hidden": None})
    def columns(df):
        mean = df.close.rolling(12).mean()
        return {"mean": mean, "spread": df.high - df.low, "hidden": mean}

    run = rehearse(strategy=seeing, end="2024-01-02T03:15")
    assert run.wait(240)
    shown = dashboards()
    send_to(shown, type="chart")
    (told,) = [message for message in sent_by(shown) if message["type"] == "chart"]
    (symbol,) = json.loads(told["data"])["symbols"]
    assert [(each["name"], each["where"]) for each in symbol["indicators"]] == [
        ("mean", "price"), ("spread", "Spread"),
    ]  # fmt: skip
    closes_at = [row[0] + MINUTE for row in candles_in(symbol["levels"][0])]
    drawn = [dict(zip(closes_at, column(each["levels"][0]), strict=True))
             for each in symbol["indicators"]]  # fmt: skip
    assert len(seen) == 6
    for at, values in seen.items():
        assert [each[at] for each in drawn] == pytest.approx(values, rel=1e-5)
    last = max(seen)
    assert drawn[0][last + 4 * MINUTE] == drawn[0][last]
    assert drawn[0][last + 5 * MINUTE] is None  # it was not computed any more
    assert shown.pictures["price"].count('class="tnb-overlay"') == 2  # the line and its legend
    page = run.report(tmp_path / "live.html").read_text("utf-8")
    assert '"name":"spread"' in page


def test_the_chart_of_a_home_without_runs_is_nothing(dashboards, tmp_path):
    shown = dashboards(tmp_path)
    send_to(shown, type="chart")
    assert {"type": "chart", "key": "", "data": None} in sent_by(shown)
