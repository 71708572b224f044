"""The laws as plain functions: a scenario in, what is broken out.

The property tests call them on drawn scenarios, `test_mutants.py` calls them on fixed ones, so that
what is shown to catch a mutant is what the tests really run.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.laws.generators import close_times, missing_times, with_noise_after
from tests.scenarios import (
    EVENT,
    TRADE,
    Played,
    differences,
    on_reference,
    on_tradenb,
    run_in_blocks,
    run_in_one_session,
)

AT = EVENT.index("at")
CLOSED_AT = TRADE.index("closed_at")


Reference = Callable[[dict[str, Any]], Played]


def chunks_broken(
    scenario: dict[str, Any], random: Random, reference: Reference = on_reference
) -> list[str]:
    """Law 1: any split of the candles gives the events and the states of the whole."""
    if reference(scenario).refused:
        return []
    times = close_times(scenario)
    some = sorted(random.sample(times, min(len(times), random.choice((1, 2, 5)))))
    every = times if len(times) <= 200 else times[::97]
    whole, whole_states = run_in_blocks(scenario, [])
    for feed in (run_in_blocks, run_in_one_session):
        for cuts in (some, every):
            played, states = feed(scenario, cuts)
            if found := differences(played, whole):
                return found
            if states != whole_states:
                return [f"states: {states} are not {whole_states}"]
    return []


class PlayedOnce:
    """What the naive machine plays, kept: no mutant changes it. For scenarios that live on."""

    def __init__(self) -> None:
        self._played: dict[int, Played] = {}

    def __call__(self, scenario: dict[str, Any]) -> Played:
        """Play a scenario at its first call."""
        if id(scenario) not in self._played:
            self._played[id(scenario)] = on_reference(scenario)
        return self._played[id(scenario)]


def reference_broken(scenario: dict[str, Any], reference: Reference = on_reference) -> list[str]:
    """Law 2: the fast machine is the naive one."""
    return differences(on_tradenb(scenario), reference(scenario))


def lookahead_broken(scenario: dict[str, Any], random: Random) -> list[str]:
    """Law 5: other candles after a moment change nothing up to it."""
    times = close_times(scenario)
    if not times:
        return []
    gaps = missing_times(scenario)
    at = random.choice(gaps if gaps and random.randrange(3) == 0 else times)
    noisy = with_noise_after(scenario, at, random)
    return differences(up_to(at, on_tradenb(noisy)), up_to(at, on_tradenb(scenario)))


def up_to(at: int, played: Played) -> Played:
    """What was known at a moment."""
    return Played(
        events=[event for event in played.events if event[AT] <= at],
        trades=[trade for trade in played.trades if trade[CLOSED_AT] <= at],
        asks={name: [time for time in times if time <= at] for name, times in played.asks.items()},
        probes=[probe for probe in played.probes if probe[0] <= at],
        calls=[call for call in played.calls if call[0] <= at],
        watched=[seen for seen in played.watched if seen[0] <= at],
        refused=played.refused,
    )
