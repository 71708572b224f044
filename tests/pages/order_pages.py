"""What the Python blocks of docs/orders.md and docs/real_orders.md do."""

from __future__ import annotations

import re
from typing import Any

import tradenb as tn
from tests.brokers import test_ten_minutes
from tests.live.fast import until
from tests.pages.kit import Kit
from tests.pages.python_page import PythonPage
from tradenb.brokers.arming.one_time_code import show_code

WALK = tn.testing.random_walk(seed=3, days=3)


@tn.strategy("dip", every="15m")
def dip(ctx):
    return tn.long(take_profit=tn.percent(0.8), stop_loss=tn.percent(0.5), minutes=80)


def reads_the_account(run: Any, server: Any, account: str, *, seen: int = 0) -> None:
    """A run goes on; since so many requests it has asked for candles and for what is held."""
    assert run.status == "running"
    assert run.broker.id.rpartition(":")[0] == account
    for word in ("klines", "account"):
        until(
            lambda word=word: any(each.path.endswith(word) for each in server.requests[seen:]),
            f"a request of {word}",
        )


def orders(page: PythonPage, kit: Kit) -> None:
    """docs/orders.md: each way to run has a home of its own here."""
    binance = kit.binance(WALK, now="2024-01-02T12:00")
    page.names["dip"] = dip
    found, paid = page.run()
    assert (len(found), len(paid)) == (0, 0)
    reads_the_account(page.names["run"], binance, "sandbox:binance")

    kit.new_home()
    page.run()
    server, on_server = page.names["server"], page.names["run"]
    kit.servers.callback(server.close)
    reads_the_account(on_server, server, "sandbox:loopback")

    kit.new_home()
    seen = len(binance.requests)
    page.run()
    reads_the_account(page.names["run"], binance, "dry:binance", seen=seen)
    assert binance.venue.venue.orders == {}

    kit.new_home()
    found, paid, wire = page.run()
    assert {"entry", "protection"} <= {*found.role}
    assert found.query("role == 'entry'").signal_id.is_unique
    assert {*paid.signal_id} <= {*found.signal_id}
    assert len(paid) > 3
    assert (wire.fault != "").any()

    page.run()
    parity = page.names["found"]
    assert parity.replay.equal
    assert parity.ledger.agrees
    assert {*paid.signal_id} <= {*parity.execution_table.signal_id}
    assert len(parity.execution_table) > 2

    kit.new_home()
    page.names["run"] = tn.live.background(
        "BTCUSDT", strategy=dip, exchange=server.exchange(), broker=on_server.broker
    )
    letters = iter("HKWFRA")  # the code that is shown is that of the page
    kit.patch.setitem(show_code.__kwdefaults__, "choose", lambda _: next(letters))
    ended = page.run()
    assert ended.words == f"{on_server.broker.id} is disarmed; stops and exits go on"


def real_orders(page: PythonPage, kit: Kit) -> None:
    """docs/real_orders.md: the ten minutes are run from beginning to end by a test of their own."""
    steps = [page.take().text for _ in range(3)]
    assert steps == [test_ten_minutes.BOT, test_ten_minutes.SERVER, test_ten_minutes.BROKER]
    block = page.take()
    binance = kit.binance(WALK, now="2024-01-02T12:00")
    page.names["tn"] = tn
    for mode in ("live", "sandbox", "dry"):
        page.run_text(block.text.replace('mode="dry"', f'mode="{mode}"'), block.place)
        assert page.names["broker"].id.startswith(f"{mode}:binance:")
    bot = steps[0][steps[0].index("@tn.strategy") :]
    bot = bot.replace("server.exchange()", 'tn.ccxt_exchange("binance")')
    bot = re.sub(r"broker=.*\n", "broker=broker,\n", bot)
    reads_the_account(page.run_text(bot, "bot.py"), binance, "dry:binance")
