"""What the engine wants of the outside world, as protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from tradenb.core.candles import Candles
from tradenb.core.intake import Intake
from tradenb.core.rules import Rules


class Loaded(NamedTuple):
    """Candles of one symbol as they were accepted, and what was found on the way."""

    candles: Candles
    intake: Intake


Progress = Callable[[int, int], None]
"""Called with (done, all) while something is loaded; the unit is the caller's."""


@runtime_checkable
class CandleSource(Protocol):
    """Where candles come from; only ever asked for 1m candles."""

    @property
    def name(self) -> str:
        """Name under which it is registered."""

    def load(
        self,
        symbol: str,
        *,
        start: int | None,
        end: int | None,
        history: int,
        rules: Rules,
        progress: Progress | None = None,
    ) -> Loaded:
        """Return the closed candles of a symbol for a backtest.

        Parameters
        ----------
        symbol : str
            Canonical symbol.
        start, end : int or None
            Range wanted, ms UTC; None: all that the source has. A source whose candles are in
            memory answers with all of them; the caller cuts.
        history : int
            How much before `start` is wanted as well, ms.
        rules : Rules
            `price_anomaly_factor`, `candle_retries`, `candle_retry_seconds`.
        progress : callable, optional

        Raises
        ------
        UnknownName
            When the source does not have the symbol.
        CandleError
            When the candles are refused.
        ExchangeError
            When they cannot be fetched.
        """
