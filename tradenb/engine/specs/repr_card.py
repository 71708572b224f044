"""How strategies, rules and exchanges show themselves in a cell: a name and a few facts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

_LONGEST: Final = 160
_BOX: Final = "display:inline-block;padding:2px 0 2px 10px;border-left:2px solid #3b82c4"
_ROW: Final = "font-size:12.5px;opacity:0.8"


class ReprCard:
    """Something that a cell shows as a small card."""

    def _card(self) -> tuple[str, Sequence[tuple[str, str]]]:
        """Return the headline, and facts as label and value; empty values are left out."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        head, facts = self._card()
        shown = [f"{_cut(label)} {_cut(value)}" for label, value in facts if value]
        rows = f'<br><span style="{_ROW}">{" · ".join(shown)}</span>' if shown else ""
        return f'<div style="{_BOX}"><b>{_cut(head)}</b>{rows}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return both forms, HTML and plain text."""
        del include, exclude
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _cut(text: str) -> str:
    plain = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return escape("".join(letter if letter.isprintable() else " " for letter in plain))
