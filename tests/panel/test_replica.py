"""The replica: what events come to, and what happens when one of them is missing."""

from __future__ import annotations

import pytest

import tradenb as tn
from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.panel.replica import MOST_EVENTS, MOST_TRADES, Replica

MINUTE = 60_000


def signal(number=1):
    return Signal(f"s{number}", "BTCUSDT", "dip", "long", 100.0, 102.0, 98.0, 60, None, None, 0)


def event(seq, kind="milestone", number=1, **more):
    given = {"signal": signal(number), "price": 100.0 + seq} | more
    return Event(seq, seq * MINUTE, "BTCUSDT", "dip", kind, mode="live", wall=seq, **given)


@pytest.fixture
def result(swing, market):
    return tn.backtest.run("BTCUSDT", strategy=swing, exchange=market, start="2024-01-02")


def test_a_replica_comes_to_the_trades_of_the_backtest(result):
    replica = Replica()
    assert replica.fold(result.event_list)
    assert list(replica.trades) == result.trade_list
    assert len(replica.trades) > 10
    assert replica.last_seq == result.event_list[-1].seq


@pytest.mark.parametrize("block", [1, 7, 50])
def test_blocks_and_repetitions_of_events_change_nothing(result, block):
    whole, pieces = Replica(), Replica()
    events = result.event_list
    whole.fold(events)
    for first in range(0, len(events), block):
        assert pieces.fold(events[max(0, first - 3) : first + block])
    assert vars(pieces) == vars(whole)


def test_a_missing_event_is_noticed_and_nothing_after_it_is_taken():
    replica = Replica()
    assert not replica.fold([event(1, "opened"), event(2), event(4)])
    assert replica.last_seq == 2
    replica.skip_to(4)
    assert replica.fold([event(4)])
    assert replica.missing == "event 3 is missing from the journal"
    assert replica.last_seq == 4


def test_a_replica_may_begin_in_the_middle_of_a_run():
    replica = Replica()
    assert replica.fold([event(40), event(41)])
    assert replica.missing == ""
    assert replica.held == signal()


@pytest.mark.parametrize("kind", ["cancelled", "rejected"])
def test_a_scheduled_signal_that_came_to_nothing_is_held_no_longer(kind):
    replica = Replica()
    replica.fold([event(1, "scheduled"), event(2, kind)])
    assert replica.held is None
    assert replica.agrees(None)


def test_a_rejected_candidate_ends_no_position():
    replica = Replica()
    replica.fold([event(1, "opened"), event(2, "rejected", number=2)])
    assert replica.held == signal()
    assert not replica.agrees(None)


def test_a_replica_that_begins_late_does_not_doubt_a_position_from_before_it():
    replica = Replica()
    replica.fold([event(40, "skipped", signal=None)])
    assert replica.agrees(signal())


def test_twenty_thousand_events_stay_within_bounds():
    replica = Replica()
    for number in range(1, 10_001):
        first = 2 * number - 1
        closing = event(first + 1, "closed", number, exit_reason="take_profit", pnl_percent=1.0)
        assert replica.fold([event(first, "opened", number), closing])
    assert (replica.count, len(replica.events), len(replica.trades)) == (
        20_000,
        MOST_EVENTS,
        MOST_TRADES,
    )
