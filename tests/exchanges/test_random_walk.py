from __future__ import annotations

import hashlib

import numpy as np
import pytest

import tradenb.testing
from tests.sources import from_threads
from tradenb.core.candles.arrays import Intake, Rows
from tradenb.core.candles.intake import accept
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest, CandleSource
from tradenb.errors import UnknownName, UsageError
from tradenb.testing import random_walk

NEW_YEAR = 1_704_067_200_000
MINUTE = 60_000
DAY = 1440
NAMES = ("time", "open", "high", "low", "close", "volume")


def load(source, symbol="BTCUSDT"):
    return source.load(CandleRequest(symbol=symbol, rules=Rules()))


def candles(*args, symbol="BTCUSDT", **keywords):
    return load(random_walk(*args, **keywords), symbol).candles


def checksum(walk):
    digest = hashlib.sha256()
    for name in NAMES:
        column = getattr(walk, name)
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in NAMES)


def test_it_is_a_source_of_candles():
    source = random_walk(seed=7, days=1.5)
    assert isinstance(source, CandleSource)
    assert source.name == "random_walk"
    assert repr(source) == "random_walk(seed=7, days=1.5: any symbol)"
    assert repr(random_walk(symbols=["BTC/USDT"])) == "random_walk(seed=0, days=90: BTCUSDT)"


def test_the_facade_offers_it_lazily():
    assert "random_walk" in dir(tradenb.testing)
    assert tradenb.testing.random_walk is random_walk
    with pytest.raises(AttributeError, match="has no attribute 'walk_randomly'"):
        tradenb.testing.walk_randomly  # noqa: B018 - looking it up is the test


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("BTCUSDT", "daba0171370dec9acc7b86c0f185196f1956dae15d4286ad8ecb294420359eee"),
        ("ADAUSDT", "ddf1aa5bae4f77dda06b9c6184efc8a03a93efe2348fc6eb9aea0cac94589281"),
    ],
)
def test_it_is_the_same_to_the_last_bit_on_every_machine(symbol, expected):
    assert checksum(candles(7, days=90, symbol=symbol)) == expected


def test_asking_twice_gives_one_object_also_from_threads():
    source = random_walk(seed=1, days=30)
    assert len({id(one) for one in from_threads(lambda: load(source))}) == 1


def test_seeds_and_symbols_are_markets_of_their_own():
    walks = [candles(s, days=2, symbol=n) for s in (0, 1, -1) for n in ("BTCUSDT", "BTCUSDC")]
    assert len({checksum(walk) for walk in walks}) == 6
    returns = [np.diff(np.log(walk.close)) for walk in walks]
    assert np.abs(np.corrcoef(returns) - np.eye(6)).max() < 0.1


def test_a_longer_walk_begins_like_a_shorter_one():
    short, long = candles(3, days=2), candles(3, days=9)
    assert same(short, long.rows(0, 2 * DAY))


def test_the_start_may_be_any_moment_and_is_floored_to_the_minute():
    walk = candles(3, days=1, start="2025-06-01T12:34:56")
    assert walk.time[0] == NEW_YEAR + (517 * DAY + 12 * 60 + 34) * MINUTE
    assert len(walk) == DAY


@pytest.mark.parametrize("days", [1 / 1440, 0.7, 1, 365])
def test_it_is_as_long_as_was_asked_for(days):
    loaded = load(random_walk(days=days))
    assert len(loaded.candles) == round(days * DAY)
    assert loaded.intake == Intake(rows=round(days * DAY))
    assert loaded.candles.start == NEW_YEAR


@pytest.mark.parametrize("price", [None, 1e-6, 0.08, 1.0, 42_000.0, 1e8])
@pytest.mark.parametrize("volatility", [0, 60, 400, 1000])
def test_every_candle_would_be_accepted(price, volatility):
    walk = candles(5, days=30, price=price, volatility=volatility, symbol="DOGEUSDT")
    accepted, intake = accept(Rows(*(getattr(walk, name) for name in NAMES)), factor=1000.0)
    assert intake == Intake(rows=30 * DAY)
    assert same(accepted, walk)


def test_each_candle_opens_where_the_one_before_closed():
    walk = candles(2, days=3)
    assert np.array_equal(walk.open[1:], walk.close[:-1])
    assert walk.open[0] == 42_000.0


def test_prices_are_whole_ticks_as_an_exchange_writes_them():
    walk = candles(2, days=3)
    assert all(price == float(f"{price:.1f}") for price in walk.close.tolist())
    assert candles(2, days=1, price=0.08123).open[0] == 0.08123
    assert candles(2, days=1, price=2300).open[0] == 2300.0


def test_prices_of_unknown_coins_differ_and_can_be_set():
    firsts = {
        candles(0, days=0.1, symbol=name).open[0] for name in ("AAA", "BBB", "CCC", "ETHUSDT")
    }
    assert len(firsts) == 4
    assert 2300.0 in firsts
    assert all(0 < first < 2301 for first in firsts)


@pytest.mark.parametrize("volatility", [20.0, 60.0, 120.0])
def test_the_volatility_is_the_one_asked_for(volatility):
    returns = np.diff(np.log(candles(11, days=365, volatility=volatility).close))
    assert returns.std() * np.sqrt(365 * DAY) == pytest.approx(volatility / 100, rel=0.05)
    assert abs(returns.mean()) < 4 * returns.std() / np.sqrt(len(returns))


def test_it_looks_like_a_market():
    walk = candles(11, days=120)
    returns = np.diff(np.log(walk.close))
    size = np.abs(returns)
    assert 4 < ((returns / returns.std()) ** 4).mean() < 12, "fat tails"
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1]) < 0.02, "no free lunch"
    assert np.corrcoef(size[:-60], size[60:])[0, 1] > 0.1, "nervous hours cluster"
    volume = walk.volume[1:]
    assert np.corrcoef(size, volume)[0, 1] > 0.4, "moves are traded"
    hourly = walk.volume.reshape(-1, 24, 60).mean(axis=(0, 2))
    assert hourly.argmax() in {14, 15, 16}
    assert hourly.max() > 1.5 * hourly.min()


def test_only_the_symbols_given_are_there():
    source = random_walk(symbols=("BTC/USDT", "ETHUSDT"))
    assert len(load(source, "BTCUSDT").candles) == 90 * DAY
    with pytest.raises(UnknownName, match="unknown symbol 'BTCUSD'; did you mean 'BTCUSDT'"):
        load(source, "BTCUSD")
    assert repr(random_walk(symbols="BTCUSDT")) == "random_walk(seed=0, days=90: BTCUSDT)"


def test_progress_is_told_once():
    told = []
    random_walk(days=1).load(
        CandleRequest(
            symbol="X",
            rules=Rules(),
            progress=lambda *done: told.append(done),
        )
    )
    assert told == [(1, 1)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": 1.5}, "seed must be a whole number, was 1.5"),
        ({"seed": None}, "seed must be a whole number, was None"),
        ({"days": 0}, "days must be a number from 0.000694444 to 3660, was 0"),
        ({"days": float("nan")}, "days must be a number .* was nan"),
        ({"days": "90"}, "days must be a number .* was '90'"),
        ({"days": 4000}, "days must be a number .* was 4000"),
        ({"price": 0.0}, "price must be a number .* was 0.0"),
        ({"volatility": -1}, "volatility must be a number from 0 to 1000, was -1"),
        ({"start": "soon"}, "start must be ISO 8601"),
        ({"symbols": [""]}, "symbol must not be empty"),
    ],
)
def test_arguments_out_of_range_are_refused_with_their_value(arguments, words):
    with pytest.raises(UsageError, match=words):
        random_walk(**arguments)
