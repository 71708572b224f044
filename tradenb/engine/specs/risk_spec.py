"""`RiskSpec`: the declaration of a risk rule."""

from __future__ import annotations

from typing import ClassVar

from tradenb.core.risk import RiskBook
from tradenb.core.signal import Signal
from tradenb.engine.specs.named_spec import NamedSpec, first_line


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
