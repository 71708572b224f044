from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from tradenb.core.columns import EVENT_COLUMNS, OPEN_COLUMNS, TRADE_COLUMNS
from tradenb.core.events import Event
from tradenb.core.signal import Refused, Signal
from tradenb.view.event_frames import event_frame, open_frame, trade_frame

AT = 1_709_251_500_000
EVENT_DTYPES = {
    "seq": "int64",
    "at": "datetime64[ms, UTC]",
    "wall": "datetime64[ms, UTC]",
    "mode": "str",
    "symbol": "str",
    "strategy": "str",
    "kind": "str",
    "signal_id": "str",
    "position": "str",
    "price": "float64",
    "entry": "float64",
    "take_profit": "float64",
    "stop_loss": "float64",
    "minutes": "Int64",
    "size": "Float64",
    "fraction": "Float64",
    "exit_reason": "str",
    "pnl_percent": "float64",
    "level": "Int64",
    "late": "bool",
    "note": "str",
}


def dtypes(frame):
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


@pytest.fixture
def signal():
    return Signal("dip-1", "BTCUSDT", "dip", "long", 100.0, 102.0, 99.0, 240, 1.5, "deep", AT)


@pytest.fixture
def events(signal):
    return [
        Event(1, AT, "BTCUSDT", "dip", "opened", signal, price=100.0),
        Event(2, AT, "BTCUSDT", "dip", "milestone", signal, price=100.4, level=-20),
        Event(3, AT, "BTCUSDT", "dip", "rejected", Refused("dip-2", None), exit_reason="invalid"),
        Event(4, AT, "BTCUSDT", "dip", "error", note="ZeroDivisionError", mode="live", wall=AT + 7),
    ]


def test_an_event_frame_has_fixed_columns_and_dtypes(events):
    for rows in (events, events[3:], []):
        assert dtypes(event_frame(rows)) == EVENT_DTYPES
    assert list(EVENT_DTYPES) == list(EVENT_COLUMNS)


def test_an_event_frame_holds_what_the_events_say(events):
    frame = event_frame(events)
    first = frame.iloc[0]
    assert (first["signal_id"], first["position"], first["entry"]) == ("dip-1", "long", 100.0)
    assert (first["minutes"], first["size"], first["late"]) == (240, 1.5, False)
    assert first["at"] == pd.Timestamp("2024-03-01 00:05", tz="UTC")
    assert frame["level"].to_list() == [pd.NA, -20, pd.NA, pd.NA]
    assert frame["signal_id"].isna().to_list() == [False, False, False, True]
    assert frame["wall"].isna().to_list() == [True, True, True, False]
    assert frame["wall"].iloc[3] == pd.Timestamp("2024-03-01 00:05:00.007", tz="UTC")
    assert frame["entry"].isna().to_list() == [False, False, True, True]


def test_a_trade_frame_has_fixed_columns_and_dtypes(make_trades):
    expected = {
        **{name: EVENT_DTYPES[name] for name in TRADE_COLUMNS if name in EVENT_DTYPES},
        "opened_at": "datetime64[ms, UTC]",
        "closed_at": "datetime64[ms, UTC]",
        "minutes_held": "int64",
        "exit": "float64",
        "entries": "int64",
        "exits": "int64",
        "invested": "float64",
        "mae_percent": "float64",
        "mfe_percent": "float64",
        "r_multiple": "float64",
    }
    frame = trade_frame(make_trades([1.0, -0.5]))
    assert dtypes(frame) == dtypes(trade_frame([])) == expected
    assert list(frame.columns) == list(TRADE_COLUMNS)
    assert frame["minutes_held"].to_list() == [30, 30]
    assert frame["pnl_percent"].to_list() == [1.0, -0.5]


def test_an_open_frame_has_fixed_columns_and_dtypes():
    rows = [
        ("BTCUSDT", "dip", "dip-1", "open", 100.0, -0.4),
        ("BTCUSDT", "dip", "dip-2", "scheduled", 100.0, None),
    ]
    frame = open_frame(rows)
    assert dtypes(frame) == dtypes(open_frame([]))
    assert list(frame.columns) == list(OPEN_COLUMNS)
    assert frame["pnl_percent"].isna().to_list() == [False, True]


def test_half_a_character_in_a_note_is_replaced(signal):
    note = event_frame([Event(1, AT, "B", "d", "opened", signal, note="a\ud83d")])["note"]
    assert note.to_list() == ["a?"]


def test_a_frame_reads_well_in_a_cell(events):
    shown = event_frame(events)._repr_html_()
    assert all(f"<th>{name}</th>" in shown for name in EVENT_COLUMNS)  # no column is elided
    assert "2024-03-01 00:05:00" in shown


@pytest.mark.parametrize(
    "name",
    [
        "statistics.equity.curve_points",
        "view.formatting",
        "view.event_frames",
        "view.pages.result_html",
        "view.summary",
        "view.svg.equity_svg",
    ],
)
def test_importing_the_views_of_a_cell_loads_no_pandas(name):
    code = f"import sys, tradenb.{name}\nassert not {{'pandas', 'plotly'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_frames_loads_no_numpy():
    code = "import sys, tradenb.view.event_frames\nassert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
