"""`tn.lookahead`: whether a strategy decides by what it could not know yet.

The backtest is repeated with everything after a moment replaced by noise: candles, and the frames
and arrays that the strategy's functions close over. What was decided up to that moment must not
change. A decision that does is shown with its time, its field, and the line that saw the future.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from tradenb.backtest.plan import make_plan
from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import TimeLike, iso
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.risk_spec import old_rules
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import LookaheadError, UsageError, shown
from tradenb.progress_bars import progress_bar
from tradenb.research.lookahead.analysis import Analysis
from tradenb.research.lookahead.blame import Leak
from tradenb.research.lookahead.decisions import Replies, differing
from tradenb.research.lookahead.noise import NOISES
from tradenb.research.lookahead.remake import BUDGET_S
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    import pandas as pd


_ENOUGH: Final = 10
_DELAY_S: Final = 0.5


@dataclass
class Lookahead:
    """What a look-ahead analysis found.

    Attributes
    ----------
    found : list of Leak
        In order of time.
    moments : int
        How many moments were tested, each with noise far above, far below, and without candles.
    decisions : int
        Decisions that were compared.
    failed : str
        Says that every ask failed, so that nothing was compared; empty if not.
    unproved : list of str
        What was made beforehand, or is read from outside, and could not be followed.
    """

    strategy: str
    found: list[Leak]
    moments: int
    decisions: int
    reproducible: bool = True
    warnings: list[str] = field(default_factory=list)
    failed: str = ""
    unproved: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Literal["clean", "not proved", "leaking"]:
        """Whether decisions depend on the future, as far as it could be tried."""
        if self.found:
            return "leaking"
        return "clean" if self._tried and not self.unproved else "not proved"

    @property
    def clean(self) -> bool:
        """Whether nothing was found, something was tested, and all could be followed."""
        return self.verdict == "clean"

    @property
    def _tried(self) -> bool:
        return self.reproducible and self.moments > 0 and not self.failed

    @property
    def leaks(self) -> pd.DataFrame:
        """One row a decision that changed."""
        import pandas as pd

        rows = [
            (*leak[:7], leak.line.number, leak.line.file, leak.line.text) for leak in self.found
        ]
        columns = [*Leak._fields[:7], "line", "file", "source"]
        frame = pd.DataFrame(rows, columns=columns)
        for name in ("at", "after"):
            times = pd.to_datetime(frame[name].astype("int64"), unit="ms", utc=True)
            frame[name] = times.astype("datetime64[ms, UTC]")
        return frame

    def raise_if_leaking(self, *, strict: bool = False) -> None:
        """Raise LookaheadError if a decision changed, or nothing was tested.

        Parameters
        ----------
        strict : bool, default False
            Raise also where something made beforehand could not be followed ("not proved").
        """
        if self.found or not self._tried or (strict and self.unproved):
            raise LookaheadError(repr(self))

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return "".join(f"<div>{html.escape(line)}</div>" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        tried = f"{plural(self.moments, 'moment')}, {plural(self.decisions, 'decision')} compared"
        if not self.reproducible:
            yield f"{self.strategy}: two runs on the same candles differ, so nothing can be proved"
        elif self.failed:
            yield f"{self.strategy}: nothing was compared: {self.failed}"
        elif not self.found and not self.moments:
            yield f"{self.strategy}: nothing was tested ({tried}); pass a longer period"
        elif self.clean:
            yield f"{self.strategy}: no look-ahead found ({tried})"
        elif not self.found:
            yield f"{self.strategy}: not proved ({tried}; nothing was found)"
        else:
            yield f"{self.strategy}: sees the future ({tried})"
        for leak in self.found:
            yield (
                f"  {iso(leak.at)} {leak.symbol} {leak.field}: {leak.known!r} became "
                f"{leak.noisy!r} with noise after {iso(leak.after)}; line {leak.line.number}: "
                f"{leak.line.text}"
            )
        for words in self.unproved:
            yield f"  not proved: {words}"
        for words in self.warnings:
            if words not in self.unproved:
                yield f"  note: {words}"


@explained("tn.lookahead")
def lookahead(
    strategy: StrategySpec | str,
    *,
    symbols: str | Iterable[str],
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    rules: Rules | None = None,
    account: Account | None = None,
    samples: int = 20,
    events: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Lookahead:
    """Look for decisions that depend on what was not known yet.

    Parameters
    ----------
    strategy : StrategySpec or str
    symbols, exchange, start, end, rules, account
        As in `tn.backtest.run`. A week or two is enough to find a leak.
    samples : int, default 20
        Moments spread by chance over the period, on and off the strategy's interval.
    events : int, optional
        How many of the moments at which it had an answer are tried, evenly spread; default as many
        as take about 15 seconds. What was not tried is said.
    seed : int, default 0
        Of the moments and the noise.
    progress : bool, default True
        Show a progress bar if it takes a while.

    Returns
    -------
    Lookahead
        `.verdict` ("clean", "not proved", "leaking"), `.leaks` (a DataFrame), `.unproved`,
        `.raise_if_leaking()`.

    Raises
    ------
    UsageError, CandleError, ExchangeError, StrategyError
        As `tn.backtest.run`; and when samples or events are not whole numbers of at least 0.

    Notes
    -----
    The analysis proves leaks, not their absence. It replaces candles and exchanges; tables and
    arrays that the functions name, close over, keep in objects, classes and modules of yours, or
    read with numpy and pandas. Callbacks are called, and nothing is printed.

    What was made beforehand in a cell or at the top of a file, of `tn.candles` alone
    (`df["x"] = df.close.shift(-30)`, a fitted model, a mean of all data), is made again as of each
    moment, by the statements that made it. Where that is not possible the verdict is "not proved":
    what was made in a function, of files, or by statements that read, write, send or draw by
    chance; files that are opened by hand; arrays without times; tables with dates for columns;
    tables coarser than candles of which it cannot be seen whether row t is known at t. Candles as
    they are need no proof.
    Such rows are leaking where they go with the returns after them far more than by chance and
    than the candles before them do, and decisions change without them.
    A single number that is not made of `tn.candles` there looks like any other constant.

    Examples
    --------
    >>> import tradenb as tn
    >>> market = tn.testing.random_walk(seed=7, days=4)
    >>> @tn.strategy("next day", every="4h")
    ... def next_day(ctx):
    ...     if ctx.indicators["ahead"] > ctx.price:
    ...         return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(1))
    >>> @next_day.indicators("1h")
    ... def ahead(df):
    ...     return {"ahead": df.close.shift(-24)}
    >>> given = {"symbols": "BTCUSDT", "exchange": market, "samples": 2, "events": 2}
    >>> look = tn.lookahead(next_day, progress=False, **given)
    >>> look.verdict
    'leaking'
    """
    _check_count("samples", samples)
    if events is not None:
        _check_count("events", events)
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    plan = make_plan(symbols, spec, exchange, start, end, rules, (), account)
    analysis = Analysis(spec, plan, seed)
    base = analysis.run(None, None)
    began = time.perf_counter()
    if not _alike(base, analysis.run(None, None)):
        return Lookahead(spec.name, [], 0, len(base), reproducible=False)
    moments = analysis.moments(base, samples, events, time.perf_counter() - began)
    found: dict[tuple[int, str], Leak] = {}
    tried = leaking = 0
    with progress_bar("look-ahead", shown=progress, iterable=moments, delay=_DELAY_S) as bar:
        for after in bar:
            tried += 1
            for noise in NOISES:
                leak = analysis.leak(base, after, noise)
                if leak is None:
                    continue
                leaking += 1
                if (leak.at, leak.symbol) not in found:
                    line = analysis.line(leak, noise)
                    found[leak.at, leak.symbol] = leak._replace(line=line)
            if leaking >= _ENOUGH:
                break
    named = analysis.notes()
    knowing = analysis.knowing(base) if not found and tried else []
    leaks = sorted([*found.values(), *knowing], key=lambda leak: (leak.at, leak.symbol))
    notes = [*old_rules(spec.name, spec.risk), *_silence(base), *_untried(analysis, len(moments))]
    notes += [*named, *sorted(analysis.made)]
    unproved = sorted(analysis.unproved)
    return Lookahead(
        spec.name, leaks, tried, len(base), warnings=notes, failed=_failure(base), unproved=unproved
    )


def _untried(analysis: Analysis, tried: int) -> list[str]:
    """Say how many moments were left out, if some were."""
    if not analysis.untried:
        return []
    whole = tried + analysis.untried
    words = f"{analysis.untried:,} of {whole:,} moments were not tried, so that it takes about "
    return [f"{words}{BUDGET_S:.0f} s; pass events= or a shorter period to try more"]


def _failure(replies: Replies) -> str:
    """Say that every ask failed, if so."""
    answers = [reply for reply in replies.values() if reply is not None]
    errors = [reply["error"] for reply in answers if set(reply) == {"error"}]
    if not errors or len(errors) < len(replies):
        return ""
    return f"each of {plural(len(errors), 'ask')} failed, the first: {errors[0]}"


def _silence(replies: Replies) -> list[str]:
    """Say that there was hardly anything to be compared, if so."""
    answers = [reply for reply in replies.values() if reply is not None]
    errors = [reply["error"] for reply in answers if set(reply) == {"error"}]
    if len(errors) < len(answers) or not replies:
        return []
    failed = plural(len(errors), "call")
    why = f"{failed} failed, the first: {errors[0]}" if errors else "it always returned None"
    return [f"it proposed nothing in this period ({why}), so there was little to compare"]


def _check_count(name: str, count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UsageError(f"{name} must be a whole number of at least 0, was {shown(count)}")


def _alike(one: Replies, other: Replies) -> bool:
    return one.keys() == other.keys() and not any(differing(one[key], other[key]) for key in one)
