"""Names of strategies, exchanges and risk rules, with revisions, and the instances in memory.

Re-running a notebook cell registers the same function again: that replaces it, and makes a new
revision only if what it does has changed. Another object under a used name is a mistake.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from tradenb.errors import SpecError, shown, unknown

READY_MADE: Final = ("tradenb", "ready-made")
"""Identity of the rules of `tn.risks`. They are settings, not functions of a user, so a cell may
replace one by another. A run refuses two different rules under one name, ready-made or not."""


DECORATORS: Final = {
    "strategy": "@tn.strategy(...)",
    "risk rule": "@tn.risk(...)",
    "exchange": "@tn.exchange(...)",
}


class Named(Protocol):
    """What can be registered."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def identity(self) -> tuple[str, str]:
        """Module and qualified name; the same identity may register again."""

    @property
    def fingerprint(self) -> str:
        """Hash of what it does."""


class Registered(NamedTuple):
    """An object under its name, what it did when it was last looked at, and how often that changed.

    Indicators are declared after the function, so what an object does is known for certain only
    when its revision is asked for, or when the next object of the name is registered.
    """

    item: Any
    does: str | None = None
    revision: int = 0

    def settled(self) -> Registered:
        """Count a revision if what it does has changed."""
        does = self.item.fingerprint
        return self if does == self.does else self._replace(does=does, revision=self.revision + 1)


Item = TypeVar("Item", bound=Named)
Made = TypeVar("Made")


class Registry:
    """Everything that has a name in one process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._named: dict[str, dict[str, Registered]] = {}
        self._instances: dict[tuple[str, str, str], Any] = {}

    def register(self, kind: str, item: Item) -> Item:
        """Put an object under its name.

        Raises
        ------
        SpecError
            When another object (another module or qualified name) has the name.
        """
        with self._lock:
            known = self._named.setdefault(kind, {})
            earlier = known.get(item.name)
            if earlier is None:
                known[item.name] = Registered(item)
            else:
                _check_same(kind, earlier.item, item)
                known[item.name] = earlier.settled()._replace(item=item)
        return item

    def find(self, kind: str, given: object, *, form: type[Item]) -> Item:
        """Return the object itself, or the one registered under a name.

        Raises
        ------
        UnknownName
            When no object of the kind has the name; the nearest names are given.
        """
        if isinstance(given, form):
            return given
        with self._lock:
            known = self._named.get(kind, {})
            if isinstance(given, str) and given in known:
                return known[given].item  # type: ignore[no-any-return]
            if isinstance(given, str):
                raise unknown(kind, given, known)
        hint = ""
        if isinstance(given, FunctionType):
            hint = f"; decorate it with {DECORATORS.get(kind, '')} first"
        elif isinstance(given, list | tuple):
            hint = "; pass exactly one"
        raise SpecError(
            f"a {kind} must be given as an object or by its name, was {shown(given)}{hint}"
        )

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind."""
        with self._lock:
            return sorted(self._named.get(kind, {}))

    def known(self, kind: str, name: str) -> Any:
        """Return what is registered under a name, or None."""
        with self._lock:
            found = self._named.get(kind, {}).get(name)
            return None if found is None else found.item

    def revision(self, kind: str, name: str) -> int:
        """Return how many different versions a name has seen, counting from 1; 0 if none."""
        with self._lock:
            known = self._named.get(kind, {})
            if name not in known:
                return 0
            known[name] = known[name].settled()
            return known[name].revision

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Forget the strategies that are registered inside; those from before are as they were.

        Other threads wait meanwhile: keep it short.
        """
        with self._lock:
            before = {kind: dict(known) for kind, known in self._named.items()}
            self._named.pop("strategy", None)
            try:
                yield
            finally:
                self._named.clear()
                self._named.update(before)

    def instance(self, symbol: str, strategy: str, mode: str, make: Callable[[], Made]) -> Made:
        """Return the one instance of a symbol, strategy and mode; made on first use."""
        key = (symbol, strategy, mode)
        with self._lock:
            if key not in self._instances:
                self._instances[key] = make()
            return self._instances[key]  # type: ignore[no-any-return]


def _check_same(kind: str, earlier: Named, item: Named) -> None:
    if READY_MADE in (earlier.identity, item.identity):
        return
    if earlier.identity != item.identity:
        module, name = earlier.identity
        raise SpecError(
            f"{kind} name {item.name!r} is used by {module}.{name}; choose another name, "
            "or define this one under the same function name to replace it"
        )


registry = Registry()
"""The names of this process."""
