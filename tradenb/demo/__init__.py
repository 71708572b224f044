"""`tradenb demo`: the main job in one command, without a network or with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tradenb.core.candidate import Candidate, long, short
from tradenb.engine.specs.decorators import strategy
from tradenb.engine.specs.risks import cooldown
from tradenb.engine.specs.strategy_spec import StrategySpec

if TYPE_CHECKING:
    from tradenb.backtest.results.result import Result
    from tradenb.demo.candle_origin import Origin
    from tradenb.engine.context import Context


def demo_strategy() -> StrategySpec:
    """Register the strategy of the demo: against moves of two percent away from the day's mean."""

    @strategy("demo-dip", every="1h", risk=cooldown(60, after="stop_loss"))
    def demo_dip(ctx: Context) -> Candidate | None:
        mean = ctx.candles("1h", 24).close.mean()
        price = ctx.price
        if price < 0.98 * mean:
            return long(take_profit=1.02 * price, stop_loss=0.97 * price, minutes=1440, note="dip")
        if price > 1.02 * mean:
            return short(take_profit=0.98 * price, stop_loss=1.03 * price, minutes=1440, note="top")
        return None

    return demo_dip


def run_demo(origin: Origin, *, report: Path) -> tuple[str, Result]:
    """Backtest the demo strategy, write its report, and return a summary for a terminal with it."""
    from tradenb import backtest
    from tradenb.view import figure_text

    source, symbols = origin.source()
    result = backtest.run(
        symbols, strategy=demo_strategy(), exchange=source, start=origin.start, end=origin.end
    )
    page = result.report(report)
    lines = [repr(result), "", figure_text.text(result.figures), ""]
    lines += [f"note: {warning}" for warning in result.warnings]
    if origin.data is None and origin.exchange is None:
        lines.append("note: a random walk without an edge; what is lost is trading costs")
    minutes = f"{result.candle_count:,} one-minute candles in {result.elapsed_s:.2f} s"
    return "\n".join([*lines, "", minutes, f"report: {page}"]), result
