"""How orders and accounts are, in words: from ledgers and files, the same in every process."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.core.orders.situations import MARKET, NOW, ledger, order, working
from tradenb.brokers.arming.account_share import RunShare, write_share
from tradenb.brokers.arming.arm_file import trip, write_arm
from tradenb.brokers.status.order_account import order_accounts
from tradenb.brokers.status.order_status import order_status
from tradenb.core.orders.gate import Arm
from tradenb.core.orders.order_alarms import Alarm
from tradenb.core.orders.order_records import Balance
from tradenb.core.timeframe import iso
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home, Key
from tradenb.view.order_rows import order_row

D = Decimal
ACCOUNT = "sandbox:loopback:1a2b3c4d"
SECOND = 1_000


def status(*orders, at=NOW, own=(), **values):
    return order_status(ACCOUNT, ledger(*orders, market=MARKET, **values), at, own)


def test_a_stop_that_was_seen_lately_protects():
    found = status(order(), working(), at=NOW + 15 * SECOND)
    assert [*map(str, found.shields)] == ["protected by a stop at 95.00"]
    assert (found.level, found.trouble) == ("good", "")


def test_a_stop_that_nobody_looks_at_is_in_doubt_and_says_since_when():
    found = status(order(), working(), at=NOW + 5 * 60 * SECOND)
    (shield,) = found.shields
    assert str(shield).startswith("protected by a stop at 95.00, last seen ")
    assert str(shield).endswith("(5 min ago)")
    assert found.level == "doubt"


@pytest.mark.parametrize(("seconds", "level"), [(3, "doubt"), (10, "bad"), (40, "bad")])
def test_a_position_without_a_stop_says_since_when(seconds, level):
    found = status(order(), at=NOW + seconds * SECOND)
    (shield,) = found.shields
    assert str(shield).startswith("NOT protected since ")
    assert str(shield).endswith(f"({seconds} s)")
    assert found.level == level
    assert bool(found.alarms) == (seconds >= 10)


def test_what_is_over_has_no_shield():
    sold = order("exit", 1, state="done", ending="filled", filled=D(2))
    assert status(order(), sold, at=NOW + 60 * SECOND).shields == ()


def test_orders_that_live_come_first_and_the_newest_of_each_first():
    entry, stop = order(), working()
    old = [order("exit", n, signal_id="s0", state="done", ending="absent") for n in range(1, 31)]
    found = status(entry, stop, past=tuple(old)).orders
    assert found[:2] == (stop, entry)
    assert found[2:] == tuple(reversed(old[-19:]))


def test_an_unknown_outcome_has_its_age():
    found = status(order(filled=D(0), state="unknown"), at=NOW + 125 * SECOND)
    assert found.words[0] == "entry order unknown for 2 min"
    assert [each.name for each in found.alarms] == ["unknown_outcome"]


def test_alarms_of_the_order_manager_are_shown_with_those_of_the_ledger():
    own = (Alarm("no_market", "the exchange shows no market"),)
    found = status(order(), at=NOW + 40 * SECOND, own=own)
    assert [each.name for each in found.alarms] == ["unprotected", "no_market"]


def test_before_the_first_reconciliation_nothing_is_claimed():
    found = order_status(ACCOUNT, None, NOW)
    assert (found.shields, found.orders, found.words) == ((), (), ("not reconciled yet",))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (order(type="ioc", price=D(100)), "buy 2 up to 100.00"),
        (order("exit"), "sell 2 at market"),
        (working(), "sell 2 if 95.00 is touched"),
        (working(type="list", price=D(110)), "sell 2 stop 95.00, target 110.00"),
        (
            working(type="stop_limit", price=D(94)),
            "sell 2 if 95.00 is touched, at 94.00 or better",
        ),
    ],
)
def test_each_type_of_order_in_words(made, words):
    assert order_row(made)[2] == words


def test_fills_and_refusals_in_words():
    assert order_row(order())[3:] == ("filled", "2 at 100.00", "")
    refused = order("exit", 3, state="done", ending="would_trigger", why="-2010")
    assert order_row(refused)[1] == "exit 3"
    assert order_row(refused)[3:] == ("would trigger", "", "-2010")


@pytest.mark.parametrize(
    ("side", "words"),
    [("sell", "left over (too small to sell)"), ("buy", "taken over from before")],
)
def test_dust_was_never_an_order(side, words):
    few = D("0.00000541")
    dust = order("dust", side=side, quantity=few, filled=few, state="done", ending="filled")
    row = order_row(dust._replace(sent_at=0, done_at=NOW + 7))
    assert row == (iso(NOW), "dust", f"0.00000541 {words}", "done", "", "")


def test_pieces_that_no_trade_shows_were_not_filled():
    few, why = D("0.0046"), "counted at what they cost"
    gone = order("outside", quantity=few, filled=few, value=D(200), state="done", ending="gone")
    row = order_row(gone._replace(done_at=NOW, why=why))
    assert row == (iso(NOW), "outside", "0.0046 that no trade shows", "gone", "", why)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


DISK = DiskFilesystem(durable=False)
ARM = Arm(
    ACCOUNT, ("BTCUSDT",), ("dip",), D(100), D(300), D(20), 3, 60, NOW, NOW + 8 * 3_600_000, "anna"
)


def accounts(home, *runs, at=NOW):
    return order_accounts(DISK, home, runs, at)


def test_an_account_says_what_is_used_of_its_limits(home):
    write_arm(DISK, home, ARM)
    share = RunShare(NOW, D("140.5"), 1, D(-3), (NOW - 1, NOW - 3_600_000), (), 0, NOW)
    write_share(DISK, home, ACCOUNT, Key("dip", "BTCUSDT"), share, durable=False)
    balances = (Balance("BTC", D("0.5"), D("0.25")), Balance("USDT", D("812.5")))
    (found,) = accounts(home, status(order(), balances=balances))
    assert found.armed
    assert found.state.startswith("armed until ")
    assert found.state.endswith(" UTC by anna")
    assert found.used == (
        "invested 140.5 of 300 USDT", "loss today 3 of 20", "open 1 of 3",
        "orders this hour 1 of 60",
    )  # fmt: skip
    at = iso(found.checked_at)[11:19]
    assert found.balance == f"0.75 BTC (0.25 in orders), 812.5 USDT at {at} UTC"


def test_an_account_that_is_not_armed_says_why(home):
    (found,) = accounts(home, status())
    assert (found.armed, found.tripped) == (False, False)
    assert found.state == f"account {ACCOUNT} is not armed; arm it with tn.arm or tradenb arm"
    write_arm(DISK, home, ARM)
    trip(DISK, home, ACCOUNT, "21 lost today", NOW)
    (found,) = accounts(home, status())
    assert (found.armed, found.tripped) == (False, True)
    assert found.state == "disarmed: 21 lost today; arm again with a new code"


def test_the_kill_switch_and_a_share_that_cannot_be_read_stop_entries(home):
    write_arm(DISK, home, ARM)
    path = home.account_share(ACCOUNT, Key("dip", "BTCUSDT"))
    path.parent.mkdir(parents=True)
    path.write_text("{")
    (found,) = accounts(home)
    assert not found.armed
    assert found.state == "no entries: the share of BTCUSDT:dip cannot be read"
    home.kill.write_text("halt")
    (found,) = accounts(home)
    assert found.state == f"kill switch on (halt): no entries; still {found.permitted}"


def test_the_oldest_reconciliation_counts_and_the_newest_balance(home):
    new = status(checked_at=NOW, balances=(Balance("USDT", D(9)),))
    old = status(checked_at=NOW - 60_000, balances=(Balance("USDT", D(5)),))
    (found,) = accounts(home, new, old)
    assert found.checked == "reconciled 1 min ago"
    assert found.balances == (Balance("USDT", D(9)),)
    (found,) = accounts(home, new, status(checked_at=None))
    assert found.checked == "not reconciled yet"
