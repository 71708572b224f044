"""The steps of a market that is made of candles."""

from __future__ import annotations

from decimal import Decimal

import pytest

import tradenb as tn
from tradenb.core.candles.arrays import Rows
from tradenb.testing.server.binance_api import market_of, venue_market
from tradenb.testing.server.server_candles import rows_of_all


@pytest.mark.parametrize(
    ("price", "step"), [(43_000.0, "0.00001"), (100.0, "0.01"), (0.5, "0.01"), (0.00002, "0.01")]
)
def test_a_step_is_worth_a_unit_of_the_quote_currency_at_most(price, step):
    rows = tn.testing.random_walk(seed=1, days=1, price=43_000.0)
    ((_, found),) = rows_of_all(rows, ["BTCUSDT"])
    scaled = Rows(found.time, *(column * price / 43_000 for column in found[1:5]), found.volume)
    assert venue_market(market_of("BTCUSDT", scaled)).step_size <= Decimal(step)
    assert venue_market(market_of("BTCUSDT", scaled)).step_size * Decimal(price) <= 1
