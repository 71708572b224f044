"""What a value is, in words that two processes can compare and a script can hold."""

from __future__ import annotations

import functools
import inspect
import math
import random
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final

import numpy as np

from tradenb.engine.fingerprint import digest
from tradenb.engine.reach import cells_of, defaults_of, is_installed
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec

LARGEST: Final = 1_000
"""Items of a collection, or of an array, that is still a setting and no data."""
CLOSED_OVER: Final = "closed-over"
OF_INDICATORS: Final = "indicators: "
_SHOWN: Final = 120
_ATOMS: Final = (str, bytes, int, float, complex, bool, type(None), type(...))


def is_plain(value: object) -> bool:
    """Tell whether a value can be written as a literal: numbers, texts, and collections of them."""
    if isinstance(value, _ATOMS):
        return type(value) in _ATOMS
    if type(value) in (list, tuple, set, frozenset) and len(value) <= LARGEST:  # type: ignore[arg-type]
        return all(is_plain(item) for item in value)  # type: ignore[attr-defined]
    if type(value) is dict and len(value) <= LARGEST:
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    return False


def without_numpy(value: Any) -> Any:
    """Return the number that a scalar of numpy is, and any other value itself."""
    return value.item() if isinstance(value, np.number | np.bool_ | np.str_) else value


def literal(value: Any) -> str:
    """Write a plain value so that Python reads the same one.

    Examples
    --------
    >>> literal({"level": 0.985, "worst": float("-inf"), "sides": {"long"}})
    '{"level": 0.985, "worst": float("-inf"), "sides": {"long"}}'
    """
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, dict):
        items = (f"{literal(key)}: {literal(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, str):
        return repr(value) if '"' in value else '"' + repr(f'"{value}')[2:-1] + '"'
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, frozenset):
        return f"frozenset({literal(sorted(value, key=repr))})"
    if isinstance(value, set):
        inside = ", ".join(literal(item) for item in sorted(value, key=repr))
        return "{" + inside + "}" if value else "set()"
    return repr(value)


def is_data(value: object) -> bool:
    """Tell whether a value is a table or a long array: research, not a setting."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in ("pandas", "polars", "pyarrow"):
        return kind.__name__ in ("DataFrame", "Series", "Index", "Table") or "Index" in str(kind)
    if kind.__module__ == "numpy" and hasattr(value, "size"):
        return bool(value.size > LARGEST)
    if isinstance(value, list | tuple | set | frozenset | dict):
        return len(value) > LARGEST
    return False


def described(value: object) -> str:
    """Name a value for a message: short, and what it is."""
    kind = type(value)
    if is_data(value):
        rows = f" of {len(value):,} rows" if hasattr(value, "__len__") else ""
        return f"a {kind.__name__}{rows}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def facts(value: object) -> dict[str, str]:
    """Return what a definition was made with: label -> words, the same in an equal process.

    Code is not among it: that it is the same is seen when it is collected. These are the values
    taken while the definition ran: settings of a strategy, defaults, closures, attributes.
    """
    return dict(_facts(value, ""))


def _facts(value: Any, label: str) -> Iterator[tuple[str, str]]:
    match value:
        case StrategySpec():
            yield from _strategy_facts(value, label)
        case RiskSpec():
            yield f"{label}terms", getattr(value, "terms", "of its own")
            if not hasattr(value, "terms"):
                yield from _facts(value.function, label)
        case functools.partial():
            yield f"{label}arguments", repr((_as_text(value.args), _as_text(value.keywords)))
        case FunctionType():
            yield from _function_facts(value, label)
        case type():
            for name, item in sorted(vars(value).items()):
                if not name.startswith("__") and is_plain(item):
                    yield f"{label}attribute {name}", _as_text(item)
        case ModuleType():
            return
        case _ if inspect.ismethod(value):
            yield from _facts(value.__self__, label)
        case _ if callable(getattr(value, "function", None)):
            yield from _facts(value.function, label)
        case _:
            yield f"{label}value", _as_text(value)


def _strategy_facts(spec: StrategySpec, label: str) -> Iterator[tuple[str, str]]:
    yield f"{label}every", repr(spec.every)
    yield f"{label}history", repr(spec.history)
    yield f"{label}vectorised", repr((spec.vectorised, spec.flip))
    yield f"{label}risk", repr([rule.name for rule in spec.risk])
    yield f"{label}callbacks", repr(sorted(spec.callbacks))
    for rule in spec.risk:
        yield from _facts(rule, f"{label}risk rule {rule.name!r}: ")
    for item in spec.declared:
        yield f"{label}indicators", f"{item.timeframe}, window={item.window}"
        yield from _facts(item.function, label + OF_INDICATORS)
    own = spec.manager
    if own is not None:
        yield f"{label}manage", f"every {own.every}, waiting={own.waiting}"
        if own.function is not spec.function:
            yield from _facts(own.function, f"{label}manage: ")
    yield from _facts(spec.function, label)


def _function_facts(function: FunctionType, label: str) -> Iterator[tuple[str, str]]:
    for name, value in defaults_of(function).items():
        yield f"{label}default of {name}", _as_text(value)
    for name, value in cells_of(function).items():
        yield f"{label}{CLOSED_OVER} {name}", _as_text(value)
    inner = getattr(function, "__wrapped__", None)
    if isinstance(inner, FunctionType):
        yield from _facts(inner, f"{label}wrapped ")


def _as_text(value: Any) -> str:
    """Write a value for comparison; of what has no values of its own, the kind."""
    value = without_numpy(value)
    if is_plain(value):
        return literal(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tobytes"):
        return f"{value.dtype}{getattr(value, 'shape', ())} {digest(repr(value.tobytes()))}"
    if isinstance(value, list | tuple):
        return repr([_as_text(item) for item in value])
    if type(value).__module__.startswith("pandas") and is_data(value) and len(value) <= LARGEST:
        import pandas as pd

        rows = pd.util.hash_pandas_object(value).tolist()
        return f"{type(value).__name__} {digest(repr((rows, getattr(value, 'columns', None))))}"
    if isinstance(value, Mapping):
        return repr({_as_text(key): _as_text(item) for key, item in value.items()})
    name = getattr(value, "__qualname__", type(value).__qualname__)
    if isinstance(value, random.Random):
        return f"{name} {digest(repr(value.getstate()))}"
    if hasattr(value, "bit_generator"):
        return f"{name} {digest(repr(value.bit_generator.state))}"
    if callable(value) or (is_installed(type(value).__module__) and name != "SimpleNamespace"):
        return str(name)
    own = {name: item for name, item in getattr(value, "__dict__", {}).items() if is_plain(item)}
    return f"{name} {literal(own)}"
