"""A signal that orders fill: what is wanted of the exchange, and what its reports do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sources import MINUTE, T0, candles, flat, minute
from tradenb.core.actions import Action
from tradenb.core.candidate import long, short
from tradenb.core.lifecycle.commands import abandon, give, stop, withdraw
from tradenb.core.lifecycle.exchange_route import desired_position, report_command, report_of
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import (
    Command,
    NeedCandidate,
    NeedClearance,
    State,
    acts_at,
)
from tradenb.core.money.position_money import Grant
from tradenb.core.orders.order_records import FLAT, Execution, ExecutionReport
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules

D = Decimal
BUY = long(take_profit=102.0, stop_loss=99.0, minutes=60)
IN, OUT = D("0.5"), D("51.5")
START = State("BTCUSDT", "dip", 5 * MINUTE, T0, execution=Execution())


class Route:
    """An instance that is fed minute by minute; it is asked for one candidate."""

    def __init__(self, rows: Any, *replies: Any, managed: Any = (), **changes: Any) -> None:
        self.candles = candles(rows)
        self.state = START._replace(manage_every=5 * MINUTE if managed else None, **changes)
        self.replies, self.managed = list(replies), list(managed)
        self.events: list[Any] = []
        self.rules = Rules(fee_percent=0.1, slippage_percent=0.1)
        self.verdict: Any = Grant(50.0, 0.5)
        self.seq = 0

    def to(self, end: int) -> Route:
        """Let everything happen up to a minute."""
        until = minute(end)
        while self.state.cursor < until:
            step = advance(self.state, self.candles, self.rules, until)
            while True:
                self.state = step.state
                self.events += step.events
                match step.need:
                    case NeedCandidate(managed=True):
                        reply = self.managed.pop(0) if self.managed else None
                    case NeedCandidate():
                        reply = self.replies.pop(0) if self.replies else None
                    case NeedClearance():
                        reply = self.verdict
                    case _:
                        break
                step = answer(step.state, step.need, reply, self.candles, self.rules)
        return self

    def report(self, kind: Any, at: int = 0, **values: Any) -> Route:
        """Let the exchange report, a second after the cursor."""
        self.seq += 1
        held = self.state.signal
        known = {"signal_id": held.id if held else "", **values}
        made = ExecutionReport(self.seq, (at or self.state.cursor) + 1_000, kind, **known)
        self.state = give(self.state, report_command(made))
        return self

    def entered(self, average: str = "100", quantity: D = IN, **more: Any) -> Route:
        """Be filled."""
        return self.report(
            "entered", quantity=quantity, average=D(average), value=D(average) * D("0.5"), **more
        )

    def said(self) -> list[Any]:
        """Kind, reason and minute of the events."""
        return [(each.kind, each.exit_reason, (each.at - T0) // MINUTE) for each in self.events]


def opened(rows: Any = None, *replies: Any, **more: Any) -> Route:
    """A position that was entered at minute 6."""
    return Route(rows or flat(60), *(replies or (BUY,)), **more).to(5).entered().to(6)


class TestEntering:
    def test_what_is_cleared_is_wanted_and_not_filled_by_candles(self):
        route = Route(flat(30), BUY).to(8)
        assert route.said() == [("entering", None, 5)]
        wanted = desired_position(route.state)
        assert (wanted.want, wanted.quantity, wanted.since) == ("enter", D("0.5"), minute(5))
        assert wanted.limit == D("100.2")
        assert wanted.stop == D("99.0")
        assert not route.state.is_open

    def test_the_report_opens_it_at_the_average_of_the_fills(self):
        route = Route(flat(30), BUY).to(5).entered("100.1", fees=D("0.05")).to(6)
        opened = route.events[-1]
        assert (opened.kind, opened.price, opened.quantity, opened.at) == (
            "opened", 100.1, 0.5, minute(6),
        )  # fmt: skip
        assert route.state.earned == -0.05
        wanted = desired_position(route.state)
        assert (wanted.want, wanted.quantity, wanted.target) == ("hold", 0, D("102.0"))

    @pytest.mark.parametrize("reason", ["unfilled", "refused", "limits", "late"])
    def test_what_is_not_entered_is_rejected_with_the_words_and_asked_again(self, reason):
        route = Route(flat(30), BUY, BUY).to(5)
        route.report("not_entered", reason=reason, words="max_order is 10").to(9)
        assert route.said()[1:] == [("rejected", reason, 6)]
        assert route.events[-1].note == "max_order is 10"
        assert desired_position(route.state) == FLAT
        assert route.to(10).said()[2:] == [("entering", None, 10)]

    def test_a_limit_is_watched_and_wanted_when_it_is_touched(self):
        rows = [*flat(7), *flat(1, 98.0), *flat(12, 98.5)]
        route = Route(rows, long(entry=98.5, take_profit=102.0, stop_loss=97.0)).to(9)
        assert route.said() == [("scheduled", None, 5), ("entering", None, 8)]
        assert desired_position(route.state).limit == D(repr(98.5 * 1.002))

    def test_a_risk_rule_refuses_before_anything_is_wanted(self):
        route = Route(flat(30), BUY)
        route.verdict = Refusal("max_open", "three are open", "risk")
        assert route.to(6).said() == [("rejected", "risk", 5)]

    def test_a_short_is_refused_with_words(self):
        route = Route(flat(30), short(take_profit=98.0, stop_loss=101.0)).to(6)
        assert route.said() == [("rejected", "invalid", 5)]
        assert route.events[0].note.startswith("short_on_spot | ")

    def test_a_cancel_of_another_signal_does_nothing(self):
        route = Route(flat(30), BUY).to(5)
        route.state = give(route.state, Command(route.state.cursor + 1, "cancel", id="other"))
        assert desired_position(route.to(6).state).want == "enter"

    @pytest.mark.parametrize("kind", ["flatten", "cancel"])
    def test_what_is_on_its_way_is_left_at_once_when_that_is_asked_for(self, kind):
        route = Route(flat(30), BUY).to(5)
        route.state = give(route.state, Command(route.state.cursor + 1, kind))
        route.to(6)
        assert desired_position(route.state).want == "exit"
        route.entered().to(7)
        assert route.said()[1:] == [("opened", None, 7)]
        assert desired_position(route.state).want == "exit"
        route.report("exited", quantity=IN, average=D(100), value=D(50), reason="flattened").to(8)
        assert route.said()[2:] == [("closed", "flattened", 8)]

    @pytest.mark.parametrize(
        ("kind", "values", "said"),
        [("close", {}, ("exiting", "user", 10)), ("move", {"minutes": 90}, ("moved", None, 10))],
    )
    def test_what_a_person_asks_for_meanwhile_acts_on_the_candle_that_opens_it(
        self, kind, values, said
    ):
        """As `pending_commands` says; the manage function is asked later, as without it."""
        route = Route(flat(30), BUY, managed=[Action("breakeven", {}), None]).to(9)
        command = Command(route.state.cursor + 1, kind, values=values)
        assert acts_at(command, minute(10)) == minute(10)
        route.state = give(route.state, command)
        assert route.entered().to(10).said()[1:] == [("opened", None, 10), said]
        assert len(route.managed) == 2
        assert route.state.cursor == minute(10)

    def test_a_stop_keeps_what_is_on_its_way_and_asks_no_more(self):
        route = Route(flat(40), BUY, BUY).to(5)
        route.state = stop(route.state, route.state.cursor + 1)
        route.entered().to(7)
        assert desired_position(route.state).want == "hold"
        route.report("exited", quantity=IN, average=D(102), value=D(51), reason="take_profit")
        assert route.to(20).state.done


class TestHolding:
    def test_a_touched_target_that_rests_at_the_exchange_is_left_to_it(self):
        rows = [*flat(8), (100.0, 102.5, 100.0, 100.0, 1.0), *flat(20)]
        route = opened(rows).to(12)
        assert desired_position(route.state).want == "hold"
        assert ("exiting", "take_profit", 9) not in route.said()

    def test_a_touched_stop_is_wanted_out_and_no_close(self):
        rows = [*flat(8), (100.0, 100.0, 98.5, 98.6, 1.0), *flat(20, 98.6)]
        route = opened(rows).to(12)
        assert route.said()[-1] == ("exiting", "stop_loss", 9)
        wanted = desired_position(route.state)
        assert (wanted.want, wanted.reason, wanted.since) == ("exit", "stop_loss", minute(9))
        assert route.state.is_open

    def test_the_report_closes_it_in_money_of_the_fills(self):
        route = opened().report(
            "exited", quantity=IN, average=D(103), value=OUT, fees=D("0.05"), reason="take_profit"
        )
        route.to(8)
        assert route.said()[-1] == ("closed", "take_profit", 7)
        trade = route.state.trades[-1]
        assert (trade.pnl, trade.fees, trade.quantity) == (pytest.approx(1.45), 0.05, 0.5)
        assert trade.pnl_percent == pytest.approx(1.45 / 50 * 100)
        assert route.state.earned == trade.pnl
        assert desired_position(route.state) == FLAT

    def test_fees_in_pieces_are_in_what_was_paid(self):
        route = Route(flat(30), BUY).to(5).entered(quantity=D("0.4995")).to(6)
        route.report("exited", quantity=D("0.4995"), average=D(100), value=D("49.95")).to(7)
        assert route.state.trades[-1].pnl == pytest.approx(-0.05)
        assert route.state.trades[-1].fees == pytest.approx(0.05)
        assert route.state.trades[-1].pnl_percent == pytest.approx(-0.1)

    def test_a_report_is_whole_in_the_command_that_brings_it(self):
        made = ExecutionReport(
            1, 0, "entered", "s1", D("0.5"), D("99.9"), D(50), D("0.1"), "why", "words", True, D(2)
        )
        assert report_of(report_command(made).values) == made

    def test_pieces_left_from_a_position_before_hide_no_fee(self):
        route = Route(flat(30), BUY).to(5).entered(quantity=D("0.5015"), carried=D("0.002")).to(6)
        route.report("exited", quantity=D("0.5015"), average=D(100), value=D("50.15")).to(7)
        assert route.state.trades[-1].pnl == pytest.approx(0.15)
        assert route.state.trades[-1].fees == pytest.approx(0.05)

    def test_time_that_is_over_is_wanted_out(self):
        route = opened(flat(80), long(stop_loss=99.0, minutes=5)).to(12)
        assert route.said()[-1] == ("exiting", "time_expired", 11)

    def test_it_may_be_asked_on_the_candle_that_closes_it(self):
        route = opened(flat(60), BUY, BUY).to(9)
        route.report("exited", quantity=IN, average=D(102), value=D(51), reason="take_profit")
        assert route.to(10).said()[-2:] == [("closed", "take_profit", 10), ("entering", None, 10)]

    def test_two_reports_within_a_minute_are_neighbours(self):
        route = Route(flat(30), BUY).to(5).entered()
        route.report("exited", quantity=IN, average=D(99), value=D("49.5"), reason="stop_loss")
        assert route.to(7).said()[1:] == [("opened", None, 6), ("closed", "stop_loss", 6)]

    def test_a_trailed_stop_moves_what_is_wanted(self):
        rows = [*flat(8), *[(100 + n, 100.5 + n, 100 + n, 100.5 + n, 1.0) for n in range(10)]]
        route = opened(rows, long(stop_loss=99.0, trail=2.0, minutes=600)).to(12)
        assert desired_position(route.state).stop > D("99.0")

    def test_a_rung_is_wanted_sold_and_the_rest_is_kept(self):
        ladder = long(take_profit=[(101.0, 0.5), (103.0, 0.5)], stop_loss=99.0)
        rows = [*flat(8), (100.0, 101.2, 100.0, 101.2, 1.0), *flat(30, 101.2)]
        route = opened(rows, ladder).to(9)
        wanted = desired_position(route.state)
        assert (wanted.want, wanted.quantity, wanted.reason) == ("hold", D("0.25"), "take_profit")
        assert wanted.target is None
        route.report(
            "reduced",
            quantity=D("0.25"),
            average=D("101.1"),
            value=D("25.275"),
            reason="take_profit",
        ).to(10)
        part = route.events[-1]
        assert (part.kind, part.quantity, part.fraction) == ("partial", 0.25, pytest.approx(0.5))
        assert part.pnl_percent == pytest.approx(1.1)
        assert desired_position(route.state).quantity == 0
        route.report("exited", quantity=D("0.25"), average=D(103), value=D("25.75")).to(11)
        trade = route.state.trades[-1]
        assert (trade.exits, trade.pnl) == (2, pytest.approx(25.275 + 25.75 - 50))

    def test_what_is_left_too_small_to_sell_is_booked_as_nothing(self):
        route = opened().report("reduced", quantity=D("0.49"), average=D(100), value=D(49)).to(7)
        route.report("exited", reason="dust").to(8)
        trade = route.state.trades[-1]
        assert (trade.exit_reason, trade.pnl) == ("dust", pytest.approx(-1.0))
        assert trade.exits == 1

    def test_all_told_as_a_part_leaves_a_position_that_the_last_report_ends(self):
        route = opened().report("reduced", quantity=D("0.5"), average=D(100), value=D(50)).to(7)
        assert route.state.holding.cost > 0
        route.report("exited", reason="dust").to(8)
        assert route.state.trades[-1].pnl == pytest.approx(0)

    def test_a_sale_without_a_reason_is_one_that_was_flattened(self):
        route = opened().report("exited", quantity=IN, average=D(101), value=D("50.5")).to(7)
        assert route.state.trades[-1].exit_reason == "flattened"

    def test_a_report_acts_once_and_those_of_others_do_nothing(self):
        route = opened()
        again = report_command(ExecutionReport(1, minute(6) + 1, "entered", "x", IN, D(100), D(50)))
        other = report_command(ExecutionReport(2, minute(6) + 2, "exited", "other"))
        route.state = give(give(route.state, again), other)
        before = route.state
        route.to(8)
        assert route.state.execution.heard == 2
        assert (route.state.signal, route.state.holding) == (before.signal, before.holding)

    @pytest.mark.parametrize("minute_of", [5, 8])
    def test_what_is_abandoned_is_wanted_out_once(self, minute_of):
        route = Route(flat(30), BUY).to(5)
        if minute_of > 5:
            route.entered().to(minute_of)
        step = abandon(route.state, 99.0, route.rules)
        wanted = desired_position(step.state)
        assert (wanted.want, wanted.reason) == ("exit", "abandoned")
        assert [each.kind for each in step.events] == ["exiting"]
        assert abandon(step.state, 99.0, route.rules) is None

    def test_what_is_withdrawn_are_commands_and_no_reports(self):
        route = opened().report("exited", quantity=IN, average=D(100), value=D(50))
        route.state = give(route.state, Command(route.state.cursor + 2, "flatten"))
        left, taken = withdraw(route.state, route.state.cursor + 9_000, None)
        assert [each.kind for each in taken] == ["flatten"]
        assert [each.kind for each in left.commands] == ["report"]

    def test_an_entry_that_is_refused_late_does_nothing_to_what_is_open(self):
        route = opened().report("not_entered", reason="unfilled").to(8)
        assert route.state.is_open
        assert route.said()[-1] == ("opened", None, 6)

    def test_a_second_flatten_on_the_way_out_changes_nothing(self):
        route = opened()
        for _ in range(2):
            route.state = give(route.state, Command(route.state.cursor + 1, "flatten"))
            route.to((route.state.cursor - T0) // MINUTE + 1)
        assert [each[0] for each in route.said()] == ["entering", "opened", "exiting"]

    def test_what_a_paper_position_is_told_does_nothing(self):
        route = opened()
        plain = route.state._replace(holding=route.state.holding._replace(money=None))
        route.state = plain
        route.report("exited", quantity=IN, average=D(100), value=D(50)).to(8)
        assert route.state.is_open


class TestManaging:
    def test_close_wants_a_part_sold_or_all(self):
        half = Action("close", {"fraction": 0.5})
        route = opened(managed=(half, Action("close", {}))).to(10)
        assert desired_position(route.state).quantity == D("0.25")
        assert route.to(15).said()[-1] == ("exiting", "strategy", 15)

    def test_an_add_is_refused_with_words(self):
        route = opened(managed=(Action("add", {}),)).to(10)
        assert route.events[-1].note.startswith("add_on_exchange | ")

    def test_a_flip_leaves_the_position_and_refuses_the_short(self):
        route = opened(managed=(short(take_profit=98.0, stop_loss=101.0),)).to(10)
        assert route.said()[-2:] == [("exiting", "flipped", 10), ("rejected", "invalid", 10)]

    def test_nobody_is_asked_while_an_exit_is_on_its_way(self):
        route = opened(managed=(Action("close", {}), Action("move", {"stop_loss": 99.5}))).to(25)
        assert len(route.managed) == 1
        assert route.said()[-1] == ("exiting", "strategy", 10)

    def test_what_is_to_be_sold_whole_is_not_sold_again_by_the_same_answer(self):
        twice = [Action("close", {}), Action("close", {"fraction": 0.5})]
        route = opened(managed=(twice,)).to(10)
        assert [each[0] for each in route.said()].count("exiting") == 1

    def test_a_run_that_stops_takes_no_candidate_after_what_it_closed(self):
        route = opened(managed=([Action("close", {}), BUY],))
        route.state = stop(route.state, route.state.cursor + 1)
        assert route.to(10).said()[-1] == ("exiting", "strategy", 10)

    def test_a_move_beyond_the_price_is_wanted_out(self):
        route = opened(managed=(Action("move", {"stop_loss": 99.9}),)).to(10)
        assert desired_position(route.state).stop == D("99.9")
