"""How large an entry is, and why it is refused."""

from __future__ import annotations

import pytest

from tests.core.steps import signal
from tradenb.core.money.account import Account
from tradenb.core.money.funds import Funds, grant
from tradenb.core.money.market import Market
from tradenb.core.money.position_money import Grant, entered, left, with_money
from tradenb.core.risk import Refusal
from tradenb.core.signal import closed_trade

RICH = Funds(balance=1_000.0, equity=1_000.0, free=1_000.0, exposure=0.0)


def given(
    funds: Funds = RICH, *, market: Market | None = None, first: float | None = None,
    fee: float = 0.0, size: float | None = None, add: float | None = None, **settings: float,
):  # fmt: skip
    account = Account(cash=1_000.0, **settings)
    entry = signal()._replace(entry=100.0, stop_loss=98.0, size=size, add=add)
    return grant(
        account, entry, funds, paid=100.0, fee_percent=fee, market=market, first=first
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "stake"),
    [
        ({"quote": 300.0}, 300.0),
        ({"percent": 40.0}, 400.0),
        ({"risk": 1.0}, 500.0),
        ({"risk": 1.0, "max_percent": 30.0}, 300.0),
        ({"percent": 150.0, "leverage": 3.0}, 1_500.0),
        ({"percent": 150.0}, 1_000.0),
        ({"percent": 100.0, "fee": 1.0}, 1_000.0 / 1.01),
        ({"quote": 1.0, "size": 2.5}, 250.0),
        ({"quote": 1.0, "first": 200.0, "add": 0.5}, 100.0),
        ({"quote": 1.0, "first": 200.0, "add": 0.5, "max_percent": 1.0}, 100.0),
    ],
)
def test_an_entry_costs_what_the_account_says(settings, stake):
    found = given(**settings)
    assert found[:2] == (pytest.approx(stake), pytest.approx(stake / 100))


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"percent": 100.0}, 1.0),
        ({"percent": 150.0}, 1 / 1.5),
        ({"risk": 4.0}, 0.5),
        ({"risk": 4.0, "max_percent": 30.0}, 1.0),
        ({"quote": 300.0}, 1.0),
        ({"percent": 100.0, "fee": 1.0}, 1 / 1.01),
    ],
)
def test_what_is_cut_to_the_free_money_says_to_which_part(settings, share):
    found = given(**settings)
    assert found.share == pytest.approx(share)
    assert found.is_cut is (share < 0.97)


@pytest.mark.parametrize("free", [2e-13, 9e-7, 1.2e-6])
def test_what_rounding_left_of_the_free_money_buys_nothing(free):
    found = given(RICH._replace(free=free), percent=100.0)
    assert isinstance(found, Refusal) is (free < 1e-6)
    if isinstance(found, Refusal):
        assert found.name == "funds"
        assert found.words == f"{free:.8g} is left for an entry; free are {free:.8g}"


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        ({"quote": 1_001.0}, "funds", "the entry needs 1001, free are 1000"),
        ({"quote": 1_000.0, "fee": 0.1}, "funds", "the entry needs 1001, free are 1000"),
        (
            {"quote": 1.0, "size": 11.0},
            "funds",
            "a size of 11, which counts in pieces, needs 1100, free are 1000",
        ),
        (
            {"quote": 1.0, "first": 600.0, "add": 2.0},
            "funds",
            "an add of 2, which counts in first entries (600), needs 1200, free are 1000",
        ),
        ({"percent": 1.0, "min_quote": 11.0}, "funds", "10 is below min_quote 11"),
        (
            {"percent": 10.0, "funds": RICH._replace(free=0.0)},
            "funds",
            "0 is left for an entry; free are 0",
        ),
        (
            {"percent": 10.0, "funds": RICH._replace(free=-5.0)},
            "funds",
            "-5 is left for an entry; free are -5",
        ),
        ({"quote": 50.0, "market": Market(size_step=1)}, "min_size", "0.5 pieces are too few"),
        ({"quote": 50.0, "market": Market(min_size=1)}, "min_size", "takes at least 1"),
        (
            {"quote": 50.0, "market": Market(min_value=60)},
            "min_value",
            "a value of 50 is too",
        ),
    ],
)
def test_an_entry_that_is_not_possible_is_refused_by_name(settings, name, words):
    found = given(**settings)
    assert isinstance(found, Refusal)
    assert (found.name, found.exit_reason) == (name, "funds")
    assert words in found.words


def test_the_most_pieces_are_bought_and_no_refusal_is_made_where_they_fit():
    market = Market(size_step=1, max_size=4, min_size=1, min_value=100)
    assert given(quote=900.0, market=market) == Grant(400.0, 4.0)
    assert given(quote=1_050.0, market=Market(size_step=1)) == Grant(1_000.0, 10.0)


def test_a_part_that_is_too_small_goes_with_the_next_exit():
    market = Market(size_step=1.0, min_size=2.0, min_value=150.0)
    money = entered(None, Grant(300.0, 3.0), 0.0).money
    costs = {"price": 100.0, "received": 100.0, "fee_percent": 0.0, "market": market}
    small = left(money, "long", 0.5, **costs)
    assert (small.quantity, small.change, small.money) == (0.0, 0.0, money)
    assert left(money, "long", 0.7, **{**costs, "price": 70.0}).quantity == 0.0
    part = left(money, "long", 0.7, **costs)
    assert (part.quantity, part.money.quantity, part.money.cost) == (2.0, 1.0, 100.0)
    none = part.money._replace(quantity=0.0, cost=1e-9)
    assert left(none, "long", 0.5, **costs).quantity == 0.0
    whole = left(part.money, "short", 1.0, **{**costs, "received": 90.0})
    assert (whole.quantity, whole.change) == (1.0, 10.0)
    assert (whole.money.quantity, whole.money.cost) == (0.0, 0.0)


def test_a_trade_without_an_account_has_no_money():
    trade = closed_trade(signal(), 0, 60_000, 100.0, "stop_loss", 0.0)
    assert with_money(trade, None) is trade
