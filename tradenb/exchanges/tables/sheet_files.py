"""Candles in JSON and in workbooks, written down as the CSV that they are read as."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tradenb.errors import CandleError, shown
from tradenb.exchanges.tables.file_content import Content, content_of, text_content


def json_content(path: Path) -> Content:
    """Read a list of rows (freqtrade, dumps of an API), or of records.

    Raises
    ------
    CandleError
        When it is something else.
    """
    content = content_of(path)
    source = content.source
    found = json.loads(source.read_bytes() if isinstance(source, Path) else source)
    if isinstance(found, list) and found and all(isinstance(row, list) for row in found):
        return _written(found)
    if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
        names = list(found[0])
        return _written([names, *([row.get(name) for name in names] for row in found)])
    raise CandleError(
        "JSON must be a list of rows, [[t_ms, open, high, low, close, volume], ...], or of "
        f"records, was {shown(found)}",
        code="columns",
    )


def workbook_content(path: Path) -> Content:
    """Read the first sheet of a workbook.

    Raises
    ------
    CandleError
        When openpyxl is not installed.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise CandleError(
            "workbooks are read with openpyxl: pip install openpyxl, or save the sheet as csv",
            code="columns",
        ) from None
    book = load_workbook(path, read_only=True, data_only=True)
    try:
        return _written(book.worksheets[0].iter_rows(values_only=True))
    finally:
        book.close()


def _written(rows: Iterable[Sequence[Any]]) -> Content:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text_content(text.getvalue().encode())


def _cell(value: Any) -> Any:
    return value.isoformat(" ") if isinstance(value, dt.datetime) else value
