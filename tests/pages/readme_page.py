"""What the Python blocks of the README do, in its order: each goes on with the names before it."""

from __future__ import annotations

import threading

import pandas as pd

import tradenb as tn
from tests.live.fast import until
from tests.pages.kit import Kit
from tests.pages.python_page import PythonPage
from tradenb.live.notifications import api
from tradenb.live.run_registry import run_registry


def readme(page: PythonPage, kit: Kit) -> None:
    """All of them; a section is a step."""
    kit.binance(tn.testing.random_walk(seed=7, days=90), now="2024-03-15")
    for section in (backtest, live, panel, real_orders, script, research, candles, rules):
        section(page, kit)


def backtest(page: PythonPage, kit: Kit) -> None:
    assert len(page.run().trades) == 48  # as the README says below it
    names = page.names
    page.run()
    assert {*names["result"].trades.symbol} == {"BTCUSDT", "ETHUSDT"}
    assert "<svg" in (kit.folder / "report.html").read_text("utf-8")


def live(page: PythonPage, kit: Kit) -> None:
    page.run()
    run = page.names["run"]
    assert run.wait(240)
    assert run.status == "done"  # a stop ends it at once where nothing is open
    ended = threading.Thread(target=release_when_it_runs)
    ended.start()
    page.run()  # its loop goes on for as long as the run
    ended.join()
    rehearsal = page.run()
    assert until(lambda: len(rehearsal.ticks()), "a tick of the rehearsal")
    rehearsal.release()
    assert rehearsal.wait(240)


def release_when_it_runs() -> None:
    """Release the run of the README once a loop has started it."""
    run = until(lambda: [each for each in run_registry.runs() if each.status == "running"], "a run")
    run[0].release()


def panel(page: PythonPage, kit: Kit) -> None:
    shown = page.run()
    assert "BTCUSDT" in shown._repr_mimebundle_()[0]["text/html"]
    shown.close()
    told = page.run()
    assert [told.settings] == api.active_settings()
    assert told.settings["heartbeat"] == "env:BEAT_URL"


def real_orders(page: PythonPage, kit: Kit) -> None:
    answer = page.run()
    run = page.names["run"]
    assert (bool(answer), len(answer.code), run.status) == (False, 6, "running")
    assert "at most 100 an order, 3 positions at a time, 300 in all" in answer.words
    running = [each for each in kit.runs() if not each.ended.is_set()]
    accounts = {each.broker.id.rpartition(":")[0] for each in running}
    assert accounts == {"sandbox:rehearsal", "sandbox:binance"}


def script(page: PythonPage, kit: Kit) -> None:
    exported = page.run()
    text = (kit.folder / "dip_bot.py").read_text("utf-8")
    assert exported.strategies == ("dip",)
    assert "env:BINANCE_KEY" in text


def research(page: PythonPage, kit: Kit) -> None:
    names = page.names
    compared = page.run()
    assert len(names["table"]) == 4
    assert names["trial"](fast=5, slow=50).sharpe in {*names["table"].sharpe}
    assert [*compared.index.get_level_values(0)] == ["cross", "dip"]

    # Binance in the spring of the walk, and a run that has lived through a trade there.
    kit.new_home()
    kit.binance((tn.candles("BTCUSDT", exchange=names["ex"]) * 1.0007).round(2))
    trade = names["result"].trades.iloc[0]
    hour = pd.Timedelta(hours=1)
    period = {"start": trade.opened_at - hour, "end": trade.closed_at + hour, "speed": None}
    given = {"strategy": names["dip"], "exchange": tn.ccxt_exchange("binance"), "home": kit.folder}
    names["run"] = tn.live.rehearse("BTCUSDT", **period, **given)
    assert names["run"].wait(240)
    kit.patch.setenv("TRADENB_HOME", str(kit.folder / "rehearsal"))
    assert page.run().verdict == "clean"


def candles(page: PythonPage, kit: Kit) -> None:
    names = page.names
    day = {"start": "2024-01-01", "end": "2024-01-02"}
    (kit.folder / "data").mkdir()
    walk = tn.candles("BTCUSDT", exchange=names["ex"], **day)
    walk.to_parquet(kit.folder / "data" / "BTC-USD-1m-2024-03.parquet")
    text = page.left[0].text
    page.run()
    assert (len(names["df"]), len(names["daily"])) == (31 * 1_440, 31)
    said = names["binance"].format_price("BTC/USDT", 42_123.456789)
    assert f"  # {said!r}, as the exchange takes it" in text
    files = tn.file_exchange("data/*.parquet")
    assert len(tn.candles("BTC-USD", exchange=files)) == len(walk)
    first = walk.index[0].value // 10**6
    names["rows"] = [[first + 60_000 * minute, *[1.0] * 5] for minute in range(1_440)]
    assert len(tn.candles("BTCUSDT", exchange=names["mine"], **day)) == 1_440

    kit.new_home()
    trouble = page.run()
    assert (trouble.kind, trouble.times) == ("html", 3)
    trouble.end()
    server, run = names["server"], names["run"]
    until(lambda: any(served.status == 200 for served in server.requests), "an answer")
    assert run.status == "running"
    kit.servers.callback(server.close)


def rules(page: PythonPage, kit: Kit) -> None:
    page.run()

    @tn.strategy("careful", every="1h", risk=page.names["one_at_a_time"])
    def careful(ctx):
        return tn.long(**tn.bracket(stop=5, target=5), minutes=120)

    walk = tn.testing.random_walk(seed=7, days=1)
    result = tn.backtest.run(["BTCUSDT", "ETHUSDT"], strategy=careful, exchange=walk)
    assert "24 refused by one-at-a-time" in result.why()
