"""`@tn.strategy` and `@tn.risk`: how functions, and classes of `Strategy`, become specs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from tradenb.call_errors import explained
from tradenb.engine.call import CALLBACKS, checked_function, is_async
from tradenb.engine.context import Context
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import Manager, StrategySpec
from tradenb.errors import SpecError

if TYPE_CHECKING:
    from tradenb.core.events import Event

_TAKES: Final = ("book", "candidate")


class Strategy:
    """Base of strategies written as classes: override `get_signal`.

    Methods named on_open, on_close, on_schedule, on_milestone, on_cancel and on_ping are used as
    callbacks; one named manage is the manage function. Register the class, or an object of it, with
    `tn.strategy`.

    Examples
    --------
    >>> class Quiet(Strategy):
    ...     def get_signal(self, ctx):
    ...         return None
    """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, a strategy once @tn.strategy(...) registers it>"

    def get_signal(self, ctx: Context) -> object:  # noqa: ARG002 - to be overridden
        """Return None, `tn.long(...)`, `tn.short(...)` or a mapping."""
        raise SpecError(f"{type(self).__name__} must define get_signal(self, ctx)")


@explained("tn.strategy")
def strategy(
    name: str,
    *,
    every: str,
    risk: RiskSpec | str | Iterable[RiskSpec | str] = (),
    history: str | None = None,
    vectorised: bool = False,
    symbols: str | Iterable[str] = (),
    manage: bool = False,
    flip: bool = False,
    on_schedule: Callable[[Event], object] | None = None,
    on_open: Callable[[Event], object] | None = None,
    on_milestone: Callable[[Event], object] | None = None,
    on_close: Callable[[Event], object] | None = None,
    on_cancel: Callable[[Event], object] | None = None,
    on_ping: Callable[[Event], object] | None = None,
) -> Callable[[Callable[..., object] | Strategy], StrategySpec]:
    """Register a function (or a `Strategy` class) as a strategy.

    Parameters
    ----------
    name : str
        How it is called in events, files and by other cells.
    every : str
        Interval at which it is asked: "1m", "5m", ... "1d".
    risk : RiskSpec, str or several
        Rules that every candidate must pass, asked in this order.
    history : str, optional
        How much history a run fetches before its start, such as "3d".
    vectorised : bool, default False
        The function is called once, not at every candle. It gets a DataFrame of all candles of the
        timeframe `every` (UTC index of open times) and returns a DataFrame, or a dict of columns,
        with the same rows: position ("long", "short" or None; or a number, above 0 for long and
        below 0 for short), stop_loss, and optionally the other fields of a candidate; a ladder is
        take_profit_1, fraction_1, ... Each row is the answer at its candle's close. While a
        position is open these columns count instead: exit (true, or the side that is closed),
        move_stop and move_target (a price, NaN for none). A single value counts for all rows.
    symbols : str or several, optional
        Other symbols that it reads with `ctx.candles(..., symbol=...)`. A live run fetches them
        before its first ask, and says when it cannot; those that are not named here it fetches when
        they are read for the first time.
    manage : bool, default False
        The function is asked in all states: `ctx.position` and `ctx.scheduled` show what there is.
        Without it a function for what is open may be declared with ``@name.manage``.
    flip : bool, default False
        Of a vectorised strategy: a row of the other side closes what is open and opens its own.
    on_schedule, on_open, on_milestone, on_close, on_cancel, on_ping : callable, optional
        Called with the event; in a live run after it is on disk, and at most once: who dies in
        between does not make the call after the restart. on_ping: each minute that a limit entry
        waits.

    Returns
    -------
    callable
        A decorator; what it returns can still be called as the function.

    Raises
    ------
    SpecError
        When a name, an interval or a function cannot work, or the name is another function's.

    Examples
    --------
    >>> @strategy("quiet", every="5m")
    ... def quiet(ctx):
    ...     return None
    >>> quiet
    <strategy quiet: every 5m>
    """
    _check_kind(name, vectorised=vectorised, manage=manage, flip=flip)
    given = {
        "scheduled": on_schedule,
        "opened": on_open,
        "milestone": on_milestone,
        "closed": on_close,
        "cancelled": on_cancel,
        "ping": on_ping,
    }

    def decorate(target: Any) -> StrategySpec:
        owner = _owner(name, target)
        function = target if owner is None else owner.get_signal
        spec = StrategySpec(
            name=name,
            function=_function(function, name, vectorised=vectorised),
            every=every,
            risk=_rules(risk),
            history=history,
            vectorised=vectorised,
            flip=flip,
            symbols=cast(Any, symbols),
            callbacks=_callbacks(name, owner, given),
        )
        follower = getattr(owner, "manage", None)
        if manage:
            spec._manager = Manager(spec.function, every, True)
        elif follower is not None:
            spec.manage(follower)
        return registry.register("strategy", spec)

    return decorate


@explained("tn.risk")
def risk(name: str) -> Callable[[Callable[..., Any]], RiskSpec]:
    """Register a function as a risk rule.

    Parameters
    ----------
    name : str
        The rule's name; strategies that name the same rule share one book.

    Returns
    -------
    callable
        A decorator for `function(book, candidate)`, which lets pass with None and refuses with a
        sentence. Any other answer, and an exception, refuses too and makes an `error` event.

    Examples
    --------
    >>> @risk("one-at-a-time")
    ... def one_at_a_time(book, candidate):
    ...     return "one position at a time" if book.open_count else None
    >>> one_at_a_time
    <risk one-at-a-time>
    """
    if not isinstance(name, str):
        raise SpecError(f'a risk rule needs a name: @tn.risk("my-rule"), was {name!r}')

    def decorate(function: Callable[..., Any]) -> RiskSpec:
        spec = RiskSpec(
            name=name, function=checked_function(function, f"risk rule {name!r}", *_TAKES)
        )
        return registry.register("risk rule", spec)

    return decorate


def _check_kind(name: str, *, vectorised: bool, manage: bool, flip: bool) -> None:
    if manage and vectorised:
        raise SpecError(
            f"strategy {name!r} is vectorised: it has no function that could be asked in all states"
        )
    if flip and not vectorised:
        raise SpecError(
            f"strategy {name!r}: flip is for vectorised strategies; with manage=True a function "
            "flips by answering with the other side"
        )
    if not isinstance(name, str):
        raise SpecError(f'a strategy needs a name: @tn.strategy("dip", every="5m"), was {name!r}')


def _function(function: Any, name: str, *, vectorised: bool) -> Callable[..., Any]:
    found = checked_function(function, f"strategy {name!r}", "df" if vectorised else "ctx")
    if vectorised and is_async(found):
        raise SpecError(f"strategy {name!r} is vectorised; it must be a plain function")
    return found


def _owner(name: str, target: Any) -> Strategy | None:
    """Return the object of a strategy that is written as a class."""
    if not inspect.isclass(target) and not isinstance(target, Strategy):
        return None
    kind = target if inspect.isclass(target) else type(target)
    if not issubclass(kind, Strategy):
        raise SpecError(f"{name!r}: a class must derive from tn.Strategy, was {kind.__name__}")
    if kind.get_signal is Strategy.get_signal:
        raise SpecError(f"{name!r}: {kind.__name__} must define get_signal(self, ctx)")
    if isinstance(target, Strategy):
        return target
    try:
        return kind()
    except TypeError as error:
        words = f"{kind.__name__} takes arguments; pass an object of the class instead ({error})"
        raise SpecError(f"{name!r}: {words}") from None


def _callbacks(
    name: str, owner: Strategy | None, given: Mapping[str, Callable[[Any], Any] | None]
) -> dict[str, Callable[[Any], Any]]:
    """Return what is called at each kind of event: what is given, else the method of a class."""
    found = {kind: getattr(owner, method, None) for kind, method in CALLBACKS.items()}
    found |= {kind: function for kind, function in given.items() if function is not None}
    return {
        kind: checked_function(function, f"{CALLBACKS[kind]} of {name!r}", "event")
        for kind, function in found.items()
        if function is not None
    }


def _rules(given: RiskSpec | str | Iterable[RiskSpec | str]) -> tuple[RiskSpec, ...]:
    one = isinstance(given, str) or callable(given) or not isinstance(given, Iterable)
    several = cast("tuple[RiskSpec | str, ...]", (given,) if one else tuple(given))
    rules = tuple(registry.find("risk rule", item, form=RiskSpec) for item in several)
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise SpecError(f"each risk rule may be named once, were {names}")
    return rules
