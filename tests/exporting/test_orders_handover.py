"""A position at an exchange goes to a script: the same orders, none of them sent again."""

from __future__ import annotations

import signal

import pytest

import tradenb as tn
from tests.brokers.sending_process import KEY
from tests.brokers.test_force_kill import sending
from tests.exporting.notebook import Notebook
from tests.live.fast import until
from tradenb.live.attached_run import AttachedRun
from tradenb.store.paths import find_home

CELL = """
import tradenb as tn


@tn.strategy("buys-once", every="1m", history="10m")
def buys_once(ctx):
    if ctx.state.get("done"):
        return None
    ctx.state["done"] = True
    return tn.long(take_profit=tn.percent(20), stop_loss=tn.percent(10))


rules = tn.Rules(tick_ms=100, settle_seconds=0)
"""


def orders_of(run):
    found = run.orders()
    return list(zip(found.id, found.role, found.state, strict=True))


def posted(server):
    return [each.path for each in server.requests if each.method != "GET"]


@pytest.mark.no_cover
@pytest.mark.realtime
@pytest.mark.timeout(240)
def test_a_killed_run_goes_on_in_a_script_with_its_orders(fresh):
    book = Notebook(CELL)
    with sending() as (server, process):
        handle = AttachedRun(find_home(), KEY)
        before = orders_of(handle)
        process.process.send_signal(signal.SIGKILL)
        process.ended()
        run = tn.live.background(
            "BTCUSDT",
            strategy=book.names["buys_once"],
            exchange=server.exchange(),
            rules=book.names["rules"],
            broker=server.broker(tn.Account(cash=1_000, quote=200)),
            process=True,
        )
        looked = _looks(server)
        until(lambda: _looks(server) > looked, "a look at the protection")
        assert orders_of(run) == before
        assert posted(server) == ["order", "orderList/oco"]
        run.release()
        assert run.wait(240)
        assert len(server.venue.venue.live_orders("BTCUSDT")) == 2


def _looks(server):
    return sum(each.method == "GET" and each.path == "allOrders" for each in server.requests)
