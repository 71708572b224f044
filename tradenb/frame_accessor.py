"""`df.tradenb`: what tradenb does with a DataFrame of candles, found by Tab on the frame.

pandas has to be told of it once, and `import tradenb` must not load pandas: it is told when it is
loaded already, at the import of tradenb or at the first use of one of its names after that. So it
is there in notebooks that import pandas first, and on the frames of `tn.candles`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.backtest import Result
    from tradenb.core.money.market import Market
    from tradenb.engine.specs.strategy_spec import StrategySpec
    from tradenb.exchanges.tables.frame_source import FrameExchange

NAME = "tradenb"


class CandlesAccessor:
    """What tradenb does with the candles of a frame.

    The columns are open, high, low, close and volume; the times are the index or a column: all as
    `tn.frame_exchange` takes them.

    Examples
    --------
    >>> import tradenb as tn
    >>> df = tn.candles("BTCUSDT", exchange=tn.testing.random_walk(seed=7, days=3))
    >>> df.tradenb
    <4,320 rows of candles: .exchange(), .candles("1h"), .backtest(strategy)>
    >>> len(df.tradenb.candles("4h"))
    18
    >>> @tn.strategy("on a frame", every="1h")
    ... def on_a_frame(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=240)
    >>> df.tradenb.backtest(on_a_frame, symbol="BTCUSDT")
    Result(on a frame on BTCUSDT, 2024-01-01 00:00 to 2024-01-04 00:00: 23 trades, ...)
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __repr__(self) -> str:
        known = f"{len(self._frame):,} rows of candles"
        return f'<{known}: .exchange(), .candles("1h"), .backtest(strategy)>'

    def exchange(self, *, timeframe: str = "1m", market: Market | None = None) -> FrameExchange:
        """Return an exchange of these candles, as `tn.frame_exchange` does.

        Parameters
        ----------
        timeframe : str, default "1m"
            How long each candle is.
        market : Market, optional
            Steps of prices and sizes.
        """
        from tradenb.exchanges.tables.frame_source import frame_exchange

        return frame_exchange(self._frame, timeframe=timeframe, market=market)

    def candles(self, timeframe: str, *, of: str = "1m") -> pd.DataFrame:
        """Return longer candles, as `tn.candles` does; `of` is how long those of the frame are.

        Raises
        ------
        UsageError, CandleError
            When a timeframe cannot work, or the frame holds no valid candles.
        """
        from tradenb.exchanges.candles_function import candles

        return candles("FRAME", exchange=self.exchange(timeframe=of), timeframe=timeframe)

    def backtest(
        self,
        strategy: StrategySpec | str,
        *,
        symbol: str = "FRAME",
        timeframe: str = "1m",
        market: Market | None = None,
        **more: Any,
    ) -> Result:
        """Run a strategy over these candles, as `tn.backtest.run` does.

        Parameters
        ----------
        strategy : StrategySpec or str
            Or a list of them.
        symbol : str, default "FRAME"
            What the candles are called.
        timeframe, market
            As in `exchange`.
        **more
            start, end, rules, account, commands and progress of `tn.backtest.run`.
        """
        from tradenb.backtest import run

        source = self.exchange(timeframe=timeframe, market=market)
        return run(symbol, strategy=strategy, exchange=source, **more)


def register() -> None:
    """Tell pandas of `df.tradenb`, unless it knows or is being imported just now."""
    pandas = sys.modules["pandas"]
    frame = getattr(pandas, "DataFrame", None)
    if frame is not None and hasattr(pandas, "api") and not hasattr(frame, NAME):
        pandas.api.extensions.register_dataframe_accessor(NAME)(CandlesAccessor)
