"""How many bytes a response may have; `bounded_response.py` gives up those that have more."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

CANDLES_BYTES: Final = 8 << 20
"""A thousand candles are 0.1 MB."""
MARKETS_BYTES: Final = 24 << 20
"""The longest list of markets is about 15 MB."""

byte_limit: Final = ContextVar("byte_limit", default=MARKETS_BYTES)
"""How many bytes the response to the present request may have."""
