"""What is in a text file, whatever it is packed in or encoded as: UTF-8, and its first lines."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from tradenb.errors import CandleError

PACKED: Final = (".gz", ".zip", ".xz", ".bz2")
DELIMITERS: Final = (",", ";", "\t", "|")
_HEAD: Final = 65_536
_LINES: Final = 30
_LOOKS: Final = (
    (b"\x1f\x8b", "gzip", ".csv.gz"),
    (b"PK\x03\x04", "a zip file or a workbook", ".csv.zip or .xlsx"),
    (b"\xfd7zXZ", "xz", ".csv.xz"),
    (b"BZh", "bzip2", ".csv.bz2"),
    (b"PAR1", "Parquet", ".parquet"),
    (b"ARROW1", "Feather", ".feather"),
    (b"\x93NUMPY", "npy", ".npy"),
)
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Content(NamedTuple):
    """The text of a file.

    Attributes
    ----------
    source : Path or bytes
        UTF-8; the file itself where it is that.
    notes : tuple of str
        What was done to read it.
    """

    source: Path | bytes
    head: str
    notes: tuple[str, ...] = ()

    def rows(self, delimiter: str) -> list[list[str]]:
        """Return the cells of the first lines; an empty line has none."""
        lines = self.head.splitlines()[:_LINES]
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]


def suffix_of(path: Path) -> str:
    """Return the suffix that says how a file is read, in lower case: .csv of a.csv.gz.

    Examples
    --------
    >>> suffix_of(Path("BTCUSDT-1m-2024-03.zip"))
    '.csv'
    """
    suffix = path.suffix.lower()
    if suffix not in PACKED:
        return suffix
    inner = Path(path.stem).suffix.lower()
    return inner if inner == ".json" else ".csv"


def content_of(path: Path) -> Content:
    """Unpack and decode a text file.

    Raises
    ------
    CandleError
        When it is another kind of file than its name says, or an archive of several.
    """
    packed = _OPENERS.get(path.suffix.lower())
    if packed is not None:
        return text_content(packed(path))
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for begin, kind, suffix in _LOOKS:
        if head.startswith(begin):
            raise CandleError(f"it looks like {kind}; rename it to {suffix}", code="columns")
    if head.startswith(_UTF_16):
        return text_content(path.read_bytes())
    return Content(path, _decoded(head, whole=len(head) < _HEAD))


def text_content(data: bytes) -> Content:
    """Decode the bytes of a text file."""
    notes: tuple[str, ...] = ()
    if data.startswith(_UTF_16):
        data, notes = data.decode("utf-16").encode(), ("UTF-16",)
    return Content(data, _decoded(data[:_HEAD], whole=len(data) <= _HEAD), notes)


def _decoded(head: bytes, *, whole: bool) -> str:
    if not whole:
        head = head[: head.rfind(b"\n") + 1] or head
    return head.decode("utf-8-sig")


def _member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [item.filename for item in archive.infolist() if not item.is_dir()]
        if len(names) != 1:
            raise CandleError(
                f"the archive holds {len(names)} files; unpack it, and pass those with candles",
                code="columns",
            )
        return archive.read(names[0])


_OPENERS: Final[dict[str, Callable[[Path], bytes]]] = {
    ".gz": lambda path: gzip.decompress(path.read_bytes()),
    ".xz": lambda path: lzma.decompress(path.read_bytes()),
    ".bz2": lambda path: bz2.decompress(path.read_bytes()),
    ".zip": _member,
}
