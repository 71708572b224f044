"""`tn.parity` of a run that sends orders: the replay, the paper twin, ledger and exchange."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.core.orders import situations
from tests.order_lives.live_order_life import CASH, SYMBOL, OrderWorld
from tests.sources import MINUTE, frame, minute
from tradenb.core.orders.answers import Overview
from tradenb.core.orders.order_actions import Tell
from tradenb.core.orders.order_records import Fill
from tradenb.core.rules import Rules
from tradenb.live.live_run import record_of
from tradenb.research.parity import api
from tradenb.research.parity.evidence import evidence_of
from tradenb.research.parity.execution_cost import EXECUTION_CAUSES
from tradenb.research.parity.ledger_check import check_ledger
from tradenb.research.parity.replay_check import check_replay
from tradenb.testing.orders.venue_connection import VenueConnection
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action

D = Decimal
QUICK = Rules(fee_percent=0.1, slippage_percent=0.0)
FLAT = [100.0] * 160


def rows(*prices):
    """A row for each price; each minute opens where the last one closed."""
    before, found = prices[0], []
    for price in prices:
        found.append((before, max(before, price), min(before, price), price, 1_000.0))
        before = price
    return found


def buys_at(*asks, **sides):
    """A strategy that goes long at some minutes."""
    sides = {"take_profit": 102.0, "stop_loss": 99.0, **sides}

    @tn.strategy("asked", every="5m")
    def asked(ctx):
        return tn.long(**sides) if (ctx.now - minute(0)) // MINUTE in asks else None

    return asked


def lived(market, strategy=None, *, faults=(), actions=(), until=120, armed=True, **more):
    """A run with orders that was lived, and its world; `market` are closes, or rows."""
    market = market if isinstance(market[0], tuple) else rows(*market)
    source = tn.frame_exchange({SYMBOL: frame(market)})
    spec = strategy or buys_at(75)
    world = OrderWorld(source, spec, start=minute(60) + 2_500, rules=QUICK, **more)
    world.exchange.tells_time = False
    if armed:
        world.arm()
    world.wire.faults += faults
    process = world.process()
    assert process.live(minute(until), actions)
    return SimpleNamespace(world=world, run=process.runs[0], spec=spec)


def parity_of(life):
    return tn.parity(life.run, strategy=life.spec)


def test_a_life_is_its_replay_and_its_orders_are_those_of_the_exchange():
    life = lived([*[100.0] * 80, 103.0, *[103.0] * 60])
    found = parity_of(life)
    assert found.clean
    assert found.replay.equal
    assert found.replay.events >= 3
    assert found.ledger.asked
    assert found.ledger.executions == len(life.world.venue.trades) == 2
    assert found.ledger.pieces == life.world.coins
    assert found.ledger.money == life.world.venue.total("USDT") - CASH
    (trade,) = found.executed
    assert trade.what == ""
    assert (trade.exit_live, trade.exit_paper) == (102.0, 102.0)
    assert trade.fee_bp == pytest.approx(0, abs=0.1)  # 0.1 percent on both sides
    lines = str(found).splitlines()
    agree = "live and backtest agree but for what execution cost"
    assert lines[0] == f"BTCUSDT:asked: {agree} (1 trade live, 1 in the backtest)"
    assert "replay with the reports of the exchange" in lines[1]
    assert "execution: 1 signal, 1 closed on both sides" in lines[2]
    assert "orders agree with the exchange: 2 executions" in lines[3]
    assert "<table" in found._repr_html_()


def test_pieces_carried_from_a_position_before_hide_no_fee():
    sides = {"take_profit": tn.percent(2), "stop_loss": tn.percent(1)}
    market = [*[103.0] * 80, *[107.0] * 20, *[111.0] * 60]
    life = lived(market, buys_at(75, 95, **sides))
    found = parity_of(life)
    assert found.ledger.agrees
    ledger = record_of(life.run).known_ledger
    dust = [order.side for order in (*ledger.past, *ledger.orders) if order.role == "dust"]
    assert dust == ["sell", "buy", "sell"]
    for trade in found.executed:
        assert trade.fee_bp == pytest.approx(0, abs=0.05)
    for trade in life.run.trades().itertuples():
        assert trade.fees == pytest.approx(trade.cost * 0.001 * 2.02, rel=1e-3)


def test_a_run_whose_every_entry_was_refused_does_not_agree_with_its_backtest():
    found = parity_of(lived([*[100.0] * 80, 103.0, *[103.0] * 60], armed=False))
    assert (len(found.live), len(found.backtest)) == (0, 1)
    first = str(found).splitlines()[0]
    assert first == (
        "BTCUSDT:asked: nothing to compare, no trade of 1 in the backtest was filled live"
    )
    assert (found.verdict, found.clean) == ("nothing to compare", False)
    assert found.execution_causes == {"unfilled": 1}


def test_the_files_alone_are_enough_and_say_that_the_exchange_was_not_asked():
    life = lived([*[100.0] * 80, 103.0, *[103.0] * 60])
    record_of(life.run).broker = None
    found = parity_of(life)
    assert found.replay.equal
    assert not found.ledger.asked
    assert "the exchange was not asked" in str(found)


def test_a_broker_that_does_not_answer_is_a_note():
    life = lived([*[100.0] * 80, 103.0, *[103.0] * 60])
    life.world.answers = False
    found = parity_of(life)
    assert found.clean
    assert found.notes == [
        "sandbox:memory:00000000 did not answer, so its own trades were not compared"
    ]


def test_fees_that_were_told_before_the_trades_were_known_are_held_against_the_trades():
    sold = situations.order("exit", state="done", ending="filled", filled=D(2), value=D(190))
    sold, bought = sold._replace(exchange_id="9"), situations.order(exchange_id="8")
    ledger = situations.ledger(bought, sold, told=("entered",))
    told = situations.heard(ledger, Tell("exited", "s1", "user"))
    trade = Fill("t1", "9", sold.sent_at, "sell", D(2), D(95), fee=D("0.15"), fee_in="quote")
    entry = trade._replace(id="t0", exchange_id="8", side="buy", price=D(100), fee=D(0))
    shown = Overview((), (entry, trade), D(0), sold.sent_at, sold.sent_at)
    found = check_ledger(told, told.reports, shown, situations.MARKET)
    assert found.agrees
    assert found.notes == ("s1: exited with fees 0.19 as told, 0.15 by its orders",)
    (silent,) = check_ledger(told, told.reports).notes
    assert silent == "the trades of 2 orders are not known: entry-1, exit-1"


def test_a_run_that_sends_nothing_has_none_of_it():
    source = tn.frame_exchange({SYMBOL: frame(rows(*FLAT))})
    run = tn.live.rehearse(SYMBOL, strategy=buys_at(75), exchange=source, speed=None)
    assert run.wait(240)
    found = tn.parity(run)
    assert (found.replay, found.executed, found.ledger) == (None, None, None)
    assert found.execution_causes == {}
    assert len(found.execution_table) == 0


def unfilled():
    """Nobody has armed it."""
    return lived(FLAT, armed=False)


def partial():
    return lived(FLAT, faults=[VenueFault("partial", role="entry")])


def intra_candle_stop():
    """The exchange was at the target before the stop; on paper the worse comes first."""
    market = rows(*FLAT)
    market[80] = (100.0, 102.1, 97.0, 100.0, 1_000.0)
    return lived(market)


def slippage():
    """The price has moved when the entry arrives."""
    market = rows(*FLAT)
    market[75] = (100.1, 100.1, 100.0, 100.0, 1_000.0)
    return lived(market)


def outside():
    def sell(process):
        world = process.world
        now = world.clock.true_now()
        for order in world.venue.live_orders(SYMBOL):
            if world.venue.orders[order.order_id].is_live:
                world.venue.cancel_by_hand(order.order_id, at=now)
        world.venue.trade_by_hand(SYMBOL, "SELL", world.venue.free("BTC"), at=now)

    return lived(FLAT, actions=[Action(minute(85) + 7_000, sell)])


def timing():
    """An exit at market takes a minute, in which the strategy is not asked."""
    return lived(FLAT, buys_at(75, 80, minutes=5))


CAUSES = {
    "unfilled": (unfilled, "limits"),
    "partial": (partial, " of "),
    "intra_candle_stop": (intra_candle_stop, "take_profit live, stop_loss on paper"),
    "slippage": (slippage, ""),
    "outside": (outside, "closed_outside live, open on paper"),
    "timing": (timing, ""),
}


@pytest.mark.no_cover
@pytest.mark.parametrize("cause", CAUSES)
def test_what_execution_changed_has_a_name(cause):
    play, words = CAUSES[cause]
    found = parity_of(play())
    assert found.replay.equal
    assert found.ledger.agrees
    assert cause in found.execution_causes, str(found)
    (first, *_) = [each for each in found.executed if cause in each.causes]
    assert words in first.what
    table = found.execution_table
    assert cause in ", ".join(table["causes"])


def test_every_cause_is_tried():
    assert set(CAUSES) == set(EXECUTION_CAUSES)


@pytest.mark.no_cover
def test_a_price_that_moved_against_the_entry_is_counted_in_basis_points():
    (trade,) = parity_of(slippage()).executed
    assert (trade.entry_paper, trade.entry_live) == (100.0, 100.1)
    assert trade.entry_bp == pytest.approx(10)


def test_the_table_of_execution_has_the_dtypes_of_any_rows():
    one = parity_of(lived([*[100.0] * 80, 103.0, *[103.0] * 60])).execution_table
    none = parity_of(lived(FLAT, buys_at())).execution_table
    assert len(one) == 1
    assert len(none) == 0
    assert one.dtypes.equals(none.dtypes)


def changed_report(kind, **values):
    def change(evidence):
        reports = tuple(
            replace(each, values={**each.values, **values}) if each.values["kind"] == kind else each
            for each in evidence.reports
        )
        assert reports != evidence.reports
        return replace(evidence, reports=reports)

    return change


def without_report(place):
    def change(evidence):
        kept = evidence.reports[:place] + evidence.reports[place + 1 :]
        return replace(evidence, reports=kept)

    return change


def changed_fill(**values):
    """The ledger with another last trade."""

    def change(evidence):
        ledger = evidence.ledger
        name = "orders" if ledger.orders else "past"
        orders = [*getattr(ledger, name)]
        last = max(place for place, order in enumerate(orders) if order.fills)
        order = orders[last]
        fill = order.fills[-1]._replace(**values) if values else None
        fills = (*order.fills[:-1], *([fill] if fill else []))
        orders[last] = order._replace(fills=fills)
        return replace(evidence, ledger=ledger._replace(**{name: tuple(orders)}))

    return change


REPLAY_MUTANTS = {
    "the entry's report is dropped": without_report(0),
    "the exit's report is dropped": without_report(1),
    "a fee is altered": changed_report("exited", fees="0.6"),
    "a quantity is off": changed_report("entered", quantity="4.9"),
    "a price is off": changed_report("exited", value="511"),
}
LEDGER_MUTANTS = {
    "a trade is dropped": changed_fill(),
    "a fee is altered": changed_fill(fee=D("0.6")),
    "a fee in another coin": changed_fill(fee_in="other"),
    "a quantity is off": changed_fill(quantity=D("4.9")),
    "a price is off": changed_fill(price=D("102.5")),
    "a trade of nobody": changed_fill(id="77"),
}


@pytest.fixture(scope="module")
def whole_life():
    return lived([*[100.0] * 80, 103.0, *[103.0] * 60])


@pytest.mark.parametrize("name", REPLAY_MUTANTS)
def test_reports_that_were_others_are_caught_by_the_replay(name, whole_life, monkeypatch):
    evidence = REPLAY_MUTANTS[name](evidence_of(whole_life.run))
    monkeypatch.setattr(api, "evidence_of", lambda run: evidence)
    found = parity_of(whole_life)
    assert not found.replay.equal
    assert not found.clean
    assert "replay with the reports of the exchange differs: " in str(found)


@pytest.mark.parametrize("name", LEDGER_MUTANTS)
def test_executions_that_the_exchange_has_otherwise_are_caught(name, whole_life, monkeypatch):
    evidence = LEDGER_MUTANTS[name](evidence_of(whole_life.run))
    monkeypatch.setattr(api, "evidence_of", lambda run: evidence)
    found = parity_of(whole_life)
    assert found.replay.equal
    assert not found.ledger.agrees
    assert not found.clean
    assert "orders do not agree" in str(found)


@pytest.mark.no_cover
@pytest.mark.parametrize("behind", [0, 2_300, 2_700])
def test_an_exchange_whose_clock_is_behind_is_replayed_as_it_was_heard(behind, monkeypatch):
    monkeypatch.setattr(VenueConnection, "now", lambda self: self._true_now() - behind)
    life = lived([*[100.0] * 80, 103.0, *[103.0] * 60])
    found = parity_of(life)
    assert [event.kind for event in life.world.events(life.world.wanted[0])].count("closed") == 1
    assert found.replay.equal, str(found)


@pytest.mark.no_cover
@pytest.mark.parametrize("faults", [None, "all"])
def test_a_rehearsal_with_orders_is_compared_with_its_own_exchange(faults, tmp_path):
    walk = tn.testing.random_walk(seed=3, days=1)
    account = tn.Account(cash=1_000, quote=200)
    given = {} if faults is None else {"faults": faults, "rate": 0.05}
    broker = tn.testing.broker(account=account, **given)

    @tn.strategy("rehearsed", every="15m")
    def rehearsed(ctx):
        return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=30)

    run = tn.live.rehearse(
        "BTCUSDT", strategy=rehearsed, exchange=walk, broker=broker, speed=None, home=tmp_path,
        end="2024-01-01T05:00",
    )  # fmt: skip
    assert run.wait(240)
    found = tn.parity(run)
    assert found.replay.equal, str(found)
    assert found.ledger.agrees, str(found)
    assert found.ledger.asked
    assert len(found.live) > 1
    if faults is None:  # what the steps of the market leave out is no partial fill
        assert "partial" not in found.execution_causes, found.execution_table.what


@pytest.mark.no_cover
@pytest.mark.parametrize("account", [tn.Account(cash=5_000, percent=10), None])
def test_a_run_that_begins_anew_goes_on_with_the_money_of_the_one_before(account):
    """Its entries are sized by what that one made."""
    prices = [*[100.0] * 80, 103.0, *[103.0] * 80]
    stop = Action(minute(90), lambda process: process.runs[0].stop())
    life = lived(prices, buys_at(75, take_profit=102.0), actions=[stop], account=account)
    before = life.world.checkpoint(life.world.wanted[0]).state
    assert before.done
    assert before.earned != 0
    again = buys_at(125, take_profit=104.0, stop_loss=101.0)
    life.world.wanted = [(SYMBOL, again)]
    process = life.world.process()
    assert process.live(minute(150))
    found = tn.parity(process.runs[0], strategy=again)
    assert found.replay.equal, str(found)
    assert found.replay.events >= 2
    assert found.ledger.agrees, str(found)


def test_of_a_shared_account_the_size_of_an_entry_is_not_compared(whole_life):
    events = whole_life.world.events(whole_life.world.wanted[0])
    other = [each._replace(quantity=1.0) if each.kind == "entering" else each for each in events]
    assert not check_replay(events, other).equal
    assert check_replay(events, other, shares=True).equal


def test_a_position_that_is_abandoned_is_no_difference():
    """Its symbol gives no candle any more, so a person has it sold."""

    def gone(process):
        process.world.exchange.troubles = [Trouble("error", 0, minute(130))]

    def abandon(process):
        process.runs[0].abandon(100.0)

    actions = [Action(minute(85) + 20_000, gone), Action(minute(120), abandon)]
    life = lived(FLAT, actions=actions, until=140)
    kinds = [(event.kind, event.exit_reason) for event in life.world.events(("BTCUSDT", life.spec))]
    assert ("exiting", "abandoned") in kinds, kinds
    assert parity_of(life).replay.equal
