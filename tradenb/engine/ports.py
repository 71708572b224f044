"""What the engine needs from the outside world, as protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from tradenb.core.candles.arrays import Candles, Intake, Rows
from tradenb.core.money.market import Market
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE
from tradenb.errors import CandleError

if TYPE_CHECKING:
    import asyncio


class Loaded(NamedTuple):
    """Accepted candles of one symbol, and what was found wrong in them."""

    candles: Candles
    intake: Intake


Progress = Callable[[int, int], None]
"""Called with (done, all) while candles are loaded, in any unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleRequest:
    """Which candles a source is asked for.

    Attributes
    ----------
    symbol : str
        Canonical symbol.
    start, end : int or None
        Range wanted, ms UTC; None: all that the source has.
    history : int
        How much before `start` is wanted as well, ms.
    rules : Rules
        `price_anomaly_factor`, `candle_retries`, `candle_retry_seconds`.
    """

    symbol: str
    rules: Rules
    start: int | None = None
    end: int | None = None
    history: int = 0
    progress: Progress | None = None


@runtime_checkable
class CandleSource(Protocol):
    """Where candles come from.

    A source whose candles are not of 1m has an attribute `step`, their length in ms.
    """

    @property
    def name(self) -> str:
        """Name under which it is registered."""

    def load(self, request: CandleRequest) -> Loaded:
        """Return the closed candles of a symbol.

        A source whose candles are in memory returns all of them; the caller cuts.

        Raises
        ------
        UnknownName
            When the source does not have the symbol.
        CandleError
            When the candles are refused.
        ExchangeError
            When they cannot be fetched.
        """


def step_of(source: CandleSource) -> int:
    """Return the length of a source's candles, ms."""
    step: int = getattr(source, "step", MINUTE)
    return step


def markets_of(source: CandleSource) -> Mapping[str, Market]:
    """Return the steps that were given with candles, by symbol; "" stands for every symbol."""
    markets: Mapping[str, Market] = getattr(source, "markets", {})
    return markets


def market_of(source: CandleSource, symbol: str, *, money: bool) -> Market | None:
    """Return the steps of a symbol's market; None where the source has none.

    Steps that were given with candles always hold, those of an exchange only in money.
    """
    markets: Mapping[str, Market] | None = getattr(source, "markets", None)
    if markets is not None:
        return markets.get(symbol, markets.get(""))
    ask: Callable[[str], Market | None] | None = getattr(source, "market", None)
    return ask(symbol) if money and ask is not None else None


@runtime_checkable
class LiveSource(CandleSource, Protocol):
    """A source that keeps delivering new candles."""

    def recent(self, symbol: str, since: int, limit: int) -> Rows | Awaitable[Rows]:
        """Return candles that open at `since` (ms UTC) or later, oldest first, at most `limit`.

        The forming candle may be among them; the caller decides by its time. The method is called
        on a worker thread; an awaitable that it returns is awaited on the live loop.
        """


class Clock(Protocol):
    """Time, as the live loop sees it.

    Attributes
    ----------
    stepped : bool
        The clock only moves when the loop waits; then it must not wait while a tick is under way.
    """

    stepped: bool

    def now(self) -> int:
        """Return the wall clock, ms UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    async def wait(self, woken: asyncio.Event, until: int | None) -> None:
        """Return when the event is set, or the wall clock has reached `until` (ms UTC)."""

    def beside(self) -> Clock:
        """Return the clock of a task that runs beside the loop, such as an order manager."""


class Workers(Protocol):
    """Where functions run that may block."""

    async def call(self, function: Callable[..., Any], *args: Any, seconds: float | None) -> Any:
        """Call a function, sync or async, and return its result.

        Raises
        ------
        StrategyTimeout
            When it takes longer than `seconds`; it is left behind.
        """

    def close(self, keep: int = 0) -> None:
        """End what waits for functions to call, but `keep` of it; more is made when needed."""


def check_markets(source: CandleSource, symbols: Sequence[str]) -> None:
    """Refuse several symbols of a source that has one market and answers to any name.

    Raises
    ------
    CandleError
    """
    if len({*symbols}) > 1 and getattr(source, "is_single", False):
        frames = ", ".join(f"{symbol!r}: ..." for symbol in symbols)
        raise CandleError(
            f"one DataFrame holds the candles of one market, but {', '.join(symbols)} are asked "
            f"for; give one for each symbol: tn.frame_exchange({{{frames}}})",
            code="columns",
        )
