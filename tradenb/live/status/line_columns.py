"""Columns of events from the lines of a journal, without a parser of JSON.

`engine.serialise` and the store write the columns of `EVENT_COLUMNS` in their order and nothing
between them, so lines are cut at their commas, by a reader of CSV. Anything else is a ValueError,
never a wrong value: the caller then reads the same lines with the parser.
"""

from __future__ import annotations

from typing import Any, Final

from tradenb.core.columns import EVENT_COLUMNS

# The last column may hold commas, because people write it; it is cut off first.
_NOTE: Final = b',"note":'
_NAMES: Final = tuple(name for name in EVENT_COLUMNS if name != "note")
_NULLABLE: Final = frozenset({"size"})


def line_columns(lines: list[bytes], wanted: tuple[str, ...]) -> list[list[Any]]:
    """Return the wanted columns of lines, each as long as there are lines.

    Raises
    ------
    ValueError
        When a line is not as it is written, holds an escape in a wanted text, or lacks a value
        that only a note and a size may lack.
    """
    if not lines:
        return [[] for _ in wanted]
    cuts = [line.rfind(_NOTE) for line in lines]
    tails = [line[cut + len(_NOTE) :] for line, cut in zip(lines, cuts, strict=True)]
    known = {*tails}
    if min(cuts) < 0 or not all(tail.endswith(b"}") for tail in known):
        raise ValueError("a line does not end with a note")
    notes = {tail: _note(tail[:-1]) for tail in known} if "note" in wanted else {}
    cells = _cells([line[:cut] for line, cut in zip(lines, cuts, strict=True)], wanted)
    return [
        [notes[tail] for tail in tails] if name == "note" else _values(name, cells[name])
        for name in wanted
    ]


def _cells(lines: list[bytes], wanted: tuple[str, ...]) -> Any:
    """Return the cells of columns, such as `"at":1704067200000`, as a table of text."""
    import pyarrow
    from pyarrow import csv

    columns = [name for name in wanted if name != "note"]
    return csv.read_csv(
        pyarrow.BufferReader(b"\n".join(lines)),
        read_options=csv.ReadOptions(
            column_names=_NAMES, use_threads=False, block_size=max(1, sum(map(len, lines)) * 2)
        ),
        parse_options=csv.ParseOptions(quote_char=False, escape_char=False),
        convert_options=csv.ConvertOptions(
            include_columns=columns, column_types=dict.fromkeys(columns, pyarrow.string())
        ),
    )


def _values(name: str, cells: Any) -> list[Any]:
    """Return the values of a column from its cells."""
    import pyarrow
    from pyarrow import compute

    head = f'"{name}":'
    if not compute.all(compute.starts_with(cells, head)).as_py():
        raise ValueError(f"{name} is in another place")
    values = compute.utf8_slice_codeunits(cells, len(head))
    if name in _NULLABLE:
        values = compute.if_else(compute.equal(values, "null"), None, values)
        if values.null_count:
            return list(values.cast(pyarrow.float64()).to_pylist())
    match EVENT_COLUMNS[name]:
        case "text":
            return _texts(name, values)
        case "bool":
            return list(values.cast(pyarrow.bool_()).to_numpy().tolist())
        case "int" | "time" | "whole":
            return list(values.cast(pyarrow.int64()).to_numpy().tolist())
    return list(values.cast(pyarrow.float64()).to_numpy().tolist())


def _texts(name: str, values: Any) -> list[str]:
    """Return what is within the quotes; equal texts are one object."""
    from pyarrow import compute

    encoded = values.combine_chunks().dictionary_encode()
    known = encoded.dictionary
    inside = compute.utf8_slice_codeunits(known, 1, -1)
    quoted = compute.equal(compute.binary_join_element_wise('"', inside, '"', ""), known)
    if (
        not compute.all(quoted).as_py()
        or compute.any(compute.match_substring_regex(inside, r'["\\]')).as_py()
    ):
        raise ValueError(f"{name} is not a plain text")
    texts = inside.to_numpy(zero_copy_only=False).tolist()
    return [texts[place] for place in encoded.indices.to_numpy().tolist()]


def _text(name: str, value: str) -> str:
    inside = value[1:-1]
    if value != f'"{inside}"' or '"' in inside or "\\" in inside:
        raise ValueError(f"{name} is not a plain text")
    return inside


def _note(value: bytes) -> str | None:
    return None if value == b"null" else _text("note", value.decode())
