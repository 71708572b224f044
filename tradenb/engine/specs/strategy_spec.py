"""Declarations of strategies and risk rules: frozen, checked when they are made.

A spec is shared by every run; whatever moves lives in an instance (engine/session/pump.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, NamedTuple, overload

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, field_validator

from tradenb.core.risk import RiskBook
from tradenb.core.signal import Signal
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import TIMEFRAMES, duration_ms, timeframe_ms
from tradenb.engine.call import checked_function, is_async
from tradenb.engine.context import Context
from tradenb.engine.fingerprint import digest, fingerprint, identity_of
from tradenb.engine.history.indicators import Indicator, checked_window, nothing
from tradenb.engine.specs.repr_card import ReprCard
from tradenb.errors import SpecError, UsageError

_NAME_LIMIT: Final = 120
# Live runs keep their files under the name; other characters take three there: "%41".
_SHORT: Final = frozenset("0123456789-_.abcdefghijklmnopqrstuvwxyz")
Function = Callable[..., Any]


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

    def get_signal(self, ctx: Context) -> object:  # noqa: ARG002 - to be overridden
        """Return None, `tn.long(...)`, `tn.short(...)` or a mapping."""
        raise SpecError(f"{type(self).__name__} must define get_signal(self, ctx)")


class _Spec(ReprCard, BaseModel):
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


class RiskSpec(_Spec):
    """A risk rule: `function(book, candidate)` returns None, or a sentence that refuses.

    Attributes
    ----------
    at_once : bool
        It is known to take no time: it may be called without a deadline.
    """

    at_once: ClassVar[bool] = False

    def __call__(self, book: RiskBook, candidate: Signal) -> str | None:
        """Ask the rule, as the plain function that it still is."""
        return self.function(book, candidate)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<risk {self.name}>"

    def _card(self) -> tuple[str, list[tuple[str, str]]]:
        return f"risk rule {self.name}", [("", _first_line(self.function))]

    __str__ = __repr__


class Manager(NamedTuple):
    """A function that is asked about what a strategy has open.

    Attributes
    ----------
    every : str
        Interval at which it is asked, a timeframe.
    waiting : bool
        It is asked about a scheduled signal, too.
    """

    function: Callable[..., Any]
    every: str
    waiting: bool

    @property
    def every_ms(self) -> int:
        """Interval at which it is asked, ms."""
        return timeframe_ms(self.every)


class StrategySpec(_Spec):
    """A strategy: a function of one `Context`, asked at every multiple of an interval.

    Attributes
    ----------
    every : str
        Interval of the asks, a timeframe.
    risk : tuple of RiskSpec
        Rules that are asked in this order.
    history : str or None
        How much history a run loads before its start, such as "3d"; None: all that the source
        has in memory, else two days.
    callbacks : dict
        Kind of event -> function of the event.
    vectorised : bool
        The function makes a frame of candidates of a frame of candles.
    symbols : tuple of str
        Other symbols that it reads.
    flip : bool
        Of a vectorised strategy: a candidate of the other side takes the place of what is open.
    """

    every: str
    risk: tuple[RiskSpec, ...] = ()
    history: str | None = None
    callbacks: dict[str, Callable[[Any], Any]] = {}
    vectorised: bool = False
    symbols: tuple[str, ...] = ()
    flip: bool = False

    # Declared after the function; a run takes those that are there when it starts.
    _indicators: tuple[Indicator, ...] = PrivateAttr(())
    _manager: Manager | None = PrivateAttr(None)

    @field_validator("every", mode="before")
    @classmethod
    def _check_every(cls, every: object) -> object:
        if not isinstance(every, str) or every not in TIMEFRAMES:
            raise ValueError(f"must be one of {' '.join(TIMEFRAMES)}")
        return every

    @field_validator("history", mode="before")
    @classmethod
    def _check_history(cls, history: Any) -> Any:
        if history is None:
            return None
        try:
            duration_ms(history)
        except UsageError:
            raise ValueError("must look like '90m', '36h', '3d' or '2w'") from None
        return history

    @field_validator("symbols", mode="before")
    @classmethod
    def _check_symbols(cls, symbols: Any) -> Any:
        given = (symbols,) if isinstance(symbols, str) else symbols
        try:
            return tuple(canonical(symbol) for symbol in given)
        except (UsageError, TypeError) as error:
            raise ValueError(f"must be symbols that the strategy reads ({error})") from None

    def __dir__(self) -> list[str]:
        """Tab shows what a user declared, and what comes after it."""
        return [*super().__dir__(), "indicators", "manage"]

    def __call__(self, ctx: Any) -> Any:
        """Ask the strategy, or give it a frame, as the plain function that it still is."""
        return self.function(ctx)

    def __repr__(self) -> str:
        risk = f", risk={[rule.name for rule in self.risk]}" if self.risk else ""
        return f"<strategy {self.name}: every {self.every}{risk}>"

    def _card(self) -> tuple[str, list[tuple[str, str]]]:
        return f"strategy {self.name}", [
            ("every", self.every),
            ("risk", ", ".join(rule.name for rule in self.risk)),
            ("history", self.history or ""),
            ("reads", ", ".join(self.symbols)),
            ("callbacks", ", ".join(self.callbacks)),
            ("", _first_line(self.function)),
        ]

    __str__ = __repr__

    def indicators(
        self, timeframe: str, *, window: int | None = None, tolerance: float | None = None
    ) -> Callable[[Function], Function]:
        """Declare a function that makes indicators of the candles of a timeframe.

        In a backtest it is called once with all candles, in a live run with all that have closed
        since the run's history began. The strategy reads `ctx.indicators["name"]`: the value at the
        last closed candle.

        Parameters
        ----------
        timeframe : str
            "1m" to "1d".
        window : int, optional
            In a live run give it only the last so many candles. What depends on all of them (an
            exponential mean, a running sum) then differs in its last bits, or by more.
        tolerance : float, optional
            Needed with `window`: the largest difference to the value over all candles, relative to
            that value (to 1 if it is smaller). Checked when a run starts.

        Returns
        -------
        callable
            A decorator for a function from a DataFrame (UTC index of open times; open, high, low,
            close, volume) to a dict of columns or a DataFrame with the same rows.

        Raises
        ------
        SpecError
            When an argument cannot work, or the function takes something else than one frame.

        Examples
        --------
        >>> import tradenb as tn
        >>> @tn.strategy("above", every="5m")
        ... def above(ctx):
        ...     if ctx.price > ctx.indicators["mean"]:
        ...         return tn.long(
        ...             take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=60
        ...         )
        >>> @above.indicators("15m")
        ... def means(df):
        ...     return {"mean": df.close.rolling(96).mean()}
        """
        if self.vectorised:
            raise SpecError(
                f"{self.name!r} is vectorised and sees the whole frame; compute the columns there"
            )
        item = Indicator(timeframe, nothing, *checked_window(self.name, window, tolerance))
        if timeframe not in TIMEFRAMES:
            raise SpecError(
                f"{self.name!r}: timeframe of indicators must be one of {' '.join(TIMEFRAMES)}, "
                f"was {timeframe!r}"
            )

        def decorate(function: Function) -> Function:
            what = f"indicators of {self.name!r}"
            made = item._replace(function=checked_function(function, what, "df"))
            if is_async(function):
                raise SpecError(f"{what} must be a plain function, not an async one")
            others = [own for own in self._indicators if own.identity != made.identity]
            self._indicators = (*others, made)
            return function

        return decorate

    @overload
    def manage(self, function: Function) -> Function: ...

    @overload
    def manage(
        self, function: None = None, *, every: str | None = None, waiting: bool = False
    ) -> Callable[[Function], Function]: ...

    def manage(
        self, function: Function | None = None, *, every: str | None = None, waiting: bool = False
    ) -> Any:
        """Declare the function that is asked while a position is open.

        It takes the context (`ctx.position` is what is open, `ctx.scheduled` what waits) and
        returns None, one answer or a list of them: `tn.close`, `tn.move`, `tn.breakeven`,
        `tn.add`, `tn.cancel`, or a candidate: of the other side it flips the position.

        Parameters
        ----------
        function : callable, optional
            Where the decorator stands without arguments.
        every : str, optional
            Interval at which it is asked; default that of the strategy.
        waiting : bool, default False
            Ask it about a signal that waits for its entry, too.

        Returns
        -------
        callable
            The function itself.

        Raises
        ------
        SpecError
            When an argument cannot work, or the function takes something else than a context.

        Examples
        --------
        >>> import tradenb as tn
        >>> @tn.strategy("hold", every="15m")
        ... def hold(ctx):
        ...     return tn.long(stop_loss=tn.percent(2))
        >>> @hold.manage(every="5m")
        ... def follow(ctx):
        ...     if ctx.position.pnl_percent > 1:
        ...         return [tn.close(0.5), tn.breakeven()]
        """
        if every is not None and every not in TIMEFRAMES:
            raise SpecError(
                f"{self.name!r}: every of manage must be one of {' '.join(TIMEFRAMES)}, "
                f"was {every!r}"
            )
        if self.vectorised:
            raise SpecError(
                f"{self.name!r} is vectorised; only a strategy that is asked is managed"
            )

        def decorate(own: Function) -> Function:
            checked = checked_function(own, f"manage of {self.name!r}", "ctx")
            self._manager = Manager(checked, every or self.every, waiting)
            return own

        return decorate if function is None else decorate(function)

    @property
    def declared(self) -> tuple[Indicator, ...]:
        """The indicators declared so far."""
        return self._indicators

    @property
    def manager(self) -> Manager | None:
        """The manage function, if there is one."""
        return self._manager

    def replaced(
        self,
        function: Callable[..., Any],
        manage: Callable[[Callable[..., Any]], Callable[..., Any]],
        indicators: Iterable[Indicator] | None = None,
        **changes: object,
    ) -> StrategySpec:
        """Return a copy with other functions, which is registered nowhere.

        `manage` makes the manage function of the one that there is; where one function answers in
        all states, the new function does.
        """
        found = self.model_copy(update={"function": function, **changes})
        found._indicators = self._indicators if indicators is None else tuple(indicators)
        own = self._manager
        if own is not None:
            same = own.function is self.function
            found._manager = own._replace(function=function if same else manage(own.function))
        return found

    @property
    def counts_from_start(self) -> bool:
        """Whether what it computes depends on where its history starts."""
        return self.vectorised or bool(self._indicators)

    @property
    def every_ms(self) -> int:
        """Interval of the asks, ms."""
        return timeframe_ms(self.every)

    @property
    def history_ms(self) -> int:
        """History loaded from a source that is not in memory, ms."""
        return duration_ms(self.history or "2d")

    @property
    def fingerprint(self) -> str:
        """Hash of the function, its interval, its indicators and its risk rules."""
        parts = [self._does, self.every, str(self.history)]
        parts += [f"{rule.name}:{rule.fingerprint}" for rule in self.risk]
        parts += ["vectorised"] * self.vectorised + ["flip"] * self.flip
        parts += [f"reads {symbol}" for symbol in self.symbols]
        if self._manager is not None:
            own = self._manager
            parts.append(f"manage {own.every} {own.waiting} {fingerprint(own.function)}")
        parts += [item.fingerprint for item in self._indicators]
        return digest("\n".join(parts))


def _all_problems(name: object, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        words = item["msg"].removeprefix("Value error, ")
        field += " " if item["type"] == "value_error" else ": "
        lines.append(f"{field}{words}, was {item['input']!r:.80}")
    return f"{name!r:.80}: " + "; ".join(lines)


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]
