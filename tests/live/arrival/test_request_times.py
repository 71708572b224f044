"""When a source is asked, as pure arithmetic: no clock, no exchange."""

from __future__ import annotations

import pytest

from tests.sources import T0, minute
from tradenb.core.rules import Rules
from tradenb.live.arrival.lateness import Arrival, Lateness
from tradenb.live.arrival.request_times import PROBE_EVERY, RequestTimes, wait_ms
from tradenb.live.arrival.retry_plan import Awaited, RetryPlan, plan_retry

RULES = Rules()


def expecting(times, close):
    times.newest, times.tries = close, 0
    times.next_at = max(close + times.first_ms, times.not_before)


def arrivals(times, delays_s, first=0):
    """Let candles arrive so long after their closes; return the requests that each of them took."""
    counts = []
    for place, delay in enumerate(delays_s):
        close = minute(first + place)
        expecting(times, close)
        count = 1
        while times.next_at < close + delay * 1000:
            times.missed(times.next_at)
            count += 1
        times.arrived(times.next_at)
        counts.append(count)
    return counts


def test_tries_are_a_fixed_time_apart_and_then_further_and_further():
    assert [wait_ms(tries, RULES) for tries in range(1, 6)] == [5000, 5000, 5000, 7500, 11250]
    assert wait_ms(1, Rules(candle_retries=0)) == 7500
    at_once = Rules(candle_retry_seconds=0)
    assert [wait_ms(tries, at_once) for tries in (1, 3, 4, 5)] == [0, 0, 1500, 2250]
    assert wait_ms(10_000, RULES) < 86_400_000


def test_the_last_request_goes_out_just_before_the_ask_would_be_late():
    times = RequestTimes(Rules(late_entry_seconds=10))
    expecting(times, T0)
    seen = []
    for _ in range(6):
        seen.append((times.next_at - T0) / 1000)
        times.missed(times.next_at)
    assert seen == [2.001, 7.001, 9.0, 14.0, 62.001, 122.001]


def test_the_usual_delay_is_the_median_and_is_known_after_three_arrivals():
    times = RequestTimes(RULES)
    assert arrivals(times, [17, 17]) == [4, 4]
    assert times.usual_ms == 0
    assert arrivals(times, [17], first=2) == [4]
    assert times.usual_ms == times.first_ms == 17_001
    assert arrivals(times, [17], first=3) == [1]


def test_a_first_request_that_succeeds_lets_the_next_go_out_a_little_earlier():
    times = RequestTimes(RULES)
    arrivals(times, [20] * 9)
    assert 18_000 <= times.usual_ms <= 26_000


def test_now_and_then_a_request_goes_out_as_early_as_possible_and_costs_no_try():
    times = RequestTimes(RULES)
    arrivals(times, [20] * PROBE_EVERY)
    assert times.first_ms == 2_001 < times.usual_ms
    usual = times.usual_ms
    expecting(times, minute(PROBE_EVERY))
    times.missed(times.next_at)
    assert (times.tries, times.next_at) == (0, minute(PROBE_EVERY) + usual)
    times.arrived(times.next_at)
    assert times.first_ms > 2_001


def test_an_early_request_that_succeeds_ends_the_usual_delay():
    times = RequestTimes(RULES)
    arrivals(times, [20] * PROBE_EVERY)
    arrivals(times, [1], first=PROBE_EVERY)
    assert (times.usual_ms, times.first_ms) == (0, 2_001)


def test_candles_that_no_request_of_their_minute_can_meet_end_the_usual_delay():
    times = RequestTimes(RULES)
    arrivals(times, [20] * 4)
    expecting(times, minute(4))
    times.arrived(minute(4) + 75_000)
    assert times.usual_ms == 0


def test_what_the_exchange_says_holds_for_the_closes_after_it_as_well():
    times = RequestTimes(RULES)
    expecting(times, T0)
    times.missed(T0 + 2_001, 100.0)
    assert times.next_at == T0 + 102_001
    assert times.spent
    expecting(times, minute(1))
    assert times.next_at == T0 + 102_001
    times.hurry()
    assert times.next_at == T0 + 102_001


def test_what_cannot_help_is_left_to_the_next_minute():
    times = RequestTimes(RULES)
    expecting(times, T0)
    times.give_up(T0 + 2_001)
    assert times.next_at == T0 + 62_001
    assert times.spent


def test_candles_from_before_the_newest_are_requested_without_waiting_for_it():
    times = RequestTimes(RULES)
    arrivals(times, [30] * 4)
    expecting(times, minute(9))
    assert times.next_at > minute(9) + 20_000
    times.hurry()
    assert times.next_at == minute(9) + 2_001


def test_only_what_was_asked_for_in_time_and_came_after_all_was_late():
    late = Lateness(RULES)
    for close in (minute(1), minute(2), minute(2), minute(5)):
        late.note_missing(close)
    assert [*late.awaited] == [minute(1), minute(2), minute(5)]
    late.note_arrival([minute(2), minute(3)], minute(3), minute(3) + 7_000)
    assert [*late.arrivals] == [Arrival(minute(2), 67_000)]
    assert [*late.awaited] == [minute(5)]
    late.note_arrival([minute(5)], minute(5), minute(5) + 59_000)
    assert len(late.arrivals) == 1


NEWEST = minute(30)


def planned(*symbols, now=NEWEST + 2_001, late_at=NEWEST + 59_000):
    return plan_retry(NEWEST, now, symbols, late_at=late_at)


def test_one_symbol_waits_for_no_other():
    assert planned(Awaited(minute(29), 7, 2_001)) == RetryPlan(7, NEWEST)


@pytest.mark.parametrize(("usual", "until"), [(2_001, 7_001), (24_000, 29_000), (58_000, 59_000)])
def test_a_group_waits_five_seconds_longer_than_its_slowest_symbol_takes(usual, until):
    here, slow = Awaited(NEWEST, 0, 2_001), Awaited(minute(29), NEWEST + 60_000, usual)
    assert planned(here, slow) == RetryPlan(NEWEST + until, minute(29))
    assert planned(here, slow, now=NEWEST + until) == RetryPlan(NEWEST + 60_000, NEWEST)


def test_a_symbol_that_has_shown_nothing_for_a_quarter_of_an_hour_is_not_waited_for():
    here, silent = Awaited(NEWEST, 0, 2_001), Awaited(minute(14), 9, 2_001)
    assert planned(here, silent) == RetryPlan(9, NEWEST)
    other = Awaited(minute(28), 8, 2_001)
    assert planned(here, silent, other) == RetryPlan(8, minute(28))
