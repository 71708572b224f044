"""How a live run goes beside its backtest: in the band of its trades, or since when not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tradenb.core.timeframe import iso
from tradenb.statistics.expectation import Band, Course, Place, course_of
from tradenb.view.asset_files import asset
from tradenb.view.event_frames import course_frame
from tradenb.view.formatting import escaped, percent, plural
from tradenb.view.svg.band_svg import band_svg
from tradenb.view.svg.plot_area import WIDTH

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.core.signal import Trade


@dataclass(frozen=True)
class Expectation:
    """A live run beside the trades of its backtest; `run.expect` returns it.

    A cell shows the run in its band, trade by trade.

    Attributes
    ----------
    band : Band
        What the backtest promises.
    course : Course
        Where the run was after each of its trades.
    """

    band: Band
    course: Course

    @property
    def inside(self) -> bool:
        """Whether the run never left the band."""
        return self.course.left is None

    @property
    def left_after(self) -> int | None:
        """After how many trades it left the band first; None: it did not."""
        left = self.course.left
        return None if left is None else left.trades

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a trade: trades, at, gained, low, high (percent), inside."""
        return course_frame(self.course.places)

    @property
    def words(self) -> str:
        """How it goes, in a sentence with numbers."""
        places, left = self.course.places, self.course.left
        if not places:
            return "no trade to compare with the backtest yet"
        now = places[-1]
        if left is None:
            words = f"in the band of its backtest: {_gained(now)}, {_band(now)}"
        else:
            side = "below" if left.gained < left.low else "above"
            words = (
                f"{side} the band of its backtest since {iso(left.at)}: {_gained(left)}, "
                f"{_band(left)}"
            )
            words += f"; now {_gained(now)}" if now != left else ""
        if self.course.beyond:
            words += f"; the band ended {plural(self.course.beyond, 'trade')} ago"
        return words

    def __repr__(self) -> str:
        level, known = f"{self.band.level:g}", plural(self.band.backtested, "trade")
        return f"Expectation({level} % band of {known}: {self.words})".replace("\xa0", " ")

    def svg(self, width: int = WIDTH) -> str:
        """Draw the run in its band, and where it left it."""
        return band_svg(self.course, self.words, width=width)

    def _repr_html_(self) -> str:
        style = asset("summary.css")
        return (
            f'<div class="tnb-summary"><style>{style}</style><p>{escaped(self.words)}</p>'
            f"{self.svg()}</div>"
        )


def expectation_of(band: Band, trades: Sequence[Trade]) -> Expectation:
    """Hold the closed trades of a run, from its first on, against its band."""
    known = [(trade.closed_at, trade.pnl_percent) for trade in trades]
    return Expectation(band, course_of(band, known))


def _gained(place: Place) -> str:
    return f"{percent(place.gained, plus=True)} after {plural(place.trades, 'trade')}"


def _band(place: Place) -> str:
    return f"expected {percent(place.low, plus=True)} to {percent(place.high, plus=True)}"
