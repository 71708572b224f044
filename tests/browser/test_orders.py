"""The banner of an account, the orders and the kill switch, as a person uses them in a browser."""

from __future__ import annotations

import json
import time

import pytest

from tests.browser.test_elsewhere import CUT_OFF, SERVER, VIEW, WIDTHS, row_of
from tradenb.panel.static_fallback import script_of_view, style

ACCOUNT = {
    "name": "live:binance:1a2b3c4d", "home": "/srv/dump", "mode": "live", "armed": True,
    "level": "good", "state": "armed until 2026-01-01 20:00 UTC by anna",
    "used": ["invested 140 of 300 USDT", "loss today 3 of 20", "open 1 of 3"],
    "balance": "0.5 BTC (0.5 in orders), 812.5 USDT", "checked": None, "killed": False,
}  # fmt: skip
ORDER = {
    "id": "1", "run": "swing on BTCUSDT", "sent": "2026-01-01 12:00:02", "role": "protection 2",
    "order": "sell 0.5 stop 98.00, target 102.00", "state": "working", "since": None,
    "filled": "0.25 at 98.00", "note": "-2010 would trigger immediately", "level": "live",
}  # fmt: skip


def show(page, *rows, accounts=(ACCOUNT,), orders=(ORDER,), homes=None, server=""):
    """Open the view alone; it keeps what it sends, and nobody answers."""
    state = {
        "rows": rows, "more": 0, "health": {"level": "good", "words": ["1 of 1 run running"]},
        "orders": {"accounts": accounts, "rows": orders}, "pictures": {}, "homes": homes or {},
        "frozen": False, "beat": 0, "fallback": "", "events": {"total": 0, "rows": []},
    }  # fmt: skip
    view = VIEW.replace("send: none", "send: (message) => (window.sent ??= []).push(message)")
    text = view.replace("SCRIPT", script_of_view()).replace("STATE", json.dumps(state))
    page.set_content(f"{server}<style>body {{ margin: 0 }} {style()}</style>{text}")


def requests(page):
    return [
        (each["kind"], each["key"])
        for each in page.evaluate("() => window.sent ?? []")
        if each["type"] == "request"
    ]


def test_kill_asks_once_and_names_the_command_that_waits_for_no_kernel(page):
    show(page, row_of())
    kill = page.locator(".tnbd-kill")
    kill.click()
    assert kill.inner_text() == "Close all, no new entries?"
    assert requests(page) == []
    kill.click()
    assert requests(page) == [("kill", "live:BTCUSDT:swing")]
    said = page.locator(".tnbd-notes li")
    said.filter(has_text="tradenb kill --home /srv/dump").wait_for()
    assert page.wrong == []


def test_kill_goes_through_the_server_while_the_kernel_is_busy(page):
    written = []

    def take(route):
        if route.request.method == "PUT":
            written.append((route.request.url, route.request.post_data_json["content"]))
        route.fulfill(json={"content": "h1"})

    page.route("http://lab/api/**", take)
    page.route("http://lab/", lambda route: route.fulfill(body=SERVER, content_type="text/html"))
    page.goto("http://lab/")
    show(page, row_of(), homes={"/srv/dump": {"id": "h1", "beside": ""}}, server=SERVER)
    page.locator(".tnbd-kill").click()
    page.locator(".tnbd-kill").click()
    page.locator(".tnbd-notes li").filter(has_text="on, through the server").wait_for()
    assert written == [("http://lab/api/contents/dump/data/KILL", "flatten\n")]
    assert page.wrong == []


def test_the_switch_that_is_on_cannot_be_turned_on_again(page):
    show(page, row_of(), accounts=[ACCOUNT | {"killed": True}])
    assert page.locator(".tnbd-kill").is_disabled()


def test_runs_without_a_broker_have_no_banner_no_orders_and_no_kill(page):
    show(page, row_of(), accounts=(), orders=())
    assert page.locator(".tnbd-stop, [aria-label='Stop all runs: no new signals']").is_visible()
    for hidden in (".tnbd-kill", ".tnbd-account", ".tnbd-orders", ".tnbd-shields"):
        assert page.locator(f"{hidden}:visible").count() == 0, hidden


def test_the_time_without_a_stop_goes_on_between_two_messages(page):
    since = int(time.time() * 1000) - 40_000
    shield = {"level": "bad", "words": "NOT protected since 12:05:10 UTC", "since": since}
    show(page, row_of(shields=[shield]))
    said = page.locator(".tnbd-shields [data-level=bad]")
    assert said.inner_text().startswith("NOT protected since 12:05:10 UTC (4")
    said.filter(has_text="(43 s)").wait_for(timeout=10_000)


@pytest.mark.parametrize("width", WIDTHS)
def test_banner_and_shield_are_never_cut_off(page, width):
    shield = {"level": "doubt", "words": "protected by a stop at 98.00, last seen 12:00:01 UTC",
              "since": None}  # fmt: skip
    page.set_viewport_size({"width": width, "height": 900})
    show(page, row_of(shields=[shield]))
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    cut = CUT_OFF.replace(".tnbd button", ".tnbd-account span, .tnbd-shields div, .tnbd button")
    assert page.evaluate(cut) == []
