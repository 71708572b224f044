"""The history that runs on one symbol begin with is written out once, and forgotten soon."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import tradenb as tn
from tradenb.live.state import recorder
from tradenb.store.journal.recording import Recording
from tradenb.store.paths import Key
from tradenb.testing.world.simulated_world import Action, World

START = "2024-01-01T10:00:05"
NAMES = ("first", "second", "third")
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def waiting(name):
    @tn.strategy(name, every="5m", history="2h")
    def waits(ctx):
        return None

    return waits


def test_runs_on_one_symbol_write_their_history_out_once(monkeypatch):
    written, lines = [], recorder._lines

    def counted(candles, more=""):
        if more:
            written.append(len(candles))
        return lines(candles, more)

    monkeypatch.setattr(recorder, "_lines", counted)
    walk = tn.testing.random_walk(seed=3, days=1, symbols=SYMBOLS, start="2024-01-01")
    runs = [(symbol, waiting(name)) for name in NAMES for symbol in SYMBOLS]
    world = World(walk, start=START, runs=runs)
    assert world.live(world.clock.start + 20_000)
    assert len(written) == len(SYMBOLS)
    assert min(written) >= 120

    def history(symbol, name):
        found = Recording(world.disk, world.home.recording(Key(name, symbol))).read()
        return [row for row in found if isinstance(row, list)]

    for symbol in SYMBOLS:
        first, *others = (history(symbol, name) for name in NAMES)
        assert len(first) >= 120
        assert all(other == first for other in others)
    assert history("BTCUSDT", "first") != history("ETHUSDT", "first")


def test_what_was_written_out_goes_with_its_candles(monkeypatch):
    kept = WeakKeyDictionary()
    monkeypatch.setattr(recorder, "_BEGINNINGS", kept)
    walk = tn.testing.random_walk(seed=3, days=1, start="2024-01-01")
    world = World(walk, start=START, runs=[("BTCUSDT", waiting("alone"))])
    sizes = []
    looks = [
        Action(world.clock.start + seconds * 1_000, lambda process: sizes.append(len(kept)))
        for seconds in (20, 150)
    ]
    assert world.live(world.clock.start + 180_000, looks)
    assert sizes == [1, 0]
