"""The names of the figures of the statistics: unit, label and a short definition of each."""

from __future__ import annotations

from typing import Final

UNITS: Final[dict[str, str]] = {
    "count": "count", "wins": "count", "losses": "count", "win_rate": "%",
    "total_pnl": "pp", "avg_pnl": "%", "expectancy": "%",
    "avg_win": "%", "avg_loss": "%", "best": "%", "worst": "%",
    "std": "%", "std_population": "%",
    "sharpe": "ratio", "sharpe_annual": "ratio", "sortino": "ratio",
    "profit_factor": "ratio", "certainty_ratio": "ratio",
    "trades_per_year": "per year", "expected_yearly_return": "pp",
    "max_drawdown_simple": "pp", "longest_wins": "count", "longest_losses": "count",
    "avg_minutes": "minutes",
    "compounded_return": "%", "annual_return": "%", "max_drawdown": "%", "calmar": "ratio",
    "sharpe_daily": "ratio", "sortino_daily": "ratio",
    "benchmark_return": "%", "benchmark_drawdown": "%", "alpha": "%", "beta": "ratio",
    "exposure": "fraction", "open": "count", "open_pnl": "pp",
}  # fmt: skip
"""Names of all figures, in the order of `result.stats`, with their units (pp: percent points)."""
MONEY_UNITS: Final[dict[str, str]] = {
    "final_equity": "money", "net_profit": "money", "max_drawdown_value": "money",
    "fees_paid": "money", "funding_paid": "money", "turnover": "money",
    "exposure_money": "fraction", "leverage_max": "ratio",
}  # fmt: skip
"""Names of the figures that a run with an account has behind the others, with their units."""
ALL_UNITS: Final = UNITS | MONEY_UNITS

OF_TRADES: Final = frozenset(
    {
        "sharpe", "sharpe_annual", "sortino", "profit_factor", "certainty_ratio", "trades_per_year",
        "expected_yearly_return",
    }
)  # fmt: skip
"""Figures that are N/A below `MIN_TRADES` trades or `MIN_DAYS` days: they would be guesses."""
OF_DAYS: Final = frozenset(
    {"annual_return", "calmar", "sharpe_daily", "sortino_daily", "alpha", "beta"}
)
"""Figures that are N/A below `MIN_DAYS` days of covered time, and after ruin."""
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
