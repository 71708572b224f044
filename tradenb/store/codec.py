"""Bytes and back: strict JSON, and the outer form of a document.

    {"format":"tradenb-state","v":1,"seq":n,"crc":"...","body":{...}}

The outer form never changes, whatever happens to the body: a file is known to be whole, and of
which version and generation it is, before anything in it is read. The checksum covers the bytes of
the body, its version and its generation. What a body means is known to `document/schema.py` alone.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from tradenb.errors import shown

LIMIT: Final = 16 << 20
# As many bytes hold the number of a generation and its checksum.
HEAD: Final = 96
# Made once: a commit writes dozens of values.
_written: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode
_HEAD: Final = re.compile(
    rb'\{"format":"tradenb-state","v":([0-9]{1,9}),"seq":([0-9]{1,15}),'
    rb'"crc":"([0-9a-f]{8})","body":'
)
_END: Final = b"}\n"
# 2**63 has 19 digits; a longer number was not written here.
_DIGITS: Final = 20
USER_DIGITS: Final = 4_301
"""What a strategy keeps may have whole numbers as long as Python writes them, and a sign."""


class Damaged(ValueError):
    """What was read is not what was written; the words say why."""


class SealedDict(dict[str, Any]):
    """A record as a plain dict that nobody changes: checked and turned into text once.

    A document has up to 1,000 trades and dozens of orders, and there is a commit every minute.

    Attributes
    ----------
    checked : object or None
        What it was found to be, after the first look.
    text : bytes or None
        It in JSON, after the first time.
    """

    checked: Any = None
    text: bytes | None = None


class SealedList(list[SealedDict]):
    """Such records as a list that nobody changes either; its attributes are theirs."""

    checked: Any = None
    text: bytes | None = None


class SealedDicts:
    """Makes the dicts of records, one for each record however often it is asked.

    Parameters
    ----------
    plain : callable
        Makes the dict of a record.
    """

    def __init__(self, plain: Callable[[Any], Mapping[str, Any]]) -> None:
        self._plain = plain
        self._known: dict[int, tuple[object, SealedDict]] = {}
        self._last: tuple[Sequence[object], SealedList] = (), SealedList()

    def of(self, records: Sequence[object]) -> SealedList:
        """Return the dicts of records, in their order; those of others are forgotten.

        The same tuple gives the same list.
        """
        if records is self._last[0] and isinstance(records, tuple):
            return self._last[1]
        before = self._known
        # The records are held, so no other object can have the id of one of them meanwhile.
        known = {
            id(record): before.get(id(record)) or (record, SealedDict(self._plain(record)))
            for record in records
        }
        self._known = known
        made = SealedList(known[id(record)][1] for record in records)
        self._last = records, made
        return made


class Generation(NamedTuple):
    """One valid state of a run.

    Attributes
    ----------
    seq : int
        Counts the commits.
    body : dict
        The fields of `schema.Body`, in the present version.
    version : int
        Version in which it was written.
    """

    seq: int
    body: dict[str, Any]
    version: int


def parse(data: bytes, *, digits: int = _DIGITS) -> Any:
    """Read JSON without NaN, infinities, huge numbers, repeated keys or endless nesting.

    Parameters
    ----------
    digits : int, default 20
        Longest whole number that is taken.

    Raises
    ------
    Damaged
        When it is anything else.
    """
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_int=partial(_int, digits),
            parse_float=_float,
            parse_constant=_constant,
        )
    except Damaged:
        raise
    except RecursionError:
        raise Damaged("nested too deeply") from None
    except ValueError as error:  # also bad UTF-8
        raise Damaged(f"not JSON ({error})") from None


def dump(value: object) -> bytes:
    """Write JSON as short as it gets; half surrogates become escapes, so that any text can be kept.

    Raises
    ------
    Damaged
        When the value has NaN, an infinity, endless nesting or something that JSON does not know.
    """
    try:
        text = _written(value)
    except RecursionError:
        raise Damaged("nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise Damaged(f"cannot be written as JSON ({error})") from error
    return text.encode("utf-8", "backslashreplace")


def dump_lines(values: Iterable[object]) -> bytes:
    """Write values as lines; bytes are lines that were written before."""
    lines = [value if isinstance(value, bytes) else dump(value) + b"\n" for value in values]
    return b"".join(lines)


def encode(version: int, seq: int, body: Mapping[str, Any]) -> bytes:
    """Write a generation; what is sealed and text already is taken as such."""
    return framed(version, seq, _object(body, "state", "ledger"))


def framed(version: int, seq: int, body: bytes) -> bytes:
    """Put the outer form around a body."""
    head = b'{"format":"tradenb-state","v":%d,"seq":%d,"crc":"%s","body":'
    return head % (version, seq, _checksum(version, seq, body)) + body + _END


def unframed(data: bytes) -> tuple[int, int, bytes]:
    """Return version, generation and body of a document that is whole.

    Raises
    ------
    Damaged
        When it is not.
    """
    if len(data) > LIMIT:
        raise Damaged(f"larger than {LIMIT} bytes")
    head = _HEAD.match(data)
    if head is None or not data.endswith(_END):
        raise Damaged(unlike(data))
    version, seq, body = int(head[1]), int(head[2]), data[head.end() : -len(_END)]
    if _checksum(version, seq, body) != head[3]:
        raise Damaged("the checksum does not match: bytes were changed")
    return version, seq, body


def seq_of(data: bytes) -> int:
    """Return the generation that damaged bytes claim to be, 0 if they do not say."""
    head = _HEAD.match(data)
    return int(head[2]) if head else 0


def fingerprint(data: bytes) -> bytes:
    """Return what tells one content of a file from any other."""
    return blake2b(data, digest_size=16).digest()


def unlike(data: bytes) -> str:
    """Say why bytes are not a document."""
    if not data:
        return "empty"
    if not data.strip(b"\0"):
        return "nothing but zeros"
    if _HEAD.match(data):
        return "cut off"
    return f"not a document of a run, begins with {data[:40]!r}"


def text_of(value: object) -> bytes:
    """Return a value in JSON, written once if nobody changes it."""
    if not isinstance(value, SealedDict | SealedList):
        return dump(value)
    if value.text is None:
        value.text = _object(value) if isinstance(value, SealedDict) else _array(value)
    return value.text


def _array(records: list[SealedDict]) -> bytes:
    return b"[%s]" % b",".join(map(text_of, records))


def _object(record: Mapping[str, Any], *inner: str) -> bytes:
    """Write an object of which some values, or some in the `inner` ones, are written already."""
    parts: list[bytes] = []
    plain: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, SealedDict | SealedList):
            text = text_of(value)
        elif key in inner and isinstance(value, dict):
            text = _object(value)
        elif isinstance(value, list) and value and isinstance(value[0], SealedDict):
            text = _array(value)
        else:
            plain[key] = value
            continue
        if plain:
            parts.append(dump(plain)[1:-1])
            plain = {}
        parts.append(dump(key) + b":" + text)
    if plain:
        parts.append(dump(plain)[1:-1])
    return b"{%s}" % b",".join(parts)


def _checksum(version: int, seq: int, body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body, zlib.crc32(b"%d:%d:" % (version, seq)))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Damaged(f"duplicate key {shown(twice)}")
    return found


def _int(digits: int, text: str) -> int:
    if len(text) > digits:
        raise Damaged(f"a number of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Damaged(f"{text:.40} is too large for a number")
    return number


def _constant(text: str) -> float:
    raise Damaged(f"{text} is not JSON")
