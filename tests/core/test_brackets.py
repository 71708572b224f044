"""tn.percent, tn.distance and tn.bracket: levels that count from the price that is paid."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.engine.test_signals import backtest
from tests.sources import minute
from tradenb.errors import UsageError


def opened(candidate):
    def asked(ctx):
        return candidate(ctx)

    result = backtest(strategy=tn.strategy("bracketed", every="15m")(asked), end=minute(120))
    return result.events.iloc[0]


@pytest.mark.parametrize(
    ("given", "stop", "target"),
    [
        ({"stop": 1.5, "target": 3}, 0.985, 1.03),
        ({"stop": 1.5, "r": 2}, 0.985, 1.03),
        ({"stop": 1.5}, 0.985, None),
    ],
)
def test_a_bracket_in_percent_counts_from_the_entry(given, stop, target):
    event = opened(lambda ctx: tn.long(**tn.bracket(**given)))
    assert math.isclose(event.stop_loss, stop * event.entry)
    if target is None:
        assert math.isnan(event.take_profit)
    else:
        assert math.isclose(event.take_profit, target * event.entry)


def test_a_bracket_in_ranges_is_so_many_of_them_away_on_either_side():
    long = opened(lambda ctx: tn.long(**tn.bracket(stop=2, target=4, atr=0.5)))
    assert (long.stop_loss, long.take_profit) == (long.entry - 1.0, long.entry + 2.0)
    short = opened(lambda ctx: tn.short(**tn.bracket(stop=2, r=2, atr=0.5)))
    assert (short.stop_loss, short.take_profit) == (short.entry + 1.0, short.entry - 2.0)


PRICES = pd.Series([100.0, 101.0])


@pytest.mark.parametrize(
    "count",
    [
        lambda level: 100.0 - level,
        lambda level: level + 100.0,
        lambda level: 2 * level,
        lambda level: level / 2,
        lambda level: -level,
        lambda level: level > 100.0,
        lambda level: max(level, 100.0),
        lambda level: PRICES - level,
        lambda level: level * PRICES,
        lambda level: PRICES.to_numpy() + level,
        lambda level: np.where(PRICES > 100, level, 1.0).astype(float),
    ],
)
@pytest.mark.parametrize(
    ("level", "price"),
    [(tn.distance(3), "df.close - 3"), (tn.percent(2), "df.close * (1 - 2 / 100)")],
)
def test_a_level_that_is_counted_with_says_what_to_write(count, level, price):
    with pytest.raises(TypeError) as caught:
        count(level)
    assert str(caught.value) == (
        f"{level!r} is not a price to count with: give it as it is, as in stop_loss={level!r}, "
        f"or write the price, such as {price}"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"stop": 0}, "stop of bracket must be a finite number above 0, was 0"),
        ({"stop": 1, "target": "2"}, "target of bracket must be a finite number above 0, was '2'"),
        ({"stop": 1, "r": math.nan}, "r of bracket must be a finite number above 0, was nan"),
        ({"stop": 1, "atr": -1.0}, "atr of bracket must be a finite number above 0, was -1.0"),
        ({"stop": 1, "target": 2, "r": 2}, "bracket takes target or r, not both"),
    ],
)
def test_a_bracket_that_cannot_be_meant_is_refused_where_it_is_written(given, words):
    with pytest.raises(UsageError, match=words):
        tn.bracket(**given)


def test_a_bracket_without_a_side_is_told_how_to_get_one():
    event = opened(lambda ctx: tn.bracket(stop=1, target=2))
    names, words = event.note.split(" | ")
    assert names == "position,take_profit_number,stop_loss_number"
    assert words.startswith(
        "position must be 'long' or 'short', was None; return tn.long(...) or tn.short(...), a "
        "bracket as tn.long(**bracket); "
    )
