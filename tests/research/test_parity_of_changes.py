"""Parity finds what was changed of code and rules, at the start and at restarts."""

from __future__ import annotations

import itertools
import linecache
import platform
from collections import OrderedDict

import pytest

import tradenb as tn
from tests.conftest import some_to_soak
from tests.research.planted import calm, frame_of
from tests.sources import candles, minute
from tradenb.core.rules import Rules
from tradenb.engine import past_code
from tradenb.store.journal.recording import Recording
from tradenb.store.paths import Key
from tradenb.testing.world.simulated_world import Action, World

CELL = """
import tradenb as tn
EXTRA = {constant}
def due(at):
    return at in {helper}
@tn.strategy("coded", every="5m", history="10h")
def coded(ctx):
    at = (ctx.now - {zero}) // 60_000
    if at in {own} or at in EXTRA or due(at):
        return tn.long(take_profit=1.1 * ctx.price, stop_loss=0.9 * ctx.price, minutes=20)
"""
USUAL = {"constant": (610, 810), "helper": (650, 850), "own": (690, 890)}
CHANGED = {"constant": (615, 815), "helper": (655, 855), "own": (695, 895)}
NAMES = {"constant": "EXTRA", "helper": "due", "own": "its function"}
CODE = tuple(NAMES)
CHANGES = [
    *[(one,) for one in (*CODE, "rules")],
    *itertools.combinations((*CODE, "rules"), 2),
    *itertools.combinations((*CODE, "rules"), 3),
    (*CODE, "rules"),
]
COUNT = itertools.count()
DEARER = Rules(fee_percent=0.15)


def cells(space, changes=()):
    """Run the cells, or run them again, with some changes; return the strategy."""
    given = USUAL | {name: CHANGED[name] for name in changes if name in CHANGED}
    text = CELL.format(zero=minute(0), **given)
    file = f"<coded {next(COUNT)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), space)
    return space["coded"]


def lived(space, changes=(), *, at_restart=()):
    """Live a while; at a restart in the middle some things are changed."""
    world = World(
        {"BTCUSDT": candles(calm())}, start=minute(600), runs=[("BTCUSDT", cells(space, changes))]
    )
    process = world.process()
    if at_restart:
        assert process.live(minute(750))
        world.wanted = [("BTCUSDT", cells(space, {*changes, *at_restart}))]
        world.rules = DEARER if "rules" in at_restart else world.rules
        process = world.process()
    assert process.live(minute(1_000) + 5_000)
    return process.runs[0], world.rules


def compare(run, strategy, rules):
    exchange = tn.frame_exchange(frame_of(calm()))
    found = tn.parity(run, exchange=exchange, strategy=strategy)
    result = tn.backtest.run(
        "BTCUSDT", strategy=strategy, exchange=exchange, rules=rules, start=minute(600),
        end=minute(1_000), progress=False,
    )  # fmt: skip
    closed = [(item.opened_at, item.pnl_percent) for item in found.backtest]
    opened = result.trades.opened_at.dt.as_unit("ms").astype("int64")
    assert closed == list(zip(opened, result.trades.pnl_percent, strict=True))
    return found


def causes_of(changes):
    return {"rules changed"} & {f"{name} changed" for name in changes} | (
        {"code changed"} if set(changes) - {"rules"} else set()
    )


def names_of(changes):
    return ", ".join(sorted(NAMES[name] for name in changes if name in NAMES))


@pytest.mark.no_cover
@pytest.mark.parametrize("changes", some_to_soak(CHANGES[:10], keep=8))
def test_what_was_changed_after_the_run_is_named(changes):
    changes = tuple(name for name in changes if name != "rules") or ("own", "helper")
    space = {"__name__": "cells"}
    run, rules = lived(space)
    found = compare(run, cells(space, changes), rules)
    assert {*found.causes} == {"code changed"}
    assert {item.what for item in found.found} == {names_of(changes)}
    assert found.notes == []


@pytest.mark.no_cover
@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("changes", some_to_soak(CHANGES, keep=13))
def test_what_was_changed_at_a_restart_is_named(changes, forgotten, monkeypatch, caplog):
    if forgotten:  # as in a kernel that was started anew
        monkeypatch.setattr(past_code, "_KEPT", OrderedDict())
        monkeypatch.setattr(past_code, "keep", lambda code: None)
    space = {"__name__": "cells"}
    run, rules = lived(space, at_restart=changes)
    found = compare(run, space["coded"], rules)
    assert {*found.causes} == causes_of(changes)
    told = [line for line in caplog.messages if "goes on with other code" in line]
    named = [f"than before ({names_of(changes)})" in line for line in told]
    assert named == [True] * bool(names_of(changes))
    assert {item.what for item in found.found} == {
        *[names_of(changes)] * bool(names_of(changes)),
        *["fee_percent"] * ("rules" in changes),
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("changes", some_to_soak(CHANGES, keep=13))
def test_what_was_taken_back_after_a_restart_is_named(changes):
    space = {"__name__": "cells"}
    run, rules = lived(space, ("constant",), at_restart=changes)
    found = compare(run, cells(space), rules)
    assert {*found.causes} == causes_of({*changes, "constant"})


@pytest.mark.no_cover
@pytest.mark.parametrize("count", some_to_soak(range(20), keep=20))
def test_a_run_that_was_started_again_unchanged_is_clean(count, caplog):
    space = {"__name__": "cells"}
    world = World({"BTCUSDT": candles(calm())}, start=minute(600), runs=[("BTCUSDT", cells(space))])
    process = world.process()
    assert process.live(minute(620 + 15 * count))
    world.wanted = [("BTCUSDT", cells(space))]  # the cell is run again as it was
    process = world.process()
    assert process.live(minute(1_000) + 5_000, [Action(minute(900), lambda own: None)])
    found = compare(process.runs[0], cells(space), world.rules)
    assert found.clean
    assert found.notes == []
    assert len(found.live) == 6
    assert "other code" not in caplog.text


@pytest.mark.no_cover
def test_a_value_that_was_changed_in_place_is_named_and_memory_is_not(tmp_path):
    settings, asked = {"every": 2}, []

    @tn.strategy("set", every="1h")
    def with_settings(ctx):
        asked.append(ctx.now)
        if len(asked) % settings["every"] == 0:
            return tn.long(take_profit=1.1 * ctx.price, stop_loss=0.9 * ctx.price, minutes=20)
        return None

    exchange = tn.frame_exchange(frame_of(calm()))
    given = {"exchange": exchange, "start": minute(300), "end": minute(1_000)}
    run = tn.live.rehearse("BTCUSDT", strategy=with_settings, speed=None, home=tmp_path, **given)
    assert run.wait(240)
    assert tn.parity(run).clean
    settings["every"] = 3
    found = tn.parity(run)
    assert {(item.cause, item.what) for item in found.found} == {("code changed", "settings")}
    assert "code changed (settings): " in repr(found)


@pytest.mark.no_cover
def test_a_run_that_is_started_again_with_another_interval_says_so(caplog):
    space = {"__name__": "cells"}
    before = cells(space)
    world = World({"BTCUSDT": candles(calm())}, start=minute(600), runs=[("BTCUSDT", before)])
    assert world.live(minute(605))
    assert world.live(minute(610))
    assert "other code" not in caplog.text
    world.wanted = [("BTCUSDT", before.model_copy(update={"every": "2h"}))]
    assert world.live(minute(616))
    assert world.live(minute(622))
    told = [line for line in caplog.messages if "other code" in line]
    assert [line.partition(": ")[0] for line in told] == [
        "BTCUSDT:coded goes on with other code or values than before (its declaration)"
    ]


@pytest.mark.parametrize("line", [{"begun": 0}, {"begun": 0, "names": 3}])
def test_a_line_of_another_hand_about_the_code_keeps_no_run_from_going_on(line, caplog):
    spec = cells({"__name__": "cells"})
    world = World({"BTCUSDT": candles(calm())}, start=minute(600), runs=[("BTCUSDT", spec)])
    assert world.live(minute(605))
    recording = Recording(world.disk, world.home.recording(Key(spec.name, "BTCUSDT")))
    full = {"start": minute(600), "python": platform.python_version()}
    recording.append([{**full, **line} if "names" in line else line], sync=True)
    assert world.live(minute(610) + 3_000)
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(610)
    assert "error" not in [event.kind for event in world.events(world.wanted[0])]
    assert caplog.text.count("Traceback") == 0
