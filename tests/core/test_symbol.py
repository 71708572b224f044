from __future__ import annotations

import pytest

from tradenb.core.symbol import canonical
from tradenb.errors import UsageError


@pytest.mark.parametrize(
    ("given", "short"),
    [
        ("BTCUSDT", "BTCUSDT"),
        ("BTC/USDT", "BTCUSDT"),
        ("BTC/USDT:USDT", "BTCUSDT:USDT"),
        ("btc/usdt", "btcusdt"),
        ("1000PEPE/USDT", "1000PEPEUSDT"),
    ],
)
def test_a_symbol_is_written_without_slashes(given, short):
    assert canonical(given) == short
    assert canonical(short) == short


@pytest.mark.parametrize(
    "given", ["", "/", " BTCUSDT", "BTC USDT", "BTC\n", "BTC\x00", "BTC\u200b"]
)
def test_an_empty_or_blank_symbol_is_refused_and_shown(given):
    with pytest.raises(UsageError, match="symbol must not") as caught:
        canonical(given)
    assert repr(given) in str(caught.value)


def test_an_endless_symbol_is_refused_and_shown_in_part():
    assert canonical("B" * 128) == "B" * 128
    with pytest.raises(
        UsageError, match="symbol must be at most 128 characters, was 129"
    ) as caught:
        canonical("B" * 129)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("given", [None, 7, b"BTCUSDT", ["BTCUSDT"]])
def test_a_symbol_is_a_string(given):
    with pytest.raises(UsageError, match="symbol must be a string"):
        canonical(given)
