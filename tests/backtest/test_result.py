"""`Result`: frames that are typed also when empty, figures, pages, and honest warnings."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.sources import exchange, flat, frame, market, minute
from tradenb.core.columns import EVENT_COLUMNS, OPEN_COLUMNS, TRADE_COLUMNS
from tradenb.core.prices import pnl_percent

TIME = "datetime64[ms, UTC]"
EVENT_DTYPES = {
    "seq": "int64",
    "at": TIME,
    "wall": TIME,
    "price": "float64",
    "minutes": "Int64",
    "size": "Float64",
    "pnl_percent": "float64",
    "level": "Int64",
    "late": "bool",
}
TRADE_DTYPES = {
    "opened_at": TIME,
    "closed_at": TIME,
    "minutes_held": "int64",
    "entry": "float64",
    "exit": "float64",
    "size": "Float64",
    "pnl_percent": "float64",
    "late": "bool",
}


def run(function, rows, symbols="BTCUSDT", *, names=("dip",), every="5m", **more):
    specs = [tn.strategy(name, every=every)(function) for name in names]
    source = exchange(rows)
    return tn.backtest.run(symbols, strategy=specs, exchange=source, progress=False, **more)


def buys(ctx):
    price = ctx.price
    return tn.long(
        take_profit=1.01 * price, stop_loss=0.99 * price, minutes=60, size=2, note="<b>dip</b>"
    )


@pytest.fixture
def busy() -> tn.backtest.Result:
    """A day of trades."""
    return run(buys, market(9, 1_440))


@pytest.fixture
def quiet() -> tn.backtest.Result:
    """An hour in which nothing happened."""
    return run(lambda ctx: None, flat(60), names=("quiet",))


def test_frames_have_the_columns_and_types_of_the_law_also_when_empty(busy, quiet):
    for result in (busy, quiet):
        for found, columns, dtypes in (
            (result.events, EVENT_COLUMNS, EVENT_DTYPES),
            (result.trades, TRADE_COLUMNS, TRADE_DTYPES),
            (result.open, OPEN_COLUMNS, {"price": "float64", "pnl_percent": "float64"}),
        ):
            assert list(found.columns) == list(columns)
            assert {name: str(found[name].dtype) for name in dtypes} == dtypes
            assert found.symbol.dtype == result.events.symbol.dtype == busy.events.note.dtype
    assert (len(quiet.events), len(quiet.trades), len(quiet.open)) == (0, 0, 0)


def test_frames_are_the_records(busy):
    assert len(busy.trade_list) > 10
    events, trades = busy.events, busy.trades
    assert events.seq.tolist() == list(range(1, len(busy.event_list) + 1))
    assert events.kind.tolist() == [event.kind for event in busy.event_list]
    closed = [event.pnl_percent for event in busy.event_list if event.kind == "closed"]
    assert trades.pnl_percent.tolist() == closed == [t.pnl_percent for t in busy.trade_list]
    assert trades.minutes_held.tolist() == [trade.minutes_held for trade in busy.trade_list]
    assert trades.opened_at.iloc[0] == pd.Timestamp(
        busy.trade_list[0].opened_at, unit="ms", tz="UTC"
    )
    assert events.wall.isna().all()
    assert set(events.note.dropna()) == {"<b>dip</b>"}


def _scaled(ctx):
    """Enter, add once, leave in two parts: positions of several fills, long and short."""
    if ctx.when.hour % 4 == 0:
        side = tn.long if ctx.when.hour % 8 else tn.short
        up = 1 if ctx.when.hour % 8 else -1
        parts = [(ctx.price * (1 + up * 0.006), 0.5), (ctx.price * (1 + up * 0.02), 0.5)]
        return side(take_profit=parts, stop_loss=tn.percent(1), minutes=180)
    return None


@pytest.mark.parametrize("plain", [True, False])
def test_costs_are_what_the_same_fills_make_more_without_slippage_and_fees(plain):
    def of(rules):
        @tn.strategy("costly", every="1h")
        def costly(ctx):
            return tn.long(**tn.bracket(stop=1, target=1), minutes=90) if plain else _scaled(ctx)

        @costly.manage(every="15m")
        def adds(ctx):
            if not plain and ctx.position.entries < 2 and ctx.when.minute == 30:
                return tn.add(0.5)
            return None

        market = tn.testing.random_walk(seed=7, days=6)
        given = {"exchange": market, "rules": rules, "progress": False}
        return tn.backtest.run("BTCUSDT", strategy=costly, **given)

    free = of(tn.Rules(slippage_percent=0, fee_percent=0))
    paid = of(tn.Rules(maker_fee_percent=0.02, slippage_on="market"))
    assert free.trades.exit.tolist() == paid.trades.exit.tolist()
    assert plain or (free.trades.exits > 1).any()
    assert plain or (free.trades.entries > 1).any()
    assert free.costs == pytest.approx(0, abs=1e-9)
    gross = free.stats["total_pnl"]
    assert paid.stats["total_pnl"] + paid.costs == pytest.approx(gross, abs=1e-9)
    assert paid.costs > 0.1 * len(paid.trades)
    said = f"took {paid.costs:,.2f} pp"
    assert said in paid.to_markdown()
    assert said in paid._repr_html_()
    assert "Slippage and fees" not in free.to_markdown()


def test_the_statistics_are_a_typed_series(busy, quiet):
    assert (busy.stats.dtype, busy.stats.name) == (np.float64, "stats")
    assert busy.stats["count"] == len(busy.trade_list)
    assert busy.stats.to_dict().keys() == quiet.stats.to_dict().keys() == busy.figures.keys()
    assert (quiet.stats["count"], math.isnan(quiet.stats["win_rate"])) == (0.0, True)
    total = sum(trade.pnl_percent for trade in busy.trade_list)
    assert busy.stats["total_pnl"] == pytest.approx(total)


def test_the_equity_has_a_value_at_each_close_and_ends_with_all_trades(busy, quiet):
    assert busy.equity.iloc[-1] == pytest.approx(
        np.prod([1 + trade.pnl_percent / 100 for trade in busy.trade_list])
        * np.prod([1 + percent / 100 for percent in busy.open.pnl_percent.dropna()])
    )
    assert str(busy.equity.index.dtype) == str(quiet.equity.index.dtype) == TIME
    assert quiet.equity.tolist() == [1.0] * 60
    assert quiet.equity.index[0] == pd.Timestamp("2024-01-01 00:01", tz="UTC")
    assert busy.equity.index[-1] == pd.Timestamp("2024-01-02", tz="UTC")


def test_it_says_in_one_line_what_came_out(busy, quiet):
    assert repr(quiet) == (
        "Result(quiet on BTCUSDT, 2024-01-01 00:00 to 2024-01-01 01:00: 0 trades, +0.00 %)"
    )
    percent = busy.figures["compounded_return"]
    assert repr(busy).endswith(f": {len(busy.trade_list)} trades, {percent:+.2f} %)")


# ---------------------------------------------------------------------------------- open positions


def test_what_is_still_open_or_scheduled_is_listed_and_warned_of():
    def asked(ctx):
        entry = None if ctx.symbol == "A" else 99.0
        return tn.long(take_profit=102, stop_loss=98, minutes=600, entry=entry, id=ctx.symbol)

    rows = [*flat(9), (100.0, 101.0, 100.0, 101.0, 1.0)]
    result = run(asked, {"A": rows, "B": rows}, ["A", "B"])
    assert result.open.to_dict("records")[0] == {
        "symbol": "A",
        "strategy": "dip",
        "signal_id": "A",
        "state": "open",
        "price": 101.0,
        "pnl_percent": pnl_percent("long", 100.0, 101.0, tn.Rules()),
    }
    assert result.open.state.tolist() == ["open", "scheduled"]
    assert math.isnan(result.open.pnl_percent[1])
    assert (len(result.trades), result.stats["count"]) == (0, 0.0)
    assert result.warnings == [
        "2 still open or scheduled at the end: in the equity, not in the trades; see result.open"
    ]


def test_positions_that_overlap_in_time_are_warned_of():
    overlap = (
        "up to 2 positions are open at once: equity compounds each at full size, as if it had the "
        "whole account"
    )

    def once(ctx):
        return buys(ctx) if ctx.now == minute(5 if ctx.symbol == "A" else 20) else None

    up = [*flat(9), *[(100.0, 101.0, 100.0, 100.0, 1.0)] * 30]
    apart = run(once, {"A": up, "B": up}, ["A", "B"])
    assert [trade.closed_at for trade in apart.trade_list] == [minute(10), minute(21)]
    assert overlap not in apart.warnings
    assert run(buys, up, names=("one", "two")).warnings[-1] == overlap
    assert overlap not in run(buys, up, names=("one",), every="1m").warnings


# ------------------------------------------------------------------------------------- pages


def test_a_notebook_shows_figures_an_equity_line_and_warnings_without_scripts(busy):
    page = busy._repr_html_()
    assert page == busy._repr_html_()
    assert "<svg" in page
    assert "<script" not in page
    assert "still open or scheduled" in page


def test_markdown_has_a_heading_the_figures_and_the_warnings(busy):
    text = busy.to_markdown()
    assert text.startswith("# dip on BTCUSDT\n\n2024-01-01 00:00 to 2024-01-02 00:00 UTC, 1440 c")
    assert f"| count | {len(busy.trade_list)} |" in text
    assert busy.warnings
    assert all(f"\n- {warning}" in text for warning in busy.warnings)


def test_the_report_is_one_page_that_escapes_what_users_write(busy, tmp_path):
    path = busy.report(str(tmp_path / "report.html"))
    assert path == tmp_path / "report.html"
    page = path.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "&lt;b&gt;dip&lt;/b&gt;" in page
    assert "<b>dip</b>" not in page.replace("\\u003cb", "")
    assert busy.report(path) == path


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.md"])
def test_a_page_under_the_name_of_another_sort_of_file_is_refused(busy, tmp_path, name):
    with pytest.raises(tn.UsageError, match=rf"report\.html.*{name}"):
        busy.report(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_plot_shows_the_price_of_a_symbol(busy):
    chart = busy.plot()
    assert [each["name"] for each in chart.data["symbols"]] == ["BTCUSDT"]
    assert busy.plot("BTC/USDT").data == chart.data
    with pytest.raises(tn.UnknownName, match=r"'BTCUSD'.*'BTCUSDT'"):
        busy.plot("BTCUSD")


def test_the_heatmap_has_a_row_for_each_symbol():
    rows = market(4, 600)
    result = run(buys, {"A": rows, "B": rows}, ["A", "B"])
    assert sorted(result.heatmap().index) == ["A", "B", "all"]


def test_the_candles_of_the_user_do_not_change_the_result_later():
    data = frame(market(9, 1_440))
    strategy = tn.strategy("dip", every="5m")(buys)
    source = tn.frame_exchange(data)
    first = tn.backtest.run("BTCUSDT", strategy=strategy, exchange=source, progress=False)
    data.loc[:, "close"] = 1.0
    second = tn.backtest.run("BTCUSDT", strategy=strategy, exchange=source, progress=False)
    assert second.event_list == first.event_list


def with_indicators():
    @tn.strategy("means", every="1h")
    def means(ctx):
        if ctx.indicators["slow"] > 0:
            return tn.long(take_profit=2 * ctx.price, stop_loss=0.9 * ctx.price, minutes=60)
        return None

    @means.indicators("1h")
    def hourly(df):
        return {"fast": df.close.rolling(3).mean(), "slow": df.close.rolling(5_000).mean()}

    @means.indicators("15m")
    def quarterly(df):
        return {"close": df.close}

    walk = tn.testing.random_walk(seed=2, days=5)
    return tn.backtest.run(
        "BTCUSDT", strategy=means, exchange=walk, start="2024-01-02", progress=False
    )


def test_an_indicator_that_never_has_a_value_is_named():
    result = with_indicators()
    (warning,) = [line for line in result.warnings if "indicator" in line]
    assert warning.startswith(
        "indicator 'slow' (1h) of means has no value in the whole run on BTCUSDT (97 candles)"
    )
    assert "has no value in the whole run" in result._repr_html_()


@pytest.mark.parametrize(("start", "count"), [(None, 3), ("2024-01-02T03:00", 0)])
def test_entries_before_an_indicator_has_a_value_are_named(start, count):
    seen = []

    @tn.strategy("warms-up", every="6h")
    def warms_up(ctx):
        mean = ctx.indicators["mean"]
        seen.append((ctx.when, mean == mean))
        if ctx.price > mean:
            return None
        return tn.long(take_profit=1.1 * ctx.price, stop_loss=0.9 * ctx.price, minutes=60)

    @warms_up.indicators("1h")
    def hourly(df):
        return {"last": df.close, "mean": df.close.rolling(24).mean()}

    walk = tn.testing.random_walk(seed=2, days=4)
    result = tn.backtest.run("BTCUSDT", strategy=warms_up, exchange=walk, start=start)
    first = next(when for when, known in seen if known)
    assert sum(result.trades.opened_at < first) == count
    words = (
        f"made {count} entries on BTCUSDT before {first:%Y-%m-%d %H:%M}, when its indicator 'mean'"
    )
    assert len([line for line in result.warnings if words in line]) == (count > 0)
    assert not [line for line in result.warnings if "entries" in line and words not in line]


def test_the_indicators_of_a_run_are_listed_with_their_first_value(tmp_path):
    result = with_indicators()
    found = result.indicators.set_index("name")
    assert found.loc["fast", ["strategy", "symbol", "timeframe"]].tolist() == [
        "means", "BTCUSDT", "1h",
    ]  # fmt: skip
    assert found["candles"].to_dict() == {"fast": 97, "slow": 97, "close": 4 * 96 + 1}
    assert found["values"].to_dict() == {"fast": 97, "slow": 0, "close": 4 * 96 + 1}
    assert str(found["first"]["close"]) == "2024-01-02 00:00:00+00:00"
    assert found["first"].isna().to_dict() == {"fast": False, "slow": True, "close": False}
    page = result.report(tmp_path / "report.html").read_text()
    assert "<h2>Indicators</h2>" in page
    assert "0 of 97" in page


def test_a_run_without_indicators_lists_none(tmp_path):
    @tn.strategy("plain", every="1h")
    def plain(ctx):
        return None

    walk = tn.testing.random_walk(seed=2, days=2)
    result = tn.backtest.run("BTCUSDT", strategy=plain, exchange=walk, progress=False)
    assert result.indicators.empty
    assert list(result.indicators.dtypes.astype(str)) == [
        "str", "str", "str", "str", "int64", "int64", "datetime64[ms, UTC]",
    ]  # fmt: skip
    assert "<h2>Indicators" not in result.report(tmp_path / "report.html").read_text()


def test_a_result_is_a_workbook(tmp_path):
    result = tn.backtest.run(
        "BTCUSDT",
        strategy=tn.strategy("booked", every="1h")(
            lambda ctx: tn.long(
                take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=60
            )
        ),
        exchange=tn.testing.random_walk(seed=3, days=2),
        progress=False,
    )
    path = result.to_excel(tmp_path / "deep" / "result.xlsx")
    sheets = pd.read_excel(path, sheet_name=None, index_col=0)
    assert list(sheets) == ["stats", "trades", "fills", "events", "open", "drawdowns"]
    assert len(sheets["trades"]) == len(result.trades) > 10
    opened = result.trades.opened_at.dt.tz_localize(None)
    assert sheets["trades"].opened_at.tolist() == opened.tolist()
    assert sheets["stats"].iloc[:, 0]["count"] == len(result.trades)
    with pytest.raises(tn.UsageError, match=r"named like 'result.xlsx'"):
        result.to_excel(tmp_path / "result.csv")


def test_a_rule_that_was_declared_again_with_other_code_is_told_of_until_the_strategy_is():
    def declare(answer):
        rule = tn.risk("one")(eval(f"lambda book, candidate: {answer}"))
        return tn.strategy("dip", every="5m", risk=rule)(buys), rule

    def warned(spec):
        source = exchange(market(9, 120))
        result = tn.backtest.run("BTCUSDT", strategy=spec, exchange=source, progress=False)
        return [words for words in result.warnings if "risk rule" in words]

    dip, _ = declare("None")
    assert warned(dip) == []
    tn.risk("one")(eval("lambda book, candidate: None"))  # the same code again
    assert warned(dip) == []
    newest, _ = declare("'no'")
    (words,) = warned(dip)
    assert words == (
        "strategy 'dip' uses an older version of risk rule 'one', which was declared again since; "
        "run the cell of the strategy again to use the new one"
    )
    assert warned(newest) == []


def test_look_ahead_and_parity_tell_of_a_rule_that_was_declared_again(tmp_path):
    spec = tn.strategy("dip", every="5m", risk=tn.risks.max_open(1, name="one"))(buys)
    tn.risks.max_open(2, name="one")
    walk = tn.testing.random_walk(seed=7, days=1)
    words = "strategy 'dip' uses an older version of risk rule 'one'"
    found = tn.lookahead(spec, symbols="BTCUSDT", exchange=walk, samples=1, events=1)
    assert found.warnings[0].startswith(words)
    settings = {"exchange": walk, "home": tmp_path, "end": "2024-01-01T00:30"}
    run = tn.live.rehearse("BTCUSDT", strategy=spec, speed=None, **settings)
    assert run.wait(240)
    assert tn.parity(run).notes[0].startswith(words)


@pytest.mark.parametrize("name", ["trades", "events", "fills", "open", "refusals", "asks",
                                  "indicators", "drawdowns", "benchmark", "stats", "equity",
                                  "daily"])  # fmt: skip
def test_what_is_changed_in_a_frame_is_in_no_other(name):
    result = tn.backtest.run(
        "BTCUSDT",
        strategy=tn.strategy("changed", every="5m")(
            lambda ctx: tn.long(stop_loss=tn.percent(1), take_profit=tn.percent(1), minutes=7)
        ),
        exchange=exchange(market(3, 2_000)),
        progress=False,
    )
    before = getattr(result, name).copy()
    assert before.equals(getattr(result, name))
    changed = getattr(result, name)
    if isinstance(changed, pd.DataFrame):
        changed["mine"] = 1
        changed[changed.columns[0]] = 1
    else:
        changed.iloc[:] = 0.5
        assert not changed.equals(before)
    assert getattr(result, name).equals(before)
    with pytest.raises(AttributeError, match=f"{name} of a result cannot be set"):
        setattr(result, name, before)
