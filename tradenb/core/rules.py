"""`Rules`: everything about a run's arithmetic that the user may set, checked as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tradenb.core.model_errors import problems_of
from tradenb.errors import SpecError, UsageError, shown


class Rules(BaseModel, frozen=True):
    """The settings of the lifecycle; frozen.

    Parameters
    ----------
    price : {"close", "average"}
        The market price: the last close, or the volume-weighted average of the last candles.
    touch : {"candle", "average_price"}
        What stops, targets and entries are tested on: low and high, or the average price.
    same_candle : {"stop_first", "target_first"}
        Which one wins when a candle reaches both.
    schedule_await_minutes : int
        How long a limit entry waits, minutes.
    average_price_candles : int
        Closed candles in the average price.
    slippage_percent, fee_percent : float
        Cost of each side of a trade, percent of the price.
    maker_fee_percent : float or None
        Fee of limit fills (limit entries that were waited for, targets), percent of the price;
        None: as `fee_percent`.
    slippage_on : {"all", "market"}
        Which fills slip: all of them, or all but limit fills.
    min_take_profit_percent, min_stop_loss_percent, max_stop_loss_percent : float
        Bounds on the distances of target and stop, percent of the price paid.
    max_signal_minutes : int or None
        Longest life of a position, minutes; None: a candidate need not name one.
    require_take_profit : bool
        A candidate needs a target.
    gap_minutes : int or None
        A run of missing minutes up to this long is thin: windows show it flat. A longer one is
        closed time. Nothing happens in either. None: all missing minutes are filled flat and are
        candles like any other; only in a backtest.
    loosen_stop : bool
        A strategy that manages its position may move the stop away from the price.
    max_entries : int
        How often a position may be entered, the first time included.
    signal_timeout_seconds : float
        Longest time that a user function may take.
    candle_retries, candle_retry_seconds
        How often and how far apart missing candles are asked for again.
    price_anomaly_factor : float
        A price this many times above or below the recent median is an anomaly.
    tick_ms : int
        Longest wait between two ticks of a live loop, ms.
    settle_seconds : float
        Time given to the exchange to publish a closed candle.
    late_entry_seconds : float
        A close older than this leads to no new decision in a live run.

    Raises
    ------
    SpecError
        When any value is out of its range; all problems at once.

    Examples
    --------
    >>> Rules(fee_percent=0.05).fee_percent
    0.05
    """

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, strict=True, validate_default=True
    )

    price: Literal["close", "average"] = "close"
    touch: Literal["candle", "average_price"] = "candle"
    same_candle: Literal["stop_first", "target_first"] = "stop_first"
    schedule_await_minutes: int = Field(default=120, ge=1)
    average_price_candles: int = Field(default=5, ge=1, le=1440)
    slippage_percent: float = Field(default=0.1, ge=0, lt=100)
    fee_percent: float = Field(default=0.1, ge=0, lt=100)
    maker_fee_percent: float | None = Field(default=None, ge=0, lt=100)
    slippage_on: Literal["all", "market"] = "all"
    min_take_profit_percent: float = Field(default=0.5, ge=0)
    min_stop_loss_percent: float = Field(default=0.5, ge=0)
    max_stop_loss_percent: float = Field(default=20.0, gt=0)
    max_signal_minutes: int | None = Field(default=None, ge=1)
    require_take_profit: bool = False
    gap_minutes: int | None = Field(default=15, ge=0)
    loosen_stop: bool = False
    max_entries: int = Field(default=10, ge=1)
    signal_timeout_seconds: float = Field(default=180.0, gt=0)
    candle_retries: int = Field(default=3, ge=0)
    candle_retry_seconds: float = Field(default=5.0, ge=0)
    price_anomaly_factor: float = Field(default=1000.0, gt=1)
    tick_ms: int = Field(default=60_001, ge=1)
    settle_seconds: float = Field(default=2.0, ge=0)
    late_entry_seconds: float = Field(default=60.0, gt=0)

    if not TYPE_CHECKING:  # pragma: no branch - type checkers make it of the fields

        def __init__(self, *unnamed: object, **values: object) -> None:
            if unnamed:
                raise SpecError(f"Rules: pass {shown(unnamed[0])} by name; {_KNOWN}")
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise SpecError(
                    problems_of("Rules", error, Rules.model_fields, noun="rule")
                ) from None

    def __dir__(self) -> list[str]:
        """Tab shows the rules, and nothing of pydantic."""
        return [*type(self).model_fields, "reference"]

    def _repr_html_(self) -> str:
        """Show all settings in a cell, those that are not the default first and in bold."""
        changed, others = [], []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value == field.default:
                others.append(f"{name} {value}")
            else:
                changed.append(f"<b>{name} {value}</b>")
        settings = " \N{MIDDLE DOT} ".join([*changed, *others])
        row = f'<span style="font-size:12.5px;opacity:0.8">{settings}</span>'
        box = "max-width:760px;padding:2px 0 2px 10px;border-left:2px solid #3b82c4"
        return f'<div style="{box}"><b>Rules</b><br>{row}</div>'

    @classmethod
    def reference(cls, **values: Any) -> Self:
        """Return the rules of the reference system.

        The average price, target before stop, a target and at most a day for each position.

        Examples
        --------
        >>> Rules.reference().price
        'average'
        """
        own = {
            "price": "average",
            "same_candle": "target_first",
            "max_signal_minutes": 1440,
            "require_take_profit": True,
            "gap_minutes": None,
        }
        return cls(**{**own, **values})

    @model_validator(mode="after")
    def _distances(self) -> Self:
        found = []
        costs = 2 * self.slippage_percent + 2 * self.fee_percent
        if self.min_take_profit_percent < costs - 1e-9:
            found.append(
                "min_take_profit_percent must be at least 2 x slippage_percent + 2 x fee_percent = "
                f"{costs:g} (a target below it loses money), was {self.min_take_profit_percent:g}"
            )
        if self.min_stop_loss_percent > self.max_stop_loss_percent:
            found.append(
                f"min_stop_loss_percent must not exceed max_stop_loss_percent = "
                f"{self.max_stop_loss_percent:g}, was {self.min_stop_loss_percent:g}"
            )
        if found:
            raise ValueError("; ".join(found))
        return self


def checked_rules(given: object) -> Rules:
    """Return the rules of a run, or the default ones for None.

    Raises
    ------
    UsageError
        When something else was given.
    """
    if given is None:
        return Rules()
    if not isinstance(given, Rules):
        raise UsageError(f"rules must be tn.Rules(...), was {shown(given)}")
    return given


_KNOWN: Final = f"the rules are {', '.join(Rules.model_fields)}"
