"""`tn.notify` from the loop of a live run to a service on loopback."""

from __future__ import annotations

import json
import pickle
import sys
from collections import Counter

import pytest

import tradenb as tn
from tests.live.fakes import once, world_of
from tests.live.fakes import until as minutes
from tests.live.fast import until
from tests.live.processes import child
from tests.sources import flat
from tradenb.bus import bus
from tradenb.cli import main
from tradenb.live.notifications import api
from tradenb.testing.world.comparable_events import comparable

CANARY = "canary-token"


def buyer(name="buyer"):
    @tn.strategy(name, every="1m")
    def buys(ctx):
        return tn.long(take_profit=1.3 * ctx.price, stop_loss=0.9 * ctx.price, minutes=5)

    return buys


@pytest.mark.realtime
def test_an_entry_is_told_and_the_state_of_what_was_sent_is_under_the_home(sink, quick, tmp_path):
    made = tn.notify("env:SINK_URL", kinds={"opened", "closed"})
    run = quick.start(buyer())
    line = sink.wait_for("BTCUSDT:buyer opened long at")
    assert "stop" in line
    run.release()
    assert run.wait(240)
    made.close(10)
    events = [event for event in run.events().kind if event in {"opened", "closed"}]
    assert made.sent == len(sink.lines) <= len(events)
    assert made.dropped == made.failed == 0
    assert repr(made).startswith("<notifies env:SINK_URL of closed, opened:")
    (marks,) = (tmp_path / "home" / "data" / "notified").glob("*.json")
    assert list(json.loads(marks.read_text())["runs"]) == ["BTCUSDT:buyer"]
    assert CANARY not in marks.read_text()


def lived(monkeypatch, *, told):
    """A life on a simulated clock: when each tick came and how long it took, and its events."""
    world, ticks, durations = world_of(once(1), flat(30)), [], []
    world.bus.subscribe(
        lambda tick: ticks.append((tick.wall, tick.at, tick.action)), channel="ticks"
    )
    world.bus.subscribe(lambda item: durations.append(item.duration_ms), channel="performance")
    if told:
        monkeypatch.setattr(api, "bus", world.bus)
        tn.notify("env:SINK_URL", kinds={"opened", "closed", "error"})
    world.live(minutes(35))
    return ticks, durations, comparable(world.events(world.wanted[0]))


def test_a_service_that_hangs_delays_no_tick_of_a_simulated_run_and_changes_no_event(
    sink, monkeypatch
):
    sink.open.clear()
    without = lived(monkeypatch, told=False)
    assert lived(monkeypatch, told=True) == without
    assert sink.arrived.acquire(timeout=60)
    assert not sink.open.is_set()
    assert len(without[0]) >= 30


@pytest.mark.no_cover
@pytest.mark.realtime
def test_no_message_is_sent_twice_by_a_process_that_is_killed_and_started_again(sink, tmp_path):
    command = ("-m", "tests.live.notifications.killed", str(tmp_path), "200")
    sink.open.clear()  # it hangs within the first message, which has arrived
    with child(*command, SINK_URL=sink.url) as process:
        assert sink.arrived.acquire(timeout=60), process.words
        process.process.kill()
        process.ended()
    sink.open.set()
    with child(*command, SINK_URL=sink.url) as process:
        assert process.said("published") is True
        assert process.ended() == 0, process.words
    told = Counter(line for line in sink.lines if " opened" in line)
    assert len(told) > 100
    assert set(told.values()) == {1}


def test_a_cell_that_is_run_twice_sends_once_and_with_the_new_settings(sink):
    first = tn.notify("env:SINK_URL", kinds="opened")
    second = tn.notify("env:SINK_URL", kinds={"closed", "alarm"}, summary="22:00")
    assert api.active_settings() == [
        {"url": "env:SINK_URL", "kinds": ["alarm", "closed"], "summary": "22:00", "heartbeat": None}
    ]
    subscribed = [(item.channel, item.kinds) for item in bus.subscriptions if item.immediate]
    assert subscribed == [("events", frozenset({"closed"})), ("alarms", None)]
    first.close()
    assert api.active_settings() != []
    second.close(5)
    second.close(5)
    assert api.active_settings() == []
    assert [item for item in bus.subscriptions if item.immediate] == []


def test_alarms_alone_subscribe_to_no_event(sink):
    tn.notify("env:SINK_URL", kinds={"alarm"})
    found = [item.channel for item in bus.subscriptions if item.immediate]
    assert found == ["alarms"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "tgram://123456:token/42"}, "url must say where the URL is"),
        ({"url": None}, "url must say where the URL is"),
        ({"url": "env:NOT_THERE"}, "the environment variable 'NOT_THERE' is not set"),
        ({"url": "env:NONSENSE"}, "env:NONSENSE does not hold a URL that apprise knows"),
        ({"heartbeat": "https://hc.example/canary"}, "heartbeat must say where the URL is"),
        ({"heartbeat": "env:SINK_URL"}, "env:SINK_URL must hold a URL that begins with https"),
        ({"kinds": {"openend"}}, "unknown kind of notification 'openend'; did you mean 'opened'"),
        ({"summary": "25:00"}, "summary must be a time of the day such as '22:00', was '25:00'"),
        ({"summary": 22}, "summary must be a time of the day"),
        ({"kind": "opened"}, "tn.notify has no argument 'kind'; did you mean 'kinds'?"),
    ],
)
def test_what_cannot_work_is_refused_at_once_and_no_url_is_shown(
    sink, monkeypatch, given, words, caplog
):
    monkeypatch.setenv("NONSENSE", "canary-token")
    with pytest.raises(tn.UsageError) as refused:
        tn.notify(**{"url": "env:SINK_URL"} | given)
    assert words in str(refused.value)
    assert CANARY not in str(refused.value) + caplog.text
    assert "token/42" not in str(refused.value)
    assert api.active_settings() == []


def test_without_apprise_it_is_said_what_to_install(sink, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(tn.UsageError, match=r"pip install 'tradenb\[notify\]'"):
        tn.notify("env:SINK_URL")


def test_a_url_is_in_no_repr_no_pickle_and_no_log(sink, caplog):
    caplog.set_level(0)
    made = tn.notify("env:SINK_URL", heartbeat="env:BEAT_URL")
    made._sender.offer("words")
    sink.wait_for("words")
    sink.codes[:] = [500] * 5
    made._sender._retry_s = ()
    made._sender.offer("more")
    until(lambda: made.failed, "the failure")
    sink.codes[:] = [404]
    error = made._watch._beat()
    assert "404" in error
    assert "/hook/***" in caplog.text or "***" in caplog.text
    shown = repr(made) + repr(vars(made)) + repr(vars(made._sender)) + str(made.settings)
    assert CANARY not in shown + error + caplog.text
    with pytest.raises(TypeError):
        pickle.dumps(made)
    with pytest.raises(TypeError, match="holds secrets and is not pickled"):
        pickle.dumps(made._sender._service)


def test_a_failing_plugin_of_apprise_is_a_failed_message_and_shows_no_url(sink, caplog):
    made = tn.notify("env:SINK_URL")
    service = made._sender._service

    class Plugin:
        def notify(self, **message):
            raise RuntimeError(f"cannot reach {sink.url}")

    service._services = [Plugin()]
    assert not service.send("a", "b", again=False)
    assert "a notification service failed: RuntimeError: cannot reach ***" in caplog.text
    assert CANARY not in caplog.text


def test_of_several_services_only_those_that_failed_are_tried_again(sink, monkeypatch):
    monkeypatch.setenv("TWO", f"{sink.url}/a {sink.url}/b")
    service = tn.notify("env:TWO")._sender._service
    sink.codes[:] = [200, 500]
    assert not service.send("title", "words", again=False)
    assert service.send("title", "words", again=True)
    assert [path.rpartition("/")[2] for path in sink.paths] == ["a", "b", "b"]
    assert repr(service) == "<2 notification services>"


def test_the_heartbeat_is_a_plain_get(sink):
    made = tn.notify("env:SINK_URL", heartbeat="env:BEAT_URL")
    assert made._watch._beat() == ""
    assert sink.paths == ["/beat/canary-token"]


def test_the_command_sends_one_message_and_says_whether_it_left(sink, capsys):
    assert main(["notify-test", "env:SINK_URL", "--heartbeat", "env:BEAT_URL"]) == 0
    assert sink.lines == ["This is a test of tn.notify."]
    assert capsys.readouterr().out == "env:SINK_URL: sent\nenv:BEAT_URL: asked for\n"
    sink.codes[:] = [500]
    assert main(["notify-test", "env:SINK_URL", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["sent"] is False
    assert main(["notify-test", "json://127.0.0.1/canary-token"]) == 2
    assert CANARY not in "".join(capsys.readouterr())
