"""Each rule for late, failing and changed candles, switched off, is noticed in a small world.

What the simulator notices of them is in tests/live/rules_off.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import tradenb as tn
from tests.live.fakes import SYMBOL, once, until, world_of
from tests.sources import T0, flat, market, minute
from tradenb.live.arrival import arrival_record, retry_plan
from tradenb.live.arrival.lateness import Lateness
from tradenb.live.arrival.request_times import RequestTimes
from tradenb.live.live_run import record_of
from tradenb.live.loop import feed
from tradenb.live.loop.feed import Feed
from tradenb.live.loop.tick import GroupTick
from tradenb.testing.world.fake_exchange import FakeExchange, Trouble

END = minute(20) + 59_500
WICK = [*flat(5), (100.0, 101.0, 97.0, 100.0, 1.0), *flat(30)]


def lived(*troubles, function=lambda ctx: None, rows=None, exchange=None):
    world = world_of(function, rows or market(4, 60))
    if exchange is not None:
        world.exchange = exchange({SYMBOL: world.exchange.candles(SYMBOL)}, world.clock)
    world.exchange.troubles = list(troubles)
    process = world.process()
    process.live(END)
    return world, record_of(process.runs[0])


def asks_with(*troubles):
    asks = []
    lived(*troubles, function=lambda ctx: asks.append(ctx.now))
    return [(at - T0) // 60_000 for at in asks]


class Thin(FakeExchange):
    def recent(self, symbol, since, limit):
        rows = super().recent(symbol, since, limit)
        return rows.take(np.flatnonzero((rows.time - T0) // 60_000 % 3 == 0))


def refused_rows_are_tried_again():
    return asks_with(Trouble("garbage", minute(7), minute(8), times=1)) == [*range(1, 21)]


def the_last_try_is_just_in_time():
    return asks_with(Trouble("delayed", 0, END, seconds=59)) == [*range(1, 21)]


def the_usual_delay_is_learned():
    world, _ = lived(Trouble("delayed", 0, END, seconds=30))
    return len(world.exchange.requests) < 50


def a_quick_source_is_asked_early():
    world, _ = lived(Trouble("delayed", 0, minute(8), seconds=40))
    return any(each.at - minute(19) < 3_000 for each in world.exchange.requests[-2:])


def the_exchange_says_when():
    limit = Trouble("rate_limit", minute(7), minute(8), times=1, seconds=100)
    world, _ = lived(limit)
    return not any(minute(7) + 3_000 < r.at < minute(7) + 102_000 for r in world.exchange.requests)


def late_candles_are_told():
    world, record = lived(Trouble("delayed", 0, END, seconds=75))
    told = any("s late" in str(event.note) for event in world.events(world.wanted[0]))
    return told and "late" in record.arrival.warnings


def thin_minutes_are_not_late():
    return not lived(exchange=Thin)[1].feed.lateness.arrivals


def changed_candles_stay_as_they_were():
    trouble = Trouble("revised", 0, END, seconds=5)
    _, record = lived(trouble, function=once(2), rows=WICK)
    seen = record.instance.candles
    return seen.low[seen.index(minute(6))] == 100.0


def touched_stops_are_told():
    trouble = Trouble("revised", 0, END, seconds=5)
    world, _ = lived(trouble, function=once(2), rows=WICK)
    return "touched the stop" in str(world.events(world.wanted[0])[-1].note)


def later_corrections_are_told():
    trouble = Trouble("revised", 0, END, seconds=290)
    world, _ = lived(trouble, function=once(2), rows=WICK)
    return "touched the stop" in str(world.events(world.wanted[0])[-1].note)


def errors_are_told_once_a_minute():
    errors = []
    world = world_of(lambda ctx: None, market(4, 60))
    world.bus.subscribe(errors.append, channel="errors", mode="live")
    world.exchange.troubles = [Trouble("error", minute(5), minute(6))]
    world.live(until(8))
    return len(errors) == 1


def no_retry_of_refused_rows(patch):
    right = Feed._note_failure

    def note(self, error):
        refused = isinstance(error, tn.CandleError)
        right(self, tn.ExchangeError("refused") if refused else error)

    patch.setattr(Feed, "_note_failure", note)


def no_last_try(patch):
    patch.setattr("tradenb.live.arrival.request_times.LAST_MS", -60_000)


def no_learning(patch):
    patch.setattr(RequestTimes, "arrived", lambda self, now: None)


def no_probe(patch):
    patch.setattr("tradenb.live.arrival.request_times.PROBE_EVERY", 10**9)
    patch.setattr("tradenb.live.arrival.request_times.EARLIER_MS", 0)


def retry_after_is_not_heard(patch):
    right = RequestTimes.missed
    patch.setattr(RequestTimes, "missed", lambda self, now, seconds=0.0: right(self, now))


def lateness_is_not_noted(patch):
    patch.setattr(Lateness, "note_missing", lambda self, close: None)


def whatever_was_missing_was_late(patch):
    right = Lateness.note_arrival

    def note(self, given, end, now):
        right(self, [*given, *self.awaited], end, now)

    patch.setattr(Lateness, "note_arrival", note)


def the_corrected_candle_replaces_the_other(patch):
    right = Feed._request

    async def request(self, history):
        await right(self, history)
        for revision in self.revisions.latest:
            history.renew(feed.with_acted(history.candles, revision.corrected, 15))

    patch.setattr(Feed, "_request", request)


def touches_are_not_looked_for(patch):
    patch.setattr(arrival_record, "would_touch", lambda revision, state, rules: "")


def only_the_last_candle_is_looked_at(patch):
    patch.setattr(feed, "LOOK_BACK_MS", 60_000)


def errors_are_told_at_each_try(patch):
    right = GroupTick._fetch

    async def fetch(self):
        for member in self._members:
            member.run.arrival.failed_at = 0
        await right(self)

    patch.setattr(GroupTick, "_fetch", fetch)


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], Callable[[], bool]] = {
    no_retry_of_refused_rows: refused_rows_are_tried_again,
    no_last_try: the_last_try_is_just_in_time,
    no_learning: the_usual_delay_is_learned,
    no_probe: a_quick_source_is_asked_early,
    retry_after_is_not_heard: the_exchange_says_when,
    lateness_is_not_noted: late_candles_are_told,
    whatever_was_missing_was_late: thin_minutes_are_not_late,
    the_corrected_candle_replaces_the_other: changed_candles_stay_as_they_were,
    touches_are_not_looked_for: touched_stops_are_told,
    only_the_last_candle_is_looked_at: later_corrections_are_told,
    errors_are_told_at_each_try: errors_are_told_once_a_minute,
}


@pytest.mark.no_cover
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_fault_83_a_rule_for_the_arrival_of_candles_that_is_off_is_noticed(mutant, monkeypatch):
    holds = MUTANTS[mutant]
    assert holds()
    mutant(monkeypatch)
    assert not holds()


def test_fault_83_a_group_that_waits_for_no_symbol_is_noticed(monkeypatch):
    here, slow = (retry_plan.Awaited(minute(at), T0, 2_001) for at in (30, 29))

    def until_of():
        symbols = (here, slow)
        return retry_plan.plan_retry(minute(30), minute(30), symbols, late_at=minute(31)).until

    assert until_of() == minute(29)
    monkeypatch.setattr(retry_plan, "PATIENCE_MS", -60_000)
    assert until_of() == minute(30)
