"""The numbers of events go on where the journal ends, also when the document is gone."""

from __future__ import annotations

from tests.live.fakes import until, world_of
from tests.sources import flat, minute


def at_times(ctx):
    if ctx.now in (minute(3), minute(13)):
        return {"position": "long", "take_profit": 104.0, "stop_loss": 98.0, "minutes": 1}
    return None


def test_a_run_without_its_document_goes_on_numbering_after_the_journal():
    world = world_of(at_times, flat(40))
    run = world.wanted[0]
    world.live(until(10))
    before = world.events(run)
    assert [event.seq for event in before] == list(range(1, len(before) + 1))
    world.disk.remove(world.home.state)
    world.live(until(20))
    after = world.events(run)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert [event.seq for event in after] == list(range(1, len(after) + 1))
