"""Which setting of a table comes first: figure known, figure N/A, idle, failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tradenb.errors import UsageError, unknown
from tradenb.statistics.figure_names import ALL_UNITS, UNITS

if TYPE_CHECKING:
    import pandas as pd

SMALL_IS_GOOD: Final = frozenset(
    {
        "max_drawdown", "max_drawdown_simple", "max_drawdown_value", "benchmark_drawdown",
        "longest_losses", "losses", "fees_paid", "funding_paid", "leverage_max",
    }
)  # fmt: skip
KNOWN: Final = 0
UNKNOWN: Final = 1
IDLE: Final = 2
FAILED: Final = 3
CONDUCT: Final = ("asks", "errors", "open", "open_pnl")
"""What stands in every table beside the figures."""


def check_figure(name: str, account: object) -> None:
    """Refuse to rank by what is not a figure, or by money where there is no account.

    Raises
    ------
    UsageError
    """
    if name not in ALL_UNITS:
        raise unknown("figure", name, ALL_UNITS)
    if name not in UNITS and account is None:
        raise UsageError(f"{name} is a figure in money; pass account=tn.Account(...) for it")


def standing(table: pd.DataFrame, by: str) -> NDArray[np.int64]:
    """Return `KNOWN`, `UNKNOWN`, `IDLE` or `FAILED` for each row.

    Idle is what filled nothing; failed is what ended in an error, or whose every ask did: of that
    all figures but counts are N/A.
    """
    nothing = (table["count"].to_numpy() == 0) & (table["open"].to_numpy() == 0)
    failed = nothing & table["total_pnl"].isna().to_numpy()
    if "error" in table:
        failed |= table["error"].notna().to_numpy()
    unknown = table[by].isna().to_numpy()
    ranks: NDArray[np.int64] = np.full(len(table), KNOWN)
    for which, rank in ((unknown, UNKNOWN), (nothing, IDLE), (failed, FAILED)):
        ranks[which] = rank
    return ranks


def ordered(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the rows of a table, the best first.

    Of equal figures the smaller drawdown comes first, then more trades, then the order of the rows.
    """
    sign = 1.0 if by in SMALL_IS_GOOD else -1.0
    keys = [
        -table["count"].to_numpy(dtype=np.float64),
        table["max_drawdown"].to_numpy(dtype=np.float64),
        sign * table[by].to_numpy(dtype=np.float64),
        standing(table, by).astype(np.float64),
    ]
    last = [np.where(np.isnan(key), np.inf, key) for key in keys]
    return table.iloc[np.lexsort(last)]


def best(table: pd.DataFrame, by: str) -> Any | None:
    """Return the label of the row that is chosen; None where no figure is known."""
    first = ordered(table, by).index[0]
    return first if standing(table.loc[[first]], by)[0] == KNOWN else None
