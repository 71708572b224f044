"""`PastCode`: what a strategy consisted of when a run of it was started.

A function finds constants and helpers by their names when it is called: once a cell was run again
the same function does something else. So a run notes the hash of all that its strategy reaches, and
in memory what was found under each name; `tn.parity` goes through the run with the code that ran.
Risk rules are left out: what they refused is known by its events.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any, Final

from tradenb.engine.fingerprint import digest
from tradenb.engine.inputs import Memo, inputs
from tradenb.engine.ports import CandleSource
from tradenb.engine.reach import functions_of, is_users, names_of
from tradenb.engine.specs.strategy_spec import StrategySpec

_MOST: Final = 20_000
_LARGE: Final = 1_000
_PLAIN: Final = (str, bytes, int, float, complex, bool, type(None))
_KEPT_RUNS: Final = 32
_KEPT: Final[OrderedDict[str, PastCode]] = OrderedDict()


class PastCode:
    """The functions of a strategy, and what they found under the names that they use.

    Attributes
    ----------
    spec : StrategySpec
        The strategy itself.
    names : dict of str to str
        Hash of each part, and of each value that the parts reach, by name.
    """

    def __init__(self, spec: StrategySpec) -> None:
        self.spec = spec
        self.names = names_reached(spec)
        self._spaces: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}
        self._cells: dict[int, tuple[CellType, Any]] = {}
        copies: dict[int, Any] = {}
        for part in parts_of(spec).values():
            for function in functions_of(part):
                self._note(function, copies)
        keep(self)

    def of_global(self, space: Mapping[str, Any], name: str) -> Any:
        """Return what a name of a module, or of the cells, stood for."""
        known = self._spaces.get(id(space))
        return space[name] if known is None else known[1].get(name, space[name])

    def of_cell(self, cell: CellType) -> Any:
        """Return what a function closed over.

        Raises
        ------
        ValueError
            When it was not there yet.
        """
        known = self._cells.get(id(cell))
        return cell.cell_contents if known is None else known[1]

    def _note(self, function: FunctionType, copies: dict[int, Any]) -> None:
        self._note_names(names_of(function.__code__), function.__globals__, copies)
        for cell in function.__closure__ or ():
            try:
                self._cells.setdefault(id(cell), (cell, _copied(cell.cell_contents, copies)))
            except ValueError:
                continue

    def _note_names(
        self, names: frozenset[str], space: dict[str, Any], copies: dict[int, Any]
    ) -> None:
        known = self._spaces.setdefault(id(space), (space, {}))[1]
        for name in (names & space.keys()) - known.keys():
            value = space[name]
            known[name] = _copied(value, copies)
            if isinstance(value, ModuleType) and is_users(value):
                self._note_names(names, vars(value), copies)


def parts_of(spec: StrategySpec) -> dict[str, Any]:
    """Return the functions that a strategy was declared with, by what they are to it."""
    parts: dict[str, Any] = {"its function": spec.function}
    manager = spec.manager
    if manager is not None and manager.function is not spec.function:
        parts["its manage function"] = manager.function
    for item in spec.declared:
        parts[f"indicators {item.identity[1].rpartition('.')[2]}"] = item.function
    return parts | dict(spec.callbacks)


def names_reached(spec: StrategySpec) -> dict[str, str]:
    """Return the hash of each part of a strategy, and of what the parts reach, by name."""
    found: dict[str, set[str]] = {}
    memo: Memo = {}
    for part, function in parts_of(spec).items():
        for name, value in _inputs(function, memo):
            found.setdefault(name or part, set()).add(value)
    return {name: digest("\n".join(sorted(values))) for name, values in sorted(found.items())}


def keep(code: PastCode) -> None:
    """Keep the code of a run for as long as the process lives, that of the latest runs."""
    _KEPT[_key(code.spec.name, code.names)] = code
    while len(_KEPT) > _KEPT_RUNS:
        _KEPT.popitem(last=False)


def kept(strategy: str, names: Mapping[str, str]) -> PastCode | None:
    """Return the code that had these hashes, if this process has it."""
    return _KEPT.get(_key(strategy, names))


def _key(strategy: str, names: Mapping[str, str]) -> str:
    return digest(f"{strategy}\n{sorted(names.items())}")


def _inputs(function: Any, memo: Memo) -> Iterator[tuple[str, str]]:
    try:
        yield from inputs(function, _MOST, without=CandleSource, memo=memo).items()
    except Exception:  # noqa: BLE001 - objects of the user's may do anything when they are read
        yield "", "not known"


def _copied(value: Any, copies: dict[int, Any]) -> Any:
    """Copy a small collection of plain values, once; all else is kept as it is."""
    if id(value) in copies:
        return copies[id(value)]
    found = value
    if type(value) in (list, dict, set) and len(value) <= _LARGE and _is_plain(value):
        found = copies[id(value)] = _rebuilt(value)
    return found


def _is_plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, _PLAIN):
        return True
    if type(value) not in (list, dict, set, tuple) or len(value) > _LARGE or depth > 4:
        return False
    items = value.values() if isinstance(value, dict) else value
    return all(_is_plain(item, depth + 1) for item in items)


def _rebuilt(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rebuilt(item) for key, item in value.items()}
    if isinstance(value, list | set | tuple):
        return type(value)(_rebuilt(item) for item in value)
    return value
