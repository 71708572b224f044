"""The eight strategies live over ccxt and an exchange on loopback."""

from __future__ import annotations

import pytest

from tests.conftest import some_to_soak
from tests.eight_strategies import EIGHT
from tests.live.loop.test_over_ccxt import Life, backtest
from tests.sources import MINUTE, T0, frame
from tests.test_eight_strategies import MARKET, SHOWS, START, named
from tradenb.core.fills import fills_of
from tradenb.testing.world.comparable_events import comparable

HOUR = 60 * MINUTE


def rows_until(end):
    """The walk as an exchange has it, from its beginning until an hour after a life."""
    columns = (column.tolist() for column in MARKET.columns)
    return frame([*zip(*columns, strict=True)])[: (end + HOUR - T0) // MINUTE]


def life_of(spec):
    """The shortest life in which a position does what is special about the strategy."""
    events = backtest(rows_until(MARKET.end), None, start=START, spec=spec)
    opened = {event.signal_id: event.at for event in events if event.kind == "opened"}
    special = [
        (event.at - opened[event.signal_id], opened[event.signal_id], event.at)
        for event in events
        if event.signal_id in opened and (event.kind, event.exit_reason) in SHOWS[spec.name]
    ]
    _, begun, ended = min(each for each in special if each[0] > 2 * MINUTE)
    start = begun - begun % HOUR - HOUR
    return start, min(ended + 2 * MINUTE, start + 12 * HOUR)


@pytest.mark.no_cover
@pytest.mark.parametrize("spec", some_to_soak(EIGHT, keep=4), ids=named)
def test_a_managed_strategy_over_ccxt_has_the_events_of_its_backtest(spec, tmp_path):
    start, end = life_of(spec)
    rows = rows_until(end)
    with Life({"BTCUSDT": rows}, tmp_path, start=start, specs=[spec]) as life:
        life.live(end)
        lived, rules = life.events(), life.runs[0].rules
    theirs = backtest(rows, end, start=start, spec=spec)
    assert comparable(lived) == comparable(theirs)
    assert SHOWS[spec.name] & {(event.kind, event.exit_reason) for event in lived}
    assert fills_of(lived, rules) == fills_of(theirs, rules)
