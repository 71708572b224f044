"""What tests of brokers share."""

from __future__ import annotations

import pytest

from tradenb.exchanges.orders import order_client


@pytest.fixture
def unlimited(monkeypatch):
    """Let commands read without a pause: the limiter of ccxt waits in real time.

    That it limits is shown in `tests/exchanges/orders/test_order_client.py`.
    """
    monkeypatch.setattr(order_client, "READ_SHARE", 1e6)
