"""One account over several runs and processes: limits are judged over what all of them have."""

from __future__ import annotations

import asyncio
import errno
import json

import pytest

from tests.brokers.accounts import ACCOUNT, ARM, DIP, HOUR, NOW, TREND, D
from tests.core.orders.situations import ENTER, MARKET, ledger, order, working
from tests.store.samples import body
from tradenb.brokers.arming.account_share import RunShare, other_shares, share_of, summed
from tradenb.brokers.arming.arm_file import read_arm, trip, write_arm
from tradenb.brokers.arming.armed_account import ArmedAccount
from tradenb.brokers.arming.trips import Findings
from tradenb.cli import main
from tradenb.core.orders.gate import AccountFacts
from tradenb.core.timeframe import LATEST
from tradenb.errors import StateError, StateWriteError
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home
from tradenb.store.retire import retire

DISK = DiskFilesystem(durable=False)
DAY = 24 * HOUR
ENTRY = ENTER._replace(quantity=D("0.5"))  # 50.10
FACTS = AccountFacts(
    account=ACCOUNT, symbol="BTCUSDT", strategy="dip", price=D(100), market=MARKET, free=D(1_000),
    checked_at=NOW,
)  # fmt: skip


class Waits:
    """Waits in no time, and remembers how long; `then` is done at the first."""

    def __init__(self, then=lambda: None):
        self.seconds = 0.0
        self.then = then

    async def __call__(self, seconds):
        self.seconds += seconds
        self.then()


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    write_arm(DISK, home, ARM)
    return home


@pytest.fixture
def account(home):
    return ArmedAccount(DISK, home, ACCOUNT, wait=Waits())


def asked(account, entry=ENTRY, now=NOW, run=DIP, account_=ACCOUNT, **facts):
    async def ask():
        async with account.deciding(run) as decision:
            found = FACTS._replace(account=account_, **facts)
            return decision.problems(entry, found, now)

    return asyncio.run(ask())


def names(account, **more):
    """The names of the reasons why not."""
    return [problem.name for problem in asked(account, **more)]


def test_an_armed_account_lets_an_ordinary_entry_pass(account):
    assert asked(account) == ()


@pytest.mark.parametrize(
    ("share", "name"),
    [
        ({"invested": D(250)}, "max_total"),
        ({"positions": 3}, "max_open"),
        ({"day_result": D(-20)}, "daily_loss"),
        ({"sent": (NOW - 1,) * 60}, "orders_an_hour"),
        ({"in_doubt": 1}, "in_doubt"),
    ],
)
def test_what_another_run_has_counts_against_each_limit(account, share, name):
    account.share(TREND, RunShare(NOW, **share))
    assert names(account) == [name]
    account.share(TREND, RunShare(NOW))
    assert names(account) == []


def test_what_the_run_itself_wrote_is_not_counted_twice(account):
    account.share(DIP, RunShare(NOW, invested=D(250), positions=3))
    assert names(account) == []


def test_a_result_of_yesterday_is_over(account):
    account.share(TREND, RunShare(NOW - DAY, day_result=D(-20), invested=D(250)))
    assert names(account) == ["max_total"]


def test_another_account_has_a_book_of_its_own(account, home):
    other = ArmedAccount(DISK, home, "live:binance:00000000")
    other.share(TREND, RunShare(NOW, positions=3))
    assert names(account) == []
    (problem, *_) = asked(other)
    assert problem.words.startswith("account live:binance:00000000 is not armed")


@pytest.mark.parametrize("data", [b"{}", b"\0", b"", b'{"v":1}'])
def test_a_share_that_cannot_be_read_refuses_entries(account, home, data):
    account.share(TREND, RunShare(NOW))
    home.account_share(ACCOUNT, TREND).write_bytes(data)
    (problem,) = asked(account)
    assert problem.name == "account_book"
    assert "unknown what its run has invested" in problem.words


@pytest.mark.parametrize(
    "fields",
    [
        {"v": 2},
        {"format": "tradenb-arm"},
        {"more": 1},
        {"invested": 250},
        {"invested": "1e9"},
        {"day_result": "-"},
        {"positions": -1},
        {"positions": True},
        {"in_doubt": 1.5},
        {"at": LATEST},
        {"sent": [-1]},
        {"sent": ["1"]},
        {"unknown": [0] * 10_001},
        {"checked_at": "now"},
    ],
)
def test_a_share_with_another_field_refuses_entries(account, home, fields):
    account.share(TREND, RunShare(NOW))
    path = home.account_share(ACCOUNT, TREND)
    assert names(account) == []
    path.write_text(json.dumps(json.loads(path.read_bytes()) | fields))
    assert names(account) == ["account_book"]


def test_a_share_in_the_place_of_another_refuses_entries(account, home):
    account.share(TREND, RunShare(NOW))
    path = home.account_share(ACCOUNT, TREND)
    for field in ("symbol", "account"):
        account.share(TREND, RunShare(NOW))
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {field: "XRPUSDT"}))
        assert names(account) == ["account_book"]


def test_what_is_not_a_share_is_passed_over(account, home):
    account.share(TREND, RunShare(NOW))
    beside = home.account_share(ACCOUNT, TREND)
    beside.with_name(".ETHUSDT.json.tmp").write_bytes(b"half")
    beside.with_name("note.txt").write_bytes(b"mine")
    (beside.parent.parent / ".cache").mkdir()
    assert names(account) == []


def test_a_folder_that_cannot_be_read_refuses_entries(home):
    class Broken(DiskFilesystem):
        def names(self, path):
            raise OSError(errno.EIO, "Input/output error")

    account = ArmedAccount(Broken(durable=False), home, ACCOUNT)
    ArmedAccount(DISK, home, ACCOUNT).share(TREND, RunShare(NOW))
    (problem,) = asked(account)
    assert problem.name == "account_book"
    assert "cannot be read (Input/output error)" in problem.words


def test_a_share_is_read_as_it_was_written(account, home):
    share = RunShare(
        NOW, D("250.12345678"), 2, D("-1.5"), (NOW - 2, NOW - 1), (NOW - 3,), 1, NOW - 4
    )
    account.share(TREND, share)
    assert other_shares(DISK, home, ACCOUNT, DIP) == [share]
    assert summed([share, share], NOW).invested == D("500.24691356")


def test_a_live_account_waits_for_a_check_of_its_exchange_unless_a_person_goes_without(home):
    live = "live:binance:1a2b3c4d"
    account = ArmedAccount(DISK, home, live)
    write_arm(DISK, home, ARM._replace(account=live))
    (problem,) = asked(account, account_=live, venue_checked=True)  # only the file counts
    assert problem.name == "venue_check"
    assert "run tradenb venue-check binance --sandbox" in problem.words
    write_arm(DISK, home, ARM._replace(account=live), unchecked=True)
    assert asked(account, account_=live) == ()


@pytest.mark.parametrize("text", ["halt", "flatten", "off"])
def test_the_kill_switch_refuses_entries_whatever_it_says(account, home, text):
    home.kill.write_text(text)
    assert names(account) == ["kill"]


def test_a_kill_switch_that_cannot_be_read_is_on(account, home):
    home.kill.mkdir()
    assert names(account) == ["kill"]


def test_why_there_is_no_permission_is_said(account, home):
    home.arm(ACCOUNT).write_bytes(b"{}")
    (problem,) = asked(account)
    assert problem.name == "armed"
    assert "is not a permission" in problem.words


def test_of_two_runs_that_want_the_last_of_a_limit_one_gets_it(home):
    """Both ask at once; the second is asked when the first has committed."""
    write_arm(DISK, home, ARM._replace(max_total=D(60)))
    order_of_events = []

    async def enter(run):
        account = ArmedAccount(DISK, home, ACCOUNT)
        facts = FACTS._replace(symbol=run.symbol, strategy=run.strategy)
        async with account.deciding(run) as decision:
            order_of_events.append(("asked", run))
            problems = decision.problems(ENTRY, facts, NOW)
            if not problems:
                decision.reserve(RunShare(NOW, invested=D("50.1"), positions=1))
                await asyncio.sleep(0)  # the commit
            order_of_events.append(("committed", run))
        return [each.name for each in problems]

    async def both():
        return await asyncio.gather(enter(DIP), enter(TREND))

    assert asyncio.run(both()) == [[], ["max_total"]]
    assert [run for _, run in order_of_events] == [DIP, DIP, TREND, TREND]


def test_an_account_that_another_process_holds_refuses_after_ten_seconds(home):
    waits = Waits()
    with FileLock(DISK, home.arm_lock(ACCOUNT)):
        (problem,) = asked(ArmedAccount(DISK, home, ACCOUNT, wait=waits))
    assert problem.name == "account_lock"
    assert waits.seconds == pytest.approx(10)


def test_an_account_that_is_freed_meanwhile_is_judged(home):
    lock = FileLock(DISK, home.arm_lock(ACCOUNT))
    lock.acquire()
    assert names(ArmedAccount(DISK, home, ACCOUNT, wait=Waits(lock.release))) == []


def test_a_file_system_without_locks_refuses_entries_and_reserves_nothing(home):
    class Lockless(DiskFilesystem):
        def lock(self, path):
            raise OSError(errno.ENOLCK, "No locks available")

    account = ArmedAccount(Lockless(durable=False), home, ACCOUNT)
    assert names(account) == ["account_lock"]

    async def reserve():
        async with account.deciding(DIP) as decision:
            decision.reserve(RunShare(NOW))

    with pytest.raises(StateWriteError, match="No locks available"):
        asyncio.run(reserve())


def test_an_account_is_free_again_after_an_error(account, home):
    async def fail():
        async with account.deciding(DIP):
            raise StateError("the disk is full")

    with pytest.raises(StateError, match="full"):
        asyncio.run(fail())
    FileLock(DISK, home.arm_lock(ACCOUNT)).acquire()


class Full(DiskFilesystem):
    def create(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    def replace(self, source, target):
        raise OSError(errno.EROFS, "Read-only file system")


def test_on_a_full_disk_nothing_is_reserved_and_a_share_is_missed_loudly(home, caplog):
    account = ArmedAccount(Full(durable=False), home, ACCOUNT)

    async def reserve():
        async with account.deciding(DIP) as decision:
            decision.reserve(RunShare(NOW))

    with pytest.raises(StateWriteError, match="No space left"):
        asyncio.run(reserve())
    account.share(DIP, RunShare(NOW))
    assert "go by what was there" in caplog.text


def test_a_trip_that_the_disk_does_not_take_holds_in_this_process(home, caplog):
    account = ArmedAccount(Full(durable=False), home, ACCOUNT)
    assert account.trip("two orders have the id x", NOW)
    account.trip("later", NOW + 1)
    (problem,) = asked(account)
    assert "two orders have the id x" in problem.words
    assert "disarmed in this process alone" in caplog.text
    write_arm(DISK, home, ARM._replace(since=NOW + 1, until=NOW + HOUR))
    assert names(account, now=NOW + 2) == []


def test_findings_of_a_run_end_the_permission_of_all(account, home):
    assert account.check(DIP, Findings(refusals=2), NOW) == ()
    assert account.check(DIP, Findings(refusals=3), NOW) == ("3 orders were refused in a row",)
    assert read_arm(DISK, home, ACCOUNT).arm.tripped == "3 orders were refused in a row"
    assert account.check(DIP, Findings(refusals=4), NOW + 1) == ()
    assert names(ArmedAccount(DISK, home, ACCOUNT)) == ["tripped"]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Findings(day_result=D(-10)), RunShare(NOW, day_result=D(-10))),
        (Findings(sent=(NOW,) * 30), RunShare(NOW, sent=(NOW,) * 31)),
        (Findings(unknown=(NOW,) * 2), RunShare(NOW, unknown=(NOW,) * 3)),
    ],
)
def test_findings_of_all_runs_are_added(account, mine, theirs):
    assert account.check(DIP, mine, NOW) == ()
    account.share(TREND, theirs)
    assert len(account.check(DIP, mine, NOW)) == 1


def test_a_finding_counts_though_another_share_cannot_be_read(account, home):
    account.share(TREND, RunShare(NOW))
    home.account_share(ACCOUNT, TREND).write_bytes(b"{}")
    assert account.check(DIP, Findings(refusals=3), NOW) != ()


def test_a_share_follows_from_the_ledger():
    found = share_of(
        ledger(order(value=D(200)), working(), order("exit", state="unknown", sent_at=NOW - HOUR)),
        MARKET, NOW, day_result=D(1), unknown=(NOW, NOW - HOUR),
    )  # fmt: skip
    assert found == RunShare(
        at=NOW, invested=D(200), positions=1, day_result=D(1), sent=(NOW, NOW), unknown=(NOW,),
        in_doubt=1, checked_at=NOW + 4_002,
    )  # fmt: skip


def test_of_a_position_that_was_sold_in_part_the_rest_counts_at_its_cost():
    part = order("part", state="done", filled=D("0.5"), value=D(60))
    assert share_of(ledger(order(), part), MARKET, NOW, day_result=D(0)).invested == D(150)


def test_an_entry_on_its_way_counts_in_full():
    sending = order(state="sending", filled=D(0), value=D(0), price=D("100.2"))
    found = share_of(ledger(sending), MARKET, NOW, day_result=D(0))
    assert (found.invested, found.positions, found.in_doubt) == (D("200.4"), 1, 0)
    doubted = ledger(sending._replace(state="unknown"))
    assert share_of(doubted, MARKET, NOW, day_result=D(0)).in_doubt == 1


def test_an_entry_that_bought_nothing_does_not_count():
    nothing = order(filled=D(0), value=D(0), ending="expired")
    assert share_of(ledger(nothing), MARKET, NOW, day_result=D(0)).positions == 0


def test_the_share_of_a_run_that_is_retired_goes_with_it(account, home):
    store = DocumentStore(DISK, home.document(DIP))
    store.load()
    store.commit(body(2))  # it holds nothing
    account.share(DIP, RunShare(NOW, positions=3))
    assert names(account, run=TREND) == ["max_open"]
    retired = retire(DISK, home, DIP, now=NOW)
    assert (retired / home.account_share(ACCOUNT, DIP).relative_to(home.data)).exists()
    assert names(account, run=TREND) == []


def test_a_share_from_before_the_document_was_lost_keeps_its_run_from_being_retired(
    account, home, capsys, monkeypatch
):
    monkeypatch.setattr("tradenb.cli.run_verbs.retire_run.wall_ms", lambda: NOW)
    trip(DISK, home, ACCOUNT, "ada disarmed it", NOW, by_hand=True)
    store = DocumentStore(DISK, home.document(DIP))
    store.load()
    store.commit(body(2))  # begun anew, on paper
    account.share(DIP, RunShare(NOW, day_result=D("-5.5")))
    retire_it = ["retire", "BTCUSDT:dip", "--home", str(home.root)]
    assert main(retire_it) == 1
    assert f"BTCUSDT:dip lost 5.5 today on {ACCOUNT}" in capsys.readouterr().err
    account.share(DIP, RunShare(NOW))
    write_arm(DISK, home, ARM)
    assert main(retire_it) == 1
    assert f"BTCUSDT:dip sends orders to {ACCOUNT}, which is armed" in capsys.readouterr().err
    trip(DISK, home, ACCOUNT, "ada disarmed it", NOW, by_hand=True)
    assert main(retire_it) == 0


def test_a_run_whose_document_is_lost_is_not_retired_and_told_how_it_is_found(home, capsys):
    store = DocumentStore(DISK, home.document(DIP))
    store.load()
    store.commit(body(2))
    home.document(DIP).rename(f"{home.document(DIP)}.corrupt-3-1")
    assert main(["retire", "BTCUSDT:dip", "--home", str(home.root)]) == 1
    assert "`tradenb doctor` lists those that were kept" in capsys.readouterr().err
