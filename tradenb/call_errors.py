"""Calls that do not fit a function: answered with its arguments, not with Python's own words."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Final, ParamSpec, TypeVar

from tradenb.errors import UsageError, near

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_BY_PLACE: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def explained(name: str) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """Let a function say which arguments it takes when a call does not fit.

    Parameters
    ----------
    name : str
        How users call it, such as "tn.backtest.run".

    Returns
    -------
    callable
        A decorator; the function raises UsageError where Python would raise TypeError for the
        arguments themselves.

    Examples
    --------
    >>> @explained("tn.twice")
    ... def twice(number, *, times=2):
    ...     return number * times
    >>> twice(3, time=4)
    Traceback (most recent call last):
        ...
    tradenb.errors.UsageError: tn.twice has no argument 'time'; did you mean 'times'? It is called \
as tn.twice(number), further: times
    """

    def decorate(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
        readable(function)
        parameters = inspect.signature(function).parameters

        @functools.wraps(function)
        def call(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
            wrong = _misfit(parameters, args, kwargs)
            if wrong:
                stop = "" if wrong.endswith("?") else "."
                usage = _usage(name, parameters)
                raise UsageError(f"{name} {wrong}{stop} It is called as {usage}")
            return function(*args, **kwargs)

        return call

    return decorate


def readable(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Let Shift-Tab show the types of a function without quotes, and return it."""
    hints = function.__annotations__
    hints.update((key, _Unquoted(text)) for key, text in hints.items() if isinstance(text, str))
    return function


class _Unquoted(str):
    """An annotation as it was written: `inspect` shows other strings with their quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _misfit(
    parameters: Mapping[str, Parameter], args: tuple[object, ...], named: Mapping[str, object]
) -> str:
    """Say what does not fit, or nothing."""
    places = [key for key, item in parameters.items() if item.kind in _BY_PLACE]
    kinds = {item.kind for item in parameters.values()}
    if len(args) > len(places) and Parameter.VAR_POSITIONAL not in kinds:
        words = f"the first {len(places)}" if len(places) > 1 else "the first alone"
        words = words if places else "none"
        return f"was given {len(args)} arguments without a name; {words} may go without one"
    known = [key for key, item in parameters.items() if item.kind not in _VARIABLE]
    for key in named:
        if key not in known and Parameter.VAR_KEYWORD not in kinds:
            return f"has no argument {key!r}" + near(key, known)
    twice = [key for key in places[: len(args)] if key in named]
    if twice:
        return f"was given {twice[0]} twice, by its place and by its name"
    given = {*places[: len(args)], *named}
    missing = [key for key in _needed(parameters) if key not in given]
    return f"needs {_joined(missing)} as well" if missing else ""


def _usage(name: str, parameters: Mapping[str, Parameter]) -> str:
    needed = [
        key if parameters[key].kind in _BY_PLACE else f"{key}=..." for key in _needed(parameters)
    ]
    others = [
        key
        for key, item in parameters.items()
        if item.default is not Parameter.empty and item.kind not in _VARIABLE
    ]
    further = f", further: {', '.join(others)}" if others else ""
    return f"{name}({', '.join(needed)}){further}"


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _needed(parameters: Mapping[str, Parameter]) -> list[str]:
    return [
        key
        for key, item in parameters.items()
        if item.default is Parameter.empty and item.kind not in _VARIABLE
    ]


_VARIABLE: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
