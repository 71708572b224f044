"""Homes on a real disk as a run that sends orders leaves them, for the tests of what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.brokers.test_live_orders import SYMBOL, world
from tests.brokers.test_order_news import nothing_new
from tests.sources import minute
from tradenb.store.paths import Home
from tradenb.testing.world.simulated_world import Action

AT = minute(83)
"""When each of them ends: a position was opened at minute 76."""


def protected(**limits: Any) -> Any:
    """A world in which a position is protected."""
    made = world(*[100.0] * 120)
    made.arm(**limits)
    assert made.live(AT)
    return made


def unprotected() -> Any:
    """A world in which somebody cancelled the stop, and no order gets through any more."""
    made = world(*[100.0] * 120)
    made.arm()

    def refuse(_: object) -> None:
        leg = made.venue.live_orders(SYMBOL)[0]
        made.venue.cancel_by_hand(leg.order_id, at=made.clock.true_now())
        made.wire._draw = nothing_new

    assert made.live(AT, [Action(minute(82) + 20_000, refuse)])
    return made


def copied(made: Any, folder: Path) -> Home:
    """Write the files of a world below a folder."""
    for path, data in made.disk.files().items():
        target = folder / path.relative_to(made.home.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return Home(folder)
