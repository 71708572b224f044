"""A venue with one market at 100, and an account with 10,000 USDT and 10 BTC of its owner."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_records import VenueMarket

BTC = VenueMarket("BTCUSDT", "BTC", "USDT")


def made(**options):
    held = {"USDT": Decimal(10_000), "BTC": Decimal(10)} | options.pop("balances", {})
    venue = SpotVenue([options.pop("market", BTC)], held, **options)
    venue.set_price("BTCUSDT", Decimal(100), at=0)
    return venue


@pytest.fixture
def venue():
    return made()


@pytest.fixture
def venue_with():
    return made
