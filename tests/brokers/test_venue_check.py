"""The probes of an exchange on loopback, what they keep, and what counts as checked."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.brokers.accounts import D
from tests.brokers.loopback import account, on
from tests.sources import MINUTE, T0, frame
from tests.testing.server.conftest import FLAT, HELD
from tradenb.brokers.checking import venue_file
from tradenb.brokers.checking.probe_account import ProbeAccount
from tradenb.brokers.checking.venue_file import ccxt_version, venue_trouble, write_venue_check
from tradenb.brokers.checking.venue_probes import ProbeResult, VenueProbes
from tradenb.cli import main
from tradenb.core.orders.answers import QueryFailed, Unclear
from tradenb.core.orders.client_ids import is_ours
from tradenb.core.timeframe import DAY
from tradenb.errors import StateWriteError
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_port import OrderPort
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home
from tradenb.testing import ExchangeServer
from tradenb.testing.server.server_account import CREDENTIALS, loopback_keys

DISK = DiskFilesystem(durable=False)
LIVE = "live:binance:1a2b3c4d"


def probed(server, clock, *, behind=10_000, change=lambda port: None):
    """Run all probes; gives what each found, by name."""

    async def life(port):
        change(port)
        options = {**server.options, **loopback_keys(), "rateLimit": 0.001}
        client = OrderClient("binance", options, now=lambda: clock.now() - behind, seconds=30.0)
        late = OrderPort(
            client, port.venue, port.market, symbol="BTCUSDT", base="BTC", quote="USDT"
        )
        try:
            at = ProbeAccount(port, "BTC", D(100), wait=clock.wait)
            return await VenueProbes(at, late).run()
        finally:
            await client.close()

    return {result.name: result for result in on(server, clock, life)}


def test_the_loopback_keeps_every_rule_and_is_left_as_it_was():
    with account() as (server, clock):
        found = probed(server, clock)
        venue = server.venue.venue
        assert [each for each in found.values() if each.passed is False] == []
        assert [name for name, each in found.items() if each.passed is None] == [
            "partial_target", "lost_answer",
        ]  # fmt: skip
        assert len(found) == 20
        assert venue.live_orders("BTCUSDT") == ()
        assert abs(venue.total("BTC") - HELD["BTC"]) < D("0.2")
        assert not any(is_ours(order.client_id) for order in venue.orders.values())


@pytest.mark.parametrize("stop_market", [True, False])
def test_a_market_with_other_orders_is_tried_with_what_it_has(stop_market):
    def change(port):
        port.market = port.market._replace(stop_market=stop_market)
        port.venue = port.venue._replace(lists=stop_market)

    with account() as (server, clock):
        found = probed(server, clock, change=change)
    assert found["duplicate_open"].passed
    assert (found["locked"].passed is None) is not stop_market
    assert ("no lists" in found["would_trigger"].words) is not stop_market


def failed(server, clock, **more):
    return [name for name, each in probed(server, clock, **more).items() if each.passed is False]


def test_an_exchange_that_takes_what_is_too_late_fails():
    with account() as (server, clock):
        assert failed(server, clock, behind=0) == ["late"]


def test_an_exchange_that_does_not_find_orders_by_their_id_fails():
    with account() as (server, clock):
        server.fault("not_found", times=None)
        assert "query" in failed(server, clock)


def test_an_exchange_that_shows_no_trades_fails():
    with account() as (server, clock):
        server.fault("drop", answer="-1007", path="myTrades", times=None)
        assert "trades" in failed(server, clock)


def test_where_nothing_is_bought_the_rest_is_not_tried_and_nothing_is_left():
    with account(balances={"USDT": 1}) as (server, clock):
        found = probed(server, clock)
        assert "nothing was bought" in found["place"].words
        assert found["protection_list"].passed is not True
        assert found["clean"].passed
        assert server.venue.venue.total("USDT") == 1


def test_every_answer_lost_or_made_up_is_a_failure_and_never_an_error():
    with account() as (server, clock):
        found = probed(
            server, clock, change=lambda _: server.fault("accept", answer="braces", times=None)
        )
    assert found["place"].passed is False
    assert found["clean"].passed is False


SUBMITTED = {2: "too_small", 3: "wrong_step", 6: "protection_list", 8: "would_trigger", 10: "exit"}
"""The probe that each request for an order belongs to."""


@pytest.mark.parametrize("place", SUBMITTED)
def test_an_answer_that_proves_nothing_fails_its_probe(place):
    def change(port):
        submit, count = port.submit, iter(range(1, 99))

        async def unclear_once(order):
            return Unclear(order.id, "lost") if next(count) == place else await submit(order)

        port.submit = unclear_once

    with account() as (server, clock):
        assert failed(server, clock, change=change) == [SUBMITTED[place]]


def test_queries_and_checks_that_bring_nothing_fail_their_probes():
    async def unanswered(order):
        return QueryFailed(order.id)

    def change(port):
        port.query = port.check = unanswered

    with account() as (server, clock):
        assert failed(server, clock, change=change) == [
            "query", "unknown_id", "order_test", "cancel", "cancel_after_fill", "protection_list",
            "cancel_list",
        ]  # fmt: skip


def test_lists_that_show_nothing_of_ours_fail_and_leave_a_doubt():
    def change(port):
        read = port.overview

        async def of_others(since):
            return (await read(since))._replace(orders=(), fills=())

        port.overview = of_others

    with account() as (server, clock):
        assert failed(server, clock, change=change) == ["trades", "duplicate_open"]


GOOD = (ProbeResult("place", True, "bought"), ProbeResult("lost_answer", None, "not tried"))


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def checked(home, mode="sandbox", results=GOOD, at=DAY):
    write_venue_check(DISK, home, "binance", mode, "BTCUSDT", results, at)


@pytest.mark.parametrize("mode", ["sandbox", "live"])
def test_a_check_counts_for_thirty_days(home, mode):
    checked(home, mode)
    assert venue_trouble(DISK, home, LIVE, 31 * DAY) == ""
    assert "30 days count" in venue_trouble(DISK, home, LIVE, 31 * DAY + 1)
    assert "30 days count" in venue_trouble(DISK, home, LIVE, DAY - 1)


def test_a_sandbox_needs_none_and_a_live_account_does(home):
    assert venue_trouble(DISK, home, "sandbox:binance:1a2b3c4d", 0) == ""
    words = "binance was not checked; run tradenb venue-check binance --sandbox"
    assert venue_trouble(DISK, home, LIVE, 0) == words


def test_one_good_check_is_enough(home):
    checked(home, "live", (ProbeResult("place", False, "nothing"),))
    assert "binance failed place" in venue_trouble(DISK, home, LIVE, DAY)
    checked(home, "sandbox")
    assert venue_trouble(DISK, home, LIVE, DAY) == ""


def test_a_check_counts_for_its_version_of_ccxt(home, monkeypatch):
    checked(home)
    major, minor, *_ = ccxt_version().split(".")
    monkeypatch.setattr(venue_file, "ccxt_version", lambda: f"{major}.{minor}.99999")
    assert venue_trouble(DISK, home, LIVE, DAY) == ""
    monkeypatch.setattr(venue_file, "ccxt_version", lambda: f"{major}.{int(minor) + 1}.0")
    assert "was checked with ccxt" in venue_trouble(DISK, home, LIVE, DAY)


@pytest.mark.parametrize("change", [{"probes": []}, {"mode": "live"}, {"key": "x"}, {"at": "now"}])
def test_a_file_of_anything_else_is_not_a_check(home, change):
    checked(home)
    path = home.venue_check("binance", "sandbox")
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    assert venue_trouble(DISK, home, LIVE, DAY) != ""


def test_a_check_that_cannot_be_written_is_told(home):
    home.data.mkdir()
    (home.data / "venues").write_text("a file")
    with pytest.raises(StateWriteError, match="could not be written"):
        checked(home)


KEYS = ["--key", "env:TRADENB_LOOPBACK_KEY", "--secret", "env:TRADENB_LOOPBACK_SECRET"]


def test_the_command_keeps_what_was_seen_and_no_secret(home, capsys, unlimited):
    loopback_keys()
    with ExchangeServer(frame([FLAT] * 30), now=T0 + 3 * MINUTE, balances=HELD) as server:
        more = ["--symbol", "BTCUSDT", "--url", server.url, "--home", str(home.root), "--json"]
        assert main(["venue-check", "binance", *KEYS, *more]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["passed"] for each in told["probes"]} == {True, None}
    kept = home.venue_check("loopback", "sandbox").read_text()
    assert json.loads(kept)["ccxt"] == ccxt_version()
    for secret in (CREDENTIALS.key, CREDENTIALS.secret, "env:"):
        assert secret not in kept


def test_real_money_needs_a_person(home, capsys):
    more = ["--symbol", "BTCUSDT", "--home", str(home.root)]
    assert main(["venue-check", "binance", *KEYS, *more]) == 2
    assert "uses real money and asks a person" in capsys.readouterr().err
    assert not home.data.exists()


def test_somebody_who_types_anything_else_is_not_taken_for_willing(home, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    monkeypatch.setattr(sys, "stdout", Terminal())
    more = ["--symbol", "BTCUSDT", "--home", str(home.root)]
    assert main(["venue-check", "binance", *KEYS, *more]) == 1
    assert not home.data.exists()
