"""Candles on disk: asked for once, never trusted when damaged, safe with several writers."""

from __future__ import annotations

import logging
import multiprocessing
import stat
import time

import numpy as np
import pytest

import tradenb as tn
from tests.exchanges.wire import END, as_frame, exchange_on, loaded, same, served
from tests.sources import DAY, MINUTE, T0, frame, market
from tradenb.core.candles.arrays import Rows
from tradenb.engine.ports import CandleRequest
from tradenb.exchanges.cache import candle_cache
from tradenb.exchanges.cache.cache_filler import GAP_FINAL_MS, SETTLE_MS
from tradenb.exchanges.cache.candle_cache import CandleCache
from tradenb.exchanges.cache.month_file import DamagedFile, KnownCandles, decode, encode
from tradenb.exchanges.cache.spans import month_of
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock

MARCH = 1_709_251_200_000


def month(start: int, count: int, price: float = 100.0) -> KnownCandles:
    time_ = start + MINUTE * np.arange(count)
    columns = (np.full(count, price + place) for place in (0.0, 2.0, -1.0, 1.0, 0.25))
    return KnownCandles(Rows(time_, *columns), ((start, start + count * MINUTE),))


def equal(ours: KnownCandles, theirs: KnownCandles) -> bool:
    columns = zip(ours.rows, theirs.rows, strict=True)
    return ours.spans == theirs.spans and all(np.array_equal(a, b) for a, b in columns)


def files(folder):
    """All but the lock and the steps of the market."""
    others = (".lock", "market.json")
    return sorted(each for each in folder.rglob("*") if each.is_file() and each.name not in others)


def test_a_second_identical_load_asks_nothing_and_gives_the_same(tmp_path):
    with served() as server:
        first = loaded(exchange_on(server)).candles
        asked = len(server.requests)
        # Another object, as in another process: it knows no market and no time.
        second = loaded(exchange_on(server)).candles
        assert len(server.requests) == asked
    assert same(first, as_frame())
    assert same(second, first)


def test_only_what_is_missing_is_asked_for():
    with served() as server:
        ex = exchange_on(server)
        loaded(ex, T0 + 500 * MINUTE, T0 + 1_000 * MINUTE)
        server.requests.clear()
        whole = loaded(ex).candles
        asked = [
            int(item.query["startTime"]) for item in server.requests if "startTime" in item.query
        ]
    assert same(whole, as_frame())
    assert asked
    assert not any(T0 + 500 * MINUTE <= at < T0 + 1_000 * MINUTE for at in asked)


def test_gaps_that_the_exchange_has_are_known_and_not_asked_for_again():
    rows = frame(market(5, 600))
    thin = rows[rows.index % 7 != 3]
    with served({"BTCUSDT": thin}) as server:
        first = loaded(exchange_on(server), end=T0 + 600 * MINUTE)
        asked = len(server.requests)
        second = loaded(exchange_on(server), end=T0 + 600 * MINUTE)
        assert len(server.requests) == asked
    expected = tn.frame_exchange(thin).load(CandleRequest(symbol="BTCUSDT", rules=tn.Rules()))
    assert same(first.candles, expected.candles)
    assert same(second.candles, expected.candles)
    assert first.intake.filled == second.intake.filled == expected.intake.filled > 0


def test_the_newest_candles_and_fresh_gaps_are_not_believed_yet():
    rows = frame(market(5, 600))
    thin = rows[(rows.index < 590) | (rows.index > 592)]
    end = T0 + 600 * MINUTE
    with served({"BTCUSDT": thin}, at=end + SETTLE_MS - 1) as server:
        loaded(exchange_on(server), end=end)
        server.clock.step(60)
        trouble_free = served({"BTCUSDT": rows}, at=end + DAY)
        server._markets |= trouble_free._markets  # the exchange has found its minutes
        assert same(loaded(exchange_on(server), end=end).candles, as_frame(market(5, 600), end=end))
        server.requests.clear()
        loaded(exchange_on(server), end=end)
        assert server.requests == []
    assert GAP_FINAL_MS < 2 * 3_600_000


def test_time_before_the_first_candle_costs_one_request_and_is_known_then():
    with served() as server:
        ex = exchange_on(server)
        before = T0 - 40 * DAY
        assert same(loaded(ex, before).candles, as_frame())
        assert server.count("klines") <= 8
        server.requests.clear()
        loaded(ex, before)
        assert server.requests == []


def test_a_year_loads_in_well_under_a_second(tmp_path):
    cache = CandleCache(tmp_path / "year")
    count = 525_600
    start = 1_672_531_200_000
    whole = month(start, count)
    cache.add(whole)
    began = time.process_time()
    found = cache.read(start, start + count * MINUTE)
    took = time.process_time() - began
    assert equal(found, whole)
    assert len(files(tmp_path)) == 12
    assert took < 1.0


def test_files_are_private_and_lie_under_the_home_by_exchange_symbol_and_month(tmp_path):
    with served() as server:
        exchange_on(server, home=tmp_path).load(
            CandleRequest(symbol="BTC/USDT", start=T0, end=END, rules=tn.Rules())
        )
    (file,) = files(tmp_path)
    parts = file.relative_to(tmp_path).parts
    assert parts[:2] == ("data", "candles")
    assert parts[2].startswith("binance%40")  # not the real one, so it is kept apart
    assert parts[3:] == ("BTCUSDT", "1m", "2024-01.parquet")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_candles_of_another_server_are_never_those_of_the_real_exchange(tmp_path):
    other = {"BTCUSDT": frame(market(99, 3_000))}
    with served() as one, served(other) as two:
        assert same(loaded(exchange_on(one)).candles, as_frame())
        assert not same(loaded(exchange_on(two)).candles, as_frame())


def test_without_a_cache_nothing_is_written_and_everything_is_asked(tmp_path):
    with served() as server:
        ex = exchange_on(server, cache=False, home=tmp_path)
        assert same(loaded(ex).candles, loaded(ex).candles)
        assert server.count("klines") == 6
    assert files(tmp_path) == []


def test_what_was_written_is_read_back(tmp_path):
    whole = month(MARCH, 500).between(MARCH, MARCH + 60 * MINUTE)
    assert whole.spans == ((MARCH, MARCH + 60 * MINUTE),)
    file = tmp_path / "2024-03.parquet"
    file.write_bytes(encode(whole))
    assert equal(decode(file, month_of(MARCH)), whole)


@pytest.mark.parametrize("place", range(0, 100, 3))
def test_any_flipped_byte_is_noticed_or_changes_nothing(tmp_path, place):
    whole = month(MARCH, 200)
    data = bytearray(encode(whole))
    data[len(data) * place // 100] ^= 0x41
    file = tmp_path / "2024-03.parquet"
    file.write_bytes(data)
    try:
        found = decode(file, month_of(MARCH))
    except DamagedFile:
        return
    assert equal(found, whole)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped"])
def test_a_damaged_month_is_moved_aside_and_fetched_again(tmp_path, damage, caplog):
    with served() as server:
        ex = exchange_on(server, home=tmp_path)
        loaded(ex)
        (file,) = files(tmp_path)
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        contents = {"cut": data[:-50], "empty": b"", "text": b"candles", "flipped": data}
        file.write_bytes(contents[damage])
        asked = server.count("klines")
        with caplog.at_level(logging.WARNING, "tradenb"):
            again = loaded(exchange_on(server, home=tmp_path)).candles
        assert server.count("klines") > asked
    assert same(again, as_frame())
    names = [path.name for path in files(tmp_path)]
    assert names == ["2024-01.parquet", "2024-01.parquet.corrupt"]
    assert (file.parent / names[1]).read_bytes() == contents[damage]
    assert "damaged" in caplog.text
    assert "fetched again" in caplog.text


def test_a_file_of_another_month_is_damage(tmp_path):
    file = tmp_path / "2024-02.parquet"
    file.write_bytes(encode(month(MARCH, 10)))
    with pytest.raises(DamagedFile, match="another month"):
        decode(file, month_of(MARCH - DAY))


def test_a_candle_that_is_kept_stays_as_it_is(tmp_path):
    cache = CandleCache(tmp_path)
    cache.add(month(MARCH, 10))
    cache.add(month(MARCH + 5 * MINUTE, 10, price=500.0))
    found = cache.read(MARCH, MARCH + DAY)
    assert found.spans == ((MARCH, MARCH + 15 * MINUTE),)
    assert found.rows.open.tolist() == [100.0] * 10 + [500.0] * 5


def test_a_disk_that_takes_nothing_costs_the_cache_and_not_the_candles(
    tmp_path, monkeypatch, caplog
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(candle_cache, "replace_whole", full)
    with served() as server, caplog.at_level(logging.WARNING, "tradenb"):
        assert same(loaded(exchange_on(server, home=tmp_path)).candles, as_frame())
    assert "candles cannot be cached in" in caplog.text
    assert "No space left" in caplog.text


def test_a_writer_that_does_not_end_costs_the_cache_and_not_the_candles(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(candle_cache, "LOCK_WAIT_S", 0.05)
    with served() as server:
        ex = exchange_on(server, home=tmp_path)
        loaded(ex, end=T0 + 10 * MINUTE)
        (file,) = files(tmp_path)
        with (
            FileLock(DiskFilesystem(), file.parent / ".lock"),
            caplog.at_level(logging.WARNING, "tradenb"),
        ):
            assert same(loaded(ex).candles, as_frame())
    assert "held by" in caplog.text


def _write_every_other(folder, place, count):
    cache = CandleCache(folder)
    for number in range(place, count, 2):
        cache.add(month(MARCH + number * 10 * MINUTE, 10, price=100.0 + number))


def test_writers_of_several_processes_lose_nothing(tmp_path):
    count = 40
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_every_other, args=(tmp_path, place, count))
        for place in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(90)
        assert writer.exitcode == 0
    found = CandleCache(tmp_path).read(MARCH, MARCH + DAY)
    assert found.spans == ((MARCH, MARCH + count * 10 * MINUTE),)
    assert found.rows.open.tolist() == [100.0 + n for n in range(count) for _ in range(10)]


def test_an_answer_that_is_refused_is_not_kept(tmp_path):
    with served() as server:
        ex = exchange_on(server, home=tmp_path)
        trouble = server.trouble("spike")
        with pytest.raises(tn.CandleError, match="price_anomaly_factor"):
            loaded(ex)
        assert files(tmp_path) == []
        trouble.end()
        assert same(loaded(ex).candles, as_frame())


def test_the_progress_goes_from_what_is_known_to_all():
    seen = []
    with served() as server:
        ex = exchange_on(server)
        loaded(ex, end=T0 + 1_000 * MINUTE)
        ex.load(
            CandleRequest(
                symbol="BTCUSDT",
                start=T0,
                end=END,
                rules=tn.Rules(),
                progress=lambda done, all_: seen.append((done, all_)),
            )
        )
    assert seen == [(2_000, 3_000), (3_000, 3_000)]
