"""The one argument of a strategy: what was known at `ctx.now`, and nothing later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.state import State
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.account_view import AccountView
from tradenb.engine.history.frames import frame_of
from tradenb.engine.history.indicators import ClosedCandles, Indicators
from tradenb.engine.history.windows import Histories
from tradenb.engine.kept_state import KeptState
from tradenb.engine.position_view import Position, Scheduled, position_of, scheduled_of

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.engine.session.quiet_span import QuietSpan


class Context:
    """What a strategy sees.

    Attributes
    ----------
    symbol : str
        Canonical symbol.
    now : int
        Close time of the newest candle, ms UTC.
    mode : {"backtest", "live"}
    indicators : Indicators
        Name -> value at the last closed candle, of what `@strategy.indicators(...)` declares.
    remembers : bool
        Whether this ask has looked at `state`.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("below its mean", every="1h", history="1d")
    ... def below_its_mean(ctx):
    ...     closes = ctx.candles("1h", 24).close  # the last 24, all closed by ctx.now
    ...     if ctx.position is None and ctx.price < closes.mean():
    ...         return tn.long(take_profit=closes.mean(), stop_loss=0.97 * ctx.price)
    >>> market = tn.testing.random_walk(seed=7, days=4)
    >>> tn.backtest.run("BTCUSDT", strategy=below_its_mean, exchange=market).ask_count
    86
    """

    __slots__ = (
        "_account",
        "_every",
        "_held",
        "_histories",
        "_history",
        "_kept",
        "_now",
        "_opened",
        "_quiet",
        "_rules",
        "_saved",
        "indicators",
        "mode",
        "remembers",
        "symbol",
    )

    def __init__(
        self,
        symbol: str,
        mode: str,
        rules: Rules,
        histories: Histories,
        saved: str = "{}",
        indicators: Indicators | None = None,
        every: int = MINUTE,
    ) -> None:
        self.symbol = symbol
        self.mode = mode
        self._rules = rules
        self._every = every
        self._histories = histories
        self._history = histories.of(symbol)
        if indicators is None:
            indicators = Indicators((), ClosedCandles(histories, symbol))
        self.indicators = indicators
        self._now = 0
        self._held: State | None = None
        self._account: Accounts | None = None
        self._quiet: QuietSpan | None = None
        self._saved = saved
        self._kept: KeptState | None = None  # made for a strategy that looks at its state
        self._opened: dict[str, Any] = {}
        self.remembers = False

    def __repr__(self) -> str:
        return f"Context({self.symbol} at {self.when:%Y-%m-%d %H:%M}, {self.mode})"

    @property
    def now(self) -> int:
        """Close time of the newest candle, ms UTC."""
        return self._now

    @property
    def when(self) -> pd.Timestamp:
        """Close time of the newest candle, as a UTC Timestamp."""
        import pandas as pd

        return pd.Timestamp(self._now, unit="ms", tz="UTC")

    @property
    def due(self) -> int:
        """The newest multiple of the interval at or before now, ms UTC.

        Below `now` where the candle of that moment is missing: the ask is made at the next one.
        """
        held = self._held
        every = self._every if held is None or held.manage_every is None else held.manage_every
        return floor_to(self._now, every)

    @property
    def price(self) -> float:
        """Market price: what can be traded now (`Rules.price`), quote currency."""
        candles = self._history.candles
        return prices.price_at(candles, self._now, self._rules)

    @property
    def average_price(self) -> float:
        """Volume-weighted average price of the last `Rules.average_price_candles` candles."""
        candles = self._history.candles
        row = candles.index(self._now)
        return prices.average_price(candles, row, self._rules.average_price_candles)

    def candles(
        self, timeframe: str, n: int, symbol: str | None = None, *, allow_fewer: bool = False
    ) -> Candles:
        """Return the last closed candles.

        Parameters
        ----------
        timeframe : str
            "1m" to "1w", a multiple of the candles given; only ended ones, on UTC multiples.
        n : int
            How many, at least 1.
        symbol : str, optional
            Another symbol of the exchange, shown up to its last candle.
        allow_fewer : bool, default False
            Return what there is where the history is too short.

        Returns
        -------
        Candles
            Columns time, open, high, low, close, volume: read-only (n,) arrays, oldest first.

        Raises
        ------
        NotEnoughCandles
            When fewer than `n` are there. If you do not catch it, the ask counts as None.
        """
        if symbol is None or (name := canonical(symbol)) == self.symbol:
            return self._history.window(timeframe, n, self._now, allow_fewer=allow_fewer)
        other = self._histories.of(name)
        return other.window(timeframe, n, other.known_until(self._now), allow_fewer=allow_fewer)

    def frame(
        self, timeframe: str, n: int, symbol: str | None = None, *, allow_fewer: bool = False
    ) -> pd.DataFrame:
        """Return the last closed candles as a DataFrame with a UTC index of open times.

        The parameters are those of `candles`. A frame costs about a hundred times what the arrays
        do.
        """
        return frame_of(self.candles(timeframe, n, symbol, allow_fewer=allow_fewer))

    @property
    def position(self) -> Position | None:
        """What is open: entry, stop, targets, age and profit; None where nothing is."""
        held, quiet = self._held, self._quiet
        if quiet is not None:
            held = self._held = quiet.seen_at(self._now)
        return None if held is None else position_of(held, self._now, self.price, self._rules)

    @property
    def scheduled(self) -> Scheduled | None:
        """The signal that waits for its entry; None where none does."""
        return None if self._held is None else scheduled_of(self._held, self._now)

    @property
    def account(self) -> AccountView | None:
        """The money of the run: balance, equity, free, exposure, positions; None without one."""
        return None if self._account is None else self._account.view(self._now)

    @property
    def state(self) -> dict[str, Any]:
        """Your own memory: a dict of JSON-plain values, at most 64 kB, saved with the run.

        Changes are kept when the ask returns, and dropped if it raises or takes too long.
        """
        if not self.remembers:
            self._kept = self._kept or KeptState(self._saved)
            self._opened = self._kept.opened()
            self.remembers = True
        return self._opened


class Accounts(Protocol):
    """Who knows the money of a run."""

    def view(self, now: int) -> AccountView:
        """Return what a strategy sees of it as of a close."""


def show_account(context: Context, account: Accounts | None) -> None:
    """Let a context show the money of its run."""
    context._account = account


def begin_ask(
    context: Context, now: int, held: State | None = None, quiet: QuietSpan | None = None
) -> None:
    """Move a context to a moment, and show what is open or scheduled.

    In a quiet span `held` is what it was at its beginning, and what it is now is found when it is
    looked at.
    """
    context._now = now
    context._held = held
    context._quiet = quiet
    context.indicators.now = now
    context.remembers = False


def follow_rules(context: Context, rules: Rules) -> None:
    """Let a context see prices and positions under other rules."""
    context._rules = rules


def keep_state(context: Context) -> None:
    """Keep what the strategy left in `ctx.state`.

    Raises
    ------
    UsageError
        When it holds what JSON cannot give back unchanged, or too much.
    """
    if context._kept is not None:
        context._kept.keep(context._opened)


def saved_state(context: Context) -> str:
    """Return the state kept by the last ask, as JSON."""
    return context._saved if context._kept is None else context._kept.text
