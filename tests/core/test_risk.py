"""The risk book, and the ready-made rules at their bounds."""

from __future__ import annotations

import pytest

from tests.sources import DAY, MINUTE, T0, minute
from tradenb.core import risk
from tradenb.core.risk import Held, Ledger, RiskBook, closing_key
from tradenb.core.signal import Signal, Trade
from tradenb.errors import SpecError

CANDIDATE = Signal("new", "BTCUSDT", "dip", "long", 100.0, 102.0, 99.0, 60, None, None, T0)


def held(id: str, *, opened_at: int | None = T0) -> Held:
    return Held(CANDIDATE._replace(id=id), opened_at)


def trade(pnl=0.0, *, closed_at=T0, reason="take_profit", opened_at=None, id="a") -> Trade:
    opened_at = closed_at - 5 * MINUTE if opened_at is None else opened_at
    prices = (100.0, 101.0, 102.0, 99.0)
    return Trade(
        id, "BTCUSDT", "dip", "long", opened_at, closed_at, *prices, None, reason, pnl, False, None
    )


def book(*trades: Trade, now: int = T0, signals: tuple[Held, ...] = ()) -> RiskBook:
    return RiskBook(now, signals, Ledger(trades))


# ------------------------------------------------------------------------------------- the book


def test_a_book_counts_what_is_open_and_what_is_scheduled():
    full = book(signals=(held("a"), held("b", opened_at=None), held("c")))
    assert (full.open_count, full.scheduled_count) == (2, 1)
    assert (book().open_count, book().scheduled_count, RiskBook(T0).trades) == (0, 0, ())


def test_a_held_signal_shows_what_a_rule_may_want_to_know():
    signal = CANDIDATE._replace(size=2.0)
    shown = Held(signal, None)
    assert (shown.id, shown.symbol, shown.strategy) == ("new", "BTCUSDT", "dip")
    assert (shown.position, shown.entry, shown.size) == ("long", 100.0, 2.0)


def test_what_is_held_is_shown_in_one_short_line():
    words = "long BTCUSDT by dip: entry 100.0, stop_loss 99.0, take_profit 102.0"
    waiting = Held(CANDIDATE._replace(note=500 * "long "), None)
    assert repr(waiting) == f"Held('new', scheduled {words})"
    opened = Held(CANDIDATE._replace(take_profit=None), T0)
    assert repr(opened) == f"Held('new', open {words.rpartition(',')[0]})"


def test_a_book_says_in_short_what_is_in_it():
    full = book(trade(), trade(), signals=(held("a"), held("b", opened_at=None)))
    assert repr(full) == "RiskBook(2024-01-01 00:00: 1 open, 1 scheduled, 2 closed)"


def test_trades_of_several_instances_are_merged_as_they_took_effect():
    second, first = trade(closed_at=minute(2), id="second"), trade(closed_at=minute(1), id="first")
    by_entry = trade(closed_at=minute(2), opened_at=minute(2), id="by entry")
    later_place = trade(closed_at=minute(2), id="later place")
    members = [(0, by_entry), (1, later_place), (0, second), (2, first)]
    merged = sorted(members, key=lambda member: closing_key(*member))
    expected = ["first", "second", "later place", "by entry"]
    assert [item.signal_id for _, item in merged] == expected


def test_the_drawdown_is_that_of_the_plain_sum_from_a_peak_that_starts_at_0():
    assert Ledger().drawdown == 0.0
    assert Ledger((trade(-1.0), trade(-2.0))).drawdown == 3.0
    assert Ledger((trade(2.0), trade(-1.5), trade(0.25))).drawdown == 1.25
    assert Ledger((trade(-1.0), trade(4.0))).drawdown == 0.0


# ------------------------------------------------------------------------------------- max_open


def test_max_open_counts_open_and_scheduled_signals_together():
    rule = risk.max_open(2)
    assert rule(book(signals=(held("a"),)), CANDIDATE) is None
    full = book(signals=(held("a"), held("b", opened_at=None)))
    assert rule(full, CANDIDATE) == "2 open or scheduled, at most 2"


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2", None])
def test_max_open_needs_a_whole_number_of_at_least_1(count):
    with pytest.raises(SpecError, match="max_open must be a whole number of at least 1, was"):
        risk.max_open(count)


# ------------------------------------------------------------------------------------- cooldown


def test_a_cooldown_ends_to_the_minute():
    rule = risk.cooldown(30)
    last = trade(closed_at=T0, reason="stop_loss", id="last")
    assert rule(book(last, now=minute(0)), CANDIDATE) == (
        "0 minutes since last closed by stop_loss, at least 30"
    )
    assert rule(book(last, now=minute(29)), CANDIDATE) == (
        "29 minutes since last closed by stop_loss, at least 30"
    )
    assert rule(book(last, now=minute(30)), CANDIDATE) is None
    assert rule(book(), CANDIDATE) is None


def test_a_cooldown_after_one_reason_passes_over_the_others():
    rule = risk.cooldown(30, after="stop_loss")
    stopped, gained = trade(closed_at=minute(1), reason="stop_loss"), trade(closed_at=minute(9))
    assert rule(book(gained, now=minute(10)), CANDIDATE) is None
    assert rule(book(stopped, gained, now=minute(10)), CANDIDATE).startswith("9 minutes since a ")
    assert rule(book(stopped, gained, now=minute(31)), CANDIDATE) is None


def test_a_cooldown_may_last_part_of_a_minute():
    assert risk.cooldown(0.5)(book(trade(), now=T0), CANDIDATE) is not None
    assert risk.cooldown(0.5)(book(trade(), now=minute(1)), CANDIDATE) is None


@pytest.mark.parametrize(("earned", "cooled"), [(-0.1, True), (0.0, False), (0.1, False)])
@pytest.mark.parametrize("reason", ["time_expired", "trailing_stop", "stop_loss"])
def test_a_cooldown_after_a_loss_asks_what_was_earned_and_not_why(earned, cooled, reason):
    closed = trade(earned, closed_at=minute(10), reason=reason)
    said = risk.cooldown(30, after="loss")(book(closed, now=minute(39)), CANDIDATE)
    assert (said is not None) is cooled


@pytest.mark.parametrize(
    ("earned", "reason", "cooled"),
    [
        (1.0, "trailing_stop", True),
        (1.0, "user", True),
        (1.0, "stop_loss", False),
        (-1.0, "trailing_stop", True),
        (-1.0, "stop_loss", False),
    ],
)
def test_a_cooldown_after_several_reasons_takes_each_of_them(earned, reason, cooled):
    closed = trade(earned, closed_at=minute(10), reason=reason)
    rule = risk.cooldown(30, after=["user", "trailing_stop"])
    assert (rule(book(closed, now=minute(39)), CANDIDATE) is not None) is cooled
    assert rule(book(closed, now=minute(40)), CANDIDATE) is None


@pytest.mark.parametrize(("earned", "cooled"), [(-0.1, True), (0.1, False)])
def test_a_cooldown_after_a_loss_or_a_reason_takes_both(earned, cooled):
    closed = trade(earned, closed_at=minute(10), reason="time_expired")
    said = risk.cooldown(30, after=("loss", "stop_loss"))(book(closed, now=minute(39)), CANDIDATE)
    assert (said is not None) is cooled


def test_a_cooldown_after_an_unknown_reason_is_refused():
    with pytest.raises(SpecError, match=r"dust, a list of these or None, was 'stop'"):
        risk.cooldown(30, after="stop")


# --------------------------------------------------------------------- max_drawdown, daily_loss


def test_max_drawdown_refuses_at_the_limit_and_stays():
    rule = risk.max_drawdown(2.0)
    assert rule(book(trade(1.0), trade(-1.999)), CANDIDATE) is None
    assert rule(book(trade(1.0), trade(-2.0), now=T0 + 99 * DAY), CANDIDATE) == (
        "drawdown 2.00 percent points, the limit is 2; it stays so in this run, "
        "a new run starts afresh"
    )


def test_daily_loss_refuses_until_midnight_utc():
    rule = risk.daily_loss(1.5)
    losses = (trade(-1.0, closed_at=minute(1)), trade(-0.5, closed_at=minute(2)))
    assert rule(book(losses[0], now=minute(2)), CANDIDATE) is None
    refused = "-1.50 percent points since 00:00 UTC, the limit is -1.5"
    assert rule(book(*losses, now=minute(2)), CANDIDATE) == refused
    assert rule(book(*losses, now=T0 + DAY - MINUTE), CANDIDATE) == refused
    assert rule(book(*losses, now=T0 + DAY), CANDIDATE) is None


def test_a_trade_closed_at_midnight_belongs_to_the_new_day():
    rule = risk.daily_loss(1.0)
    at_midnight = trade(-1.0, closed_at=T0 + DAY)
    assert rule(book(trade(-9.0), at_midnight, now=T0 + DAY), CANDIDATE) is not None
    assert rule(book(trade(-9.0), trade(-0.9, closed_at=T0 + DAY), now=T0 + DAY), CANDIDATE) is None


def test_gains_of_the_day_count_against_its_losses():
    trades = (trade(-2.0, closed_at=minute(1)), trade(1.5, closed_at=minute(2)))
    assert risk.daily_loss(1.0)(book(*trades, now=minute(3)), CANDIDATE) is None


@pytest.mark.parametrize("make", [risk.cooldown, risk.max_drawdown, risk.daily_loss])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "3", None])
def test_a_limit_is_a_finite_number_above_0(make, value):
    with pytest.raises(SpecError, match="must be a finite number above 0, was"):
        make(value)
