"""`Summary`: all that the notebook cell and the report show of a run, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas

    from tradenb.core.signal import Trade
    from tradenb.statistics.equity.marks import Marks
    from tradenb.view.conduct.expected_course import Expectation
    from tradenb.view.event_frames import Coverages, OpenRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is known of a run at its end.

    Attributes
    ----------
    title : str
        What kind of run it was, "Backtest".
    strategies, symbols : sequence of str
        In the order given to the run.
    start, end : int
        Bounds of the run, ms UTC, `end` exclusive.
    candles : int
        Candles that the run went through, over all symbols.
    step : int
        How long each is, ms.
    figures : mapping of str to float
        The answer of `statistics.figures.figures`; N/A is NaN.
    marks : Marks
        What it was worth, over which time.
    heatmap : callable, optional
        Returns the figures by "symbol" or "strategy", as `Result.heatmap` does.
    contributions : mapping of (strategy, symbol) to float
        What each instance made in money, with an account.
    trades : sequence of Trade
        In order of closing.
    open : sequence of tuple
        What is still open or scheduled; values in the order of `OPEN_COLUMNS`.
    alarms : sequence of str
        What makes the run worth nothing, such as a strategy that never answered.
    warnings : sequence of str
        Sentences, the most important first.
    why : str
        What the asks came to, where there are few trades.
    costs : str
        What slippage and fees took.
    exchange : str, optional
        Where the candles came from.
    expectation : Expectation, optional
        How a live run goes beside its backtest; shown by the report.
    elapsed_seconds : float, optional
        How long the run took.
    rules : mapping of str to object
        Settings as `Rules.model_dump()` gives them; shown by the report.
    strategy_notes : mapping of str to str
        How each strategy was declared, for the report: "every 5m, risk one-at-a-time".
    coverage : mapping of (strategy, symbol) to sequence of Coverage
        In how much of the run each indicator had a value; shown by the report.
    """

    title: str = "Backtest"
    strategies: Sequence[str]
    symbols: Sequence[str]
    start: int
    end: int
    candles: int
    step: int = 60_000
    figures: Mapping[str, float]
    marks: Marks
    trades: Sequence[Trade]
    open: Sequence[OpenRow] = ()
    contributions: Mapping[tuple[str, str], float] = field(default_factory=dict)
    alarms: Sequence[str] = ()
    warnings: Sequence[str] = ()
    why: str = ""
    costs: str = ""
    exchange: str | None = None
    expectation: Expectation | None = None
    elapsed_seconds: float | None = None
    rules: Mapping[str, object] = field(default_factory=dict)
    strategy_notes: Mapping[str, str] = field(default_factory=dict)
    coverage: Coverages = field(default_factory=dict)
    heatmap: Callable[[Literal["symbol", "strategy"]], pandas.DataFrame] | None = None

    @property
    def instances(self) -> int:
        """Strategies x symbols."""
        return len(self.strategies) * len(self.symbols)
