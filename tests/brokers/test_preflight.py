"""What is looked at before an account is armed; each reason at its bound, and read on loopback."""

from __future__ import annotations

import asyncio

import pytest

import tradenb as tn
from tests.brokers.accounts import D
from tests.sources import MINUTE, T0, frame
from tests.testing.server.conftest import FLAT, HELD
from tradenb.brokers.arming.api import NOT_LOOKED_AT, _preflight
from tradenb.brokers.arming.arm_target import ArmTarget
from tradenb.brokers.broker import broker
from tradenb.brokers.broker_file import record_broker
from tradenb.brokers.checking import preflight_reading
from tradenb.brokers.checking.preflight import UNKNOWN_RIGHT, PreflightFacts, preflight, unknowns
from tradenb.brokers.checking.preflight_reading import looked_at, read_preflight
from tradenb.errors import ExchangeError
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home
from tradenb.testing import ExchangeServer
from tradenb.testing.server.server_account import loopback_keys

GOOD = PreflightFacts(
    symbol="BTCUSDT", may_withdraw=False, may_trade=True, is_trading=True, free=D(400),
    invested=D(100), cash=D(500), quote="USDT", clock_ahead_ms=1_000, clock_unsure_ms=0,
    window_ms=3_000,
)  # fmt: skip
CASES = [
    ({"may_withdraw": True}, "withdraw", "the key may withdraw money"),
    ({"may_trade": False}, "trade", "the key may not trade"),
    ({"is_trading": False}, "market", "BTCUSDT is not traded now"),
    ({"cash": D("500.01")}, "balance", "500 USDT are there, cash of the account is 500.01"),
    ({"clock_ahead_ms": 1_001}, "clock", "off by 1001 ms"),
    ({"clock_ahead_ms": -1_001}, "clock", "off by -1001 ms"),
    ({"clock_ahead_ms": 1_051, "clock_unsure_ms": 50}, "clock", "off by 1051 ms"),
]


def test_a_good_account_has_no_problems():
    assert preflight(GOOD) == ()
    assert preflight(GOOD._replace(may_withdraw=None, clock_ahead_ms=-1_000)) == ()


def test_a_slow_answer_is_no_clock_that_is_off():
    slow = GOOD._replace(clock_ahead_ms=-1_382, clock_unsure_ms=1_400)
    assert preflight(slow) == ()
    assert [*unknowns(slow)] == [
        "the clock could not be checked: the exchange took 2.8 s to say its time"
    ]
    assert [*unknowns(GOOD._replace(clock_unsure_ms=1_000))] == []


@pytest.mark.parametrize(("change", "name", "words"), CASES)
def test_each_problem_is_named_alone(change, name, words):
    (problem,) = preflight(GOOD._replace(**change))
    assert problem.name == name
    assert words in problem.words


@pytest.fixture
def server():
    loopback_keys()
    with ExchangeServer(frame([FLAT] * 30), now=T0 + 3 * MINUTE, balances=HELD) as server:
        yield server


def options(server):
    return {**server.options, **loopback_keys(), "rateLimit": 0.001}


def broker_of(server, cash):
    account = tn.Account(cash=cash, percent=10)
    return broker("binance", account=account, mode="sandbox", **options(server))


def test_the_facts_are_read_at_the_exchange(server):
    found = asyncio.run(
        read_preflight("binance", options(server), "BTCUSDT", cash=D(500), invested=D(0))
    )
    assert abs(found.clock_ahead_ms) < 1_000
    assert found == GOOD._replace(
        free=D(HELD["USDT"]),
        invested=0,
        clock_ahead_ms=found.clock_ahead_ms,
        clock_unsure_ms=found.clock_unsure_ms,
    )


def test_an_account_is_looked_at_while_a_loop_runs(server):
    async def cell():
        return looked_at(broker_of(server, 10_001.0), ["BTCUSDT"], D(0))

    (problem,), unsure = asyncio.run(cell())
    assert problem.endswith("USDT are there, cash of the account is 10001.0; lower it")
    assert unsure == ()


def test_a_key_that_may_withdraw_is_seen(server):
    server.venue.venue.key = server.venue.venue.key._replace(can_withdraw=True)
    (problem,), _ = looked_at(broker_of(server, 1.0), ["BTCUSDT"], D(0))
    assert problem.startswith("the key may withdraw money")


def test_a_right_that_is_not_told_is_said(server):
    server.fault("drop", answer="html_403", path="account/apiRestrictions", times=None)
    assert looked_at(broker_of(server, 1.0), ["BTCUSDT"], D(0)) == ((), (UNKNOWN_RIGHT,))


def test_an_account_that_is_not_shown_is_an_error_and_not_a_pass(server):
    server.fault("drop", answer="html_403", path="account", times=None)
    with pytest.raises(ExchangeError, match="gave no account for BTCUSDT"):
        looked_at(broker_of(server, 1.0), ["BTCUSDT"], D(0))


def test_a_balance_that_is_not_shown_later_is_an_error_too(server, monkeypatch):
    async def nothing(client):
        return None

    monkeypatch.setattr(preflight_reading, "read_account", nothing)
    with pytest.raises(ExchangeError, match="does not show the balance"):
        looked_at(broker_of(server, 1.0), ["BTCUSDT"], D(0))


def test_an_account_that_is_armed_by_its_name_is_looked_at_with_the_keys_of_its_runs(
    server, tmp_path, monkeypatch
):
    disk, home, given = DiskFilesystem(durable=False), Home(tmp_path), broker_of(server, 10_001.0)
    target = ArmTarget(home, given.id, ("BTCUSDT",), ("dip",))
    assert _preflight(disk, target, None) == (NOT_LOOKED_AT,)
    record_broker(disk, home, given)
    with pytest.raises(tn.UsageError, match=r"account is 10001\.0; lower it"):
        _preflight(disk, target, None)
    monkeypatch.delenv("TRADENB_LOOPBACK_KEY")
    (words,) = _preflight(disk, target, None)
    assert words.startswith(NOT_LOOKED_AT)
    assert "'TRADENB_LOOPBACK_KEY' is not set" in words
