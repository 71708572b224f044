"""Real orders of live runs: who may send them, and under which limits.

The rules of an order are in `core/orders`, the way to an exchange in `exchanges/orders`; here a
live run meets its account.
"""

from __future__ import annotations

__all__: list[str] = []
