"""The clock of an exchange, and how far ours is off."""

from __future__ import annotations

import asyncio

import pytest

from tradenb.exchanges.ccxt.server_time import JUMP_MS, MEASURE_EVERY_S, ServerTime

START = 1_700_000_000_000


class Clocks:
    """A wall clock (ms) and a monotonic clock (s) that a test moves."""

    def __init__(self) -> None:
        self.wall, self.mono = START + 100_000, 50.0
        self.time = ServerTime(lambda: self.wall, lambda: self.mono)

    def pass_(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.mono += seconds


@pytest.mark.parametrize("ahead", [-30_000, -3_000, 0, 3_000, 30_000])
def test_the_distance_is_measured_and_the_time_goes_on(ahead):
    clocks = Clocks()
    sent = clocks.wall
    clocks.pass_(0.2)
    clocks.time.note_measurement(sent + 100 - ahead, sent_ms=sent)
    assert clocks.time.ahead_ms == ahead
    clocks.pass_(60)
    true = clocks.wall - ahead
    assert true - 200 <= clocks.time.now() <= true


@pytest.mark.parametrize(
    ("ahead", "seconds", "sure"),
    [(3_000, 0.2, 2_900), (-3_000, 0.2, -2_900), (50, 0.2, 0), (-900, 2.0, 0), (0, 0.0, 0)],
)
def test_what_a_slow_answer_leaves_open_counts_for_the_clock(ahead, seconds, sure):
    clocks = Clocks()
    assert clocks.time.surely_ahead_ms == 0
    sent = clocks.wall
    clocks.pass_(seconds)
    half = round(seconds * 500)
    clocks.time.note_measurement(sent + half - ahead, sent_ms=sent)
    assert clocks.time.surely_ahead_ms == sure


def measured(ahead, *seconds, told=True):
    """Clocks after a measurement whose answers took so long, all of it before they were made."""
    clocks, left = Clocks(), list(seconds)

    async def ask():
        clocks.pass_(left.pop(0))
        return clocks.wall - ahead if told else None

    believed = asyncio.run(clocks.time.measure(ask))
    return clocks.time, believed, len(left)


@pytest.mark.parametrize("ahead", [-3_000, 0, 3_000])
def test_the_quickest_answer_counts(ahead):
    time, believed, left = measured(ahead, 2.8, 0.004, 9.0)
    assert believed
    assert left == 1  # it was quick enough
    assert abs(time.ahead_ms - ahead) <= 2
    assert time.unsure_ms == 2
    time, believed, left = measured(ahead, 1.8, 0.8, 2.0, 1.2, 9.0)
    assert believed
    assert left == 1  # four times at most
    assert (time.ahead_ms, time.unsure_ms) == (ahead - 400, 400)


def test_a_time_that_is_not_told_is_not_asked_for_again():
    time, believed, left = measured(0, 2.8, 0.004, told=False)
    assert not believed
    assert left == 1
    assert time.ahead_ms is None


def test_a_slow_answer_is_not_logged_as_a_clock_that_is_off(caplog):
    time, _, _ = measured(0, 2.8, 2.8, 2.8, 2.8)
    time.warn_if_off("binance", rehearsed=False)
    assert time.ahead_ms == -1_400
    assert caplog.messages == []


def test_a_wall_clock_that_is_set_changes_nothing_and_is_measured_again():
    clocks = Clocks()
    clocks.time.note_measurement(START, sent_ms=clocks.wall)
    before = clocks.time.now()
    assert not clocks.time.is_due
    clocks.wall += 365 * 86_400_000
    assert clocks.time.now() == before
    assert clocks.time.is_due


def test_it_is_measured_again_after_a_while_and_after_a_sleep_of_the_machine():
    clocks = Clocks()
    assert clocks.time.is_due
    clocks.time.note_measurement(START, sent_ms=clocks.wall)
    clocks.pass_(MEASURE_EVERY_S)
    assert not clocks.time.is_due
    clocks.wall += JUMP_MS + 1  # the machine slept: only the wall clock went on
    assert clocks.time.is_due
    clocks.wall -= JUMP_MS + 1
    clocks.pass_(1)
    assert clocks.time.is_due


def test_before_the_first_measurement_it_is_our_own_clock():
    clocks = Clocks()
    assert clocks.time.now() == clocks.wall
    assert clocks.time.ahead_ms is None


@pytest.mark.parametrize("nonsense", [0, 1_700_000_000, -1, 1_700_000_000_000_000])
def test_fault_89_a_server_time_that_cannot_be_is_not_believed(nonsense):
    clocks = Clocks()
    clocks.time.note_measurement(nonsense, sent_ms=clocks.wall)
    assert clocks.time.now() == clocks.wall
    assert clocks.time.is_due
    clocks.time.note_measurement(START, sent_ms=clocks.wall)
    clocks.pass_(MEASURE_EVERY_S + 1)
    clocks.time.note_measurement(nonsense, sent_ms=clocks.wall)
    assert clocks.time.now() == START + round(1000 * (MEASURE_EVERY_S + 1))


def test_fault_89_a_server_time_years_off_is_not_believed_until_it_is_said_again():
    clocks = Clocks()
    clocks.time.note_measurement(START, sent_ms=clocks.wall)
    clocks.pass_(MEASURE_EVERY_S + 1)
    expected = clocks.time.now()
    years_off = expected - 5 * 365 * 86_400_000
    clocks.time.note_measurement(years_off, sent_ms=clocks.wall)
    assert clocks.time.now() == expected
    clocks.time.note_measurement(expected, sent_ms=clocks.wall)
    clocks.time.note_measurement(years_off, sent_ms=clocks.wall)
    assert clocks.time.now() == expected
    clocks.pass_(60)
    clocks.time.note_measurement(years_off + 60_000, sent_ms=clocks.wall)
    assert clocks.time.now() == years_off + 60_000
