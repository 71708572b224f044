"""What a death costs: a callback comes at most once, an event to a subscriber at least once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.live.fakes import once, until, world_of
from tests.sources import flat


def life(at: int | None):
    """Open and close one position, dying at an operation of the disk; then live it to the end."""
    called: list[tuple[str, int]] = []

    def note(event):
        called.append((event.kind, event.seq))

    strategy = once(3, minutes=2)
    world = world_of(strategy, flat(20), opened=note, closed=note)
    world.disk.crash(10**9 if at is None else at)
    died = not world.live(until(10))
    world.disk.heal()
    world.live(until(15))
    told = [(event.kind, event.seq) for event in world.announced]
    return died, Counter(called), Counter(told), world


@pytest.mark.no_cover
def test_a_death_loses_callbacks_and_repeats_none_and_loses_no_event():
    _, called, told, world = life(None)
    wanted = {("opened", 1), ("closed", 2)}
    assert (set(called), set(told)) == (wanted, wanted)
    operations = len(world.disk.operations)
    lost = repeated = deaths = 0
    for at in range(0, operations, 35):
        died, called, told, _ = life(at)
        deaths += died
        assert max(called.values(), default=0) <= 1
        assert set(told) == wanted
        lost += set(called) != wanted
        repeated += max(told.values()) > 1
    assert deaths > 5
    assert lost > 0  # between the commit and the call
    assert repeated > 0  # told, and not yet known to be
