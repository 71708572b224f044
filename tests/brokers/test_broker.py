"""What `tn.broker` takes, and what it refuses with words."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.core.steps import IDLE, signal
from tradenb.brokers.broker import Broker
from tradenb.clock import SystemClock
from tradenb.live.run_registry import RunRegistry
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.testing.server.server_account import loopback_keys

MONEY = tn.Account(cash=500, percent=20)
LOCAL = {"api": {"public": "http://127.0.0.1:1/api/v3", "private": "http://127.0.0.1:1/api/v3"}}


def made(**more):
    return tn.broker("binance", **{"account": MONEY, **more})


def test_paper_needs_no_key_and_sends_nothing():
    paper = made()
    assert (paper.mode, paper.id, paper.sends_orders) == ("paper", "paper", False)
    assert paper.live_account is MONEY


def test_the_account_of_a_key_is_named_by_mode_place_and_hash():
    one = made(mode="sandbox", urls=LOCAL, **loopback_keys())
    assert one.id.startswith("sandbox:loopback:")
    assert len(one.id.rpartition(":")[2]) == 8
    assert one.sends_orders
    assert one == made(mode="sandbox", urls=LOCAL, **loopback_keys())
    assert one.live_account.name == one.id.replace(":", "-")
    assert "loopback-key" not in repr(one)


def test_the_testnet_is_asked_for_where_no_urls_are_given():
    keys = loopback_keys()
    assert made(mode="sandbox", **keys).options["sandbox"] is True
    live = made(mode="live", **keys)
    assert "sandbox" not in live.options
    assert live.id.startswith("live:binance:")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"mode": "try"}, "unknown mode of a broker 'try'"),
        ({"mode": "dry"}, "mode 'dry' needs apiKey and secret"),
        ({"mode": "live"}, "needs apiKey and secret"),
        ({"mode": "live", "apiKey": "env:K"}, "needs secret"),
        ({"account": 500}, "account must be a tn.Account"),
        ({"mode": "live", "apiKey": "plain", "secret": "env:S"}, "apiKey must say where"),
        ({"mode": "live", "urls": LOCAL, **loopback_keys()}, "takes no urls"),
        ({"mode": "sandbox", "urls": {"api": "https://example.org"}, **loopback_keys()}, "machine"),
        (
            {"mode": "sandbox", "account": tn.Account(cash=500, percent=20, leverage=2)},
            "leverage 2",
        ),
    ],
)
def test_what_cannot_work_is_refused(more, words):
    with pytest.raises(tn.UsageError, match=words):
        made(**more)


def test_an_exchange_without_orders_is_refused_and_the_nearest_is_named():
    with pytest.raises(tn.UsageError, match=r"unknown exchange for orders .binanc.*binance"):
        tn.broker("binanc", account=MONEY)


def test_account_and_broker_are_one_argument(tmp_path):
    with pytest.raises(tn.UsageError, match="account= is part of broker="):
        tn.live.background(
            "BTCUSDT",
            strategy=tn.strategy("both", every="1m")(lambda ctx: None),
            exchange=tn.testing.random_walk(days=1),
            account=MONEY,
            broker=made(),
            home=tmp_path,
        )


def test_a_broker_is_a_value():
    assert isinstance(made(), Broker)
    assert made() == made()
    assert made() != made(account=tn.Account(cash=600, percent=20))


def test_what_is_held_at_an_exchange_is_not_followed_on_paper(tmp_path, monkeypatch):
    state = IDLE._replace(signal=signal(), opened_at=None)
    held = Checkpoint(state, "{}", 1, 0, 0, (), 0, orders_of="sandbox:loopback:1a2b3c4d")
    closed = []
    monkeypatch.setattr(DiskStorage, "open", lambda _: held)
    monkeypatch.setattr(DiskStorage, "close", lambda _: closed.append("closed"))
    with pytest.raises(tn.StateError, match="holds something on account sandbox:loopback"):
        RunRegistry().start(
            "BTCUSDT",
            strategy=tn.strategy("dip", every="5m")(lambda ctx: None),
            exchange=tn.testing.FakeExchange(tn.testing.random_walk(days=1), SystemClock()),
            rules=None,
            home=tmp_path,
        )
    assert closed == ["closed"]
