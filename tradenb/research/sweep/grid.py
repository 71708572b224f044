"""The grid of a sweep: which combinations of parameters there are, in which order."""

from __future__ import annotations

import inspect
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Final, TypeAlias

from tradenb.errors import UsageError, shown, unknown

Value: TypeAlias = "str | int | float | bool | None"
Combination: TypeAlias = dict[str, Value]
Where: TypeAlias = Callable[[Combination], object]
Grid: TypeAlias = "Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]"

_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def combinations(grid: Grid, where: Where | None = None) -> list[Combination]:
    """Return all combinations, the last parameter running fastest; or those listed.

    Parameters
    ----------
    where : callable, optional
        Tells of a combination whether it is wanted.

    Raises
    ------
    UsageError
        When there are none, one comes twice, or a value is not a plain one.
    """
    given: Any = grid
    if isinstance(given, Mapping):
        names = list(given)
        found = [
            dict(zip(names, values, strict=True))
            for values in itertools.product(*(_values(name, given[name]) for name in names))
        ]
    elif isinstance(given, Sequence) and not isinstance(given, str):
        found = [_listed(item) for item in given]
    else:
        raise UsageError(
            'grid must be a dict such as {"fast": [5, 10], "slow": [50, 100]}, or a list of dicts, '
            f"was {shown(grid)}"
        )
    if not found or not found[0]:
        raise UsageError(f"grid must hold at least one combination, was {shown(grid)}")
    if any(item.keys() != found[0].keys() for item in found):
        raise UsageError("all combinations of a grid must name the same parameters")
    seen: set[str] = set()
    for item in found:
        if name_of(item) in seen:
            raise UsageError(f"duplicate combination {item}; list each one once")
        seen.add(name_of(item))
    return found if where is None else _chosen(found, where)


def _chosen(found: list[Combination], where: Where) -> list[Combination]:
    """Return the combinations that are wanted."""
    if not callable(where):
        raise UsageError(
            'where must be a function of a combination, such as lambda p: p["fast"] < p["slow"], '
            f"was {shown(where)}"
        )
    chosen = []
    for item in found:
        try:
            wanted = bool(where(dict(item)))
        except Exception as error:
            raise UsageError(f"where failed on {item}: {type(error).__name__}: {error}") from error
        if wanted:
            chosen.append(item)
    if not chosen:
        raise UsageError(f"where leaves none of the {len(found):,} combinations of the grid")
    return chosen


def check_factory(factory: Callable[..., Any], combination: Combination) -> None:
    """Refuse a factory that cannot be called with the parameters of a grid.

    Raises
    ------
    UsageError
        Naming the parameters that it does not take, or those that the grid lacks.
    """
    try:
        taken = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # some builtins have none
        return
    forms = {item.kind for item in taken.values()}
    named = [name for name, item in taken.items() if item.kind in _BY_NAME]
    if inspect.Parameter.VAR_KEYWORD not in forms:
        for name in combination:
            if name not in named:
                raise unknown("parameter of the strategy factory", name, named)
    needed = [name for name in named if taken[name].default is inspect.Parameter.empty]
    lacking = [name for name in needed if name not in combination]
    if lacking:
        raise UsageError(
            f"the strategy factory takes {', '.join(named)}; the grid lacks {', '.join(lacking)}"
        )


def name_of(combination: Combination) -> str:
    """Return the text by which a combination is found on disk."""
    return json.dumps(combination, sort_keys=True, separators=(",", ":"))


def _values(name: object, given: Any) -> list[Value]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UsageError(f"grid: {name!r} must have a list of values, was {shown(given)}")
    return [_plain(name, value) for value in given]


def _listed(item: Any) -> Combination:
    if not isinstance(item, Mapping):
        raise UsageError(f"a combination must be a dict of parameters, was {shown(item)}")
    return {str(name): _plain(name, value) for name, value in item.items()}


def _plain(name: object, value: Any) -> Value:
    """Return a value as JSON gives it back; parameters are kept on disk."""
    if not isinstance(name, str):
        raise UsageError(f"names of parameters must be strings, one was {name!r}")
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return _plain(name, value.item())
    raise UsageError(
        f"grid: values must be strings, numbers, booleans or None, {name!r} had {shown(value)}; "
        "pass a name and let the factory look up what it stands for"
    )
