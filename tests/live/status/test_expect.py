"""`run.expect`: a run beside its backtest, kept with the run, on the card and in the panel."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.live.fakes import HISTORY, SYMBOL, until
from tests.sources import T0, candles, exchange, market
from tradenb.core.lifecycle import state
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError
from tradenb.live.live_run import record_of
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.status_of_run import status_of_run
from tradenb.panel.dashboard_rows import row_of
from tradenb.panel.replica import Replica
from tradenb.testing.world.simulated_world import Action, World

ROWS = market(5, 400)


def strategy(stop):
    return StrategySpec(
        name="a",
        function=lambda ctx: tn.long(stop_loss=tn.percent(stop), minutes=2),
        every="1m",
    )


def backtest():
    return tn.backtest.run(SYMBOL, strategy=strategy(5), exchange=exchange(ROWS), progress=False)


def world_of():
    grid = candles(ROWS, T0 - HISTORY * 60_000)
    return World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, strategy(5))])


def seen_after(minutes, look, world=None):
    found = []
    world = world or world_of()
    at = until(minutes)
    run = Action(at, lambda process: found.append(look(process.run(SYMBOL, "a"))))
    assert world.live(at + 1_000, [run])
    return found[0]


def test_a_run_that_trades_as_its_backtest_stays_inside():
    def look(run):
        return run.expect(backtest()), run._repr_html_()

    expected, card = seen_after(100, look)
    assert expected.inside
    assert expected.left_after is None
    assert len(expected.table) == expected.table.trades.iloc[-1] > 20
    assert expected.table.inside.all()
    assert "in the band of its backtest: " in repr(expected)
    assert "in the band of its backtest: " in card


@pytest.mark.no_cover
def test_a_bad_run_is_told_on_card_and_panel_with_numbers():
    better = backtest()
    # A planted backtest that is far better than the run can be.
    good = [trade._replace(pnl_percent=trade.pnl_percent + 2) for trade in better.trade_list]

    class Planted:
        trade_list = good

    def look(run):
        expected = run.expect(Planted())
        status = status_of_run(record_of(run))
        return expected, run._repr_html_(), row_of(status, Replica())

    expected, card, row = seen_after(200, look)
    assert not expected.inside
    assert 1 <= expected.left_after <= 60
    words = expected.words
    assert words.startswith("below the band of its backtest since 2024-01-01 ")
    assert card.count("below the band of its backtest since") == 1
    assert row["warnings"] == [words]


def test_the_report_and_the_panel_draw_it_where_there_is_a_band(tmp_path):
    def look(run):
        pages = [run.report(tmp_path / "before.html").read_text("utf-8")]
        run.expect(backtest())
        pages.append(run.report(tmp_path / "after.html").read_text("utf-8"))
        return pages

    before, after = seen_after(60, look)
    assert "Beside its backtest" not in before
    assert after.count('<svg class="tnb-expected"') == 2  # wide and narrow


def test_it_is_kept_with_the_run_over_restarts():
    world = world_of()
    first = seen_after(100, lambda run: run.expect(backtest()), world)
    after = seen_after(150, lambda run: run.expect(), world)
    assert after.band == first.band
    assert len(after.course.places) > len(first.course.places)


def test_the_journal_is_not_read_again_for_what_the_state_remembers(monkeypatch):
    def look(run):
        first = run.expect(backtest())
        monkeypatch.setattr(type(run), "_written", lambda run: pytest.fail("it was read"))
        found = run.expect()
        monkeypatch.undo()
        return first, found, run.trades()

    first, found, trades = seen_after(100, look)
    assert found == first
    assert list(found.table["at"]) == list(trades["closed_at"])


def test_trades_before_since_do_not_count():
    def look(run):
        return run.expect(backtest(), since=until(90)), run.expect(backtest())

    late, all_of_them = seen_after(100, look)
    assert 0 < len(late.course.places) < 12 < len(all_of_them.course.places)


def test_without_a_band_or_a_result_it_says_what_to_do():
    def look(run):
        with pytest.raises(UsageError, match="nothing is expected of this run yet; pass the"):
            run.expect()
        with pytest.raises(UsageError, match=r"takes the result of .*, was DataFrame"):
            run.expect(backtest().trades)
        for name, value in (("level", 90.0), ("trades", 20), ("since", T0), ("seed", 3)):
            with pytest.raises(UsageError, match=f"{name} is of a new band; pass the result too"):
                run.expect(**{name: value})

    seen_after(3, look)


def test_an_attached_handle_keeps_and_reads_it(tmp_path):
    run = tn.live.rehearse(
        SYMBOL, strategy=strategy(5), exchange=exchange(ROWS), home=tmp_path,
        start=T0, end=T0 + 300 * 60_000, speed=None,
    )  # fmt: skip
    assert run.wait(240)
    (other,) = tn.live.attach(tmp_path, ended=True)
    found = other.expect(backtest())
    assert found.inside
    assert other.expect().band == found.band
    files = RunFiles(other._files.home, other._files.key)
    assert files.status().band == found.band
    assert "in the band of its backtest: " in other._repr_html_()


def test_a_run_that_left_its_band_stays_outside_when_the_first_trades_are_forgotten(monkeypatch):
    monkeypatch.setattr(state, "REMEMBERED", 30)
    good = [trade._replace(pnl_percent=trade.pnl_percent + 2) for trade in backtest().trade_list]

    def look(run):
        found = run.expect(SimpleNamespace(trade_list=good))
        status = status_of_run(record_of(run))
        return found, len(run.trades()), run._repr_html_(), row_of(status, Replica())

    early, few, _, _ = seen_after(50, look)
    late, many, card, row = seen_after(250, look)
    assert few < 30 < 60 < many
    assert early.left_after == late.left_after
    assert late.course.places[0] == early.course.places[0]
    words = "only the last 30 trades are known here; run.expect() holds all of them"
    assert words in card
    assert "in the band" not in card
    assert words in row["warnings"][0]
