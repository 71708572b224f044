"""`tn.arm`, `tn.disarm` and their commands, over documents of runs with a broker."""

from __future__ import annotations

import io
import shutil
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.brokers.accounts import ACCOUNT, DIP, TREND
from tests.store.samples import body
from tradenb.brokers.arming import api
from tradenb.brokers.arming.account_share import RunShare, write_share
from tradenb.brokers.arming.arm_file import read_arm, trip
from tradenb.brokers.broker_file import record_broker
from tradenb.brokers.checking.venue_file import write_venue_check
from tradenb.brokers.checking.venue_probes import ProbeResult
from tradenb.brokers.status.order_account import order_accounts
from tradenb.cli import main
from tradenb.core.timeframe import to_ms
from tradenb.live.attached_run import AttachedRun
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home, Key
from tradenb.testing.server.server_account import loopback_keys

DISK = DiskFilesystem(durable=False)
NOW = to_ms("2026-01-05 12:00")
LIMITS = {"max_order": 100, "max_total": 300.5, "max_open": 3, "max_daily_loss": 20}
OPTIONS = [
    *("--max-order", "100", "--max-total", "300.5", "--max-open", "3", "--max-daily-loss", "20"),
]


SMALL = tn.Account(cash=1_000, quote=50)


class Clock:
    now = NOW

    def __call__(self):
        return self.now


def document(home, key, account):
    store = DocumentStore(DISK, home.document(key))
    store.load()
    own = {"symbol": key.symbol, "strategy": key.strategy}
    found = body(2)
    state = found["state"] | own | {"trades": [], "ids": []}
    store.commit(found | own | {"account": account, "state": state, "outbox": []})


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(api, "wall_ms", clock)
    return clock


@pytest.fixture
def home(tmp_path, monkeypatch, clock):
    """A home with two runs of one account, and one on paper."""
    monkeypatch.setenv("TRADENB_HOME", str(tmp_path))
    home = Home(tmp_path)
    for key, account in ((DIP, ACCOUNT), (TREND, ACCOUNT), (Key("paper", "XRPUSDT"), "paper")):
        document(home, key, account)
    return home


def permission(home):
    return read_arm(DISK, home, ACCOUNT).arm


def test_a_call_without_a_code_arms_nothing_and_says_what_would_be_possible(home):
    told = tn.arm("BTCUSDT:dip", **LIMITS)
    assert not told
    assert permission(home) is None
    assert repr(told) == (
        f"{ACCOUNT} (play money): dip and trend may buy BTCUSDT and ETHUSDT until 2026-01-05 20:00 "
        "UTC\n  for at most 100 an order, 3 positions at a time, 300.5 in all (quote currency)\n"
        "  at most 60 orders an hour\n"
        "  once 20 are lost in a UTC day, entries end; on that day only a higher max_daily_loss "
        "arms again\n"
        "  Prices may jump over stops: at worst all 300.5 are lost. Stops and exits are sent "
        "whatever is armed.\n"
        "  Key, balance, market and clock were not looked at: the keys are not at hand here.\n"
        f'Nothing is armed yet. To allow this, make the same call with code="{told.code}" within '
        "10 minutes; the code is good once."
    )


def lose(home, *amounts, at=NOW - 60_000, account=ACCOUNT):
    for key, lost in zip((DIP, TREND), amounts, strict=False):
        share = RunShare(at, day_result=-Decimal(lost))
        write_share(DISK, home, account, key, share, durable=False)


def test_the_loss_of_the_day_goes_on_counting_and_is_said(home, clock):
    account = "sandbox:binance:1a2b3c4d"
    document(home, Key("mine", "BTCUSDT"), account)
    code = tn.arm(account, **LIMITS).code
    lose(home, "14.5", "9.496", account=account)
    words = (
        f"{account} cannot be armed: 23.996 were lost today, and with max_daily_loss=20 it is "
        "disarmed at once; say max_daily_loss above 23.996, or wait until 00:00 UTC"
    )
    for more in ({}, {"code": code}):
        with pytest.raises(tn.UsageError) as refused:
            tn.arm(account, **LIMITS, **more)
        assert words in str(refused.value)
    assert read_arm(DISK, home, account).arm is None
    higher = LIMITS | {"max_daily_loss": 24}
    told = tn.arm(account, **higher)
    assert "\n  23.996 of max_daily_loss 24 were lost today\n" in told.words
    told = tn.arm(account, **higher, code=told.code)
    assert told.words.endswith(
        "; 23.996 of max_daily_loss 24 were lost today. End it with tn.disarm or `tradenb disarm`."
    )
    clock.now += 12 * 3_600_000
    assert "were lost today" not in tn.arm(account, **LIMITS).words


def test_a_loss_at_the_limit_arms_nothing_and_a_gain_is_no_loss(home):
    lose(home, 30, -10)
    with pytest.raises(tn.UsageError, match="20 were lost today"):
        tn.arm("BTCUSDT:dip", **LIMITS)
    lose(home, 30, -40)
    assert "lost today" not in tn.arm("BTCUSDT:dip", **LIMITS).words


def test_of_an_exchange_on_loopback_the_day_is_its_own(home):
    loopback = "sandbox:loopback:1a2b3c4d"
    document(home, Key("mine", "BTCUSDT"), loopback)
    lose(home, 21, at=to_ms("2024-01-02 12:00"), account=loopback)
    with pytest.raises(tn.UsageError, match="21 were lost today"):
        tn.arm(loopback, **LIMITS)


@pytest.mark.parametrize(
    ("what", "moments", "words"),
    [
        (
            "sent", (59, 30, 20, 10),
            ("4 orders were sent within an hour, and with orders_an_hour=2 it is disarmed at "
             "once; say more than 4, or wait until 2026-01-05 12:30 UTC"),
        ),
        (
            "unknown", (59, 50, 40, 30, 20, 10),
            ("the outcome of 6 orders became unknown within an hour, with which it is disarmed "
             "at once; find out why, and wait until 2026-01-05 12:10 UTC"),
        ),
    ],
)  # fmt: skip
def test_what_would_disarm_it_at_once_arms_nothing(home, what, moments, words):
    share = RunShare(NOW, **{what: tuple(NOW - each * 60_000 for each in moments)})
    write_share(DISK, home, ACCOUNT, DIP, share, durable=False)
    with pytest.raises(tn.UsageError) as refused:
        tn.arm(ACCOUNT, **LIMITS, orders_an_hour=2)
    assert str(refused.value) == f"{ACCOUNT} cannot be armed: {words}"
    later = share._replace(at=NOW + 30 * 60_000)  # an exchange on loopback has its own time
    write_share(DISK, home, ACCOUNT, DIP, later, durable=False)
    assert tn.arm(ACCOUNT, **LIMITS, orders_an_hour=2).code


def test_one_position_is_one(home):
    assert ", 1 position at a time, " in tn.arm("BTCUSDT:dip", **LIMITS | {"max_open": 1}).words


def test_the_same_call_with_the_code_arms_once(home):
    code = tn.arm("BTCUSDT:dip", **LIMITS).code
    told = tn.arm("BTCUSDT:dip", code=code, **LIMITS)
    assert told
    assert "Armed at 2026-01-05 12:00 UTC" in told.words
    arm = permission(home)
    assert (arm.symbols, arm.strategies) == (("BTCUSDT", "ETHUSDT"), ("dip", "trend"))
    assert (arm.max_total, arm.since, arm.until) == (Decimal("300.5"), NOW, NOW + 8 * 3_600_000)
    assert " on " in arm.by


def test_all_cells_run_again_arm_nothing(home, clock):
    code = tn.arm(ACCOUNT, **LIMITS).code
    assert tn.arm(ACCOUNT, code=code, **LIMITS)
    tn.disarm(ACCOUNT)
    for minutes in (1, 60):
        clock.now = NOW + minutes * 60_000
        again = tn.arm(ACCOUNT, code=code, **LIMITS)
        assert not again
        assert "was used at 2026-01-05 12:00 UTC; call it without code=" in again.words
        assert permission(home).tripped


@pytest.mark.parametrize("limits", [{"max_order": 101}, {"until": "9h"}, {"orders_an_hour": 61}])
def test_the_code_of_other_limits_arms_nothing(home, limits):
    code = tn.arm(ACCOUNT, **LIMITS).code
    told = tn.arm(ACCOUNT, code=code, **LIMITS | limits)
    assert not told
    assert "the code is for other limits" in told.words
    assert permission(home) is None


def test_a_run_that_joins_after_the_code_was_shown_is_not_armed_by_it(home):
    code = tn.arm(ACCOUNT, **LIMITS).code
    document(home, Key("late", "BTCUSDT"), ACCOUNT)
    assert not tn.arm(ACCOUNT, code=code, **LIMITS)


def test_a_trip_after_the_code_was_shown_voids_it(home, clock):
    assert tn.arm(ACCOUNT, code=tn.arm(ACCOUNT, **LIMITS).code, **LIMITS)
    code = tn.arm(ACCOUNT, **LIMITS).code
    trip(DISK, home, ACCOUNT, "three refusals in a row", NOW)
    told = tn.arm(ACCOUNT, code=code, **LIMITS)
    assert "disarmed after the code was shown" in told.words
    clock.now += 1
    assert tn.arm(ACCOUNT, code=tn.arm(ACCOUNT, **LIMITS).code, **LIMITS)


def test_a_moment_is_an_end_too(home):
    code = tn.arm(ACCOUNT, until="2026-01-06", **LIMITS).code
    assert tn.arm(ACCOUNT, until="2026-01-06", code=code, **LIMITS)
    assert permission(home).until == to_ms("2026-01-06")
    moment = datetime(2026, 1, 6, tzinfo=UTC) + timedelta(hours=1)
    assert "until 2026-01-06 01:00" in tn.arm(ACCOUNT, until=moment, **LIMITS).words


def test_real_money_is_named(home):
    document(home, Key("real", "BTCUSDT"), "live:binance:1a2b3c4d")
    assert "(REAL MONEY)" in tn.arm("BTCUSDT:real", unchecked=True, **LIMITS).words


def test_a_live_account_is_armed_after_a_check_of_its_exchange(home):
    live = "live:binance:1a2b3c4d"
    document(home, Key("real", "BTCUSDT"), live)
    with pytest.raises(tn.UsageError, match=r"was not checked; run .*, or pass unchecked=True"):
        tn.arm(live, **LIMITS)
    told = tn.arm(live, unchecked=True, **LIMITS)
    assert "was not checked, or not lately" in told.words
    assert tn.arm(live, unchecked=True, code=told.code, **LIMITS)
    assert read_arm(DISK, home, live).unchecked
    probes = [ProbeResult("place", True, "bought")]
    write_venue_check(DISK, home, "binance", "sandbox", "BTCUSDT", probes, NOW)
    assert tn.arm(live, code=tn.arm(live, **LIMITS).code, **LIMITS)
    assert not read_arm(DISK, home, live).unchecked


def test_a_handle_names_its_run_and_its_home(home, tmp_path, monkeypatch):
    monkeypatch.delenv("TRADENB_HOME")
    handle = AttachedRun(home, DIP)
    assert tn.arm(handle, **LIMITS).account == ACCOUNT
    assert tn.disarm(handle).words == f"{ACCOUNT} was not armed"
    elsewhere = SimpleNamespace(symbol="BTCUSDT", strategy="dip", home=tmp_path / "other")
    with pytest.raises(tn.StateError, match=r"has no state under .*other yet"):
        tn.arm(elsewhere, **LIMITS)


def test_a_run_of_this_process_needs_no_state_to_be_armed(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(api, "_preflight", lambda *_: ())
    broker = SimpleNamespace(sends_orders=True, id=ACCOUNT, permission=None, account=SMALL)
    handle = SimpleNamespace(symbol="BTCUSDT", strategy="new", home=tmp_path, broker=broker)
    told = tn.arm(handle, **LIMITS)
    assert "new may buy BTCUSDT" in told.words
    assert tn.arm(handle, code=told.code, **LIMITS)
    assert read_arm(DISK, Home(tmp_path), ACCOUNT).arm.strategies == ("new",)
    broker.permission = "a rehearsal's"
    with pytest.raises(tn.UsageError, match="a rehearsal is armed from its start"):
        tn.arm(handle, **LIMITS)


def test_a_run_with_its_keys_is_looked_at_at_the_exchange(home, monkeypatch):
    """What is seen there, and that nothing is armed against it."""
    asked = []

    def seen(broker, symbols, invested):
        asked.append((broker, symbols, invested))
        return told

    monkeypatch.setattr(api, "looked_at", seen)
    write_share(DISK, home, ACCOUNT, TREND, RunShare(NOW, invested=Decimal(7)), durable=False)
    broker = SimpleNamespace(
        connect=None, sends_orders=True, id=ACCOUNT, permission=None, account=SMALL
    )
    run = SimpleNamespace(symbol="BTCUSDT", strategy="dip", home=home.root, broker=broker)
    told = (), ("the right is not known",)
    assert "the right is not known" in tn.arm(run, **LIMITS).words
    assert asked == [(broker, ("BTCUSDT", "ETHUSDT"), Decimal(7))]
    broker.connect = object()  # a rehearsal has an exchange of its own
    assert "were not looked at" in tn.arm(run, **LIMITS).words
    broker.connect = None
    told = ("the key may withdraw money", "the clock is off"), ()
    with pytest.raises(tn.UsageError, match="may withdraw money; the clock is off"):
        tn.arm(run, **LIMITS)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ({"quote": 200}, "costs about 200, more than max_order 100: every entry would be refused"),
        (
            {"percent": 12.5, "max_percent": 20},
            "costs about 125, more than max_order 100: every entry would be refused",
        ),
        (
            {"quote": 100},
            (
                "costs about 100, its order up to 100.2, more than max_order 100: it would be "
                "refused unless slippage and rounding lower that enough; raise max_order"
            ),
        ),
        ({"quote": 99.8}, None),
        ({"percent": 50, "max_percent": 5}, None),
        ({"risk": 50}, None),
    ],
)
def test_entries_that_cost_more_than_an_order_may_are_told_before(
    tmp_path, clock, monkeypatch, size, words
):
    monkeypatch.setattr(api, "_preflight", lambda *_: ())
    account = tn.Account(cash=1_000, **size)
    broker = tn.broker("binance", mode="sandbox", account=account, **loopback_keys())
    handle = SimpleNamespace(symbol="BTCUSDT", strategy="new", home=tmp_path, broker=broker)
    document(Home(tmp_path), Key("new", "BTCUSDT"), broker.id)
    told = tn.arm(handle, **LIMITS)
    lines = [line for line in told.would.splitlines() if "an entry of this account" in line]
    assert lines == ([f"  an entry of this account {words}"] if words else [])
    assert "an entry of" not in tn.arm("BTCUSDT:new", **LIMITS, home=tmp_path).would
    record_broker(DISK, Home(tmp_path), broker)
    monkeypatch.delenv("TRADENB_LOOPBACK_SECRET")
    assert tn.arm("BTCUSDT:new", **LIMITS, home=tmp_path).would == told.would


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_order": 0}, "max_order must be an amount of quote currency above 0"),
        ({"max_order": True}, "max_order must be an amount"),
        ({"max_order": Decimal("NaN")}, "max_order must be an amount"),
        ({"max_order": Decimal("Infinity")}, "max_order must be an amount"),
        ({"max_total": float("inf")}, "max_total must be an amount"),
        ({"max_daily_loss": "20"}, "max_daily_loss must be an amount"),
        ({"max_daily_loss": 1e-9}, "max_daily_loss must be an amount"),
        ({"max_order": 301}, r"max_order must be at most max_total \(300.5\)"),
        ({"max_open": 0}, "max_open must be a whole number"),
        ({"max_open": True}, "max_open must be a whole number"),
        ({"orders_an_hour": 2.5}, "orders_an_hour must be a whole number"),
        ({"until": "8d"}, "within the next 7 days"),
        ({"until": "2026-01-05 12:00"}, "within the next 7 days"),
        ({"until": "soon"}, "until"),
        ({"code": 123456}, "code must be the six letters"),
    ],
)
def test_a_limit_that_is_not_one_is_refused(home, limits, words):
    with pytest.raises(tn.UsageError, match=words):
        tn.arm(ACCOUNT, **LIMITS | limits)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("XRPUSDT:paper", "is a paper run, which sends no orders"),
        ("live:binance:00000000", "account of a run"),
        ("BTCUSDT:dop", "did you mean 'BTCUSDT:dip'"),
        (None, "the first argument must be a live run"),
    ],
)
def test_what_has_no_account_is_refused(home, name, words):
    with pytest.raises(tn.UsageError, match=words):
        tn.arm(name, **LIMITS)


def test_a_document_that_cannot_be_read_is_not_armed_with_the_others(home):
    for path in home.document(TREND).parent.glob("*.json*"):
        path.write_bytes(b"{}")
    assert "dip may buy BTCUSDT until" in tn.arm(ACCOUNT, **LIMITS).words
    with pytest.raises(tn.StateError):
        tn.arm("ETHUSDT:trend", **LIMITS)


def test_disarming_ends_the_permission_and_says_who_did_it(home):
    assert tn.arm(ACCOUNT, code=tn.arm(ACCOUNT, **LIMITS).code, **LIMITS)
    assert "stops and exits go on" in repr(tn.disarm("BTCUSDT:dip"))
    assert "disarmed it" in permission(home).tripped
    assert main(["disarm", ACCOUNT, "--json"]) == 0


def test_an_account_that_no_run_has_any_more_is_disarmed_by_its_name(home, capsys):
    assert tn.arm(ACCOUNT, code=tn.arm(ACCOUNT, **LIMITS).code, **LIMITS)
    for key in (DIP, TREND):
        shutil.rmtree(home.document(key).parent)
    assert main(["disarm", "BTCUSDT:dip"]) == 2
    said = capsys.readouterr().err
    assert "unknown run or account 'BTCUSDT:dip'" in said
    assert f"Armed here: {ACCOUNT}; give one by its name" in said
    (seen,) = order_accounts(DISK, home, [], NOW)
    assert (seen.name, seen.armed) == (ACCOUNT, True)
    assert main(["disarm", ACCOUNT]) == 0
    assert "disarmed it" in permission(home).tripped
    assert main(["disarm", "live:binance:00000000"]) == 2
    assert "Armed here" not in capsys.readouterr().err


def test_a_run_whose_state_cannot_be_read_is_disarmed_by_its_account(home):
    assert tn.arm(ACCOUNT, code=tn.arm(ACCOUNT, **LIMITS).code, **LIMITS)
    for path in home.document(TREND).parent.glob("*.json*"):
        path.write_bytes(b"{}")
    with pytest.raises(tn.StateError, match=f"Armed here: {ACCOUNT}; give one by its name"):
        tn.disarm("ETHUSDT:trend")
    tn.disarm(ACCOUNT)
    with pytest.raises(tn.StateError, match=r"not a document of a run, begins with b'\{\}'$"):
        tn.disarm("ETHUSDT:trend")


@pytest.mark.parametrize(("name", "code"), [("trend", 0), ("usdt", 2), ("tremd", 2)])
def test_a_part_of_a_name_is_enough_where_it_is_one_run(home, capsys, name, code):
    assert main(["disarm", name]) == code
    said = capsys.readouterr()
    assert code or said.out == f"{ACCOUNT} was not armed\n"
    assert ("may be any of" in said.err) == (name == "usdt")
    assert ("unknown run or account 'tremd'" in said.err) == (name == "tremd")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def typed(monkeypatch, answer, name="BTCUSDT:dip"):
    """Run `tradenb arm` at a terminal; `answer` makes what is typed of what was shown."""
    shown = Terminal()

    class Keyboard(Terminal):
        def readline(self, *_):
            return answer(shown.getvalue())

    monkeypatch.setattr(sys, "stdin", Keyboard())
    monkeypatch.setattr(sys, "stdout", shown)
    return main(["arm", name, *OPTIONS]), shown.getvalue()


def code_in(text):
    return text.partition("Type ")[2].split()[0]


@pytest.mark.parametrize("name", ["BTCUSDT:dip", "dip"])
def test_at_a_terminal_the_code_is_asked_for(home, monkeypatch, name):
    code, said = typed(monkeypatch, lambda text: code_in(text) + "\n", name)
    assert code == 0
    _, _, after = said.partition("anything else to leave it:\n")
    assert after.startswith("Armed at 2026-01-05 12:00 UTC, without a look at key, balance, market")
    assert after.count("\n") == 1
    assert permission(home).max_total == Decimal("300.5")


@pytest.mark.parametrize("answer", ["\n", "yes\n", ""])
def test_anything_else_arms_nothing(home, monkeypatch, answer):
    code, said = typed(monkeypatch, lambda _: answer)
    assert code == 1
    assert "was not armed" in said
    assert permission(home) is None


def test_a_script_cannot_arm(home, capsys):
    assert main(["arm", "BTCUSDT:dip", *OPTIONS]) == 2
    assert "run it at a terminal" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["arm", "BTCUSDT:dip", *OPTIONS, "--yes"])


def test_an_amount_that_is_none_is_a_wrong_call(home, capsys):
    with pytest.raises(SystemExit):
        main(["arm", "BTCUSDT:dip", "--max-order", "much", *OPTIONS[2:]])
    assert "must be an amount, was 'much'" in capsys.readouterr().err
