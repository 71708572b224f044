"""A command is visible from the moment it is given, and can be withdrawn until it acts."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.live.fakes import once, told, until, world_of
from tests.sources import flat, minute
from tradenb.live.live_run import record_of
from tradenb.live.state.control_requests import check_withdrawal
from tradenb.live.status.status_of_run import status_of_run
from tradenb.store.control import send
from tradenb.store.paths import Key
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action

KEY = Key("a", "BTCUSDT")
OPENED = (2, "opened", 100.0, None, False)


def text(process):
    return status_of_run(record_of(process.runs[0])).status_text


def at(minutes, seconds, act):
    return Action(minute(minutes) + seconds * 1_000, act)


def test_a_flatten_is_seen_at_once_with_the_seconds_until_it_acts():
    world, seen = world_of(once(2), flat(20)), []

    def flatten(process):
        seen.append(text(process))
        process.runs[0].flatten()
        seen.append(text(process))

    def look(process):
        seen.append(text(process))

    assert world.live(until(6), [at(3, 24, flatten), at(3, 30, look), at(4, 10, look)])
    assert seen == [
        "running",
        "running, flattening at the next close (36 s)",
        "running, flattening at the next close (30 s)",
        "running",
    ]
    assert told(world) == [OPENED, (4, "closed", 100.0, "flattened", False)]


def test_a_stop_with_a_position_is_seen_at_once_and_until_the_run_has_ended():
    world, seen = world_of(once(2, minutes=4), flat(20)), []

    def stop(process):
        run = process.runs[0]
        run.stop()
        seen.append((run.stopping, text(process), [each.kind for each in run.pending_commands]))

    def look(process):
        run = process.runs[0]
        seen.append((run.stopping, text(process), list(run.pending_commands)))

    process = world.process()
    assert process.live(until(9), [at(3, 24, stop), at(4, 30, look)])
    look(process)
    assert seen == [
        (True, "running, stopping", ["stop"]),
        (True, "running, stopping", []),
        (False, "done", []),
    ]


def test_a_close_and_a_move_are_seen_and_can_be_withdrawn():
    world, seen = world_of(once(2), flat(20)), []

    def give(process):
        run = process.runs[0]
        run.move(stop_loss=98.5)
        run.close(0.5)
        seen.append([each.values for each in run.pending_commands])
        seen.append(text(process))

    def withdraw(process):
        run = process.runs[0]
        run.withdraw(run.pending_commands[1].id)
        seen.append(text(process))

    assert world.live(until(6), [at(3, 24, give), at(3, 30, withdraw)])
    moving = "running, moving the stop to 98.50 at the next close"
    assert seen == [
        [{"stop_loss": 98.5}, {"fraction": 0.5}],
        f"{moving} (36 s), closing 50 % of it at the next close (36 s)",
        f"{moving} (30 s)",
    ]
    assert [event[:2] for event in told(world)] == [OPENED[:2], (4, "moved")]


def test_in_an_outage_a_command_is_seen_and_the_candle_is_said_to_be_overdue():
    world, seen = world_of(once(2), flat(20)), []
    world.exchange.troubles = [Trouble("error", minute(3) + 30_000, minute(8) + 30_000)]

    def flatten(process):
        process.runs[0].flatten()

    def look(process):
        seen.append(text(process))

    assert world.live(until(12), [at(4, 20, flatten), at(5, 15, look), at(7, 15, look)])
    assert seen == [
        "failing, flattening at the next candle (15 s overdue)",
        "failing, flattening at the next candle (135 s overdue)",
    ]
    assert told(world)[1][:4] == (5, "closed", 100.0, "flattened")


@pytest.mark.parametrize("by_file", [False, True])
@pytest.mark.parametrize("kind", ["stop", "flatten"])
def test_what_is_withdrawn_before_it_acts_does_not_happen(kind, by_file):
    world = world_of(once(2), flat(20))

    def give(process):
        if by_file:
            send(world.disk, world.home, KEY, kind, wall=world.clock.now())
        else:
            getattr(process.runs[0], kind)()

    def withdraw(process):
        run = process.runs[0]
        assert [each.kind for each in run.pending_commands] == [kind]
        if by_file:
            send(world.disk, world.home, KEY, "withdraw", wall=world.clock.now())
        else:
            run.withdraw()
            assert run.pending_commands == ()

    def look(process):
        assert process.runs[0].pending_commands == ()
        assert not process.runs[0].stopping

    assert world.live(until(8), [at(3, 10, give), at(3, 35, withdraw), at(3, 59, look)])
    assert told(world) == [OPENED]
    assert world.checkpoint(world.wanted[0]).state.commands == ()


def test_in_an_outage_a_command_can_be_withdrawn_though_its_candle_is_over():
    world = world_of(once(2), flat(20))
    world.exchange.troubles = [Trouble("error", minute(3) + 30_000, minute(8) + 30_000)]
    give = at(4, 20, lambda process: process.runs[0].flatten())
    assert world.live(until(12), [give, at(6, 20, lambda process: process.runs[0].withdraw())])
    assert told(world) == [OPENED]


def test_one_command_is_withdrawn_by_its_id_and_the_others_stay():
    world = world_of(once(2), flat(20))

    def give(process):
        run = process.runs[0]
        run.flatten()
        run.stop()
        flatten, stop = run.pending_commands
        assert (flatten.kind, stop.kind) == ("flatten", "stop")
        run.withdraw(flatten.id)
        assert run.pending_commands == (stop,)
        with pytest.raises(tn.UnknownName, match=f"unknown command 'x'.*'{stop.id}'"):
            run.withdraw("x")

    assert world.live(until(8), [at(3, 10, give)])
    assert told(world) == [OPENED]
    assert world.checkpoint(world.wanted[0]).state.stopping


def test_a_withdrawal_that_is_read_together_with_its_command_takes_it_back():
    world = world_of(lambda ctx: None, flat(20))

    def give(process):
        now = world.clock.now()
        send(world.disk, world.home, KEY, "stop", wall=now, id="a")
        send(world.disk, world.home, KEY, "withdraw", wall=now + 5, request_id="a")

    assert world.live(until(8), [at(3, 10, give)])
    assert not world.checkpoint(world.wanted[0]).state.stopping


def test_what_has_acted_cannot_be_withdrawn():
    world = world_of(once(2), flat(20))

    def withdraw(process):
        with pytest.raises(tn.StateError, match="what has acted cannot be taken back"):
            process.runs[0].withdraw()

    def stop(process):
        process.runs[0].stop()

    assert world.live(until(8), [at(3, 10, stop), at(4, 10, withdraw)])
    assert world.checkpoint(world.wanted[0]).state.stopping


def test_a_command_is_still_pending_after_a_crash_and_can_be_withdrawn_then():
    world = world_of(once(2), flat(20))
    actions = [
        at(3, 10, lambda process: process.runs[0].flatten()),
        at(3, 20, lambda process: process.kill()),
    ]
    assert not world.live(until(5), actions)
    assert [each.kind for each in world.checkpoint(world.wanted[0]).state.commands] == ["flatten"]
    send(world.disk, world.home, KEY, "withdraw", wall=world.clock.now())
    assert world.live(until(8))
    assert told(world) == [OPENED]


def test_ids_that_are_alike_by_chance_are_listed_and_not_proposed():
    with pytest.raises(
        tn.UnknownName, match="unknown command 'a2068824a5a9'; known: '8aad268c40c5'"
    ):
        check_withdrawal("x", ("8aad268c40c5",), "a2068824a5a9")
