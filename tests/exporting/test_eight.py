"""The eight strategies as scripts: each is proven in a clean process to make the same events."""

from __future__ import annotations

from pathlib import Path

import pytest

import tradenb as tn
from tests import eight_strategies
from tests.conftest import some_to_soak
from tests.exporting.notebook import Notebook
from tests.sources import DAY, T0, frame
from tests.test_eight_strategies import MARKET, SHOWS

pytestmark = pytest.mark.usefixtures("fresh", "inside", "forked")
START, END = T0 + 3 * DAY, T0 + 9 * DAY


@pytest.fixture(scope="module")
def recorded():
    columns = (column.tolist() for column in MARKET.columns)
    return tn.frame_exchange(frame([*zip(*columns, strict=True)]))


@pytest.mark.parametrize("name", some_to_soak([*SHOWS], keep=2))
def test_a_managed_strategy_is_exported_with_the_events_of_the_notebook(name, recorded, tmp_path):
    book = Notebook(Path(eight_strategies.__file__).read_text("utf-8"))
    given = {"start": START, "end": END}
    done = book.export(tmp_path / "bot.py", name, exchange=recorded, **given)
    result = tn.backtest.run(
        "BTCUSDT", strategy=book.names[name], exchange=recorded, progress=False, **given
    )
    assert (done.events, done.trades) == (len(result.event_list), len(result.trade_list))
    kinds = {event.kind for event in result.event_list}
    assert {"opened", "closed"} <= kinds
    text = done.path.read_text("utf-8")
    manager = book.names[name].manager
    if manager is not None and manager.function.__name__ != name:
        assert f"def {manager.function.__name__}(" in text
    assert [other for other in SHOWS if f"def {other}(" in text] == [name]
