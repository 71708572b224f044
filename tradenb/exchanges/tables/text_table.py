"""Candles out of text: the form is found by the first lines, then all is read by pyarrow.

What a table was taken for is said (`notes`). Nothing is guessed in silence: what could be two
things is refused.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Rows
from tradenb.errors import CandleError
from tradenb.exchanges.tables.arrow_columns import array_of_chunk, objects
from tradenb.exchanges.tables.column_detection import (
    NAMES,
    NO_VOLUME,
    TIME_NAMES,
    Raw,
    find_columns,
    plain_name,
    rows_from_columns,
    rows_of_market,
)
from tradenb.exchanges.tables.column_proof import check_columns
from tradenb.exchanges.tables.file_content import DELIMITERS, Content
from tradenb.exchanges.tables.table_forms import Form, form_of
from tradenb.exchanges.tables.time_columns import Read, numbers_as_ms, texts_as_ms

if TYPE_CHECKING:
    import pyarrow as pa

_HEADER: Final = ",".join(("timestamp", *NAMES))
_PLAIN: Final = "columns by name"
_WORDS: Final = {";": "separated by ;", "\t": "separated by tabs", "|": "separated by |"}
_COMMA: Final = r"^[+-]?\d+(,\d+)?([eE][+-]?\d+)?$"
_THOUSANDS: Final = r"^[+-]?[1-9]\d{0,2},\d{3}$"


class Table(NamedTuple):
    """The candles of a table, and what it was taken for."""

    rows: Rows
    notes: tuple[str, ...] = ()

    @property
    def has_volume(self) -> bool:
        """Whether it had a column of volumes."""
        return NO_VOLUME not in self.notes


def table_of_text(content: Content, symbol: str) -> Table:
    """Read candles out of text.

    Raises
    ------
    CandleError
        When its form is not known, or could be two.
    pyarrow.ArrowInvalid
        When its lines are of different lengths.
    """
    delimiter, form = _form(content, symbol)
    reader = _Columns(content, form, delimiter)
    values = [reader.numbers(place) for place in form.values]
    clock = _times(reader, form)
    market = None if form.symbol is None else reader.texts(form.symbol)
    rows = rows_from_columns(clock.column, values)
    if market is not None:
        rows = rows_of_market(rows, market, symbol)
    notes = [*content.notes, *([form.title] * (form.title != _PLAIN)), _WORDS.get(delimiter, "")]
    notes += [clock.note, "decimals with a comma" * reader.commas]
    if len(rows.time) > 1 and rows.time[0] > rows.time[-1] and (np.diff(rows.time) <= 0).all():
        rows = rows.take(np.arange(len(rows.time))[::-1])
        notes.append("newest first")
    if not form.headed:
        check_columns(rows, [np.asarray(reader.numbers(place)) for place in form.checks])
    notes.append(NO_VOLUME if form.values[4] is None else "")
    return Table(rows, tuple(filter(None, notes)))


def _form(content: Content, symbol: str) -> tuple[str, Form]:
    if not content.head.strip() or not content.head.splitlines()[0].strip():
        raise CandleError(
            f"the first line is empty; it must be a header such as {_HEADER}", code="empty"
        )
    failure: CandleError | None = None
    for delimiter in DELIMITERS:
        try:
            form = form_of(content.rows(delimiter), symbol)
        except CandleError as error:
            failure = failure or error
            continue
        if form is not None:
            return delimiter, form
    raise failure or _unknown(max((content.rows(item) for item in DELIMITERS), key=_columns))


def _columns(rows: list[list[str]]) -> int:
    return len(rows[0])


def _unknown(rows: list[list[str]]) -> CandleError:
    """Say what is missing of a table in no form that is known."""
    names = rows[0]
    known = {plain_name(name) for name in names} & {*NAMES, *TIME_NAMES}
    if not known and any(not isinstance(_number(name), str) for name in names):
        return CandleError(
            f"the header is missing: the first line must be {_HEADER}, was {','.join(names)}",
            code="columns",
        )
    try:
        find_columns(names)
    except CandleError as error:
        return error
    return CandleError(f"the table has no candles below {','.join(names)}", code="empty")


def _times(reader: _Columns, form: Form) -> Read:
    if len(form.time) == 2:
        day, clock = (reader.texts(place) for place in form.time)
        joined = objects([f"{one} {other}" for one, other in zip(day, clock, strict=True)])
        return texts_as_ms(joined, local=False)
    column = reader.times(form.time[0])
    if column.dtype.kind == "O":
        column = objects([_number(text) if isinstance(text, str) else text for text in column])
        if all(isinstance(item, str) for item in column):
            return texts_as_ms(column, local=form.local)
        return Read(column, "")
    if column.dtype.kind in "iuf":
        if column.dtype.kind == "f" and reader.has_exponents(form.time[0]):
            raise CandleError(
                "times are written with an exponent (1.7E+12), as a spreadsheet does, and have "
                "lost their minutes; export them as whole numbers",
                code="grid",
            )
        return numbers_as_ms(column)
    if form.local:
        raise CandleError("local times name no zone; write them in UTC", code="grid")
    return Read(column, "")


class _Columns:
    """The columns of a text by their places.

    Attributes
    ----------
    commas : bool
        Whether numbers had a decimal comma.
    """

    def __init__(self, content: Content, form: Form, delimiter: str) -> None:
        self.commas = False
        self._content = content
        self._form = form
        self._delimiter = delimiter
        self._floats: dict[int, Raw] | None = None
        self._clock: Raw | None = None

    def times(self, place: int) -> Raw:
        """Return a column as pyarrow takes it: numbers, moments or texts."""
        self.numbers(None)
        return self._clock if self._clock is not None else self._read([place], None)[0]

    def texts(self, place: int) -> Raw:
        """Return a column of texts."""
        import pyarrow as pa

        return self._read([place], pa.string())[0]

    def has_exponents(self, place: int) -> bool:
        """Tell whether numbers of a column are written with an exponent."""
        return any("e" in str(text).lower() for text in self.texts(place))

    def numbers(self, place: int | None) -> Raw:
        """Return a column of numbers; it stays one of texts unless each of them is a number."""
        if self._floats is None:
            known = [*self._form.values, *self._form.checks]
            wanted = sorted({item for item in known if item is not None})
            self._floats = dict(zip(wanted, self._numbers(wanted), strict=True))
        if place is None:
            return np.zeros(len(next(iter(self._floats.values()))))
        return self._floats[place]

    def _numbers(self, places: list[int]) -> list[Raw]:
        import pyarrow as pa

        # Without types the first block of the file would decide, and whole prices become integers.
        with contextlib.suppress(pa.ArrowInvalid):
            clock = self._form.time if len(self._form.time) == 1 else ()
            found = self._read([*places, *clock], pa.float64(), but=clock)
            self._clock = found.pop() if clock else None
            return found
        # It names no row; read as text, a bad value is found with its row.
        texts = self._read(places, pa.string())
        if self._delimiter != ",":
            numbers = _with_commas(texts)
            if numbers is not None:
                self.commas = True
                return numbers
        return [
            objects([_number(value) if isinstance(value, str) else value for value in column])
            for column in texts
        ]

    def _read(
        self, places: list[int], kind: pa.DataType | None, but: Sequence[int] = ()
    ) -> list[Raw]:
        """Read columns as one type, but for some whose type pyarrow finds."""
        from pyarrow import csv as arrow_csv

        names = [str(place) for place in range(self._form.width)]
        wanted = [names[place] for place in places]
        typed = [names[place] for place in places if place not in but]
        types = None if kind is None else dict.fromkeys(typed, kind)
        source = self._content.source
        reader = arrow_csv.open_csv(
            source if isinstance(source, Path) else io.BytesIO(source),
            read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=self._form.skip),
            parse_options=arrow_csv.ParseOptions(delimiter=self._delimiter),
            convert_options=arrow_csv.ConvertOptions(column_types=types, include_columns=wanted),
        )
        parts: list[list[Raw]] = [[] for _ in wanted]
        with reader:
            for batch in reader:
                for column, part in zip(batch.columns, parts, strict=True):
                    part.append(np.array(array_of_chunk(column)))
        return [np.concatenate(parts.pop(0) or [np.empty(0)]) for _ in wanted]


def _with_commas(columns: Sequence[Raw]) -> list[Raw] | None:
    """Read numbers with decimal commas; None where a comma may separate thousands."""
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    found, decimals = [], False
    for column in columns:
        texts: Any = pa.array(column.tolist(), pa.string())
        if texts.null_count or not compute.all(_matching(texts, _COMMA)).as_py():
            return None
        commas = _matching(texts, ",")
        thousands = _matching(texts, _THOUSANDS)
        decimals = decimals or compute.any(compute.and_not(commas, thousands)).as_py()
        plain = compute.replace_substring(texts, pattern=",", replacement=".")
        found.append(np.array(plain.cast(pa.float64()).to_numpy(zero_copy_only=False)))
    return found if decimals else None


def _matching(texts: Any, pattern: str) -> Any:
    import pyarrow.compute as pc

    return pc.match_substring_regex(texts, pattern=pattern)


def _number(text: str) -> int | float | str:
    """Read a number; `_` between digits is Python's, not a number in a file."""
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(text.replace("_", " _"))
    return text
