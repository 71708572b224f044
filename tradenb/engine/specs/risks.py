"""`tn.risks`: risk rules that are ready to use, registered under a name.

Strategies that name the same rule share one book: `max_open(5, name="portfolio")` in two strategies
allows five positions together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from tradenb.call_errors import explained
from tradenb.core import risk
from tradenb.core.signal import Trade
from tradenb.core.timeframe import DAY, MINUTE
from tradenb.engine.specs.registry import READY_MADE, registry
from tradenb.engine.specs.risk_spec import RiskSpec

__all__ = ["cooldown", "daily_loss", "max_drawdown", "max_open"]


_COOLDOWN: Final = re.compile(r"cooldown\((?P<minutes>[-+.\de]+)m( after (?P<after>[\w, ]+))?\)")
_DAILY_LOSS: Final = re.compile(r"daily_loss\((?P<percent>[-+.\de]+)%\)")

_NEVER: Final = 4_102_444_800_000  # 2100: later moments cannot all be written


class _ReadyMade(RiskSpec):
    """A rule that comes with tradenb; any other may replace it under its name, and the reverse."""

    at_once: ClassVar[bool] = True

    terms: str

    @property
    def identity(self) -> tuple[str, str]:
        """The same for all of them."""
        return READY_MADE

    @property
    def fingerprint(self) -> str:
        """Its terms say what it does."""
        return self.terms


class _Holding(_ReadyMade):
    """One whose refusals do not end with time."""

    holds: ClassVar[bool] = True


@explained("tn.risks.max_open")
def max_open(count: int, *, name: str | None = None) -> RiskSpec:
    """Allow at most `count` signals, open and scheduled together.

    Parameters
    ----------
    count : int
        At least 1.
    name : str, optional
        Name of the book; default made from the terms.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("two at most", every="1h", risk=[tn.risks.max_open(2, name="portfolio")])
    ... def two_at_most(ctx):
    ...     return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(2))
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> three = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    >>> result = tn.backtest.run(three, strategy=two_at_most, exchange=market)
    >>> print(result.why())
    two at most was asked 84 times: 72 refused by portfolio, 12 candidates (12 opened)
    """
    return _made(f"max_open({count})", name, risk.max_open(count), _Holding)


@explained("tn.risks.cooldown")
def cooldown(
    minutes: float,
    after: risk.CooldownReason | Iterable[risk.CooldownReason] | None = None,
    *,
    name: str | None = None,
) -> RiskSpec:
    """Wait some minutes after a trade closed.

    Parameters
    ----------
    minutes : float
        Above 0.
    after : str or several, optional
        "loss": only after trades that lost, whatever closed them. Or a reason, such as
        "stop_loss", "trailing_stop" or "time_expired" (the column `exit_reason` of trades). Of
        several, any one is enough. Default after any.
    name : str, optional
        Name of the book; default made from the terms.

    Examples
    --------
    >>> import tradenb as tn
    >>> tn.risks.cooldown(90, after="stop_loss")
    <risk cooldown(90m after stop_loss)>
    >>> tn.risks.cooldown(90, after=["stop_loss", "trailing_stop"])
    <risk cooldown(90m after stop_loss, trailing_stop)>
    >>> @tn.strategy("patient", every="1h", risk=[tn.risks.cooldown(90)])
    ... def patient(ctx):
    ...     return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=60)
    """
    reasons = risk.cooldown_reasons(after)  # once: a generator gives them once
    rule = risk.cooldown(minutes, reasons or None)
    words = f" after {', '.join(reasons)}" if reasons else ""
    return _made(f"cooldown({minutes:g}m{words})", name, rule)


@explained("tn.risks.max_drawdown")
def max_drawdown(percent: float, *, name: str | None = None) -> RiskSpec:
    """Stop entering once the sum of pnl_percent has fallen this far below its peak.

    Parameters
    ----------
    percent : float
        Percent points, above 0. Once reached it stays; a new run starts afresh.
    name : str, optional
        Name of the book; default made from the terms.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("careful", every="1h", risk=[tn.risks.max_drawdown(2)])
    ... def careful(ctx):
    ...     return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=60)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> result = tn.backtest.run("BTCUSDT", strategy=careful, exchange=market)
    >>> print(result.why())
    careful was asked 72 times: 66 refused by max_drawdown(2%), 6 candidates (6 opened)
    """
    rule = risk.max_drawdown(percent)
    return _made(f"max_drawdown({percent:g}%)", name, rule, _Holding)


@explained("tn.risks.daily_loss")
def daily_loss(percent: float, *, name: str | None = None) -> RiskSpec:
    """Stop entering for the day (UTC) once its trades have lost this much together.

    Parameters
    ----------
    percent : float
        Percent points, above 0.
    name : str, optional
        Name of the book; default made from the terms.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("tomorrow again", every="1h", risk=[tn.risks.daily_loss(1)])
    ... def tomorrow_again(ctx):
    ...     return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=60)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> result = tn.backtest.run("BTCUSDT", strategy=tomorrow_again, exchange=market)
    >>> print(result.why())
    tomorrow again was asked 72 times: 55 refused by daily_loss(1%), 17 candidates (17 opened)
    """
    rule = risk.daily_loss(percent)
    return _made(f"daily_loss({percent:g}%)", name, rule)


def locks(terms: Iterable[str], trades: Sequence[Trade], now: int) -> list[tuple[str, int]]:
    """Find which rules refuse everything now because of the trades of one run, and until when.

    Parameters
    ----------
    terms : iterable of str
        What rules are by default called: "cooldown(60m)"; other names tell nothing.
    """
    found = []
    for each in terms:
        if (cool := _COOLDOWN.fullmatch(each)) is not None:
            span = float(cool["minutes"]) * MINUTE
            after = cool["after"].split(", ") if cool["after"] else ()
            trade = risk.cooled_by(trades, now, span, after)
            found += [] if trade is None else [(each, round(min(trade.closed_at + span, _NEVER)))]
        elif (loss := _DAILY_LOSS.fullmatch(each)) is not None and risk.earned_today(
            trades, now
        ) <= -float(loss["percent"]):
            found.append((each, now - now % DAY + DAY))
    return found


def _made(
    terms: str, name: str | None, rule: risk.RiskFunction, kind: type[_ReadyMade] = _ReadyMade
) -> RiskSpec:
    rule.__doc__ = "" if name is None else terms  # under another name a cell shows the terms
    spec = kind(name=terms if name is None else name, function=rule, terms=terms)
    return registry.register("risk rule", spec)


def __dir__() -> list[str]:
    return sorted(__all__)
