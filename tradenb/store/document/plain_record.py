"""Records from what JSON holds, by the types that the records themselves declare.

For small files, and for who must start quickly: no library is loaded. What is written with
bounds and patterns is checked by the models of `schema.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tradenb.errors import shown
from tradenb.store.codec import Damaged

Record = TypeVar("Record", bound=tuple[Any, ...])
_NO: Final = object()


def record_of(kind: type[Record], found: object) -> Record:
    """Return the NamedTuple that a dict of JSON holds; what else is in it is left alone.

    Raises
    ------
    Damaged
        When a field is missing or of another type; the words name it.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> class Fill(NamedTuple):
    ...     price: Decimal
    ...     at: int | None = None
    >>> record_of(Fill, {"price": "0.10"})
    Fill(price=Decimal('0.10'), at=None)
    """
    if not isinstance(found, Mapping):
        raise Damaged(f"{kind.__name__} must be an object, was {shown(found)}")
    values = {}
    for name, hint in _hints(kind).items():
        if name in found:
            values[name] = _value(hint, found[name])
            if values[name] is _NO:
                raise Damaged(f"{kind.__name__}.{name} must not be {shown(found[name])}")
    try:
        return kind(**values)
    except TypeError as error:
        raise Damaged(f"{kind.__name__}: {error}") from error


def whole_record(kind: type[Record], found: object, **head: object) -> Record:
    """Return the NamedTuple that a file holds, with its fields and no others.

    Parameters
    ----------
    head : object
        What a file of this kind says of itself beside them, such as its format and version.

    Raises
    ------
    Damaged
        When it is anything else; the words name the field.
    """
    given = {**head, **found} if isinstance(found, Mapping) else found
    if not isinstance(given, dict):
        return record_of(kind, given)
    for name, value in head.items():
        said = given.pop(name)
        if said != value or type(said) is not type(value):
            raise Damaged(f"{name}: must be {value!r}, was {shown(said)}")
    unknown = given.keys() - _hints(kind).keys()
    if unknown:
        raise Damaged(f"{shown(min(unknown))}: there is no such field")
    return record_of(kind, given)


def outside(record: Record, low: int, below: int, *names: str) -> Iterator[str]:
    """Name the whole numbers of a record that are not at least `low` and less than `below`."""
    for name in names:
        value = getattr(record, name)
        if not low <= value < below:
            yield f"{name}: must be from {low} to {below - 1}, was {value}"


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    """Return a value of a type, or `_NO` where it is none."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        tried = (_value(each, value) for each in inner)
        return next((each for each in tried if each is not _NO), _NO)
    if origin is Literal:
        return value if value in inner else _NO
    if origin is tuple:
        if not isinstance(value, list) or (inner[-1] is not ... and len(value) != len(inner)):
            return _NO
        types = [inner[0]] * len(value) if inner[-1] is ... else inner
        made = tuple(map(_value, types, value))
        return _NO if _NO in made else made
    if hint is Decimal:
        return _decimal(value)
    if origin is dict:
        named = isinstance(value, dict) and all(_value(str, name) is not _NO for name in value)
        return value if named else _NO
    if hasattr(hint, "_fields"):
        return record_of(hint, value) if isinstance(value, Mapping) else _NO
    if hint in (NoneType, None):
        return value if value is None else _NO
    if isinstance(value, bool):
        return value if hint is bool else _NO
    if hint is float:
        return float(value) if isinstance(value, int | float) else _NO
    return value if isinstance(value, hint) and _is_whole(value) else _NO


def _is_whole(value: object) -> bool:
    """Tell whether a text can be written; half of a surrogate pair is none."""
    try:
        return not isinstance(value, str) or value.encode() is not None
    except UnicodeEncodeError:
        return False


def _decimal(value: Any) -> Any:
    try:
        found = Decimal(value) if isinstance(value, str) else _NO
    except InvalidOperation:
        return _NO
    return found if found is _NO or found.is_finite() else _NO  # type: ignore[attr-defined]
