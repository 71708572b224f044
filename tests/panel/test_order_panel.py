"""Accounts, orders and shields in the dashboard; of runs without a broker there is none of it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.brokers.faces import AT, copied, protected, unprotected
from tests.order_lives.live_order_life import ACCOUNT
from tradenb.brokers.arming.arm_file import trip
from tradenb.clock import wall_ms
from tradenb.live.status.listing import statuses
from tradenb.panel.dashboard_model import DashboardModel
from tradenb.panel.dashboard_rows import order_of
from tradenb.panel.page_dashboard import READ_ONLY, PageDashboard
from tradenb.panel.static_html import dashboard_html
from tradenb.panel.watch_runs import Watch
from tradenb.store.control import kill_switch
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock

DISK = DiskFilesystem(durable=False)
KEY = "live:BTCUSDT:orders-once"
KILL = {"type": "request", "kind": "kill", "id": "0123456789ab", "key": KEY, "wall": AT}


@pytest.fixture(autouse=True)
def at(monkeypatch):
    """Now is the moment at which the worlds end."""
    monkeypatch.setattr("tradenb.live.status.run_files.wall_ms", lambda: AT)


@pytest.fixture(scope="module")
def made():
    return protected()


@pytest.fixture
def home(made, tmp_path):
    return copied(made, tmp_path)


def model(home):
    found = DashboardModel(Watch(home.root))
    found.poll()
    return found


def test_a_protected_position_has_a_shield_and_its_account_a_banner(home):
    shown = model(home)
    (row,), (account,) = shown.rows, shown.orders["accounts"]
    assert row["shields"] == [
        {"level": "good", "words": "protected by a stop at 99.00", "since": None}
    ]
    assert row["alarms"] == []
    assert (account["name"], account["mode"], account["level"]) == (ACCOUNT, "sandbox", "good")
    assert account["state"] == "armed until 2024-01-08 01:00:02 UTC"
    assert account["used"][0] == "invested 499.5 of 5,000 USDT"
    assert account["balance"].startswith("6.995 BTC (4.995 in orders), 9,500 USDT at 01:1")
    assert not account["killed"]
    orders = [(each["role"], each["state"], each["level"]) for each in shown.orders["rows"]]
    assert orders == [("protection", "working", "live"), ("entry", "filled", "done")]


def test_what_is_sent_of_orders_does_not_change_while_only_time_passes(home, monkeypatch):
    before = model(home)
    monkeypatch.setattr("tradenb.live.status.run_files.wall_ms", lambda: AT + 5_000)
    after = model(home)
    assert before.orders == after.orders
    assert [row["shields"] for row in before.rows] == [row["shields"] for row in after.rows]


def test_a_position_without_a_stop_is_red_with_its_beginning(tmp_path):
    home = copied(unprotected(), tmp_path)
    with FileLock(DISK, home.lock(next(home.keys(DISK))), what="test"):  # a process runs it
        shown = model(home)
    (row,) = shown.rows
    (shield,) = row["shields"]
    assert shield["level"] == "bad"
    assert shield["words"].startswith("NOT protected since 01:22:")
    assert shield["since"] < AT - 10_000
    assert row["status"] == "alarm"
    assert row["trouble"].startswith("4.995 pieces have no stop at the exchange since")
    assert shown.health["level"] == "bad"


def test_a_run_with_an_alarm_comes_before_those_that_run_well(tmp_path):
    (bare,) = statuses([], copied(unprotected(), tmp_path))
    well = dataclasses.replace(bare, symbol="ADAUSDT", status="running", orders=None)
    running = dataclasses.replace(bare, status="running")
    assert sorted([well, running], key=order_of) == [running, well]


def test_an_account_that_a_rule_disarmed_is_in_the_health_line(home):
    trip(DISK, home, ACCOUNT, "21 lost today", AT)
    shown = model(home)
    (account,) = shown.orders["accounts"]
    assert (account["level"], account["armed"]) == ("bad", False)
    assert account["state"].startswith("disarmed: 21 lost today")
    assert "1 account disarmed by a rule" in shown.health["words"]


def test_the_picture_without_widgets_says_the_same(home):
    page = dashboard_html(model(home))
    assert f"<b>SANDBOX</b> {ACCOUNT} · armed until" in page
    assert "protected by a stop at 99.00" in page
    assert "sell 4.995 stop 99.00, target 102.00" in page


def test_beside_an_account_the_equity_of_the_chart_says_what_it_is(home, rehearse, dashboards):
    assert model(home).chart()["equity"]["title"] == "Equity if each trade had all of it, %"
    run = rehearse()
    assert run.wait(240)
    plain = dashboards(run.home).model
    assert plain.chart()["equity"]["title"] == "Equity, %"


@pytest.mark.no_cover
def test_runs_without_a_broker_have_none_of_it(rehearse, dashboards):
    run = rehearse()
    assert run.wait(240)
    shown = dashboards(run.home)
    assert shown.orders == {"accounts": [], "rows": []}
    assert all(row["shields"] == row["alarms"] == [] for row in shown.rows)
    page = dashboard_html(shown.model)
    assert "tnb-orders" not in page.split("</style>")[1]
    assert "Orders" not in page


def test_a_rehearsal_counts_by_its_own_clock(made, tmp_path):
    home = copied(made, tmp_path / "rehearsal")
    (account,) = model(home).orders["accounts"]
    ago = wall_ms() - account["checked"]
    (run,) = (status for status in statuses([], home) if status.orders is not None)
    assert run.orders.at < AT + 60_000  # its clock stands still
    assert 0 <= ago - (run.orders.at - run.orders.checked_at) < 60_000


def test_the_kill_button_turns_the_switch_of_the_home_on(home, dashboards):
    shown = dashboards(home.root)
    said = []
    shown.send = said.append
    shown._handle_custom_msg(KILL, [])
    assert kill_switch(DISK, home.kill) == "flatten"
    assert [each["channel"] for each in said] == ["kernel"]
    shown.refresh()
    shown.model.poll()
    (account,) = shown.model.orders["accounts"]
    assert account["killed"]
    assert account["state"] == (
        "kill switch on (flatten): no entries; still armed until 2024-01-08 01:00:02 UTC"
    )


def test_a_kill_for_a_run_that_is_not_known_turns_nothing_on(home, dashboards):
    shown = dashboards(home.root)
    said = []
    shown.send = said.append
    shown._handle_custom_msg(KILL | {"key": "live:X:y"}, [])
    assert kill_switch(DISK, home.kill) is None
    assert [each["channel"] for each in said] == ["none"]


def test_all_that_is_sent_is_plain_json(home):
    shown = model(home)
    assert json.loads(json.dumps(shown.orders)) == shown.orders


def test_a_page_that_only_reads_kills_nothing(home):
    told = []
    page = PageDashboard(home.root, told.append, control=False)
    page.begin()
    page.take(json.dumps({"message": KILL}))
    page.close()
    assert kill_switch(DISK, home.kill) is None
    assert READ_ONLY in json.dumps(told)
