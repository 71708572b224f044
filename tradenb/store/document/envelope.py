"""A document as bytes: `{"format":"tradenb-state","v":1,"seq":n,"crc":"...","body":{...}}`.

This outer form never changes, whatever happens to the body: a file is known to be whole, and of
which version and generation it is, before anything in it is read. The checksum covers the bytes
of the body, its version and its generation.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tradenb.errors import StateVersionError
from tradenb.store.document.migrations import MIGRATIONS, VERSION, Migrations, migrated
from tradenb.store.document.schema import body_problems
from tradenb.store.document.trade_cache import text_of
from tradenb.store.strict_json import Damaged, dump, parse

LIMIT: Final = 16 << 20
_HEAD: Final = re.compile(
    rb'\{"format":"tradenb-state","v":([0-9]{1,9}),"seq":([0-9]{1,15}),'
    rb'"crc":"([0-9a-f]{8})","body":'
)
# As many bytes have the number of a generation and its checksum.
HEAD: Final = 96
_END: Final = b"}\n"
_SHOWN: Final = 12
_LONGEST: Final = 300


class Generation(NamedTuple):
    """One valid state of a run.

    Attributes
    ----------
    seq : int
        Counts the commits.
    body : dict
        The fields of `store.body.Body`, in the present version.
    version : int
        Version in which it was written.
    """

    seq: int
    body: dict[str, Any]
    version: int


def encode(seq: int, body: Mapping[str, Any]) -> bytes:
    """Write a generation.

    Raises
    ------
    ValueError
        When it could not be read again; all problems at once.
    """
    found = body_problems(body)
    if found:
        raise ValueError(_in_words(found))
    data = framed(VERSION, seq, _text(body))
    if len(data) > LIMIT:
        raise ValueError(f"a document must stay within {LIMIT} bytes, was {len(data)}")
    return data


def framed(version: int, seq: int, body: bytes) -> bytes:
    """Put the outer form around a body."""
    head = b'{"format":"tradenb-state","v":%d,"seq":%d,"crc":"%s","body":'
    return head % (version, seq, _checksum(version, seq, body)) + body + _END


def decode(data: bytes, *, migrations: Migrations = MIGRATIONS) -> Generation:
    """Read a generation and check everything about it.

    Raises
    ------
    Damaged
        When it is not whole or makes no sense; all problems at once.
    StateVersionError
        When it is whole, and was written by a newer version.
    """
    if len(data) > LIMIT:
        raise Damaged(f"larger than {LIMIT} bytes")
    head = _HEAD.match(data)
    if head is None or not data.endswith(_END):
        raise Damaged(_unlike(data))
    version, seq, body = int(head[1]), int(head[2]), data[head.end() : -len(_END)]
    if _checksum(version, seq, body) != head[3]:
        raise Damaged("the checksum does not fit: bytes were changed")
    return understood(version, seq, body, migrations)


def understood(
    version: int, seq: int, body: bytes, migrations: Migrations = MIGRATIONS
) -> Generation:
    """Bring a body that is known to be whole to the present version, and check its sense."""
    if version > VERSION:
        raise StateVersionError(
            f"it was written by a newer tradenb (version {version} of the form, this one knows "
            f"{VERSION}); update tradenb, or restore an older generation"
        )
    found = parse(body)
    if not isinstance(found, dict):
        raise Damaged(f"the body is a {type(found).__name__}, not an object")
    found = migrated(found, version, migrations)
    problems = body_problems(found)
    if problems:
        raise Damaged(_in_words(problems))
    return Generation(seq, found, version)


def decode_by_hand(data: bytes, *, migrations: Migrations = MIGRATIONS) -> Generation:
    """Read a generation that a person has looked at, and perhaps mended: any layout, any checksum.

    Raises
    ------
    Damaged, StateVersionError
        As for `decode`; only the checksum is not asked for.
    """
    found = parse(data)
    if not isinstance(found, dict) or found.get("format") != "tradenb-state":
        raise Damaged(_unlike(data))
    version, seq = found.get("v"), found.get("seq")
    if type(version) is not int or type(seq) is not int or seq < 0:
        raise Damaged(f"v and seq must be whole numbers, were {version!r} and {seq!r}")
    return understood(version, seq, dump(found.get("body")), migrations)


def seq_of(data: bytes) -> int:
    """Return the generation that damaged bytes claim to be, 0 if they do not say."""
    head = _HEAD.match(data)
    return int(head[2]) if head else 0


def _text(body: Mapping[str, Any]) -> bytes:
    """Write a body; trades that are text already are taken as such."""
    trades = b"[%s]" % b",".join(map(text_of, body["state"]["trades"]))
    return _object(body, state=_object(body["state"], trades=trades))


def _object(record: Mapping[str, Any], **written: bytes) -> bytes:
    """Write an object of which some values are written already."""
    pairs = (b"%s:%s" % (dump(key), written.get(key) or dump(record[key])) for key in record)
    return b"{%s}" % b",".join(pairs)


def _checksum(version: int, seq: int, body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body, zlib.crc32(b"%d:%d:" % (version, seq)))


def _in_words(problems: list[str]) -> str:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(_cut(words) for words in problems[:_SHOWN]) + more


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."


def _unlike(data: bytes) -> str:
    if not data:
        return "empty"
    if not data.strip(b"\0"):
        return "nothing but zeros"
    if _HEAD.match(data):
        return "cut off"
    return f"no document of a run, begins with {data[:40]!r}"
