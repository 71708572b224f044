"""Candles of symbols that the trials of a sweep only read: which rows were made with them."""

from __future__ import annotations

from collections.abc import Iterable

from tradenb.backtest.trial import TrialCandles
from tradenb.errors import CandleError, TradenbError
from tradenb.research.sweep.cache_key import candles_key
from tradenb.research.sweep.sweep_trial import Row, failed


class ReadCandles:
    """What trials read beside the symbols that they trade."""

    def __init__(self, market: TrialCandles) -> None:
        self._market = market
        self._keys: dict[str, str | None] = {}

    def are_as_in(self, row: Row) -> bool:
        """Tell whether a row from disk was made with the candles of today."""
        return all(self._key(symbol) == key for symbol, key in row["reads"].items())

    def finished(self, rows: Iterable[tuple[int, Row]]) -> dict[int, Row]:
        """Return the rows that lacked nothing that can be loaded, with the keys of what they read.

        What the others lacked is in the market now.
        """
        found = {}
        for place, row in rows:
            whole = self._whole(row)
            if whole is not None:
                keys = {symbol: self._key(symbol) for symbol in whole.get("reads", ())}
                found[place] = {name: item for name, item in whole.items() if name != "lacks"}
                found[place]["reads"] = keys
        return found

    def _whole(self, row: Row) -> Row | None:
        loaded = False
        for symbol in row.get("lacks", ()):
            try:
                self._market.history(symbol)
                loaded = True
            except CandleError as error:
                return failed(f"{type(error).__name__}: {error}")
            except TradenbError:  # not there: its asks failed, as in a backtest
                continue
        return None if loaded else row

    def _key(self, symbol: str) -> str | None:
        """Return the key of a symbol's candles; None where there are none."""
        if symbol not in self._keys:
            try:
                self._keys[symbol] = candles_key({symbol: self._market.history(symbol).candles})
            except TradenbError:
                self._keys[symbol] = None
        return self._keys[symbol]
