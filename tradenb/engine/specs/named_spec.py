"""`NamedSpec`: what strategies and risk rules have in common, a name and a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, field_validator

from tradenb.engine.fingerprint import fingerprint, identity_of
from tradenb.engine.specs.repr_card import ReprCard
from tradenb.errors import SpecError, shown

_NAME_LIMIT: Final = 120
# Live runs keep their files under the name; other characters take three there: "%41".
_SHORT: Final = frozenset("0123456789-_.abcdefghijklmnopqrstuvwxyz")


class NamedSpec(ReprCard, BaseModel):
    """A declaration: frozen, checked when it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str
    function: Callable[..., Any]

    # As it was declared: what the function closes over may change while it runs.
    _does: str = PrivateAttr("")

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SpecError(_all_problems(values.get("name"), error)) from None
        self._does = fingerprint(self.function)

    def __dir__(self) -> list[str]:
        """Tab shows what a user declared: nothing of pydantic, nothing of the engine."""
        return [*type(self).model_fields]

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        printable = name.isprintable() and name.strip() == name
        if not name or not printable or len(name) > _NAME_LIMIT:
            raise ValueError(
                f"must be 1 to {_NAME_LIMIT} printable characters without spaces around them"
            )
        size = sum(1 if char in _SHORT else 3 * len(char.encode(errors="replace")) for char in name)
        if size > _NAME_LIMIT:
            raise ValueError(
                f"must take at most {_NAME_LIMIT} bytes as a file name, was {size}: characters "
                "other than a-z, 0-9, '-', '_' and '.' take 3; choose a shorter one"
            )
        return name

    @property
    def identity(self) -> tuple[str, str]:
        """Module and qualified name of the function; the same identity may register again."""
        return identity_of(self.function)

    @property
    def fingerprint(self) -> str:
        """Hash of what the function does; unchanged by comments, moves and re-runs of a cell."""
        return self._does


def _all_problems(name: object, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        words = item["msg"].removeprefix("Value error, ")
        field += " " if item["type"] == "value_error" else ": "
        lines.append(f"{field}{words}, was {shown(item['input'])}")
    return f"{shown(name)}: " + "; ".join(lines)


def first_line(function: Callable[..., Any]) -> str:
    """Return the first line of a function's docstring."""
    return (function.__doc__ or "").strip().partition("\n")[0]
