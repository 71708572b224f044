"""The label of each figure of the statistics, and a short definition."""

from __future__ import annotations

from typing import Final

DEFINITIONS: Final[dict[str, tuple[str, str]]] = {
    "count": ("Trades", "closed positions"),
    "wins": ("Wins", "trades above 0"),
    "losses": ("Losses", "trades below 0"),
    "win_rate": ("Win rate", "wins of all trades"),
    "total_pnl": ("Total pnl", "sum of all trades, in percent points, not compounded"),
    "avg_pnl": ("Average pnl", "mean of all trades"),
    "expectancy": ("Expectancy", "average result of a trade"),
    "avg_win": ("Average win", "mean of the wins"),
    "avg_loss": ("Average loss", "mean of the losses"),
    "best": ("Best trade", "largest result"),
    "worst": ("Worst trade", "smallest result"),
    "std": ("Standard deviation", "spread of the results, divisor n - 1"),
    "std_population": ("Standard deviation, population", "spread of the results, divisor n"),
    "sharpe": ("Sharpe, per trade", "mean over standard deviation, riskless rate 0"),
    "sharpe_annual": (
        "Sharpe, annual",
        "per trade, times the root of trades per year and instance; assumes independent trades",
    ),
    "sortino": ("Sortino", "mean over downside deviation below 0"),
    "profit_factor": ("Profit factor", "sum of wins over sum of losses"),
    "certainty_ratio": ("Certainty ratio", "average win over average loss"),
    "trades_per_year": ("Trades per year", "trades, scaled to 365 days"),
    "expected_yearly_return": (
        "Expected yearly return",
        "mean times trades per year, in percent points, not compounded",
    ),
    "max_drawdown_simple": (
        "Max drawdown, simple",
        "largest fall of the plain sum from a peak, in percent points",
    ),
    "longest_wins": ("Longest winning streak", "most wins in a row"),
    "longest_losses": ("Longest losing streak", "most losses in a row"),
    "avg_minutes": ("Average time held", "from opening to close"),
    "compounded_return": (
        "Compounded return",
        "growth of the equity; without an account every position uses all of it",
    ),
    "annual_return": ("Annual return", "compounded return, scaled to 365 days"),
    "max_drawdown": ("Max drawdown", "largest fall of equity from a peak, at any candle"),
    "calmar": ("Calmar", "annual return over max drawdown"),
    "sharpe_daily": ("Sharpe, daily", "of daily returns, times the square root of 365"),
    "sortino_daily": ("Sortino, daily", "of daily returns, times the square root of 365"),
    "benchmark_return": ("Benchmark return", "all symbols bought and held, without costs"),
    "benchmark_drawdown": ("Benchmark drawdown", "largest fall of the benchmark from a peak"),
    "alpha": ("Alpha", "a year's return that the benchmark does not explain"),
    "beta": ("Beta", "how far daily returns follow those of the benchmark"),
    "exposure": ("Exposure", "share of the time in a position, over all instances"),
    "open": ("Open", "positions that are open at the end"),
    "open_pnl": ("Open pnl", "sum of their unrealised results, in percent points"),
    "final_equity": ("Final equity", "money at the end, what is open included"),
    "net_profit": ("Net profit", "final equity less the cash of the beginning"),
    "max_drawdown_value": ("Max drawdown, money", "largest fall of equity from a peak, in money"),
    "fees_paid": ("Fees paid", "of all fills"),
    "funding_paid": ("Funding paid", "below 0 if it was received"),
    "turnover": ("Turnover", "value of all fills"),
    "exposure_money": ("Exposure, money", "mean value of what is open, in units of the equity"),
    "leverage_max": ("Highest leverage", "largest value of what is open, in units of the equity"),
}
"""Label and definition of each figure; docs/statistics.md has the formulas."""
