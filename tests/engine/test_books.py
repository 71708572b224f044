"""Risk rules at work: what they see, what they refuse, and what their failures do."""

from __future__ import annotations

import pytest

from tests.engine.sessions import buy, pumped, scripted, sell, session, shown, spec
from tests.sources import DAY, MINUTE, flat, minute
from tradenb.core import risk
from tradenb.core.signal import Trade
from tradenb.engine.session.books import Book
from tradenb.engine.specs.risk_spec import RiskSpec


def rule(name: str, function) -> RiskSpec:
    return RiskSpec(name=name, function=function)


def max_open(count: int) -> RiskSpec:
    return rule("portfolio", risk.max_open(count))


def watching(seen: list, name: str = "watch") -> RiskSpec:
    """A rule that lets everything pass and notes the book and the candidate."""
    return rule(name, lambda book, candidate: seen.append((book, candidate)))


def test_strategies_that_name_one_rule_share_its_slots_in_the_order_of_the_run():
    specs = [
        spec("a", scripted({2: buy()}), risk=[max_open(1)]),
        spec("b", scripted({2: buy(), 3: buy()}), risk=[max_open(1)]),
        spec("c", scripted({2: buy()})),
    ]
    played = pumped(session(specs, flat(3)))
    assert shown(played.events) == [
        (2, "opened", "BTCUSDT", "a"),
        (2, "rejected", "BTCUSDT", "b"),
        (2, "opened", "BTCUSDT", "c"),
    ]
    ((symbol, strategy, row),) = played.refusals
    assert (symbol, strategy, row.name, row.count) == ("BTCUSDT", "b", "portfolio", 2)
    assert (row.first, row.last) == (minute(2), minute(3))
    refused = played.events[1]
    assert refused.note == "portfolio | 1 open or scheduled, at most 1"
    assert (refused.exit_reason, refused.price, refused.entry) == ("risk", 100.0, 100.0)


def test_a_scheduled_signal_holds_its_slot_and_is_not_in_its_own_way():
    rows = [*flat(5), (100.0, 100.0, 99.0, 99.5, 1.0)]
    specs = [
        spec("a", scripted({2: buy(entry=99.0)}), risk=[max_open(1)]),
        spec("b", scripted({3: buy()}), risk=[max_open(1)]),
    ]
    assert shown(pumped(session(specs, rows)).events) == [
        (2, "scheduled", "BTCUSDT", "a"),
        (3, "rejected", "BTCUSDT", "b"),
        (6, "opened", "BTCUSDT", "a"),
    ]


def test_a_slot_that_is_freed_can_be_taken_at_once_whoever_was_named_first():
    rows = [*flat(5), (100.0, 100.0, 97.0, 100.0, 1.0)]
    specs = [
        spec("a", scripted({6: sell()}), risk=[max_open(1)]),
        spec("b", scripted({2: buy()}), risk=[max_open(1)]),
    ]
    assert shown(pumped(session(specs, rows)).events)[-2:] == [
        (6, "closed", "BTCUSDT", "b"),
        (6, "opened", "BTCUSDT", "a"),
    ]


def test_an_entry_stopped_on_its_own_candle_frees_its_slot_before_the_next_activation():
    rows = {"BTC": flat(6), "ETH": flat(6)}
    rows["BTC"][5] = (100.0, 100.0, 97.0, 100.0, 1.0)
    rows["ETH"][5] = (100.0, 100.0, 98.5, 100.0, 1.0)
    seen = []
    answers = {"BTC": {2: buy(entry=99.0)}, "ETH": {2: buy(entry=99.0)}}
    played = pumped(session(spec("a", scripted(answers), risk=[watching(seen)]), rows))
    assert shown(played.events)[-3:] == [
        (6, "opened", "BTC", "a"),
        (6, "closed", "BTC", "a"),
        (6, "opened", "ETH", "a"),
    ]
    last = seen[-1][0]
    assert (last.open_count, last.scheduled_count, last.trades) == (0, 0, tuple(played.trades))


def test_a_rule_sees_the_moment_the_book_and_the_signal_with_its_entry():
    seen = []
    specs = [
        spec("a", scripted({2: buy(id="first"), 4: None}), risk=[watching(seen)]),
        spec("b", scripted({3: sell(entry=99.0, id="second")}), risk=[watching(seen)]),
    ]
    pumped(session(specs, flat(4)))
    first, second = seen
    assert (first[0].now, first[0].signals, first[1].id) == (minute(2), (), "first")
    book, candidate = second
    assert (book.now, book.open_count, book.signals[0].id) == (minute(3), 1, "first")
    assert (book.signals[0].opened_at, candidate.entry, candidate.note) == (
        minute(2),
        100.0,
        "entry already reached",
    )


def test_rules_are_asked_in_their_order_and_the_first_refusal_ends_it():
    seen = []
    rules = [
        watching(seen, "first"),
        rule("second", lambda book, candidate: "no"),
        watching(seen, "third"),
    ]
    played = pumped(session(spec("a", scripted({2: buy()}), risk=rules), flat(2)))
    assert (len(seen), played.events[0].note) == (1, "second | no")


@pytest.mark.parametrize("verdict", ["", True, 0, False, 3.5, ["no"]])
def test_what_is_no_clear_answer_is_an_error_and_refuses(verdict):
    unclear = rule("odd", lambda book, candidate: verdict)
    played = pumped(session(spec("a", scripted({2: buy()}), risk=[unclear]), flat(2)))
    assert shown(played.events) == [
        (2, "error", "BTCUSDT", "a"),
        (2, "rejected", "BTCUSDT", "a"),
    ]
    words = f"a risk rule must return None or a non-empty string, was {verdict!r}"
    assert [event.note for event in played.events] == [
        f"risk rule odd: {words}",
        f"odd | failed: {words}",
    ]


def test_a_rule_that_raises_is_an_error_and_refuses():
    def broken(book, candidate):
        return 1 / 0

    played = pumped(session(spec("a", scripted({2: buy()}), risk=[rule("odd", broken)]), flat(2)))
    error, rejected = played.events
    assert error.note.startswith("risk rule odd: ZeroDivisionError: division by zero (line ")
    assert (rejected.kind, rejected.exit_reason) == ("rejected", "risk")
    assert rejected.note.startswith("odd | failed: ZeroDivisionError: division by zero")


def test_risk_never_sees_an_invalid_candidate():
    seen = []
    invalid = {2: buy(minutes=0), 3: buy(entry="cheap")}
    played = pumped(session(spec("a", scripted(invalid), risk=[watching(seen)]), flat(3)))
    assert ([event.exit_reason for event in played.events], seen) == (["invalid"] * 2, [])


def test_a_book_begins_with_the_trades_its_members_bring():
    old = Trade(
        "old", "BTCUSDT", "a", "long", minute(-9), minute(-5), 100.0, 95.0, 102.0, 95.0, None,
        "stop_loss", -5.2, False, None,
    )  # fmt: skip
    loss = rule("loss", risk.daily_loss(5.0))
    brought = session(spec("a", scripted({2: buy()}), risk=[loss]), flat(2), trades=(old,))
    assert pumped(brought).events[0].kind == "opened"
    today = old._replace(closed_at=minute(0))
    brought = session(spec("a", scripted({2: buy()}), risk=[loss]), flat(2), trades=(today,))
    assert pumped(brought).events[0].note.startswith("loss | -5.20 percent points since 00:00")


def test_a_book_keeps_the_last_thousand_trades_of_each_member():
    played = session([spec("a", scripted({})), spec("b", scripted({}))], flat(1))
    first, second = played.instances
    book = Book("portfolio", [first, second])

    def trade(number: int, strategy: str) -> Trade:
        times = (minute(number), minute(number + 1))
        prices = (100.0, 101.0, 102.0, 99.0)
        return Trade(
            str(number), "BTCUSDT", strategy, "long", *times, *prices, None, "take_profit", 1.0,
            False, None,
        )  # fmt: skip

    for number in range(1_003):
        book.add(first.place, trade(number, "a"))
        if number % 100 == 0:
            book.add(second.place, trade(number, "b"))
    kept = book.at(minute(2_000), first).trades
    own = [item.signal_id for item in kept if item.strategy == "a"]
    assert own == [str(number) for number in range(3, 1_003)]
    others = [item.signal_id for item in kept if item.strategy == "b"]
    assert others == [str(number) for number in range(0, 1_003, 100)]


def test_what_a_rule_has_seen_stays_as_it_was_when_more_trades_close():
    (instance,) = session(spec("a", scripted({})), flat(1)).instances
    book, seen, ids = Book("portfolio", [instance]), [], []

    def add(number: int) -> None:
        book.add(
            instance.place,
            Trade(
                str(number), "BTCUSDT", "a", "long", minute(number), minute(number + 1), 100.0,
                101.0, 102.0, 99.0, None, "take_profit", 1.0, False, None,
            ),
        )  # fmt: skip
        seen.append(book.at(minute(9_000), instance))
        ids.append(sorted([*(ids[-1] if ids else []), number])[-1_000:])

    # Of those that are looked at late, more came to the end, one came between, and some went.
    for number in (*range(0, 1_990, 2), 5, *range(2_001, 2_021)):
        add(number)
    assert [[int(each.signal_id) for each in held.trades] for held in seen] == ids


def test_trades_that_closed_together_stand_in_the_order_of_their_members_after_a_restart_too():
    played = session([spec("a", scripted({})), spec("b", scripted({}))], flat(1))
    first, second = played.instances
    closed = [
        Trade(
            strategy, "BTCUSDT", strategy, "long", minute(0), minute(5), 100.0, 101.0, 102.0, 99.0,
            None, "take_profit", pnl, False, None,
        )
        for strategy, pnl in (("a", -2.0), ("b", 1.0))
    ]  # fmt: skip
    book = Book("portfolio", [first, second])
    book.add(second.place, closed[1])
    book.add(first.place, closed[0])
    shown = book.at(minute(6), first).ledger
    for instance, trade in zip((first, second), closed, strict=True):
        instance.state = instance.state._replace(trades=(trade,))
    anew = Book("portfolio", [first, second]).at(minute(6), first).ledger
    assert [trade.strategy for trade in shown.trades] == ["a", "b"]
    assert (shown.trades, shown.drawdown) == (anew.trades, anew.drawdown)
    assert shown.drawdown == 1.0


def test_max_drawdown_stays_while_daily_loss_ends_at_midnight():
    day = DAY // MINUTE
    rows = [*flat(3), (100.0, 100.0, 97.0, 97.0, 1.0), *flat(day)]
    later = {2: buy(), 5: buy(), day + 1: buy()}
    for limit, ends in (("max_drawdown", []), ("daily_loss", ["opened"])):
        made = rule(limit, getattr(risk, limit)(2.0))
        played = pumped(session(spec("a", scripted(later), risk=[made]), rows))
        assert [event.kind for event in played.events if event.kind != "milestone"] == [
            "opened",
            "closed",
            "rejected",
            *ends,
        ]
