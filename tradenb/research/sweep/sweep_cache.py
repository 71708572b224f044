"""The finished combinations of a sweep on disk, one line each; an interrupted sweep resumes.

A row counts as long as the candles that it only read are those of today (`ReadCandles`).

Each line begins with its line break. So one that was cut off when the process died spoils no other,
and is ignored. Nothing is ever removed here: the folder `research` under the home may be deleted by
hand at any time.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tradenb.backtest.trial import TrialCandles
from tradenb.core.candles.arrays import Floats
from tradenb.errors import CandleError, StateWriteError, TradenbError
from tradenb.research.sweep.cache_key import candles_key
from tradenb.research.sweep.grid import Combination, name_of
from tradenb.research.sweep.sweep_trial import TEXTS, Row, failed


class SweepCache:
    """The rows of one sweep.

    Parameters
    ----------
    key : str
        What the figures depend on; see `cache_key`.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.path = folder / f"sweep-{key}.jsonl"

    def read(self, columns: Sequence[str]) -> dict[str, Row]:
        """Return the finished rows by the name of their combination, without those that failed.

        Their `reads` are the keys of the candles that were only read, by symbol.
        """
        found: dict[str, Row] = {}
        if not self.path.is_file():
            return found
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
                row = {name: _number(record["row"][name], name) for name in columns}
                row["reads"] = dict(record["row"]["reads"])
                if row["error"] is None:
                    found[name_of(record["of"])] = row
            except (ValueError, KeyError, TypeError):
                continue  # it was cut off, or is empty
        return found

    def add(self, rows: list[tuple[Combination, Row]]) -> None:
        """Append rows in one write."""
        text = "".join(
            "\n" + json.dumps({"of": combination, "row": {k: _plain(v) for k, v in row.items()}})
            for combination, row in rows
        )
        with self._writing(), _private(self.path, os.O_APPEND) as file:
            file.write(text.encode())

    def keep_candles(self, key: str, columns: Floats) -> str:
        """Write candles to a file that other processes map, unless it exists; return its path."""
        path = self.folder / f"candles-{key}.npy"
        with self._writing():
            if not path.exists():
                temporary = path.with_suffix(f".{os.getpid()}.tmp")
                with _private(temporary, os.O_TRUNC) as file:
                    np.save(file, columns)
                temporary.replace(path)
        return str(path)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            yield
        except OSError as error:
            raise StateWriteError(
                f"{self.folder} could not be written ({error.strerror or error}); free some "
                "space, or pass another folder with home="
            ) from error


def _private(path: Path, how: int) -> BinaryIO:
    """Open a file for writing that no other user may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: object, name: str) -> object:
    return float(value) if isinstance(value, str) and name not in TEXTS else value


class ReadCandles:
    """What trials read beside the symbols that they trade."""

    def __init__(self, market: TrialCandles) -> None:
        self._market = market
        self._keys: dict[str, str | None] = {}

    def are_as_in(self, row: Row) -> bool:
        """Tell whether a row from disk was made with the candles of today."""
        return all(self._key(symbol) == key for symbol, key in row["reads"].items())

    def finished(self, rows: Iterable[tuple[int, Row]]) -> dict[int, Row]:
        """Return the rows that lacked nothing that can be loaded, with the keys of what they read.

        What the others lacked is in the market now.
        """
        found = {}
        for place, row in rows:
            whole = self._whole(row)
            if whole is not None:
                keys = {symbol: self._key(symbol) for symbol in whole.get("reads", ())}
                found[place] = {name: item for name, item in whole.items() if name != "lacks"}
                found[place]["reads"] = keys
        return found

    def _whole(self, row: Row) -> Row | None:
        loaded = False
        for symbol in row.get("lacks", ()):
            try:
                self._market.history(symbol)
                loaded = True
            except CandleError as error:
                return failed(f"{type(error).__name__}: {error}")
            except TradenbError:  # not there: its asks failed, as in a backtest
                continue
        return None if loaded else row

    def _key(self, symbol: str) -> str | None:
        """Return the key of a symbol's candles; None where there are none."""
        if symbol not in self._keys:
            try:
                self._keys[symbol] = candles_key({symbol: self._market.history(symbol).candles})
            except TradenbError:
                self._keys[symbol] = None
        return self._keys[symbol]
