"""`StrategySpec`: the declaration of a strategy, with its indicators and its manage function.

It is frozen, and checked when it is made. It is shared by every run; whatever moves lives in an
instance (engine/session/instance.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, overload

from pydantic import Field, PrivateAttr, field_validator

from tradenb.core.symbol import canonical
from tradenb.core.timeframe import TIMEFRAMES, duration_ms, one_of, timeframe_ms
from tradenb.engine.call import checked_function, is_async
from tradenb.engine.fingerprint import digest, fingerprint, made_in
from tradenb.engine.history.indicators import (
    Indicator,
    checked_places,
    checked_window,
    nothing,
)
from tradenb.engine.specs.named_spec import NamedSpec, first_line
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.errors import SpecError, UsageError

Function = Callable[..., Any]


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


class StrategySpec(NamedSpec):
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
    callbacks: dict[str, Callable[[Any], Any]] = Field(default_factory=dict)
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
            raise ValueError(f"must be {one_of(every)}")
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
            ("", first_line(self.function)),
        ]

    __str__ = __repr__

    def indicators(
        self,
        timeframe: str,
        *,
        window: int | None = None,
        tolerance: float | None = None,
        plot: str | Mapping[str, str | None] | None = None,
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
        plot : str or dict of str to str, optional
            Where `result.plot()` draws the columns: "price" is over the candles, any other text
            the title of a pane; by name as a dict, None for what is not drawn. By default each is
            over the candles if its values lie where the prices do, else in a pane of its own.

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
        checked = checked_window(self.name, window, tolerance)
        item = Indicator(timeframe, nothing, *checked, checked_places(self.name, plot))
        if timeframe not in TIMEFRAMES:
            raise SpecError(
                f"{self.name!r}: timeframe of indicators must be {one_of(timeframe)}, "
                f"was {timeframe!r}"
            )

        def decorate(function: Function) -> Function:
            what = f"indicators of {self.name!r}"
            made = item._replace(function=checked_function(function, what, "df"))
            if is_async(function):
                raise SpecError(f"{what} must be a plain function, not an async one")
            for own in self._indicators:
                made.refuse_beside(own, what, scope=made_in(self.function))
            others = [own for own in self._indicators if not made.replaces(own)]
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
                f"{self.name!r}: every of manage must be {one_of(every)}, was {every!r}"
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
