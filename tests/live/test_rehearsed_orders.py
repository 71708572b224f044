"""Rehearsals whose orders go to an exchange in memory: `tn.live.rehearse(..., broker=)`."""

from __future__ import annotations

import asyncio

import pytest

import tradenb as tn
from tests.sources import T0, exchange, flat, minute
from tradenb.errors import AlreadyRunning, UsageError
from tradenb.live.live_run import record_of
from tradenb.live.stepped_clock import SteppedClock

ACCOUNT = tn.Account(cash=1_000, quote=200)
SYMBOL = "BTCUSDT"
LIMITS = (
    "max_order 1000.0, max_total 1000.0, max_open 100000, max_daily_loss 1000.0, "
    "orders_an_hour 100000"
)


@tn.strategy("rehearsed-orders", every="15m", history="30m")
def often(ctx):
    return tn.long(take_profit=tn.percent(0.5), stop_loss=tn.percent(0.5), minutes=120)


def rehearsed(home, broker, *, strategy=often, source=None, **more):
    source = source or tn.testing.random_walk(seed=3, days=1)
    given = {"strategy": strategy, "exchange": source, "broker": broker, "home": home}
    run = tn.live.rehearse(SYMBOL, **given, speed=None, **more)
    assert run.wait(240)
    return run


def broker(**more):
    return tn.testing.broker(account=ACCOUNT, **more)


@pytest.fixture(scope="module")
def four_hours(tmp_path_factory):
    """A rehearsal with orders that has ended, and its broker."""
    wire = broker()
    return rehearsed(tmp_path_factory.mktemp("four"), wire, end=T0 + 4 * 3_600_000), wire


def test_orders_fill_are_protected_and_end_in_the_time_of_the_candles(four_hours):
    run, wire = four_hours
    events, orders, executions = run.events(), run.orders(), run.executions()
    opened = events[events.kind == "opened"].iloc[0]
    armed = events[events.kind == "armed"]
    assert armed.note.iloc[0].endswith("by a rehearsal: " + LIMITS)
    entry = orders.iloc[0]
    assert (entry.role, entry.ending, orders.iloc[1].role) == ("entry", "filled", "protection")
    assert opened["at"] > entry.sent_at.floor("min")
    assert (executions["at"] < events["at"].max()).all()
    closed = events[events.kind == "closed"]
    assert {*closed.exit_reason} <= {"take_profit", "stop_loss", "expired"}
    assert len(closed) >= 2
    calls = wire.calls()
    assert (calls.fault == "").all()
    assert len(calls) < 40 * len(orders)  # four looks a minute at what rests are left out


@pytest.mark.no_cover
def test_its_money_is_that_of_its_executions(four_hours):
    run, _ = four_hours
    state = record_of(run).state
    executions = run.executions()
    done = executions[executions.signal_id.isin(executions[executions.side == "sell"].signal_id)]
    value = (done.price * done.quantity).where(done.side == "sell", -done.price * done.quantity)
    fees = done.fee.where(done.fee_in == "quote", 0)
    assert sum(trade.pnl for trade in state.trades) == pytest.approx((value - fees).sum(), abs=1e-6)


def test_executions_are_those_of_all_its_trades(tmp_path):
    """The document keeps the orders of the last positions that are over, the journal all."""

    @tn.strategy("rehearsed-often", every="1m", history="30m")
    def quick(ctx):
        return tn.long(stop_loss=tn.percent(5), minutes=1)

    run = rehearsed(tmp_path, broker(), strategy=quick, end=T0 + 3_600_000)
    kept, trades = run.orders(), run.trades()
    assert len(trades) > 1
    assert trades.signal_id[0] not in set(kept.signal_id)
    executions = run.executions()
    for side in ("buy", "sell"):
        assert {*trades.signal_id} <= {*executions.signal_id[executions.side == side]}
    assert not executions.trade_id.duplicated().any()
    (other,) = tn.live.attach(tmp_path, ended=True)
    assert other.executions().equals(executions)


@pytest.mark.no_cover
def test_the_same_seed_gives_the_same_orders_fills_and_requests(tmp_path):
    def once(name, seed):
        wire = broker(faults="all", rate=0.3, seed=seed)
        run = rehearsed(tmp_path / name, wire, end=T0 + 2 * 3_600_000)
        return run.orders().to_csv(), run.executions().to_csv(), wire.calls().to_csv()

    first = once("a", 1)
    assert once("b", 1) == first
    assert once("c", 2) != first


def test_an_answer_that_is_lost_buys_once_and_the_requests_say_what_happened(tmp_path):
    wire = broker(faults="lost_answers", rate=1)
    run = rehearsed(tmp_path, wire, end=T0 + 2 * 3_600_000)
    orders, requests = run.orders(), wire.calls()
    entries = orders[orders.role == "entry"]
    assert len(entries) == entries.signal_id.nunique() >= 1
    lost = requests[requests.fault == "accept"]
    assert {*lost.method} == {"POST"}
    assert "answer" not in {*lost.seen}
    assert "opened" in {*run.events().kind}


def test_too_many_lost_answers_disarm_it_and_limits_of_the_user_hold(tmp_path):
    walk = tn.testing.random_walk(seed=3, days=1, volatility=200.0)
    lost = broker(faults="lost_answers", rate=1)
    run = rehearsed(tmp_path / "a", lost, source=walk, end=T0 + 6 * 3_600_000)
    assert run.events().note.str.contains("orders became unknown within an hour").any()
    run = rehearsed(tmp_path / "b", broker(max_order=100), end=T0 + 2 * 3_600_000)
    assert run.orders().empty
    assert run.events().note.str.contains("max_order").any()


def test_a_release_ends_at_once_and_the_next_one_begins_anew(tmp_path):
    given = {"strategy": often, "exchange": tn.testing.random_walk(seed=3, days=3)}
    given |= {"home": tmp_path, "broker": broker()}
    run = tn.live.rehearse(SYMBOL, speed=600, **given)
    assert tn.live.rehearse(SYMBOL, speed=600, **given) is run
    with pytest.raises(AlreadyRunning, match="with another broker"):
        tn.live.rehearse(SYMBOL, speed=600, **given | {"broker": broker(faults="refusals")})
    run.release()
    assert run.wait(240)
    again = rehearsed(tmp_path, broker(), end=T0 + 3_600_000)
    assert again.events()["at"].min() <= minute_at(60)


def minute_at(n):
    import pandas as pd

    return pd.Timestamp(minute(n), unit="ms", tz="UTC")


def test_brokers_of_live_runs_and_of_rehearsals_are_not_taken_for_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("K", "some-key")
    options = {"apiKey": "env:K", "secret": "env:K"}
    real = tn.broker("binance", mode="sandbox", account=ACCOUNT, **options)
    with pytest.raises(UsageError, match=r"asks no exchange, and broker has mode .sandbox.; pass"):
        rehearsed(tmp_path, real)
    source = exchange(flat(60))
    with pytest.raises(UsageError, match=r"is for tn\.live\.rehearse; a live run takes"):
        tn.live.background(SYMBOL, strategy=often, exchange=source, broker=broker(), home=tmp_path)
    paper = rehearsed(tmp_path, tn.broker("binance", account=ACCOUNT), end=T0 + 2 * 3_600_000)
    assert paper.orders().empty
    assert paper.events().kind.iloc[0] == "opened"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"faults": "lost_answer"}, "lost_answers"),
        ({"faults": {"outages": 2}}, "share of outages must be between 0 and 1, was 2"),
        ({"faults": "outages", "rate": -1}, "rate must be between 0 and 1, was -1"),
        ({"rate": 7}, "rate must be between 0 and 1, was 7"),
        ({"max_orders": 100}, "max_order"),
        ({"max_order": 0}, "max_order must be a number above 0, was 0"),
        ({"max_order": float("inf")}, "max_order must be a number above 0, was inf"),
        ({"max_total": float("nan")}, "max_total must be a number above 0, was nan"),
        ({"max_open": 0.5}, "max_open must be a whole number from 1 on, was 0.5"),
        ({"orders_an_hour": float("inf")}, "orders_an_hour must be a whole number .*, was inf"),
        ({"faults": None}, "faults must be words or shares by word .*, was None"),
        ({"faults": 3}, "faults must be words or shares by word .*, was 3"),
        ({"faults": [["outages"]]}, r"faults must be words .*, was \[\['outages'\]\]"),
        ({"seed": [1]}, r"seed must be a whole number, was \[1\]"),
        ({"seed": None}, "seed must be a whole number, was None"),
        ({"account": tn.Account(cash=10, percent=5, leverage=2)}, "spot has none"),
        ({"account": 100}, "must be a tn.Account, was 100"),
    ],
)
def test_what_a_broker_of_rehearsals_cannot_be_is_said(given, words):
    with pytest.raises(UsageError, match=words):
        tn.testing.broker(**{"account": ACCOUNT} | given)


def test_a_task_beside_the_loop_has_its_turn_before_the_clock_passes_it():
    """And none while the loop is busy, though its event is set."""
    seen = []

    async def beside(clock, woken):
        for _ in range(3):
            await clock.wait(woken, clock.now() + 15_000)
            seen.append((clock.now(), woken.is_set()))
            woken.clear()
            await clock.sleep(0.08)

    async def life():
        main = SteppedClock(0)
        clock, woken, never = main.beside(), asyncio.Event(), asyncio.Event()
        task = asyncio.ensure_future(beside(clock, woken))
        await main.wait(never, 40_000)
        seen.append(main.now())
        woken.set()
        for _ in range(5):
            await asyncio.sleep(0)
        before = len(seen)
        await main.wait(never, 40_000)
        after = len(seen)
        await task
        return before, after

    before, after = asyncio.run(life())
    assert seen == [(15_000, False), (30_080, False), 40_000, (40_000, True)]
    assert (before, after) == (3, 4)
