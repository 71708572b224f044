"""Candles of work W as files, in a folder that goes away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import work

KINDS = (".npy", ".parquet")


@contextmanager
def folder_of_candles() -> Iterator[Path]:
    """Give a folder with year/S00-1m and day/S00-1m, each as .npy and .parquet."""
    with tempfile.TemporaryDirectory(prefix="tradenb-benchmarks-") as name:
        folder = Path(name)
        for part, minutes in (("year", work.YEAR), ("day", work.DAY)):
            (folder / part).mkdir()
            _write(folder / part, minutes)
        yield folder


def _write(folder: Path, minutes: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    candles = work.walk(minutes)
    names = ("open", "high", "low", "close", "volume")
    columns = {"timestamp": candles.time} | {name: getattr(candles, name) for name in names}
    np.save(folder / "S00-1m.npy", np.column_stack(list(columns.values())))
    parquet.write_table(pa.table(columns), folder / "S00-1m.parquet")
