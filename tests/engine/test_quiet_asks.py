"""Asks about a position to which nothing happens are made in a row, and nobody can tell."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

import tradenb as tn
from tests.sources import exchange, flat, market, minute
from tradenb.engine.serialise import event_to_row
from tradenb.engine.session import pump, quiet_span

SYMBOLS = ("S0", "S1")
COUNT = 900
BRACKETS = {
    "bracket": {"take_profit": tn.percent(3), "stop_loss": tn.percent(3)},
    "stop alone": {"stop_loss": tn.percent(4)},
    "minutes": {"stop_loss": tn.percent(5), "minutes": 77},
    "ladder": {
        "take_profit": [(tn.percent(1), 0.4), (tn.percent(2), 0.3)],
        "stop_loss": tn.percent(8),
    },
    "trail": {"stop_loss": tn.percent(3), "trail": 3.0},
    "distance": {"stop_loss": tn.percent(3), "trail_distance": 2.0, "trail_after": 1.0},
    "breakeven": {"stop_loss": tn.percent(4), "breakeven": 1.0, "take_profit": tn.percent(6)},
    "waits": {"stop_loss": 85.0, "entry": 97.0, "wait": 600},
}


def managed(kind, seed, *, looks, every="5m", risk=()):
    """A strategy that buys, and what it saw of its positions.

    Its answers depend on the moment alone.
    """
    seen = []

    def asked(ctx):
        return tn.long(**BRACKETS[kind])

    def manage(ctx):
        dice = Random(seed * 7_919 + ctx.now)
        if looks and dice.random() < 0.5:
            seen.append((ctx.symbol, ctx.now, ctx.price, ctx.position, ctx.scheduled, ctx.due))
        does = dice.random()
        if does < 0.02:
            return tn.close(0.5)
        if does < 0.03:
            return [tn.add(0.5), None, tn.move(stop_loss=0.97 * ctx.price)]
        if does < 0.04:
            return tn.short(stop_loss=tn.percent(3))
        if does < 0.05:
            raise ValueError("no")
        if does < 0.06:
            ctx.candles("5m", 10_000)
        if does < 0.07:
            ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        return None

    made = tn.strategy(f"{kind}-{seed}".replace(" ", "-"), every="15m", risk=risk)(asked)
    made.manage(every=every)(manage)
    return made, seen


def run(made, rows, symbols=SYMBOLS, **more):
    return tn.backtest.run(list(symbols), strategy=made, exchange=exchange(rows), **more)


def told(result):
    return [event_to_row(event) for event in result.event_list]


def looked_at_each_time(monkeypatch):
    monkeypatch.setattr(pump, "quiet_span_of", lambda *_: None)


@pytest.mark.parametrize("looks", [True, False], ids=["looks", "looks away"])
@pytest.mark.parametrize("symbols", [1, 2])
@pytest.mark.parametrize("kind", BRACKETS)
def test_asks_in_a_row_are_asks_one_by_one(kind, symbols, looks, monkeypatch):
    rows = {name: market(place + len(kind), COUNT) for place, name in enumerate(SYMBOLS)}
    rules = tn.Rules(price="average", touch="average_price") if kind == "ladder" else tn.Rules()
    runs = []
    for quiet in (True, False):
        made, seen = managed(kind, symbols, looks=looks)
        if not quiet:
            looked_at_each_time(monkeypatch)
        result = run(made, rows, SYMBOLS[:symbols], rules=rules)
        runs.append((told(result), seen, result.ask_rows, [*result.trade_list]))
    assert runs[0] == runs[1]
    kinds = {event["kind"] for event in runs[0][0]}
    assert {"opened", "closed"} <= kinds
    assert bool(runs[0][1]) is looks


def test_with_missing_minutes_too(monkeypatch):
    rows = market(5, COUNT)
    times = [minute(n) for n in range(COUNT) if n % 97 > 12 and not 700 < n < 760]
    frame = tn.frame_exchange(_frame(rows, times))
    runs = []
    for quiet in (True, False):
        made, seen = managed("bracket", 3, looks=True, every="1m")
        if not quiet:
            looked_at_each_time(monkeypatch)
        result = tn.backtest.run("S0", strategy=made, exchange=frame)
        runs.append((told(result), seen, result.ask_rows))
    assert runs[0] == runs[1]
    assert len(runs[0][1]) > 100


@pytest.mark.parametrize("kind", ["bracket", "minutes", "trail", "waits"])
def test_a_market_that_is_closed_where_a_block_ends(kind, monkeypatch):
    end = 7 * 1_440
    times = [minute(n) for n in range(end + 900) if not end - 405 < n < end + 405]
    frame = tn.frame_exchange(_frame(market(5, end + 900), times))
    runs = []
    for quiet in (True, False):
        made, seen = managed(kind, 3, looks=True, every="15m")
        if not quiet:
            looked_at_each_time(monkeypatch)
        result = tn.backtest.run("S0", strategy=made, exchange=frame)
        runs.append((told(result), seen, result.ask_rows))
    assert runs[0] == runs[1]
    assert any(at > minute(end) for _, at, *_ in runs[0][1])


@pytest.mark.parametrize("kind", ["bracket", "trail", "ladder"])
def test_risk_rules_see_what_others_hold_while_it_is_asked(kind, monkeypatch):
    rows = {name: market(place, COUNT) for place, name in enumerate(SYMBOLS)}
    runs = []
    for quiet in (True, False):
        books = []
        rule = tn.risk("looks")(partial(looked_through, books))
        made, _ = managed(kind, 2, looks=False, risk=(rule,))
        if not quiet:
            looked_at_each_time(monkeypatch)
        runs.append((told(run(made, rows)), books))
    assert runs[0] == runs[1]
    assert any(held for _, held in runs[0][1])


def looked_through(books, book, candidate):
    held = [(each.signal.id, each.signal.stop_loss, each.opened_at) for each in book.signals]
    books.append((book.now, held))
    return "no" if book.now // 60_000 % 7 == 0 else None


def test_callbacks_come_before_the_next_ask_as_ever():
    order = []
    made = tn.strategy(
        "called", every="1m", on_milestone=lambda event: order.append((event.at, "told"))
    )(lambda ctx: tn.long(**BRACKETS["bracket"]))
    made.manage(every="5m")(lambda ctx: order.append((ctx.now, "asked")))
    run(made, {"S0": market(3, COUNT)}, ("S0",))
    assert {what for _, what in order} == {"asked", "told"}
    assert order == sorted(order)


def test_a_position_that_nobody_changes_is_looked_through_once(monkeypatch):
    """Not at each of its two hundred asks: an ask about it costs what an ask for one costs."""
    looks = []
    for module in (pump, quiet_span):
        monkeypatch.setattr(module, "advance", partial(counted, looks, module.advance))
    asks = []
    made = tn.strategy("buys", every="1m")(lambda ctx: tn.long(stop_loss=85.0))
    made.manage(every="5m")(lambda ctx: asks.append(ctx.now))
    run(made, {"S0": flat(1_000)}, ("S0",))
    assert len(asks) == 200
    assert len(looks) < 6


def counted(looks, advance, *given):
    looks.append(given)
    return advance(*given)


def _frame(rows, times):
    from tests.sources import frame

    whole = frame(rows)
    return whole[whole.timestamp.isin([at - 60_000 for at in times])]
