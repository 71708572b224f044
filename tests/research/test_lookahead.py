"""Look-ahead: leaking strategies are flagged with the line, clean ones are not."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import tradenb as tn
from tests.research import corpus
from tradenb.core.timeframe import MINUTE
from tradenb.research.noise import NOISES, noisy_candles

lookahead = partial(
    tn.lookahead,
    symbols="BTCUSDT",
    exchange=corpus.EXCHANGE,
    start="2024-01-02",
    samples=8,
    events=8,
)


def named(item):
    return item.__name__


@pytest.mark.parametrize("make", corpus.LEAKING, ids=named)
def test_a_leak_is_found_with_its_moment_and_its_line(make):
    found = lookahead(make())
    assert not found.clean
    code = make.__code__
    source = Path(code.co_filename).read_text().splitlines()
    for leak in found.found:
        assert leak.at <= leak.after
        assert source[leak.line.number - 1].endswith("# leak"), leak.line
        assert leak.line.file == code.co_filename
    with pytest.raises(tn.LookaheadError, match="sees the future"):
        found.raise_if_leaking()


@pytest.mark.parametrize("make", corpus.CLEAN, ids=named)
def test_a_clean_strategy_is_not_flagged(make):
    made = make()
    found = lookahead(made)
    assert found.found == []
    assert found.clean
    assert found.moments > 8
    assert found.decisions > 50
    found.raise_if_leaking()
    result = tn.backtest.run(
        "BTCUSDT", strategy=made, exchange=corpus.EXCHANGE, start="2024-01-02", progress=False
    )
    assert len(result.event_list) > 4  # there was something to be changed


def test_the_corpus_is_large_enough():
    assert len(corpus.LEAKING) >= 12
    assert len(corpus.CLEAN) >= 12


def test_a_table_with_a_future_is_named_even_if_it_is_read_well():
    found = lookahead(corpus.reading_only_what_is_known())
    assert found.clean
    assert len(found.warnings) == 1
    assert "it reaches the table 'FRAME'" in found.warnings[0]


def test_the_originals_are_not_touched():
    frame, closes = corpus.FRAME.copy(), corpus.CLOSES.copy()
    seen = list(corpus.SEEN)
    lookahead(corpus.global_frame())
    lookahead(corpus.global_array())
    lookahead(corpus.collecting())
    pd.testing.assert_frame_equal(corpus.FRAME, frame)
    assert (closes == corpus.CLOSES).all()
    assert list(corpus.SEEN) == seen


def test_a_strategy_that_is_not_reproducible_proves_nothing():

    @tn.strategy("dice", every="15m")
    def made(ctx):
        return corpus.buy(ctx) if random.random() < 0.5 else None

    found = lookahead(made)
    assert not found.reproducible
    assert not found.clean
    assert "two runs on the same candles differ" in repr(found)
    with pytest.raises(tn.LookaheadError):
        found.raise_if_leaking()


def test_the_report_is_a_frame_and_a_text():
    found = lookahead(corpus.shifted())
    first = found.leaks.iloc[0]
    assert first.field == "answer"
    assert {first.known, first.noisy} == {"long", None} or first.known != first.noisy
    assert first["at"].tzname() == "UTC"
    assert first.source == "coming = df.close.shift(-1)  # leak"
    assert "line " in repr(found)
    assert "&lt;" not in repr(found)
    assert found._repr_html_().startswith("<div>shifted: sees the future (")
    assert lookahead(corpus.rolling()).leaks.empty


@pytest.mark.parametrize("noise", NOISES)
def test_noise_keeps_what_was_known_and_is_a_market(noise):
    after = corpus.GRID.start + 500 * MINUTE
    made = noisy_candles(corpus.GRID, after, noise, 7)
    assert len(made) == len(corpus.GRID)
    for name in ("open", "high", "low", "close", "volume"):
        known, found = getattr(corpus.GRID, name), getattr(made, name)
        assert (found[:500] == known[:500]).all()
        assert (found[500:] != known[500:]).all()
    assert (made.low <= made.open).all()
    assert (made.low <= made.close).all()
    assert (made.high >= made.open).all()
    assert (made.high >= made.close).all()
    assert made.low.min() > 0


@pytest.mark.parametrize("name", ["samples", "events"])
@pytest.mark.parametrize("count", [-1, 1.5, "8", True])
def test_a_count_of_moments_that_is_none_is_said(name, count):
    spec = tn.strategy("quiet", every="1h")(lambda ctx: None)
    with pytest.raises(tn.UsageError, match=f"{name} must be a whole number of at least 0, was"):
        lookahead(spec, **{name: count})


def test_strategies_to_compare_are_a_list():
    spec = tn.strategy("quiet", every="1h")(lambda ctx: None)
    for given in (spec, "quiet", 5):
        with pytest.raises(tn.UsageError, match="strategies must be a list of them, was"):
            tn.compare(given, symbols="BTCUSDT", exchange=corpus.EXCHANGE)
