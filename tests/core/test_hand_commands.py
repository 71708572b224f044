"""close and move by a person: after the tests of their candle, before the ask, live as replayed."""

from __future__ import annotations

import pandas as pd
import pytest

import tradenb as tn
from tests.engine.test_signals import GRID, backtest
from tests.sources import minute
from tradenb.core.lifecycle.state import Command
from tradenb.engine.hand_commands import hand_values
from tradenb.engine.serialise import event_to_row
from tradenb.errors import UnknownName, UsageError
from tradenb.live.live_run import record_of
from tradenb.testing.world.simulated_world import Action, World

END = minute(400)


@tn.strategy("by-hand", every="15m")
def by_hand(ctx):
    return tn.long(stop_loss=tn.percent(8))


def played(*commands, **more):
    given = [{"at": minute(at), "kind": kind, **values} for at, kind, values in commands]
    return backtest(strategy=by_hand, commands=given, end=END, **more)


def told(result, *kinds):
    events = result.events[result.events.kind.isin(kinds)]
    return list(zip(events.kind, events.exit_reason.fillna(""), strict=True))


def test_a_part_is_closed_and_then_the_rest_and_no_ask_follows_on_that_candle():
    result = played((100, "close", {"fraction": 0.5}), (104, "close", {}))
    first, last = result.fills[result.fills.reason == "user"].itertuples()
    assert (first.kind, first.fraction, last.kind, last.fraction) == ("partial", 0.5, "exit", 0.5)
    assert result.trades.exit_reason[0] == "user"
    assert result.trades.exits[0] == 2
    opened = result.events[result.events.kind == "opened"]["at"]
    # It acts on minute 105, at which the strategy would have been asked.
    assert result.trades.closed_at[0] == pd.Timestamp(minute(105), unit="ms", tz="UTC")
    assert opened.iloc[1] == pd.Timestamp(minute(120), unit="ms", tz="UTC")


def test_a_stop_is_moved_and_only_closer():
    price = float(GRID.close[100])
    nearer, farther = price * 0.97, price * 0.9
    result = played(
        (100, "move", {"stop_loss": nearer}),
        (110, "move", {"stop_loss": farther}),
    )
    moved = result.events[result.events.kind == "moved"]
    assert moved.stop_loss.to_list() == [nearer]


def test_what_cannot_be_done_is_a_rejected_event_and_does_nothing():
    result = played((100, "move", {"take_profit": [(120, 0.5), (110, 0.5)]}))
    (note,) = result.events[result.events.kind == "rejected"].note
    assert note.startswith("targets_order | ")
    assert "moved" not in set(result.events.kind)


def test_where_nothing_is_open_a_command_is_dropped():
    quiet = tn.strategy("never", every="15m")(lambda ctx: None)
    commands = [
        {"at": minute(100), "kind": "close"},
        {"at": minute(120), "kind": "move", "minutes": 5},
    ]
    result = backtest(strategy=quiet, commands=commands, end=END)
    assert result.event_list == []


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("close", {"fraction": 1.5}, "fraction of close must be above 0 and at most 1, was 1.5"),
        ("close", {"fraction": "half"}, "fraction of close must be a number above 0, was 'half'"),
        ("move", {}, "move needs at least one of stop_loss, take_profit, minutes, until"),
        ("move", {"minutes": 0}, "minutes of move must be a whole number above 0, was 0"),
        ("move", {"until": "soon"}, "until of move must be a moment, was 'soon'"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_at_once(kind, values, words):
    with pytest.raises(UsageError, match=words):
        hand_values(kind, values)
    with pytest.raises(UsageError, match=words):
        played((100, kind, values))


def test_a_field_that_is_none_of_them_is_answered_with_the_near_one():
    with pytest.raises(UnknownName, match="did you mean 'stop_loss'"):
        hand_values("move", {"stop_los": 1})
    with pytest.raises(UsageError, match="a stop takes no fraction"):
        played((100, "stop", {"fraction": 1.0}))


def test_no_target_can_be_said_and_a_ladder():
    assert hand_values("move", {"take_profit": None}) == {"take_profit": None}
    assert hand_values("move", {"take_profit": [(101, 0.5)]}) == {"take_profit": [[101.0, 0.5]]}


def test_a_live_run_does_what_the_replay_does():
    nearer = float(GRID.close[100]) * 0.97
    given = [
        (100, "close", {"fraction": 0.25}),
        (101, "move", {"stop_loss": nearer, "take_profit": None}),
        (200, "close", {"fraction": 1.0}),
    ]
    world = World({"BTCUSDT": GRID}, start=minute(60), runs=[("BTCUSDT", by_hand)])

    def giving(kind, values):
        def give(process):
            run = process.run("BTCUSDT", "by-hand")
            record = record_of(run)
            record.accept(Command(record.clock.now(), kind, request="r", values=values))

        return give

    actions = [Action(minute(at) + 20_000, giving(kind, values)) for at, kind, values in given]
    assert world.live(END + 3_000, actions)
    (run,) = world.wanted
    replayed = backtest(
        strategy=by_hand,
        end=END,
        commands=[
            {"at": minute(at) + 20_000, "kind": kind, **values} for at, kind, values in given
        ],
    )
    beside = {"mode": None, "wall": None}
    lived = [event_to_row(event) | beside for event in world.events(run)]
    assert lived == [event_to_row(event) | beside for event in replayed.event_list]
    assert {"partial", "moved", "closed"} <= {event["kind"] for event in lived}


@pytest.mark.parametrize("kind", ["close", "move"])
def test_what_a_person_does_to_a_position_ends_no_waiting_entry(kind):
    from tradenb.core.candidate import plain_signal
    from tradenb.core.lifecycle.commands import _ends_scheduled

    waiting = plain_signal("s", "BTCUSDT", "a", "long", 99.0, 110.0, 95.0, 10, 0)
    assert not _ends_scheduled(Command(0, kind), waiting)
    assert _ends_scheduled(Command(0, "flatten"), waiting)
