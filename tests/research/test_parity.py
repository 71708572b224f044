"""Parity: each difference between a live run and its backtest has one cause, a clean run none."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.research.planted import BUYS, PLANTS, Planted, frame_of
from tests.sources import candles, market, minute, through
from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.errors import UsageError
from tradenb.research.parity.api import CAUSES, parity
from tradenb.research.parity.replay import Refusals
from tradenb.testing.world.simulated_world import Action, World

FIVE = [
    ("user action", "error", "refused by risk", "candle revised", "late tick"),
    ("candle missing", "candle revised", "indicator window", "code changed", "late exit"),
]


def test_every_cause_can_be_planted():
    of_restarts = {"rules changed"}  # in test_parity_of_changes.py
    assert set(CAUSES) == {*PLANTS, *of_restarts, "unexplained"}


@pytest.mark.soak  # the rehearsals below have all of them at once
@pytest.mark.parametrize("cause", PLANTS)
def test_a_planted_cause_is_the_only_one_found(cause):
    planted = Planted()
    PLANTS[cause](planted)
    found = planted.report()
    assert found.causes == {cause: 1}
    assert not found.clean
    assert f"1 difference ({len(found.live)} trades live" in repr(found)
    row = found.table.iloc[0]
    assert row.cause == cause
    assert row.live + row.backtest >= 1


@pytest.mark.parametrize(
    "causes", [tuple(PLANTS), (), *(pytest.param(each, marks=pytest.mark.soak) for each in FIVE)]
)
def test_causes_planted_in_a_rehearsal_are_exactly_those(causes, tmp_path, monkeypatch):
    planted = Planted()
    for cause in causes:
        PLANTS[cause](planted)
    run = planted.rehearsed(tmp_path, monkeypatch)
    found = tn.parity(run, **planted.today())
    assert found.causes == dict.fromkeys([name for name in CAUSES if name in causes], 1)
    assert found.notes == []
    assert found.verdict == ("differs" if causes else "clean")
    for item in found.found:
        assert (item.at - minute(0)) // 60_000 in (*BUYS, 940)
    # Read from its files alone, as after a restart of the kernel, it is the same.
    (handle,) = tn.live.attach(tmp_path, ended=True)
    again = tn.parity(handle, **planted.today())
    assert again.found == found.found
    assert (again.live, again.backtest) == (found.live, found.backtest)


@pytest.mark.no_cover
def test_an_exit_that_came_late_is_named():
    planted = Planted()
    PLANTS["late exit"](planted)
    (item,) = planted.report().found
    assert item.live == item.backtest
    assert item.at == minute(890)


def test_a_clean_run_has_none():
    found = Planted().report()
    assert found.clean
    assert len(found.live) == len(found.backtest) == len(BUYS)
    assert repr(found) == (
        "BTCUSDT:planned: live and backtest agree (8 trades live, 8 in the backtest)"
    )
    assert found.table.empty
    assert found._repr_html_().startswith("<div>BTCUSDT:planned")


@pytest.mark.no_cover
def test_a_clean_rehearsal_has_none_and_one_whose_rule_was_moody_has_that(tmp_path):
    rows = market(4, 1_250)
    refusing = set()

    @tn.risk("moody")
    def moody(book, candidate):
        return "no" if refusing and book.now % 7_200_000 == 0 else None

    @tn.strategy("moving", every="30m", risk=[moody])
    def moving(ctx):
        if ctx.price > ctx.indicators["mean"]:
            return tn.long(take_profit=1.03 * ctx.price, stop_loss=0.97 * ctx.price, minutes=300)
        return tn.short(
            take_profit=0.97 * ctx.price, stop_loss=1.03 * ctx.price, minutes=300,
            entry=1.004 * ctx.price,
        )  # fmt: skip

    @moving.indicators("15m")
    def mean(df):
        return {"mean": df.close.rolling(20).mean().fillna(0)}

    def rehearse(home):
        run = tn.live.rehearse(
            "BTCUSDT", strategy=moving, exchange=tn.frame_exchange(frame_of(rows)),
            start=minute(600), end=minute(1_150), speed=None, home=home,
        )  # fmt: skip
        assert run.wait(240)
        run.raise_if_failed()
        return run

    found = tn.parity(rehearse(tmp_path / "clean"))
    assert found.clean
    assert len(found.live) > 3
    refusing.add(True)
    run = rehearse(tmp_path / "refused")
    refusing.clear()
    assert set(tn.parity(run).causes) == {"refused by risk"}


def test_an_error_of_a_callback_or_of_candles_ends_no_row_of_refusals():
    signal = Signal(
        id="dip-1", symbol="BTCUSDT", strategy="dip", position="long", entry=100.0,
        take_profit=104.0, stop_loss=98.0, minutes=9, size=None, note=None, at=60_000,
    )  # fmt: skip
    first = Event(1, 60_000, "BTCUSDT", "dip", "rejected", signal, exit_reason="risk")

    def refuses(note):
        error = first._replace(at=120_000, kind="error", signal=None, exit_reason=None, note=note)
        return Refusals([first, error]).refuses(180_000, "dip-2")

    assert refuses("callback on_close of dip: ValueError: no")
    assert refuses("candles of BTCUSDT change after they were acted on")
    assert not refuses("strategy dip: ValueError: no")
    assert not refuses("risk rule moody: ValueError: no")


def test_a_refusal_hits_the_signal_that_was_refused_and_not_the_next_on_the_same_candle():
    rows = through(*[100.0] * 624, *[98.9] * 80)

    @tn.risk("fresh")
    def fresh(book, candidate):
        return None if candidate.at == book.now else "too old by now"

    @tn.strategy("stubborn", every="5m", risk=[fresh])
    def stubborn(ctx):
        entry = 99.0 if ctx.price > 99 else None
        return tn.long(take_profit=110.0, stop_loss=90.0, minutes=30, entry=entry)

    world = World({"BTCUSDT": candles(rows)}, start=minute(600), runs=[("BTCUSDT", stubborn)])
    process = world.process()
    assert process.live(minute(690) + 5_000)
    found = parity(process.runs[0], exchange=tn.frame_exchange(frame_of(rows)))
    assert len(found.live) > 1
    assert found.clean


@pytest.mark.no_cover
def test_a_run_that_was_stopped_is_followed_to_its_stop():
    planted = Planted()
    run = planted.simulated([Action(minute(900), lambda process: process.runs[0].stop())])
    found = parity(run, **planted.today())
    assert len(found.live) == len(BUYS)
    assert found.clean  # the position was followed to its end


@pytest.mark.no_cover
def test_what_a_person_did_by_hand_is_done_again():
    planted = Planted()

    def close_half(process):
        process.runs[0].close(0.5)

    def move(process):
        process.runs[0].move(take_profit=None, minutes=5)

    acts = [Action(minute(612), close_half), Action(minute(652), move)]
    run = planted.simulated(acts)
    found = parity(run, **planted.today())
    assert {"partial", "moved"} <= set(run.events().kind)
    assert len(found.live) == len(BUYS)
    assert {*found.causes} == {"user action"}


def test_what_has_not_lived_cannot_be_compared(tmp_path):
    with pytest.raises(UsageError, match="parity needs a run: what"):
        parity(object())
    there = re.escape(f"; known runs under {tmp_path}: none; pass home= for another folder")
    with pytest.raises(UsageError, match="was .BTCUSDT:none." + there):
        parity("BTCUSDT:none", home=tmp_path)
    with pytest.raises(UsageError, match="compares one run, 0 were given: none"):
        parity(tn.live.attach(tmp_path))


@pytest.mark.no_cover
@pytest.mark.parametrize("kept", ["closure", "global"])
def test_callbacks_take_part(kept, tmp_path, monkeypatch):
    """A strategy that sits out after losses agrees: its memory is written by a callback."""
    exchange = tn.testing.random_walk(seed=7, days=3, volatility=150.0)
    period = {"exchange": exchange, "start": "2024-01-02", "end": "2024-01-02T12:00"}

    def make():
        memory = {"losses": 0}
        if kept == "global":
            monkeypatch.setitem(globals(), "MEMORY", memory)

        def closed(event):
            told = MEMORY if kept == "global" else memory
            told["losses"] = told["losses"] + 1 if event.pnl_percent < 0 else 0

        @tn.strategy("sitting", every="15m", on_close=closed)
        def sitting(ctx):
            told = MEMORY if kept == "global" else memory
            if told["losses"] >= 2:
                told["losses"] = 0
                return None
            up = ctx.price > ctx.candles("1h", 6).close.mean()
            gain, loss = (1.006, 0.994) if up else (0.994, 1.006)
            side = tn.long if up else tn.short
            return side(take_profit=gain * ctx.price, stop_loss=loss * ctx.price, minutes=300)

        return sitting

    run = tn.live.rehearse("BTCUSDT", strategy=make(), speed=None, home=tmp_path, **period)
    assert run.wait(240)
    found = parity(run, strategy=make())
    assert found.clean, found
    assert len(found.live) > 10


@pytest.mark.no_cover
def test_callbacks_that_send_are_not_called(tmp_path):
    sent = []
    phone = SimpleNamespace(post=sent.append)

    @tn.strategy("sending", every="1h", on_open=lambda event: phone.post(event.at))
    def sending(ctx):
        return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=120)

    exchange = tn.testing.random_walk(seed=7, days=2)
    given = {"exchange": exchange, "start": "2024-01-02", "end": "2024-01-02T06:00"}
    run = tn.live.rehearse("BTCUSDT", strategy=sending, speed=None, home=tmp_path, **given)
    assert run.wait(240)
    told = list(sent)
    assert len(told) > 1
    assert parity(run).clean
    look = tn.lookahead(sending, symbols="BTCUSDT", samples=1, events=1, progress=False, **given)
    assert sent == told
    assert look.unproved == ["the callback opened sends something (post); it was not called"]


MEMORY: dict[str, int] = {}


def test_a_run_on_an_account_is_gone_through_with_it(tmp_path):
    @tn.strategy("spends-what-is-free", every="15m")
    def spends(ctx):
        if ctx.account is None or ctx.account.free < 400:
            return None
        return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=20)

    walk = tn.testing.random_walk(seed=5, days=2)
    stepped = tn.frame_exchange(
        tn.candles("BTCUSDT", exchange=walk), market=tn.Market(price_step=0.5, size_step=0.0001)
    )
    account = tn.Account(cash=1_000, percent=50, min_quote=300, funding_percent=0.01)
    run = tn.live.rehearse(
        "BTCUSDT", strategy=spends, exchange=stepped, account=account, start="2024-01-01T12:00",
        end="2024-01-01T17:00", speed=None, home=tmp_path,
    )  # fmt: skip
    assert run.wait(240)
    found = tn.parity(run, exchange=stepped)
    assert found.clean, repr(found)
    assert len(found.live) > 5
    assert found.notes == []
    (handle,) = tn.live.attach(tmp_path, ended=True)
    assert tn.parity(handle, exchange=stepped, strategy=spends).clean
    (file,) = tmp_path.rglob("lived/*/*.jsonl")
    file.write_text(re.sub(r'"account":\{[^}]*\},', "", file.read_text()))
    (older,) = tn.live.attach(tmp_path, ended=True)
    found = tn.parity(older, exchange=stepped, strategy=spends)
    assert not found.clean
    assert "begun before sizes of account 'paper' were recorded" in found.notes[0]
