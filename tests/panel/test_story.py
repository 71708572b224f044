"""The replica: what events come to, and what happens when one of them is missing."""

from __future__ import annotations

import pytest

import tradenb as tn
from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.panel.replica import MOST_EVENTS, MOST_TRADES, Story

MINUTE = 60_000


def signal(number=1):
    return Signal(f"s{number}", "BTCUSDT", "dip", "long", 100.0, 102.0, 98.0, 60, None, None, 0)


def event(seq, kind="milestone", number=1, **more):
    given = {"signal": signal(number), "price": 100.0 + seq} | more
    return Event(seq, seq * MINUTE, "BTCUSDT", "dip", kind, mode="live", wall=seq, **given)


@pytest.fixture
def result(swing, market):
    return tn.backtest.run("BTCUSDT", strategy=swing, exchange=market, start="2024-01-02")


def test_a_story_comes_to_the_trades_of_the_backtest(result):
    story = Story()
    assert story.fold(result.event_list)
    assert list(story.trades) == result.trade_list
    assert len(story.trades) > 10
    assert story.last_seq == result.event_list[-1].seq


@pytest.mark.parametrize("block", [1, 7, 50])
def test_blocks_and_repetitions_of_events_change_nothing(result, block):
    whole, pieces = Story(), Story()
    events = result.event_list
    whole.fold(events)
    for first in range(0, len(events), block):
        assert pieces.fold(events[max(0, first - 3) : first + block])
    assert vars(pieces) == vars(whole)


def test_a_missing_event_is_noticed_and_nothing_after_it_is_taken():
    story = Story()
    assert not story.fold([event(1, "opened"), event(2), event(4)])
    assert story.last_seq == 2
    story.skip_to(4)
    assert story.fold([event(4)])
    assert story.missing == "event 3 is missing from the journal"
    assert story.last_seq == 4


def test_a_story_may_begin_in_the_middle_of_a_run():
    story = Story()
    assert story.fold([event(40), event(41)])
    assert story.missing == ""
    assert story.held == signal()


@pytest.mark.parametrize("kind", ["cancelled", "rejected"])
def test_a_scheduled_signal_that_came_to_nothing_is_held_no_longer(kind):
    story = Story()
    story.fold([event(1, "scheduled"), event(2, kind)])
    assert story.held is None
    assert story.agrees(None)


def test_a_rejected_candidate_ends_no_position():
    story = Story()
    story.fold([event(1, "opened"), event(2, "rejected", number=2)])
    assert story.held == signal()
    assert not story.agrees(None)


def test_a_story_that_begins_late_does_not_doubt_a_position_from_before_it():
    story = Story()
    story.fold([event(40, "skipped", signal=None)])
    assert story.agrees(signal())


def test_twenty_thousand_events_stay_within_bounds():
    story = Story()
    for number in range(1, 10_001):
        first = 2 * number - 1
        closing = event(first + 1, "closed", number, exit_reason="take_profit", pnl_percent=1.0)
        assert story.fold([event(first, "opened", number), closing])
    assert (story.count, len(story.events), len(story.trades)) == (20_000, MOST_EVENTS, MOST_TRADES)
