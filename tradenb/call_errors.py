"""Calls that do not fit a function: the error names the arguments and shows the right call."""

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
    tradenb.errors.UsageError: tn.twice has no argument 'time'; did you mean 'times'? Call it as \
tn.twice(number); optional: times
    """

    def decorate(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
        readable(function)
        parameters = inspect.signature(function).parameters

        @functools.wraps(function)
        def call(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
            try:
                return function(*args, **kwargs)
            except TypeError:
                wrong = _misfit(parameters, args, kwargs)
                if not wrong:
                    raise
                stop = "" if wrong.endswith("?") else "."
                usage = _usage(name, parameters)
                raise UsageError(f"{name} {wrong}{stop} Call it as {usage}") from None

        return call

    return decorate


def readable(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Let Shift-Tab show the types of a function without quotes, and return it."""
    hints = function.__annotations__
    hints.update((key, _Unquoted(text)) for key, text in hints.items() if isinstance(text, str))
    return function


def hint(said: str, name: str, function: Callable[..., object]) -> str:
    """Return what to add to what Python says of a wrong call; for functions too hot to be wrapped.

    Parameters
    ----------
    said : str
        The text of the TypeError.
    name : str
        How users call the function, such as "tn.long".

    Returns
    -------
    str
        Empty where the text is about something else.

    Examples
    --------
    >>> def twice(number, *, times=2):
    ...     return number * times
    >>> hint("twice() got an unexpected keyword argument 'time'", "tn.twice", twice)
    "; did you mean 'times'?"
    """
    if not said.startswith(f"{function.__name__}() "):
        return ""
    parameters = inspect.signature(function).parameters
    _, _, unknown = said.partition("unexpected keyword argument ")
    found = near(unknown.strip("'"), parameters) if unknown else ""
    return found or f". Call it as {_usage(name, parameters)}"


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
        first = f"only the first {len(places)}" if len(places) > 1 else "only the first"
        allowed = first if places else "none"
        return f"got {len(args)} arguments without a name; {allowed} may go unnamed"
    known = [key for key, item in parameters.items() if item.kind not in _VARIABLE]
    for key in named:
        if key not in known and Parameter.VAR_KEYWORD not in kinds:
            place = next((each for each in _PLACES if key in _PLACES[each]), "")
            where = f"; say {_SPELLINGS[place]}" if place in known else near(key, known)
            return f"has no argument {key!r}{where}"
    twice = [key for key in places[: len(args)] if key in named]
    if twice:
        return f"got {twice[0]} twice, by position and by name"
    given = {*places[: len(args)], *named}
    missing = [key for key in _needed(parameters) if key not in given]
    return f"also needs {_joined(missing)}" if missing else ""


def _usage(name: str, parameters: Mapping[str, Parameter]) -> str:
    needed = [
        key if parameters[key].kind in _BY_PLACE else f"{key}=..." for key in _needed(parameters)
    ]
    others = [
        key
        for key, item in parameters.items()
        if item.default is not Parameter.empty and item.kind not in _VARIABLE
    ]
    optional = f"; optional: {', '.join(others)}" if others else ""
    return f"{name}({', '.join(needed)}){optional}"


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _needed(parameters: Mapping[str, Parameter]) -> list[str]:
    return [
        key
        for key, item in parameters.items()
        if item.default is Parameter.empty and item.kind not in _VARIABLE
    ]


# What other tools take as arguments of a run, by the argument that it is a part of here.
_PLACES: Final = {
    "rules": {"commission", "fee", "fees", "fee_percent", "slippage", "slippage_percent", "spread"},
    "account": {"cash", "capital", "init_cash", "initial_capital", "size", "quote", "leverage"},
    "exchange": {"data", "df", "candles", "frame", "timeframe"},
}
_SPELLINGS: Final = {
    "rules": "rules=tn.Rules(fee_percent=..., slippage_percent=...)",
    "account": "account=tn.Account(cash=..., percent=...)",
    "exchange": "exchange=tn.frame_exchange(...)",
}
_VARIABLE: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
