"""What is wrong with the fields of a model, all problems at once, in the words of this package."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from tradenb.errors import near, shown


def problems_of(
    what: str, error: ValidationError, known: Iterable[str], *, noun: str = "field"
) -> str:
    """Return one sentence with all problems: name, bound and value of each.

    Parameters
    ----------
    what : str
        What the model is called by its users, such as "Rules".
    known : iterable of str
        The fields that there are.
    noun : str
        What a field is called.
    """
    names, lines, foreign = list(known), [], False
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        words = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            foreign = True
            lines.append(f"unknown {noun} {name!r}{near(name, names)}")
        elif item["type"] == "missing":
            lines.append(f"{name} is needed")
        else:
            was = f", was {shown(item['input'])}" if name and ", was " not in words else ""
            lines.append(f"{name}: {words}{was}" if name else words)
    listed = f" (the {noun}s are {', '.join(names)})" if foreign else ""
    return f"{what}: {'; '.join(lines)}{listed}"
