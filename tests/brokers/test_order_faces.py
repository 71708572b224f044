"""What the command line, a card and a report say of orders, from the files of another process."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.brokers.faces import AT, copied, protected, unprotected
from tests.brokers.test_guard import KEY
from tests.brokers.test_live_orders import world
from tests.order_lives.live_order_life import ACCOUNT
from tests.sources import minute
from tradenb.brokers.arming.arm_file import trip
from tradenb.brokers.broker_file import record_broker
from tradenb.brokers.unattended.document_run import DocumentRun
from tradenb.brokers.unattended.follow_orders import follow
from tradenb.cli import main
from tradenb.cli.doctor_checks import check_all
from tradenb.core.timeframe import DAY
from tradenb.live.status.listing import statuses
from tradenb.live.status.pending_commands import PendingCommand
from tradenb.live.status.run_files import RunFiles
from tradenb.store.filesystem import DiskFilesystem
from tradenb.testing.server.server_account import loopback_keys

NAME = "BTCUSDT:orders-once"


@pytest.fixture
def at(monkeypatch):
    """Now is the moment at which the worlds end."""
    for place in (
        "tradenb.live.status.run_files.wall_ms", "tradenb.clock.wall_ms",
        "tradenb.cli.order_checks.wall_ms",
    ):  # fmt: skip
        monkeypatch.setattr(place, lambda: AT)


@pytest.fixture
def home(tmp_path):
    return copied(protected(), tmp_path)


@pytest.fixture
def bare_home(tmp_path):
    return copied(unprotected(), tmp_path)


def called(capsys, *arguments):
    code = main([*map(str, arguments)])
    return code, capsys.readouterr().out


@pytest.mark.usefixtures("at")
def test_orders_lists_those_that_live_first(home, capsys):
    code, out = called(capsys, "orders", "--home", home.root)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith(f"{NAME}, {ACCOUNT}: protected by a stop at 99.00")
    assert lines[2].split()[2:] == [
        "protection", "sell", "4.995", "stop", "99.00,", "target", "102.00", "working",
    ]  # fmt: skip
    assert "entry" in lines[3]
    assert "filled" in lines[3]


@pytest.mark.usefixtures("at")
def test_orders_as_json_have_all_numbers_as_text(home, capsys):
    code, out = called(capsys, "orders", "orders-once", "--home", home.root, "--json")
    (found,) = json.loads(out)["runs"]
    assert (code, found["alarms"], found["unknown"]) == (0, [], [])
    assert found["protection"][0]["stop"] == "99.0"
    assert found["protection"][0]["unprotected_since"] is None
    assert [each["role"] for each in found["orders"]] == ["protection", "entry"]
    assert found["orders"][1]["filled"] == "5.0"
    assert isinstance(found["orders"][1]["sent_at"], int)


@pytest.mark.usefixtures("at")
def test_a_position_without_a_stop_is_said_first_everywhere(bare_home, capsys):
    code, out = called(capsys, "orders", "--home", bare_home.root)
    assert code == 1
    assert "NOT protected since 01:22:" in out.splitlines()[0]
    assert out.splitlines()[1].startswith("ALARM ")
    code, out = called(capsys, "doctor", "--home", bare_home.root)
    assert code == 1
    first = out.splitlines()[0]
    assert first.startswith(f"! unprotected: {NAME}: 4.995 pieces have no stop")
    assert "No process follows it. Go on with it: " in first
    code, out = called(capsys, "status", "--home", bare_home.root)
    assert code == 1
    assert f"{NAME}: ALARM 4.995 pieces have no stop at the exchange since" in out


@pytest.mark.usefixtures("at")
def test_the_doctor_finds_a_protected_position_well(home, capsys):
    _, out = called(capsys, "doctor", "--home", home.root, "--json")
    checks = [each for each in json.loads(out)["checks"] if each["name"] == "protection"]
    assert [(each["verdict"], each["words"]) for each in checks] == [
        ("well", f"{NAME}: protected by a stop at 99.00")
    ]


@pytest.mark.usefixtures("at")
def test_account_says_limits_used_and_the_balance(home, capsys):
    code, out = called(capsys, "account", "--home", home.root)
    assert code == 0
    words = " ".join(out.split())
    assert f"{ACCOUNT} armed until 2024-01-08 01:00:02 UTC" in words
    assert "used invested 499.5 of 5,000 USDT, loss today 0.5 of 1,000, open 1 of 5" in words
    assert "9,500 USDT" in words


@pytest.mark.usefixtures("at")
def test_an_account_that_a_rule_disarmed_needs_a_person(home, capsys):
    trip(DiskFilesystem(durable=False), home, ACCOUNT, "21 lost today", AT)
    code, _ = called(capsys, "account", "loopback:0", "--home", home.root)
    assert code == 2
    code, out = called(capsys, "account", ACCOUNT, "--home", home.root, "--json")
    (found,) = json.loads(out)["accounts"]
    assert code == 1
    assert (found["armed"], found["tripped"]) == (False, "21 lost today")
    code, out = called(capsys, "doctor", "--home", home.root)
    assert f"! account {ACCOUNT}: disarmed: 21 lost today; arm again with a new code" in out


def test_where_no_run_sends_orders_it_says_so(tmp_path, capsys):
    for verb in ("orders", "account"):
        assert called(capsys, verb, "--home", tmp_path) == (
            0, f"no run under {tmp_path} sends orders\n",
        )  # fmt: skip
    _, out = called(capsys, "doctor", "--home", tmp_path)
    assert "account" not in out


@pytest.mark.usefixtures("at")
def test_a_run_of_another_process_shows_its_shield_on_card_and_report(home):
    (run,) = tn.live.attach(home=home.root, ended=True) or ()
    assert "protected by a stop at 99.00" in repr(run)
    card = run._repr_html_()
    assert 'class="tnb-orders tnb-good"' in card
    assert f"sandbox orders, account {ACCOUNT}: armed until" in card
    page = run.report(home.root / "page.html").read_text("utf-8")
    assert f"sandbox orders, account {ACCOUNT}: armed until" in page
    report = run.report()
    assert f"- sandbox orders, account {ACCOUNT}: armed until 2024-01-08 01:00:02 UTC" in report
    assert "- protected by a stop at 99.00" in report
    assert "protected by a stop at 99.00" in report.split("needs you: ")[1].splitlines()[0]


@pytest.mark.usefixtures("at")
def test_the_frame_of_runs_has_the_orders_in_words(home, bare_home):
    del home
    frame = tn.live.list(home=bare_home.root)
    assert frame.orders[0].startswith("NOT protected since")


def sold(folder):
    """A home whose run was sold in place of its process, which is gone."""
    made = protected()
    with DocumentRun(made.disk, made.home, KEY, made.clock, leaves=True) as run:
        made.clock.run(follow(run, made.broker, made.clock, seconds=30.0, until_flat=True))
    assert made.coins < Decimal("0.01")
    return copied(made, folder)


def test_after_a_kill_the_status_does_not_call_a_sold_position_unwatched(tmp_path, capsys):
    home = str(sold(tmp_path).root)
    assert main(["status", "--home", home]) == 0
    out = capsys.readouterr().out
    assert "unwatched" not in out
    assert "Go on with it" not in out
    assert "over at the exchange: told at its next start" in out
    assert main(["kill", "--home", home]) == 0
    assert "nothing is open" in capsys.readouterr().out


def test_orders_of_a_run_without_a_process_are_for_the_guard_until_it_starts(tmp_path, capsys):
    assert main(["status", "--home", str(copied(protected(), tmp_path).root)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "Go on with it: " in out
    assert "until then tradenb guard looks after its orders" in out


def test_an_entry_that_has_filled_is_unwatched_before_a_candle_tells_of_it(tmp_path, capsys):
    made = world(*[100.0] * 120)
    made.arm()
    assert made.live(minute(75) + 30_000)
    home = copied(made, tmp_path)
    status = RunFiles(home, KEY).status()
    assert (status.state.is_open, status.label) == (False, "unwatched long")
    code, out = called(capsys, "status", "--home", home.root)
    assert code == 1
    assert "long entering at 100.00: no process watches its stop and target" in out
    assert "at the exchange protected by a stop at 99.00" in out
    alone = replace(status, orders=replace(status.orders, shields=(), in_doubt=()))
    assert (alone.unwatched, alone.label) == (False, "idle")


def test_an_entry_that_has_filled_is_not_called_cancelled(tmp_path):
    files = RunFiles(copied(protected(), tmp_path), KEY)
    held = files.status()
    cancel = PendingCommand("", "cancel", AT, AT, None)
    assert replace(held, pending_commands=(cancel,)).status_text.endswith(
        "its entry has filled; closing the position"
    )
    over = replace(held, pending_commands=(cancel,), orders=replace(held.orders, sold=True))
    assert "cancelling" not in over.status_text
    assert "closing" not in replace(over, orders=replace(over.orders, shields=())).status_text


def test_the_doctor_asks_the_address_of_the_run_for_its_time(tmp_path, monkeypatch):
    home = copied(protected(), tmp_path)
    asked = []

    def exchange(name, home, **options):
        asked.append((name, options))
        return SimpleNamespace(measure_clock=lambda: 5)

    monkeypatch.setattr("tradenb.exchanges.ccxt.ccxt_factory.ccxt_exchange", exchange)
    urls = {"api": {"public": "http://127.0.0.1:1/api/v3"}}
    given = tn.broker(
        "binance", mode="sandbox", account=tn.Account(cash=5, percent=5), urls=urls,
        **loopback_keys(),
    )  # fmt: skip
    record_broker(DiskFilesystem(), home, replace(given, id=ACCOUNT))
    (found,) = [each for each in check_all(home) if each.name.startswith("clock against")]
    assert (found.name, found.words) == (
        f"clock against {ACCOUNT.rpartition(':')[0]}", "5 ms ahead",
    )  # fmt: skip
    assert asked == [("binance", {"urls": urls})]


def test_a_position_that_none_of_the_orders_is_of_is_not_called_over(tmp_path):
    (found,) = statuses([], sold(tmp_path))
    assert found.sold
    state = found.state
    another = state._replace(signal=state.signal._replace(id="another"))
    assert not replace(found, state=another).sold
    assert replace(found, state=another, status="idle").unwatched


def test_a_run_of_an_armed_account_is_not_retired_with_its_loss_of_the_day(
    tmp_path, monkeypatch, capsys
):
    made = world(*[100.0] * 80, 98.0, *[98.0] * 40)
    made.arm()
    assert made.live(minute(100))
    home = copied(made, tmp_path)
    monkeypatch.setattr("tradenb.clock.wall_ms", lambda: minute(100))
    monkeypatch.setattr("tradenb.cli.run_verbs.retire_run.wall_ms", lambda: minute(100))
    assert main(["retire", NAME, "--home", str(home.root)]) == 1
    said = capsys.readouterr().err
    assert f"{NAME} sends orders to {ACCOUNT}, which is armed until 2024-01-08 01:00" in said
    assert f"tradenb disarm {ACCOUNT}" in said
    assert called(capsys, "disarm", ACCOUNT, "--home", home.root)[0] == 0
    assert main(["retire", NAME, "--home", str(home.root)]) == 1
    said = capsys.readouterr().err
    assert re.search(rf"{NAME} lost [0-9.]+ today on {ACCOUNT}", said), said
    assert "after 00:00 UTC" in said
    monkeypatch.setattr("tradenb.cli.run_verbs.retire_run.wall_ms", lambda: minute(100) + DAY)
    assert called(capsys, "retire", NAME, "--home", home.root)[0] == 0
    assert "no run" in called(capsys, "account", "--home", home.root)[1]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (".corrupt-3-1", "and its .bak are gone, but"),
        (None, "and its .bak are gone, but"),
        ("damaged", "BTCUSDT.json.bak: not a document of a run"),
    ],
)
def test_orders_whose_document_is_lost_are_not_called_safe(home, capsys, after, words):
    document = home.document(KEY)
    for path in (document, document.with_name(f"{document.name}.bak")):
        if after == "damaged":
            path.write_bytes(b"damaged")
        else:
            path.unlink() if after is None else path.rename(f"{path}{after}")
    code, out = called(capsys, "guard", "--once", "--home", home.root)
    assert code == 1
    (row,) = (line for line in out.splitlines() if NAME in line)
    assert " NO " in row
    assert words in row
    code, out = called(capsys, "status", "--home", home.root)
    assert code == 1
    assert ("Put the document back from a backup" in out) == (after != "damaged")
    for command in (["orders"], ["orders", NAME], ["reconcile"], ["account"]):
        code, out = called(capsys, *command, "--home", home.root)
        assert code == 1, command
        assert out.count(f"{NAME}: ") == 1, out
        assert words in out
        assert "sends orders" not in out
