"""`RiskSpec`: the declaration of a risk rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from tradenb.core.risk import RiskBook
from tradenb.core.signal import Signal
from tradenb.engine.specs.named_spec import NamedSpec, first_line
from tradenb.engine.specs.registry import registry


class RiskSpec(NamedSpec):
    """A risk rule: `function(book, candidate)` returns None, or a sentence that refuses.

    Attributes
    ----------
    at_once : bool
        It is known to take no time: it may be called without a deadline.
    holds : bool
        What it refuses it goes on refusing until a signal of its book ends.
    """

    at_once: ClassVar[bool] = False
    holds: ClassVar[bool] = False

    def __call__(self, book: RiskBook, candidate: Signal) -> str | None:
        """Ask the rule, as the plain function that it still is."""
        return self.function(book, candidate)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<risk {self.name}>"

    def _card(self) -> tuple[str, list[tuple[str, str]]]:
        return f"risk rule {self.name}", [("", first_line(self.function))]

    __str__ = __repr__


def old_rules(strategy: str, rules: Iterable[RiskSpec]) -> list[str]:
    """Name the rules of a strategy that were declared again since, and do something else now."""
    return [
        f"strategy {strategy!r} uses an older version of risk rule {rule.name!r}, which was "
        "declared again since; run the cell of the strategy again to use the new one"
        for rule in rules
        if (newest := registry.known("risk rule", rule.name)) not in (None, rule)
        and newest.fingerprint != rule.fingerprint
    ]
