"""What a manage function may answer where it finds nothing, is refused, or the run is stopping."""

from __future__ import annotations

import pandas as pd
import pytest

import tradenb as tn
from tests.engine.test_signals import GRID, backtest
from tests.sources import minute
from tradenb.core.lifecycle.machine import advance
from tradenb.core.lifecycle.state import State
from tradenb.core.signal import Signal


def played(strategy, **more):
    return backtest(strategy=strategy, end=minute(200), **more)


def kinds(result):
    return result.events[result.events.kind != "milestone"].kind.to_list()


def test_an_action_of_one_function_in_all_states_that_finds_nothing_is_dropped():
    closing = tn.strategy("closing", every="15m", manage=True)(lambda ctx: tn.close())
    assert played(closing).event_list == []


def test_a_risk_rule_may_refuse_an_entry_that_is_added():
    seen = []

    @tn.risk("no-more")
    def no_more(book, candidate):
        seen.append(candidate.add)
        return None if candidate.add is None else "not again"

    @tn.strategy("adding", every="15m", risk=no_more)
    def adding(ctx):
        return tn.long(stop_loss=tn.percent(9))

    @adding.manage
    def more(ctx):
        return [tn.add(0.5), tn.breakeven()]

    result = played(adding)
    assert seen[:3] == [None, 0.5, 0.5]
    assert kinds(result)[:2] == ["opened", "rejected"]
    assert "added" not in kinds(result)
    assert set(result.refusals.name) == {"no-more"}
    assert result.refusals["count"].sum() == sum(each is not None for each in seen)


@pytest.mark.parametrize("answer", [lambda ctx: tn.add(), lambda ctx: tn.long(stop_loss=1.0)])
def test_a_run_that_is_stopping_enters_nothing_more(answer):
    @tn.strategy("ending", every="15m")
    def ending(ctx):
        return tn.long(stop_loss=tn.percent(9), minutes=60)

    ending.manage(answer)
    result = played(ending, commands=[{"at": minute(76), "kind": "stop"}])
    after = result.events[(result.events["at"] > tn_time(77)) & (result.events.kind != "milestone")]
    assert set(after.kind) <= {"closed"}
    assert len(result.trades) == 1


def tn_time(count):
    return pd.Timestamp(minute(count), unit="ms", tz="UTC")


def test_of_a_stopped_run_a_flip_is_only_the_close():
    @tn.strategy("turning", every="15m", manage=True)
    def turning(ctx):
        side = tn.long if ctx.now < minute(100) else tn.short
        return side(stop_loss=tn.percent(9))

    result = played(turning, commands=[{"at": minute(91), "kind": "stop"}])
    assert kinds(result) == ["opened", "closed"]
    assert result.trades.exit_reason.to_list() == ["flipped"]


def test_a_list_goes_on_after_a_part_and_stops_where_nothing_is_left():
    @tn.strategy("listing", every="1h")
    def listing(ctx):
        return tn.long(stop_loss=tn.percent(9))

    @listing.manage(every="1m")
    def all_at_once(ctx):
        return [tn.close(0.5), tn.move(take_profit=tn.percent(4)), tn.close(), tn.close(), None]

    result = played(listing)
    assert kinds(result)[:4] == ["opened", "partial", "moved", "closed"]
    assert result.trades.exit_reason[0] == "strategy"


def test_a_target_that_is_not_a_price_is_a_rejected_event():
    @tn.strategy("odd", every="15m")
    def odd(ctx):
        return tn.long(stop_loss=tn.percent(9))

    @odd.manage
    def moved(ctx):
        return tn.move(take_profit="high")

    (note, *_) = played(odd).events.query("kind == 'rejected'").note
    assert note.startswith("take_profit_number | ")


def test_a_position_older_than_its_manage_function_is_asked_about_all_the_same():
    price = float(GRID.close[59])
    held = Signal(
        "a", "BTCUSDT", "late", "long", price, 1.2 * price, 0.8 * price, 999, None, None, minute(60)
    )
    state = State("BTCUSDT", "late", 900_000, minute(60), held, minute(60), manage_every=900_000)
    step = advance(state, GRID, tn.Rules(), minute(75))
    assert (step.at, step.state.tested, step.state.holding) == (minute(75), True, None)
