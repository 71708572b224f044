"""What a run does next, from what its state knows: asks, time left, locks."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.live.fakes import SYMBOL, once, until, world_of
from tests.sources import MINUTE, T0, flat, minute
from tradenb.core.events import AskRow
from tradenb.core.lifecycle.state import State
from tradenb.core.orders.order_records import Execution
from tradenb.core.risk import EMPTY, RiskBook
from tradenb.core.signal import Signal, Trade
from tradenb.engine.specs.risks import locks
from tradenb.live.live_run import record_of
from tradenb.live.status.run_history import RunHistory
from tradenb.live.status.run_report import RunReport
from tradenb.live.status.run_status import RunStatus, outlook_words
from tradenb.live.status.status_card import status_card
from tradenb.live.status.status_of_run import status_of_run
from tradenb.panel.dashboard_rows import row_of
from tradenb.panel.replica import Replica
from tradenb.testing.world.simulated_world import Action

NOW = minute(600)  # 2024-01-01 10:00
NOTHING = RunHistory(0, [], [], [], 0, None)


def trade(closed, percent=-1.0, reason="stop_loss"):
    signal = {"entry": 100.0, "exit": 99.0, "take_profit": None, "stop_loss": 99.0}
    return Trade(
        signal_id="a-1", symbol=SYMBOL, strategy="a", position="long", opened_at=closed - MINUTE,
        closed_at=closed, exit_reason=reason, pnl_percent=percent, size=None,
        late=False, note=None, **signal,
    )  # fmt: skip


def status_with(*, risk=(), status="running", **state):
    known = State(SYMBOL, "a", 5 * MINUTE, NOW, **state)
    return RunStatus(SYMBOL, "a", "live", "/home", status, state=known, risk=risk)


def signal(**more):
    return Signal(
        id="a-1", symbol=SYMBOL, strategy="a", position="long", entry=100.0, take_profit=None,
        stop_loss=99.0, minutes=None, size=None, note=None, at=NOW - 60 * MINUTE,
    )._replace(**more)  # fmt: skip


def test_an_idle_run_says_what_it_answered_and_when_it_is_asked_next():
    row = AskRow("entry", "none", "", NOW - 55 * MINUTE, NOW, 12)
    assert outlook_words(status_with(asks=(row,))) == [
        "last answer: None, 12 times since 2024-01-01 09:05",
        "next ask 10:05 UTC",
    ]
    assert outlook_words(status_with(asks=(row,), status="idle")) == [
        "last answer: None, 12 times since 2024-01-01 09:05"
    ]


def test_a_position_and_a_waiting_entry_say_how_long_they_last():
    held = {"signal": signal(minutes=192), "opened_at": NOW - 60 * MINUTE}
    assert outlook_words(status_with(**held)) == ["it lasts until 12:12 UTC (2\xa0h 12\xa0min)"]
    assert outlook_words(status_with(**held, manage_every=15 * MINUTE))[1:] == [
        "next ask 10:15 UTC"
    ]
    assert outlook_words(status_with(signal=signal(), opened_at=NOW)) == []
    assert outlook_words(status_with(signal=signal(wait=90))) == [
        "it waits until 10:30 UTC (30\xa0min)"
    ]


def test_a_position_whose_wait_changed_nothing_says_so_as_a_backtest_does():
    waits = signal(wait=90, at=NOW)
    (words,) = outlook_words(status_with(signal=waits, opened_at=NOW))
    assert words == (
        "wait=90 changes nothing: it is how long an entry is waited for; "
        "pass entry= or breakout=, or leave wait= out"
    )
    reached = waits._replace(note="cheap; entry already reached")
    assert outlook_words(status_with(signal=reached, opened_at=NOW)) == []
    assert outlook_words(status_with(signal=waits, opened_at=NOW + MINUTE)) == []
    assert outlook_words(status_with(signal=signal(at=NOW), opened_at=NOW)) == []


def test_an_entry_that_an_exchange_was_asked_for_fills_at_once_or_not_and_waits_for_nothing():
    asked = status_with(signal=signal(wait=90), execution=Execution(want="enter"))
    assert asked.holds == "long entering at 100.00"
    assert outlook_words(asked) == []
    waits = status_with(signal=signal(wait=90))
    stages = [RunReport(each, NOTHING).summary.open[0][3] for each in (asked, waits)]
    assert stages == ["entering", "scheduled"]


def test_locks_of_rules_are_told_with_their_end():
    trades = (trade(NOW - 20 * MINUTE, -2.0),)
    risk = ("cooldown(60m)", "daily_loss(2%)", "max_open(1)", "cooldown(10m)")
    assert outlook_words(status_with(risk=risk, trades=trades))[1:] == [
        "cooldown(60m) until 10:40 UTC",
        "daily_loss(2%) until 2024-01-02 00:00 UTC",
    ]


@pytest.mark.parametrize("rule", [
    tn.risks.cooldown(30), tn.risks.cooldown(12.5, after="stop_loss"),
    tn.risks.cooldown(1e6, after="take_profit"), tn.risks.cooldown(30, ["user", "loss"]),
    tn.risks.cooldown(30, ["stop_loss", "take_profit"]), tn.risks.daily_loss(3),
    tn.risks.daily_loss(0.5),
])  # fmt: skip
def test_a_lock_is_what_the_rule_itself_refuses_for_until_its_end(rule):
    trades = (trade(NOW - 40 * MINUTE, -2.0, "take_profit"), trade(NOW - 10 * MINUTE, -1.0))

    def refuses(now):
        book = RiskBook(now, (), type(EMPTY)(trades))
        return rule.function(book, signal()) is not None

    for now in (NOW - 10 * MINUTE, NOW, NOW + 3 * MINUTE, NOW + 30 * MINUTE):
        found = locks([rule.name], trades, now)
        assert bool(found) == refuses(now)
        for _, end in found:
            assert refuses(end - 1)
            assert not refuses(end)


def test_the_panel_and_the_card_show_it_for_a_run_of_this_process_and_from_files():
    world, seen = world_of(once(3), flat(40)), []

    def look(process):
        run = process.run(SYMBOL, "a")
        status = status_of_run(record_of(run))
        seen.append((row_of(status, Replica())["outlook"], status_card(status)))
        assert (f", {status.holds}>" in repr(run)) == (status.state.signal is not None)

    assert world.live(until(20), [Action(until(2), look), Action(until(10), look)])
    (idle, card), (held, _) = seen
    assert idle == ("last answer: None, 2 times since 2024-01-01 00:01 · next ask 00:03 UTC")
    assert idle in card
    assert held.startswith("it lasts until 10:03 UTC (9\xa0h 53\xa0min) · last answer: ")
    kept = world.checkpoint(world.wanted[0]).state
    assert kept.asks[-1] == AskRow("entry", "candidate", "", T0 + 3 * MINUTE, T0 + 3 * MINUTE, 1)
