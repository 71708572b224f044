"""Where people look at runs with an account they see its money."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import tradenb as tn
from tradenb.cli import main
from tradenb.cli.bot_output import BotOutput
from tradenb.live.live_run import record_of
from tradenb.live.status.listing import account_statuses, accounts_of
from tradenb.live.status.run_report import report_of_files, report_of_run
from tradenb.live.status.status_of_run import status_of_run
from tradenb.panel.dashboard_model import DashboardModel
from tradenb.panel.watch_runs import Watch
from tradenb.store.paths import find_home

WALK = tn.testing.random_walk(seed=5, days=1)
ACCOUNT = tn.Account(cash=1_000, percent=40)
PERIOD = {"start": "2024-01-01T12:00", "end": "2024-01-01T16:00"}


def strategies():
    @tn.strategy("long-on-money", every="15m")
    def longs(ctx):
        return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=20)

    @tn.strategy("short-on-money", every="30m")
    def shorts(ctx):
        ladder = [(tn.percent(0.6), 0.5), (tn.percent(2), 0.5)]
        return tn.short(take_profit=ladder, stop_loss=tn.percent(0.6), minutes=60)

    return longs, shorts


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two runs that share an account, and the same in a backtest."""
    root = tmp_path_factory.mktemp("money")
    several = strategies()
    given = {"exchange": WALK, "account": ACCOUNT, **PERIOD}
    runs = [
        tn.live.rehearse("BTCUSDT", strategy=spec, speed=None, home=root, **given)
        for spec in several
    ]
    assert all(run.wait(240) for run in runs)
    alone = [tn.backtest.run("BTCUSDT", strategy=spec, progress=False, **given) for spec in several]
    return root, runs, alone


@pytest.mark.no_cover
def test_card_and_report_have_the_money_of_the_backtest(home):
    _, runs, alone = home
    for run, result in zip(runs, alone, strict=True):
        own = report_of_run(record_of(run)).status.money
        assert own.account == "paper"
        assert own.cash + own.pnl == pytest.approx(result.figures["final_equity"], rel=1e-12)
        assert str(own) in run._repr_html_()
        assert str(own) in run.report()
        told = report_of_run(record_of(run)).trades
        assert len(told) > 1
        for trade, expected in zip(told, result.trade_list, strict=True):
            found = (trade.quantity, trade.cost, trade.pnl, trade.fees)
            assert found == pytest.approx(
                (expected.quantity, expected.cost, expected.pnl, expected.fees), rel=1e-9
            )


def test_list_status_and_dashboard_have_the_equity_of_the_account(home, capsys):
    root, runs, _ = home
    made = [report_of_run(record_of(run)).status.money.pnl for run in runs]
    equity = [1_000 + each for each in made]
    table = tn.live.list(home=root)
    assert table["account"].tolist() == ["paper", "paper"]
    assert table["pnl"].tolist() == pytest.approx(made)
    assert table["equity"].tolist() == pytest.approx(equity)  # rehearsals share with nobody
    main(["status", "--home", str(root), "--json"])
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [row["equity"] for row in rows] == pytest.approx(equity)
    watch = Watch(root / "rehearsal", runs=list)
    model = DashboardModel(watch)
    model.poll()
    words = [words for words in model.health["words"] if words.startswith("account paper")]
    assert words == [
        f"account paper of BTCUSDT:{name}: equity {own:,.2f} of 1,000.00"
        for name, own in zip(("long-on-money", "short-on-money"), equity, strict=True)
    ]
    live = [replace(each.status, mode="live") for each in watch.poll()]
    (shared,) = account_statuses(live)
    assert (shared.name, shared.equity) == ("paper", pytest.approx(1_000 + sum(made)))
    watch.close()
    assert all("(" in row["pnl"] for row in model.rows if row["pnl"])


def test_the_last_words_of_a_bot_tell_the_money_of_its_runs_and_accounts(home, capsys):
    _, runs, _ = home
    records = [record_of(run) for run in runs]
    BotOutput(json=False).end(records)
    said = capsys.readouterr().out.splitlines()
    money = [status_of_run(each).money for each in records]
    assert [line.rpartition(", ")[2] for line in said[:2]] == list(map(str, money))
    assert said[2:] == [f"account {each}" for each in accounts_of(records)]
    assert all(" of 1,000" in line for line in said[2:])
    BotOutput(json=True).end(records)
    told = json.loads(capsys.readouterr().out)
    assert [each["pnl"] for each in told["ended"]] == [each.pnl for each in money]
    assert [each["cash"] for each in told["accounts"]] == [1_000, 1_000]


def test_the_last_words_of_a_bot_name_a_run_that_did_not_end_in_time(home, capsys):
    record = record_of(home[1][0])
    BotOutput(json=False).end([record])
    assert "did not end in time" not in capsys.readouterr().out
    record.set_status("running")
    try:
        BotOutput(json=False).end([record])
    finally:
        record.set_status("done")
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"{record.id} did not end in time and ends with this process")
    assert "tradenb guard --once" in said


def test_the_files_of_a_run_say_the_same(home):
    root, runs, alone = home
    files = [handle._files for handle in tn.live.attach(root, ended=True)]
    assert find_home(root).root == root
    by_strategy = {each.key.strategy: report_of_files(each) for each in files}
    for run, result in zip(runs, alone, strict=True):
        report = by_strategy[record_of(run).strategy]
        assert report.status.money == report_of_run(record_of(run)).status.money
        assert [trade.quantity for trade in report.trades] == pytest.approx(
            [trade.quantity for trade in result.trade_list], rel=1e-9
        )


def test_a_run_without_an_account_has_no_money(tmp_path):
    run = tn.live.rehearse(
        "BTCUSDT", strategy=strategies()[0], exchange=WALK, speed=None, home=tmp_path,
        start="2024-01-01T12:00", end="2024-01-01T12:30",
    )  # fmt: skip
    assert run.wait(240)
    status = report_of_run(record_of(run)).status
    assert status.money is None
    assert account_statuses([status]) == []
    assert "account" not in run._repr_html_()
    assert tn.live.list(home=tmp_path)["equity"].isna().all()


def test_rehearsals_that_name_one_account_say_that_they_do_not_share_it(tmp_path):
    given = {"exchange": WALK, "account": ACCOUNT, "home": tmp_path, "speed": 1, **PERIOD}
    first, second = strategies()
    one = tn.live.rehearse("BTCUSDT", strategy=first, **given)
    other = tn.live.rehearse("BTCUSDT", strategy=second, **given)
    words = "account 'paper' is not shared with BTCUSDT:long-on-money"
    assert words in report_of_run(record_of(other)).status.note
    assert report_of_run(record_of(one)).status.note == ""
    for run in (one, other):
        run.release()
