"""What a cell shows of public objects: a short line or a page, never an address or a wall."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from IPython.lib.pretty import pretty

import tradenb as tn
from tests.test_signatures import public
from tradenb.core.candidate import Candidate
from tradenb.live.live_run import record_of

WALL = 480
ADDRESS = re.compile(r"at 0x[0-9a-f]+")
ACCOUNT = tn.Account(cash=1_000, percent=10)
MARKET = tn.testing.random_walk(seed=7, days=2)


class Own(tn.Strategy):
    def get_signal(self, ctx):
        return None


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One of each kind, by the class that the reference names."""
    home, seen = tmp_path_factory.mktemp("home"), {}

    @tn.strategy("seen in a cell", every="1h")
    def seen_in_a_cell(ctx):
        seen.setdefault("context", ctx)
        ladder = [(1.01 * ctx.price, 0.5), (1.03 * ctx.price, 0.5)]
        return tn.long(take_profit=ladder, stop_loss=tn.percent(2), minutes=120)

    @seen_in_a_cell.manage(every="30m")
    def manage(ctx):
        seen.setdefault("position", ctx.position)

    result = tn.backtest.run(
        "BTCUSDT", strategy=seen_in_a_cell, exchange=MARKET, account=ACCOUNT, progress=False
    )
    run = tn.live.rehearse(
        "BTCUSDT", strategy=seen_in_a_cell, exchange=MARKET, home=home, end="2024-01-01T00:20"
    )  # fmt: skip
    assert run.wait(240)
    (attached,) = tn.live.attach(home, ended=True)
    world = tn.testing.World(MARKET, start="2024-01-02", runs=[("BTCUSDT", seen_in_a_cell)])
    events = [max(result.event_list, key=lambda event: len(repr(event)))]
    return {
        **seen, "candles": seen["context"].candles("1h", 3), "run": run, "attached": attached,
        "result": result, "trade": result.trade_list[0], "events": events, "own": Own(),
        "strategy": seen_in_a_cell, "rule": tn.risks.max_open(2), "rules": tn.Rules(),
        "account": ACCOUNT, "market": tn.Market(price_step=0.1),
        "broker": tn.testing.broker(account=ACCOUNT),
        "paper": tn.broker("binance", account=ACCOUNT), "tick": record_of(run).last_ticks[-1],
        "candidate": tn.long(stop_loss=tn.percent(1), take_profit=[(110.0, 0.5), (120.0, 0.5)]),
        "actions": [tn.close(0.5), tn.move(stop_loss=99.0), tn.breakeven(), tn.add(), tn.cancel()],
        "job": tn.backtest.background("BTCUSDT", strategy=seen_in_a_cell, exchange=MARKET),
        "parity": tn.parity(run), "bus": world.bus, "world": world, "process": world.process(),
        "clock": world.clock, "disk": world.disk, "exchange": world.exchange,
        "server": tn.testing.ExchangeServer(MARKET), "workers": tn.testing.InlineWorkers(),
        "server clock": tn.testing.ServerClock("2024-01-01"), "hang": tn.testing.Hang(),
        "server trouble": tn.testing.ServerTrouble("html"), "walk": MARKET,
        "trouble": tn.testing.Trouble("late", 0, 1),
    }  # fmt: skip


def test_no_public_object_shows_an_address_or_a_wall_of_text_in_a_cell(shown):
    texts = {name: pretty(each) for name, each in shown.items()}
    assert {name: text for name, text in texts.items() if ADDRESS.search(text)} == {}
    walls = {name: len(text) for name, text in texts.items() if len(text) > WALL}
    assert set(walls) == {"rules"}  # a front end shows its page
    assert hasattr(shown["rules"], "_repr_html_")


def test_every_public_class_is_among_them(shown):
    kinds = {kind for each in shown.values() for kind in type(each).__mro__}
    kinds |= {type(each) for each in shown["events"]}
    classes = {found for _, found in public() if inspect.isclass(found)}
    missing = {found.__name__ for found in classes - kinds}
    assert missing == set()


def test_events_and_trades_are_a_line_in_a_cell_and_whole_for_a_debugger(shown):
    trade, (event,) = shown["trade"], shown["events"]
    for each in (trade, event):
        assert pretty([each]) == f"[{each}]"
        assert len(str(each)) < 160 < len(repr(each))
    assert str(trade).startswith("<BTCUSDT:seen in a cell long 2024-01-01 ")
    assert str(trade).endswith(f"({trade.exit_reason}), {trade.pnl_percent:+.2f} %>")


def test_a_candidate_and_an_action_are_shown_as_they_are_written():
    for written in (
        "tn.long(take_profit=102.0, stop_loss=tn.percent(1), minutes=60)",
        "tn.short(stop_loss=101.0, note='up')",
        "tn.close(fraction=0.5)",
        "tn.move(stop_loss=99.0, take_profit=None)",
        "tn.cancel()",
    ):
        assert repr(eval(written)) == written
    assert repr(Candidate(position="up", stop_loss=1)) == "Candidate(stop_loss=1, position='up')"


def test_a_candidate_whose_side_is_an_array_is_shown_as_well():
    sides = np.array([1.0, -1.0])
    assert repr(Candidate(position=sides)) == "Candidate(position=array([ 1., -1.]))"
