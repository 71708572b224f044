"""Tables as the sheets of a workbook. A workbook has no time zones: times are written in UTC."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.errors import UsageError
from tradenb.view.page_file import ending_of

if TYPE_CHECKING:
    import pandas as pd

_ROWS: Final = 1_048_575


def write_workbook(path: str | os.PathLike[str], tables: Mapping[str, Any]) -> Path:
    """Write each table to a sheet of its own; a file of that name is replaced.

    Raises
    ------
    UsageError
        When the path does not end in .xlsx, openpyxl is not installed, or a table is too long.
    """
    import pandas as pd

    if ending_of(path) != ".xlsx":
        raise UsageError(f"a workbook must be named like 'result.xlsx', was {path!r}")
    target = Path(path).resolve()
    frames = {name: _naive(pd.DataFrame(table)) for name, table in tables.items()}
    for name, frame in frames.items():
        if len(frame) > _ROWS:
            raise UsageError(
                f"{name} has {len(frame):,} rows, a sheet at most {_ROWS:,}; use to_parquet"
            )
    try:
        import openpyxl  # noqa: F401 - pandas writes with it
    except ImportError:
        raise UsageError("workbooks are written with openpyxl: pip install openpyxl") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    with pd.ExcelWriter(target, engine="openpyxl") as writer:
        for name, frame in frames.items():
            frame.to_excel(writer, sheet_name=name)
    return target


def _naive(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose times have no zone, in UTC."""
    import pandas as pd

    found = frame.copy(deep=False)
    for name in found.columns:
        if isinstance(found[name].dtype, pd.DatetimeTZDtype):
            found[name] = found[name].dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(found.index, pd.DatetimeIndex) and found.index.tz is not None:
        found.index = found.index.tz_convert("UTC").tz_localize(None)
    return found
