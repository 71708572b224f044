"""The part of the candles that a run consumes, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tradenb.core.candles.arrays import Candles, Intake
from tradenb.core.rules import Rules
from tradenb.core.timeframe import DAY, MINUTE, floor_to, iso
from tradenb.errors import CandleError
from tradenb.statistics.equity.run_prices import RunPrices
from tradenb.view.formatting import plural
from tradenb.view.gap_warning import gap_warning

BLOCK: Final = 7 * DAY
_FEWEST: Final = 500  # candles of a block
_APART: Final = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Span:
    """The part of one symbol's candles that is consumed, ms UTC."""

    start: int
    end: int


@dataclass
class LoadedPeriod:
    """The candles of a run, by symbol, and what is to be said about them.

    Attributes
    ----------
    candles : dict of str to Candles
        History and the candles to be consumed.
    intake : dict of str to Intake
        What was repaired in them.
    spans : dict of str to Span
        What is consumed.
    refused : CandleError or None
        Why the candles of a symbol that is only read cannot be taken.
    """

    candles: dict[str, Candles] = field(default_factory=dict)
    intake: dict[str, Intake] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    refused: CandleError | None = None

    def add(
        self, symbol: str, candles: Candles, intake: Intake, *, start: int | None, end: int | None
    ) -> None:
        """Add a symbol; its part of a period (ms UTC, None: all there is) is consumed.

        Raises
        ------
        CandleError
            When there are no candles in the period.
        """
        span, clipped = _span(symbol, candles, start, end)
        self.warnings += [*clipped, *intake_warnings(symbol, intake)]
        self.candles[symbol], self.intake[symbol], self.spans[symbol] = candles, intake, span

    def read(self, symbol: str, candles: Candles, intake: Intake) -> None:
        """Add what was repaired in a symbol that is only read, and where its candles end."""
        self.warnings += read_warnings(symbol, candles, intake, self.start, self.end)
        self.intake[symbol] = intake

    def compare_ends(self) -> None:
        """Say which symbols begin later or end earlier than the run, where nothing else says it."""
        first, last = self.start, self.end
        for symbol, span in self.spans.items():
            if not any(words.startswith(f"{symbol}: requested") for words in self.warnings):
                self.warnings += _ends(symbol, span.start, span.end, first, last)

    def check(self) -> None:
        """Refuse to go on where the candles of a symbol that is only read were refused.

        Raises
        ------
        CandleError
        """
        if self.refused is not None:
            raise self.refused

    @property
    def start(self) -> int:
        """First moment of the run, over all symbols, ms UTC."""
        return min(span.start for span in self.spans.values())

    @property
    def end(self) -> int:
        """Last moment of the run, over all symbols, ms UTC."""
        return max(span.end for span in self.spans.values())

    @property
    def ends(self) -> dict[str, int]:
        """Last moment of each symbol, ms UTC."""
        return {symbol: span.end for symbol, span in self.spans.items()}

    @property
    def candle_count(self) -> int:
        """Candles consumed, over all symbols."""
        return sum(
            len(self.candles[symbol].between(span.start, span.end))
            for symbol, span in self.spans.items()
        )

    def prices(self, rules: Rules) -> RunPrices:
        """Return the prices of the run, with the history that is known before it."""
        own = {
            symbol: self.candles[symbol].between(self.candles[symbol].start, span.end)
            for symbol, span in self.spans.items()
        }
        return RunPrices(own, start=self.start, end=self.end, rules=rules)

    def blocks(self) -> Iterator[int]:
        """Cut the run into weeks and yield their ends; the events do not depend on it.

        A block has enough candles for its own cost: weeks of daily ones would have seven.
        """
        step = max((candles.step for candles in self.candles.values()), default=MINUTE)
        block = max(BLOCK, _FEWEST * step)
        yield from range(self.start + block, self.end, block)
        yield self.end


def _span(
    symbol: str, candles: Candles, start: int | None, end: int | None
) -> tuple[Span, list[str]]:
    """Return the part of a period that has candles, and what is to be said about it."""
    since = candles.start if start is None else start
    until = candles.end if end is None else end
    since, until = floor_to(since, candles.step), floor_to(until, candles.step)
    span = Span(max(since, candles.start), min(until, candles.end))
    there = f"{iso(candles.start)} to {iso(candles.end)}"
    if span.start >= span.end:
        raise CandleError(
            f"{symbol}: no candles in the requested period ({_asked(start, end)}); there are "
            f"candles from {there}",
            code="range",
        )
    if (span.start, span.end) == (since, until):
        return span, []
    asked = _asked(None if start is None else since, None if end is None else until)
    return span, [f"{symbol}: requested {asked}, but there are only candles from {there}"]


def _asked(start: int | None, end: int | None) -> str:
    """Say which period was asked for, as far as it was."""
    first = [] if start is None else [f"from {iso(start)}"]
    last = [] if end is None else [f"to {iso(end)}"]
    return " ".join([*first, *last]) or "all"


def read_warnings(
    symbol: str, candles: Candles, intake: Intake, first: int, last: int
) -> list[str]:
    """Say what was repaired in a symbol that is only read in a run, and which part it lacks."""
    return [
        *_ends(symbol, candles.start, candles.end, first, last),
        *intake_warnings(symbol, intake),
    ]


def _ends(symbol: str, start: int, end: int, first: int, last: int) -> list[str]:
    """Say that a symbol begins later or ends earlier than a run by more than a few minutes."""
    found = []
    if start - first > _APART:
        found.append(f"{symbol}: candles begin at {iso(start)}, the run at {iso(first)}")
    if last - end > _APART:
        found.append(
            f"{symbol}: candles end at {iso(end)}, the run at {iso(last)}; nothing of it is known "
            "after that"
        )
    return found


def intake_warnings(symbol: str, intake: Intake) -> list[str]:
    """Say what was repaired in the candles of a source."""
    found = []
    if intake.duplicates_same or intake.duplicates_replaced:
        rows = plural(intake.duplicates_same + intake.duplicates_replaced, "duplicate row")
        differing = f"{intake.duplicates_replaced:,} with other values"
        found.append(f"{symbol}: {rows} dropped ({differing}); the last row of a minute counts")
    if intake.filled or intake.closed:
        found.append(gap_warning(symbol, intake))
    return found
