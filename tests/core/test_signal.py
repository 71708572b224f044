"""What a strategy answers, and the signal and trade that become of it."""

from __future__ import annotations

import numpy as np
import pytest

from tradenb.core.candidate import Candidate, long, reached, short, signal_of
from tradenb.core.signal import Signal, Trade
from tradenb.core.validation.candidate_rules import as_candidate

LONG = {"position": "long", "take_profit": 102.0, "stop_loss": 99.0, "minutes": 60}


def test_long_and_short_make_candidates_with_all_their_fields():
    fields = {"take_profit": 1.0, "stop_loss": 2.0, "minutes": 3, "entry": 4.0}
    labels = {"id": "a", "note": "b", "size": 5.0}
    expected = ("long", 1.0, 2.0, 3, 4.0, "a", "b", 5.0)
    assert long(**fields, **labels) == Candidate(*expected)
    assert short(**fields, **labels) == Candidate("short", *expected[1:])


@pytest.mark.parametrize("answer", [5, True, "long", [1], (LONG,), {1, 2}, object])
def test_what_is_no_candidate_is_called_by_its_type_alone(answer):
    candidate, found = as_candidate(answer)
    assert candidate == Candidate()
    assert [problem.name for problem in found] == ["candidate_type"]
    assert found[0].words.endswith(f"and the like or a list of them, was {answer!r}")


def test_a_mapping_that_cannot_be_read_is_no_candidate():
    class Broken(dict[str, object]):
        def __iter__(self):
            raise RuntimeError("no keys today")

    candidate, found = as_candidate(Broken(LONG))
    assert (candidate, [problem.name for problem in found]) == (Candidate(), ["candidate_type"])
    assert "RuntimeError: no keys today" in found[0].words


def made(candidate: Candidate, price: float = 100.0) -> Signal:
    return signal_of(candidate, id="a", symbol="BTCUSDT", strategy="dip", price=price, at=7)


def test_a_signal_without_an_entry_pays_the_market_price():
    signal = made(long(take_profit=102, stop_loss=np.float32(99), minutes=np.int64(5), size=2))
    expected = Signal("a", "BTCUSDT", "dip", "long", 100.0, 102.0, 99.0, 5, 2.0, None, 7)
    assert signal == expected
    assert [type(value) for value in signal] == [type(value) for value in expected]


@pytest.mark.parametrize("note", [None, "", "dip"])
def test_an_entry_that_is_reached_already_pays_the_market_price_and_says_so(note):
    signal = made(long(take_profit=102, stop_loss=99, minutes=5, entry=100.0, note=note))
    expected = "dip; entry already reached" if note else "entry already reached"
    assert (signal.entry, signal.note) == (100.0, expected)


@pytest.mark.parametrize(("propose", "entry"), [(long, 99.9), (short, 100.1)])
def test_an_entry_that_is_not_reached_waits_at_its_price(propose, entry):
    signal = made(propose(take_profit=1, stop_loss=1, minutes=5, entry=entry, note="dip"))
    assert (signal.entry, signal.note) == (entry, "dip")


def test_the_market_price_reaches_an_entry_from_its_better_side():
    assert [reached("long", 100.0, price) for price in (99.0, 100.0, 101.0)] == [True, True, False]
    assert [reached("short", 100.0, price) for price in (99.0, 100.0, 101.0)] == [False, True, True]


def test_a_trade_knows_how_long_it_was_held():
    trade = Trade(
        "a", "B", "dip", "long", 60_000, 360_000, 1.0, 2.0, 2.0, 0.5, None, "take_profit", 100.0,
        False, None,
    )  # fmt: skip
    assert trade.minutes_held == 5
